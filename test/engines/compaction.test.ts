import { lakeFileOf } from '../../lambdas/serve/finance/load/new-files';
import { type Container, type Crash, kinesisEvent } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

let lake: LakeAndLedger;
/** Warm ones, as they are on most days. */
let writer: Container;
let compactor: Container;
beforeEach(async () => {
  lake = await openLakeAndLedger({ ledger: false });
  writer = lake.writer();
  compactor = lake.compactor();
});
afterEach(() => lake.close());

const at = (date: string, transactionId: string) =>
  aSale({ transactionId, occurredAt: `${date}T09:00:00.000Z`, acceptedAt: `${date}T10:00:00.000Z` });

async function arrive(...sales: ReturnType<typeof aSale>[]): Promise<void> {
  await writer.invoke(kinesisEvent(sales));
  await lake.flush();
}

const compact = (by = compactor) => by.invoke({});
const salesIn = async (view = 'sales') =>
  (await lake.ask(`select accepted_date, transaction_id from ${view} order by 1, 2`)).rows.map((row) => row.join(' '));

const everything = ['2026-03-04 A', '2026-03-04 B', '2026-03-05 C'];

async function twoDates(): Promise<void> {
  await arrive(at('2026-03-04', 'A'));
  await arrive(at('2026-03-04', 'A'), at('2026-03-04', 'B'));
  await arrive(at('2026-03-05', 'C'));
}

test('the small files of an old date become one, which the views read, row by row the same', async () => {
  await twoDates();
  const before = await lake.ask("select transaction_id from sales where accepted_date = '2026-03-04'");

  expect(await compact()).toEqual({ dates: 4, left: 0 });

  const after = await lake.ask("select transaction_id from sales where accepted_date = '2026-03-04'");
  expect([before.files.length, after.files.length]).toEqual([2, 1]);
  expect(after.files[0]).toMatch(/^s3:\/\/lake\/compacted\/files\/sale_lines\/accepted_date=2026-03-04\//);
  expect(await salesIn()).toEqual(everything);
  expect(await salesIn('tenders')).toEqual(everything);
});

test('nothing that anybody goes by is touched: the delivered files stay, and the ledger takes none of the new ones', async () => {
  await twoDates();
  const delivered = await lake.files('sale_');

  await compact();

  expect(await lake.files('sale_')).toEqual(delivered);
  for (const Key of await lake.files('compacted/')) expect(lakeFileOf({ Key, Size: 1 })).toBeUndefined();
});

test('a file that comes later than any can is read again by the views, and compacted with the rest of its date', async () => {
  await twoDates();
  await compact();
  await arrive(at('2026-03-04', 'late'));

  expect(await compact()).toEqual({ dates: 2, left: 0 });

  expect(await salesIn()).toEqual(['2026-03-04 A', '2026-03-04 B', '2026-03-04 late', '2026-03-05 C']);
  expect(await compact()).toEqual({ dates: 0, left: 0 });
});

test('a run that was overtaken by another, which knew one file more, hides nothing and leaves the date to it', async () => {
  await arrive(at('2026-03-04', 'A'));
  const faster = lake.compactor();
  lake.rig.intercept({ operation: 'athena:StartQueryExecution' }, async (input, proceed) => {
    const unloaded = await proceed(input);
    await arrive(at('2026-03-04', 'late'));
    await faster.invoke({});
    return unloaded;
  });

  const overtaken = await compact();

  expect(overtaken).toEqual({ dates: 0, left: 0 });
  const { rows, files } = await lake.ask('select transaction_id from sales order by 1');
  expect(rows.flat()).toEqual(['A', 'late']);
  expect(files.every((file) => file.includes('/compacted/'))).toBe(true);
});

test('killed before or after a call, it loses no row, and the next run makes good', async () => {
  const crashes: Crash[] = [
    { operation: 'athena:StartQueryExecution', call: 2, when: 'after' },
    { operation: 's3:PutObject', call: 1, when: 'after' },
    { operation: 's3:PutObject', call: 2, when: 'before' },
    // Each date is marked, and the view does not know yet.
    { operation: 's3:PutObject', call: 2, when: 'after' },
  ];
  const expected: string[] = [];
  for (const [place, crash] of crashes.entries()) {
    const date = `2026-03-${String(10 + place).padStart(2, '0')}`;
    await arrive(at(date, 'X'));
    expected.push(`${date} X`);
    lake.rig.forget();
    lake.rig.crash(crash);
    await expect(compact(lake.compactor())).rejects.toThrow('killed');
    expect(await salesIn()).toEqual(expected);
  }
  lake.rig.forget();

  await compact();

  expect(await salesIn()).toEqual(expected);
  expect((await lake.ask('select transaction_id from sales')).files.every((file) => file.includes('/compacted/'))).toBe(
    true,
  );
});

test('a date to which files can still come is left alone', async () => {
  await arrive(at(new Date(Date.now() - 20 * 86_400_000).toISOString().slice(0, 10), 'recent'));

  expect(await compact()).toEqual({ dates: 0, left: 0 });
});
