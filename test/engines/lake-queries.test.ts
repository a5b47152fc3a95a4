import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { lakeViewQuery } from '../../lambdas/base/domain/lake-views';
import { rowTables, saleLines, saleTenders } from '../../lambdas/base/domain/sale-rows';
import { kinesisEvent } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

let lake: LakeAndLedger;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  lake = await openLakeAndLedger({ ledger: false });
});
afterEach(async () => {
  await lake.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts rows, made by DuckDB, under their dates: a file for each. */
async function putYear(): Promise<void> {
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  const values = saleLines.columns.map(({ name, type }) => {
    const value = {
      string: name === 'transaction_id' ? "'T-' || day" : `'x'`,
      bigint: '1::bigint',
      timestamp: "timestamp '2026-01-01' + to_days(day::int)",
    }[type];
    return `${value} as ${name}`;
  });
  const dates = "strftime(timestamp '2026-01-01' + to_days(day::int), '%Y-%m-%d') as accepted_date";
  await connection.run(
    `copy (select ${values.join(', ')}, ${dates} from range(365) as t (day)) to '${folder}/year' (format parquet, partition_by (accepted_date))`,
  );
  connection.closeSync();
  for (let day = 0; day < 365; day++) {
    const date = new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
    const Body = readFileSync(join(folder, 'year', `accepted_date=${date}`, 'data_0.parquet'));
    for (const name of ['a', 'b'])
      await lake.s3.call('PutObject', {
        Bucket: 'lake',
        Key: `sale_lines/accepted_date=${date}/${name}.parquet`,
        Body,
      });
  }
}

test('a query for a day of a lake of a year reads the files of that day, also through the view', async () => {
  await putYear();
  const day = (date: string, from: string) =>
    lake.ask(`select count(*), sum(net) from ${from} where accepted_date = '${date}'`);

  const raw = await day('2026-03-05', 'sale_lines');
  const once = await day('2026-03-05', 'sales');

  const files = ['a', 'b'].map((name) => `s3://lake/sale_lines/accepted_date=2026-03-05/${name}.parquet`);
  expect([raw.rows, [...raw.files].sort()]).toEqual([[['2', '2']], files]);
  expect([once.rows, [...once.files].sort()]).toEqual([[['1', '1']], files]);
});

test('the views have one row per key, whatever the files repeat', async () => {
  const sales = someSales(5);
  for (const number of [1, 2]) {
    await lake.writer().invoke(kinesisEvent(sales, { firstSequence: number * 100 }));
    await lake.flush();
  }

  expect((await lake.ask('select count(*) from sale_lines')).rows).toEqual([['10']]);
  expect((await lake.ask('select count(*), sum(net) from sales')).rows).toEqual([['5', String(5 * 510)]]);
  expect((await lake.ask('select count(*), sum(signed_amount) from tenders')).rows).toEqual([['5', String(5 * 510)]]);
});

test('a view is the same text on DuckDB over the files', async () => {
  await lake.writer().invoke(kinesisEvent([aSale(), aSale({ transactionId: 'T-2' })]));
  await lake.flush();
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();

  for (const table of [saleLines, saleTenders]) {
    const paths = `${lake.s3.directoryOf('lake')}/${table.name}/**/*.parquet`;
    await connection.run(
      `create view ${table.name} as from read_parquet('${paths}', hive_types = {accepted_date: varchar})`,
    );
    const reader = await connection.runAndReadAll(`select count(*) from (${lakeViewQuery(table)})`);
    expect(reader.getRows()).toEqual([[2n]]);
  }
  connection.closeSync();
});

test.each(rowTables)('a file of before $name had its last column is read, with nulls there', async (table) => {
  const last = table.columns.at(-1)!;
  await lake.writer().invoke(kinesisEvent([aSale()]));
  await lake.flush();
  const [key] = (await lake.files(`${table.name}/`)) as [string];
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  await connection.run(
    `copy (select * exclude (${last.name}) from read_parquet('${lake.s3.fileOf('lake', key)}', hive_partitioning = false)) to '${folder}/old.parquet' (format parquet)`,
  );
  connection.closeSync();
  await lake.s3.call('PutObject', {
    Bucket: 'lake',
    Key: `${table.name}/accepted_date=2026-11-21/old.parquet`,
    Body: readFileSync(join(folder, 'old.parquet')),
  });

  const { rows } = await lake.ask(`select accepted_date, ${last.name} from ${table.name} order by 1`);

  expect(rows.map(([date, value]) => [date, value === null])).toEqual([
    ['2026-11-21', true],
    ['2026-11-22', false],
  ]);
});
