import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';

/** A file that is no CSV: an open quote, a cell without end. */
export class NotCsv extends Error {}

export interface CsvRows {
  readonly rows: AsyncIterable<readonly string[]>;
  /** The digest of the whole content, once all rows were taken. */
  digest(): string;
}

// A row of a settlement has some hundred bytes. What is longer is not read into memory to find that out.
const longestRow = 65_536;

/** The rows of a CSV file as it comes, and the digest of what came. */
export function csvRows(body: Readable): CsvRows {
  const hash = createHash('sha256');
  async function* rows(): AsyncIterable<readonly string[]> {
    const parser = parse({ bom: true, relax_column_count: true, skip_empty_lines: true, max_record_size: longestRow });
    body.on('data', (chunk: Buffer) => hash.update(chunk));
    body.on('error', (error) => parser.destroy(error));
    body.pipe(parser);
    try {
      yield* parser;
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      // Its message would quote the row.
      throw new NotCsv(error.code.toLowerCase().replaceAll('_', ' '));
    } finally {
      body.destroy();
    }
  }
  return { rows: rows(), digest: () => hash.digest('hex') };
}

/** A row as CSV: nothing stands for null, hence no cell may be empty. */
export function csvLine(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map((cell) => (cell === undefined ? '' : quoted(String(cell)))).join(',')}\n`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
