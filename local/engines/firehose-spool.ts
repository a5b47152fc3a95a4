import * as fs from 'node:fs';
import type { Batch } from './firehose-stream';

/** Keeps batches in a file: one line for each, and for each of its pieces. Without batches there is no file. */
export function writeSpool(file: string, batches: readonly Batch[]): void {
  if (batches.length === 0) {
    fs.rmSync(file, { force: true });
    return;
  }
  const descriptor = fs.openSync(`${file}.new`, 'w', 0o600);
  for (const { pieces, ...batch } of batches) {
    fs.writeSync(descriptor, `${JSON.stringify({ ...batch, count: pieces.length })}\n`);
    for (let at = 0; at < pieces.length; at += 1_000) {
      const lines = pieces.slice(at, at + 1_000).map((piece) => `${JSON.stringify(piece)}\n`);
      fs.writeFileSync(descriptor, lines.join(''));
    }
  }
  fs.closeSync(descriptor);
  fs.renameSync(`${file}.new`, file);
}

/** The batches that a spool holds. It stays until the next close: a crash in between repeats records, as Firehose may. */
export function readSpool(file: string): Batch[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const batches: Batch[] = [];
  for (let at = 0; at < lines.length - 1; ) {
    const { count, ...batch } = JSON.parse(lines[at]!);
    const pieces = lines.slice(at + 1, at + 1 + count).map((line) => JSON.parse(line) as string);
    batches.push({ ...batch, pieces });
    at += 1 + count;
  }
  return batches;
}
