import { randomUUID } from 'node:crypto';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { AwsError } from './engine';
import { type NamedTable, translated } from './timestream-sql';

interface Result {
  readonly queryId: string;
  readonly queryString: string;
  readonly columns: readonly { readonly Name: string; readonly Type: { readonly ScalarType: string } }[];
  readonly rows: readonly { readonly Data: readonly Datum[] }[];
}

type Datum = { readonly ScalarValue: string } | { readonly NullValue: true };

const pageBytes = 1_000_000;
const mostRows = 1_000;
// Whoever pages asks for the next one at once; what is older has been read, or will not be.
const keptResults = 50;

const scalarTypes: Readonly<Record<string, string>> = {
  HUGEINT: 'BIGINT',
  BIGINT: 'BIGINT',
  INTEGER: 'INTEGER',
  DOUBLE: 'DOUBLE',
  VARCHAR: 'VARCHAR',
  BOOLEAN: 'BOOLEAN',
  TIMESTAMP: 'TIMESTAMP',
  TIMESTAMP_NS: 'TIMESTAMP',
};

/** Runs queries, and hands out their results in pages. */
export class TimestreamQueries {
  readonly #results = new Map<string, Result>();
  /** The query that a client token was first sent with. */
  readonly #byToken = new Map<string, Result>();

  constructor(
    private readonly duckdb: DuckDBConnection,
    private readonly now: () => number,
    private readonly sourceOf: (table: NamedTable) => string,
  ) {}

  async run({ QueryString, ClientToken, NextToken, MaxRows = mostRows }: any): Promise<any> {
    if (typeof QueryString !== 'string' || QueryString === '') throw invalid('QueryString: got none');
    if (!Number.isInteger(MaxRows) || MaxRows < 1 || MaxRows > mostRows)
      throw invalid(`MaxRows: got ${MaxRows}, allowed: 1 to ${mostRows}`);
    if (NextToken !== undefined) return this.#pageAfter(NextToken, QueryString, MaxRows);
    const sent = ClientToken === undefined ? undefined : this.#byToken.get(ClientToken);
    if (sent !== undefined && sent.queryString !== QueryString)
      throw invalid('ClientToken: got the token of another query');
    const result = sent ?? (await this.#execute(QueryString));
    if (ClientToken !== undefined) keep(this.#byToken, ClientToken, result);
    keep(this.#results, result.queryId, result);
    return page(result, 0, MaxRows);
  }

  #pageAfter(token: string, queryString: string, maxRows: number) {
    const [queryId = '', from] = Buffer.from(token, 'base64url').toString().split(' ');
    const result = this.#results.get(queryId);
    if (result === undefined || result.queryString !== queryString) throw invalid('Invalid pagination token.');
    return page(result, Number(from), maxRows);
  }

  async #execute(queryString: string): Promise<Result> {
    const sql = translated(queryString, new Date(this.now()), this.sourceOf);
    try {
      const found = await this.duckdb.runAndReadAll(sql);
      const columns = found.columnTypes().map((type, place) => {
        const ScalarType = scalarTypes[String(type)];
        if (ScalarType === undefined) throw invalid(`the local Timestream does not model values of the type ${type}`);
        const name = found.columnName(place);
        return { Name: /^\w+$/.test(name) ? name : `_col${place}`, Type: { ScalarType } };
      });
      const rows = found
        .getRows()
        .map((row) => ({ Data: row.map((value, place) => datum(value, columns[place]!.Type.ScalarType)) }));
      return { queryId: randomUUID().replaceAll('-', '').toUpperCase(), queryString, columns, rows };
    } catch (error) {
      if (error instanceof AwsError) throw error;
      const { message } = error as Error;
      const [, column] = /Referenced column "([^"]+)" not found/.exec(message) ?? [];
      throw invalid(column === undefined ? message.slice(0, 500) : `line 1:1: Column '${column}' does not exist`);
    }
  }
}

/** As many rows as a page takes: a megabyte of them, or so many. */
function page({ queryId, columns, rows }: Result, from: number, maxRows: number) {
  let to = from;
  let size = 0;
  while (to < rows.length && to - from < maxRows) {
    size += JSON.stringify(rows[to]).length;
    if (size > pageBytes && to > from) break;
    to++;
  }
  return {
    QueryId: queryId,
    ColumnInfo: columns,
    Rows: rows.slice(from, to),
    ...(to < rows.length ? { NextToken: Buffer.from(`${queryId} ${to}`).toString('base64url') } : {}),
    QueryStatus: { ProgressPercentage: (100 * to) / Math.max(rows.length, 1) },
  };
}

function datum(value: DuckDBValue, type: string): Datum {
  if (value === null) return { NullValue: true };
  if (type !== 'TIMESTAMP') return { ScalarValue: String(value) };
  // As many digits of a second as Timestream always gives.
  const [time, fraction = ''] = String(value).split('.');
  return { ScalarValue: `${time}.${fraction.padEnd(9, '0')}` };
}

function keep(results: Map<string, Result>, key: string, result: Result): void {
  results.set(key, result);
  for (const oldest of results.keys()) {
    if (results.size <= keptResults) break;
    results.delete(oldest);
  }
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
