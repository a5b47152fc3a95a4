import { DuckDBInstance } from '@duckdb/node-api';
import { Client } from 'pg';
import { saleLines } from '../lambdas/base/domain/sale-rows';

/** What a store holds, by its own account. Net in minor units, by currency. */
export interface StoreTotals {
  /** Inventory counts no transactions. */
  readonly transactions?: number;
  readonly lines: number;
  readonly units: number;
  readonly net?: Readonly<Record<string, number>>;
}

/** Asks the time series in InfluxDB: in InfluxQL, with the token that only reads. */
export async function influxDbTotals(query: (influxQl: string) => Promise<any>): Promise<StoreTotals> {
  const answer = await query(
    'SELECT SUM(net) AS net, SUM(units) AS units, SUM(lines) AS lines, SUM(transactions) AS transactions FROM sales GROUP BY currency',
  );
  const [{ error = answer.message, series = [] } = {} as any] = answer.results ?? [];
  if (error !== undefined) throw new Error(`the time series did not answer: ${error}`);
  return summed(
    series.map(({ tags, columns, values }: any) => {
      const row = Object.fromEntries(columns.map((column: string, place: number) => [column, values[0][place]]));
      return { currency: tags.currency, ...row };
    }),
  );
}

/** Asks the time series in LiveAnalytics, in SQL. Before the first sale its table has no columns. */
export async function liveAnalyticsTotals(
  timestream: (operation: 'Query', input: object) => Promise<any>,
  database: string,
): Promise<StoreTotals> {
  const sums = ['net', 'units', 'lines', 'transactions'].map((column) => `sum(${column}) AS ${column}`).join(', ');
  const QueryString = `SELECT currency, ${sums} FROM "${database}"."sales" GROUP BY currency`;
  const { ColumnInfo, Rows } = await timestream('Query', { QueryString }).catch((error: Error) => {
    if (/Column '.+' does not exist/.test(error.message)) return { ColumnInfo: [], Rows: [] };
    throw error;
  });
  return summed(
    Rows.map(({ Data }: any) =>
      Object.fromEntries(ColumnInfo.map(({ Name }: any, place: number) => [Name, Data[place].ScalarValue])),
    ),
  );
}

/** Asks the ledger, in SQL. */
export async function financeTotals(warehouseUrl: string): Promise<StoreTotals> {
  const client = new Client({ connectionString: warehouseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(totalsSql('finance.sale_lines'));
    return summed(rows);
  } finally {
    await client.end();
  }
}

/** Asks the lake's files, each row counted once however often they repeat it. */
export async function lakeTotals(files: string): Promise<StoreTotals> {
  const database = await DuckDBInstance.create(':memory:');
  const connection = await database.connect();
  const key = saleLines.key.join(', ');
  const rows = `(SELECT * FROM read_parquet('${files.replaceAll("'", "''")}', union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY accepted_at) = 1)`;
  try {
    return summed((await connection.runAndReadAll(totalsSql(rows))).getRowObjectsJson());
  } catch (error) {
    if (/No files found/.test((error as Error).message)) return summed([]);
    throw error;
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

/** Adds up what was ever sold at all positions: by what time it is kept does not matter. */
export async function inventoryTotals(
  dynamodb: (operation: string, input: object) => Promise<any>,
  positionsTableName: string,
): Promise<StoreTotals> {
  let lines = 0;
  let units = 0;
  let ExclusiveStartKey: object | undefined;
  do {
    const page = await dynamodb('Scan', {
      TableName: positionsTableName,
      ...(ExclusiveStartKey && { ExclusiveStartKey }),
    });
    for (const item of page.Items) {
      lines += Number(item.lines?.N ?? 0);
      units += Number(item.units?.N ?? 0);
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return { lines, units };
}

function totalsSql(rows: string): string {
  return `SELECT currency, count(DISTINCT source || '#' || transaction_id) AS transactions, count(*) AS lines,
    CAST(sum(units) AS bigint) AS units, CAST(sum(net) AS bigint) AS net FROM ${rows} AS rows GROUP BY currency`;
}

function summed(rows: readonly any[]): StoreTotals {
  const sum = (column: string) => rows.reduce((total, row) => total + Number(row[column]), 0);
  return {
    transactions: sum('transactions'),
    lines: sum('lines'),
    units: sum('units'),
    net: Object.fromEntries(rows.map(({ currency, net }) => [currency, Number(net)]).sort()),
  };
}
