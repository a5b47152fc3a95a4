import { readFileSync, rmSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Sale } from '../../lambdas/base/domain/sale';
import { type LakeFile, lakeFileOf } from '../../lambdas/serve/finance/load/new-files';
import { type Container, crashPoints, kinesisEvent } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { copyRoleArn, type LakeAndLedger, openLakeAndLedger, roleNames, totalsOf } from './lake-and-ledger';

let finance: LakeAndLedger;
/** A warm one: it is not what is tested here. */
let writer: Container;
let sold: Sale[];
let events = 0;
beforeAll(async () => {
  finance = await openLakeAndLedger({ ledger: true });
  writer = finance.writer();
  expect(await finance.createSchema()).toMatchObject({ Status: 'SUCCESS' });
}, 120_000);
beforeEach(async () => {
  await finance.emptyLedger();
  for (const bucket of [finance.buckets.lake, finance.buckets.manifests]) {
    const { Contents = [] } = await finance.s3.call('ListObjectsV2', { Bucket: bucket });
    for (const { Key } of Contents) await finance.s3.call('DeleteObject', { Bucket: bucket, Key });
  }
  sold = [];
  finance.rig.forget();
});
afterAll(() => finance.close());

/** Sells: a file of lines and one of tenders for each date. */
async function sell(...sales: Sale[]): Promise<void> {
  await writer.invoke(kinesisEvent(sales, { firstSequence: 1_000 * ++events }));
  await finance.flush();
  const known = new Set(sold.map(({ transactionId }) => transactionId));
  sold.push(...sales.filter(({ transactionId }) => !known.has(transactionId)));
  finance.rig.forget();
}
const numbered = (name: string, count = 3) =>
  someSales(count, (index) => ({ transactionId: `${name}-${index}`, type: index % 3 === 2 ? 'return' : 'sale' }));

test('what lies in the lake is in the ledger after a load, and a second load has nothing to do', async () => {
  await sell(...numbered('a'), aSale({ transactionId: 'T-9', acceptedAt: '2026-11-23T00:00:00.000Z' }));

  const first = await finance.loader().invoke({});
  const second = await finance.loader().invoke({});

  expect(first).toEqual({ filesLoaded: 4, loads: 1, left: 0 });
  expect(second).toEqual({ filesLoaded: 0, loads: 0, left: 0 });
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('a booked line says all that the sale said, with the day on which finance books it', async () => {
  await sell(aSale({ businessDate: '2026-11-21', customerId: 'c-1', note: 'not for the books' }));

  await finance.loader().invoke({});

  const [line] = await finance.sql('SELECT *, CAST(business_date AS varchar) AS day FROM finance.sale_lines');
  expect(line).toMatchObject({
    source: 'pos-eu',
    transaction_id: 'T-1',
    line: '1',
    region: 'eu-west',
    location: 'store-042',
    currency: 'EUR',
    day: '2026-11-21',
    customer_id: 'c-1',
    sku: 'SKU-1',
    units: '2',
    net: '510',
    discount: null,
    original_transaction_id: null,
  });
  expect(line).not.toHaveProperty('note');
  const [tender] = await finance.sql('SELECT * FROM finance.sale_tenders');
  expect(tender).toMatchObject({
    tender: '1',
    tender_type: 'card',
    amount: '510',
    card_last4: '1111',
    card_country: null,
  });
});

test('the longest and oddest values that the door lets in are booked', async () => {
  const place = 'p'.repeat(64);
  const sale = aSale({
    source: 's'.repeat(32),
    transactionId: 'T'.repeat(64),
    originalTransactionId: 'O'.repeat(64),
    customerId: 'c'.repeat(64),
    channel: 'online',
    type: 'return',
    region: place,
    location: place,
    occurredAt: '1970-01-01T00:00:59.999999Z',
    note: `${'\u{1F6D2}'.repeat(498)}\u0000\ud800`,
    lines: [
      { line: 0, sku: 'S'.repeat(64), quantity: 1, unitPrice: Number.MAX_SAFE_INTEGER, category: '\u8a9e'.repeat(100) },
      {
        line: Number.MAX_SAFE_INTEGER,
        sku: 'a',
        quantity: 1,
        unitPrice: 0,
        category: `half \udc00 pair, "quotes", \\`,
      },
    ],
    tenders: [{ type: 'gift-card', amount: 0, gateway: 'g'.repeat(64), gatewayReference: 'r'.repeat(128) }],
  });
  await sell(sale);

  await finance.loader().invoke({});

  expect(await finance.ledgerTotals()).toEqual(totalsOf([sale]));
  const lines = await finance.sql(
    'SELECT category, occurred_at::varchar AS time FROM finance.sale_lines ORDER BY line',
  );
  // Times in whole milliseconds, and never in the next minute.
  expect(lines).toEqual([
    { category: '\u8a9e'.repeat(100), time: '1970-01-01 00:00:59.999' },
    { category: `half \ufffd pair, "quotes", \\`, time: '1970-01-01 00:00:59.999' },
  ]);
});

test('sales that the files repeat, in one load and in a later one, are booked once and keep their first time', async () => {
  const sales = numbered('a', 10);
  await sell(...sales);
  await sell(...sales.slice(0, 4));
  await finance.loader().invoke({});
  const [before] = await finance.sql('SELECT MAX(loaded_at) AS last FROM finance.sale_lines');

  await sell(...sales.slice(2), ...numbered('b'));
  await finance.loader().invoke({});

  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
  const [kept] = await finance.sql(
    "SELECT MAX(loaded_at) AS last FROM finance.sale_lines WHERE transaction_id LIKE 'a-%'",
  );
  expect(kept).toEqual(before);
});

test('a file that appears under an old date is found', async () => {
  await sell(aSale({ transactionId: 'new', acceptedAt: '2026-11-22T10:00:00.000Z' }));
  await finance.loader().invoke({});

  await sell(aSale({ transactionId: 'late', acceptedAt: '2026-11-01T10:00:00.000Z' }));
  await finance.loader().invoke({});

  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('the same content under another name is loaded and changes nothing', async () => {
  await sell(...numbered('a'));
  await finance.loader().invoke({});
  for (const Key of await finance.files()) {
    const { Body } = await finance.s3.call('GetObject', { Bucket: finance.buckets.lake, Key });
    await finance.s3.call('PutObject', {
      Bucket: finance.buckets.lake,
      Key: Key.replace('.parquet', '-again.parquet'),
      Body,
    });
  }

  const outcome = await finance.loader().invoke({});

  expect(outcome).toEqual({ filesLoaded: 2, loads: 1, left: 0 });
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('a load that was overtaken by another of the same files stops, lists again and finds nothing to do', async () => {
  await sell(...numbered('a'));
  const faster = finance.loader();
  finance.rig.intercept({ operation: 'redshift-data:BatchExecuteStatement' }, async (input, proceed) => {
    await faster.invoke({});
    return proceed(input);
  });

  const outcome = await finance.loader().invoke({});

  expect(outcome).toEqual({ filesLoaded: 0, loads: 0, left: 0 });
  expect(faster.metric('FilesLoaded')).toBe(2);
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
  expect(await finance.sql('SELECT object_key FROM finance.loaded_files')).toHaveLength(2);
});

test('a load for which there is no time says what it leaves, and the next goes on', async () => {
  await sell(...numbered('a'));

  const short = await finance.loader().invoke({}, 20_000);
  const next = await finance.loader().invoke({});

  expect(short).toEqual({ filesLoaded: 0, loads: 0, left: 2 });
  expect(next).toEqual({ filesLoaded: 2, loads: 1, left: 0 });
});

test('two loads at the same moment load every file once', async () => {
  for (const name of ['a', 'b', 'c']) await sell(...numbered(name));

  const outcomes = await Promise.all([finance.loader().invoke<any>({}), finance.loader().invoke<any>({})]);

  expect(outcomes[0].filesLoaded + outcomes[1].filesLoaded).toBe(6);
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('files that the ledger has, offered again by a stale answer, are not loaded again', async () => {
  await sell(...numbered('a'));
  await finance.loader().invoke({});
  finance.rig.forget();
  // The second result is the list of loaded files.
  finance.rig.intercept({ operation: 'redshift-data:GetStatementResult', call: 2 }, async (input, proceed) => ({
    ...(await proceed(input)),
    Records: [],
  }));

  const outcome = await finance.loader().invoke({});

  expect(outcome).toEqual({ filesLoaded: 0, loads: 0, left: 0 });
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('a loader that is killed before or after any of its calls books everything once, with the next run', async () => {
  await sell(...numbered('start'));
  await finance.loader().invoke({});
  const points = crashPoints(finance.rig.calls());
  expect(new Set(points.map(({ operation }) => operation))).toEqual(
    new Set([
      'redshift-data:ExecuteStatement',
      'redshift-data:BatchExecuteStatement',
      'redshift-data:DescribeStatement',
      'redshift-data:GetStatementResult',
      's3:ListObjectsV2',
      's3:PutObject',
    ]),
  );

  const next = finance.loader();
  for (const [number, point] of points.entries()) {
    await sell(...numbered(`crash-${number}`));
    finance.rig.crash(point);
    await expect(finance.loader().invoke({})).rejects.toThrow('killed');
    await next.invoke({});

    expect({ point, ...(await finance.ledgerTotals()) }).toEqual({ point, ...totalsOf(sold) });
  }
}, 120_000);

test('a throttled call is tried again', async () => {
  await sell(...numbered('a'));
  finance.rig.throttle({ operation: 'redshift-data:BatchExecuteStatement' });
  finance.rig.throttle({ operation: 's3:PutObject' });

  await finance.loader().invoke({});

  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('a file that is no Parquet fails its load whole, says so, and is loaded when it is mended', async () => {
  await sell(...numbered('a'));
  const [Key] = await finance.files('sale_tenders/');
  const object = { Bucket: finance.buckets.lake, Key };
  const { Body } = await finance.s3.call('GetObject', object);
  await finance.s3.call('PutObject', { ...object, Body: Buffer.from('no parquet') });
  const failing = finance.loader();

  await expect(failing.invoke({})).rejects.toThrow(/sale_tenders/);

  expect(failing.metric('LoadFailed')).toBe(1);
  expect(await finance.ledgerTotals()).toEqual(totalsOf([]));
  await finance.s3.call('PutObject', { ...object, Body });
  await finance.loader().invoke({});
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
});

test('other objects of the lake are left alone', async () => {
  await sell(...numbered('a'));
  for (const Key of [
    'errors/sale_lines/format-conversion-failed/2026-11-22/x',
    'sale_lines/accepted_date=2026-11-22/sub/x',
  ])
    await finance.s3.call('PutObject', { Bucket: finance.buckets.lake, Key, Body: Buffer.from('x') });

  expect(await finance.loader().invoke({})).toEqual({ filesLoaded: 2, loads: 1, left: 0 });
});

test('a day is totalled by place, channel, currency, tender type and gateway, and a sale that comes late is in its day', async () => {
  const day = '2026-11-21';
  await sell(
    aSale({ transactionId: 'one', businessDate: day }),
    aSale({ transactionId: 'back', businessDate: day, type: 'return' }),
  );
  await finance.loader().invoke({});
  await sell(
    aSale({ transactionId: 'late', businessDate: day }),
    aSale({ transactionId: 'next', businessDate: '2026-11-22' }),
  );
  await finance.loader().invoke({});

  const sales = await finance.sql(`SELECT * FROM finance.daily_sales WHERE business_date = '${day}'`);
  const tenders = await finance.sql(`SELECT * FROM finance.daily_tenders WHERE business_date = '${day}'`);
  const headers = await finance.sql('SELECT transaction_id FROM finance.sales ORDER BY transaction_id');

  expect(sales).toMatchObject([
    { region: 'eu-west', location: 'store-042', currency: 'EUR', sales: '2', returns: '1', units: '2', net: '510' },
  ]);
  expect(tenders).toMatchObject([{ tender_type: 'card', currency: 'EUR', tenders: '3', amount: '510' }]);
  expect(headers.map(({ transaction_id }) => transaction_id)).toEqual(['back', 'late', 'next', 'one']);
});

test('the deploy step bears a repeat, and the loader keeps to its tables', async () => {
  await sell(...numbered('a'));
  await finance.loader().invoke({});

  const again = await finance.createSchema();

  expect(again).toMatchObject({ Status: 'SUCCESS' });
  expect(await finance.ledgerTotals()).toEqual(totalsOf(sold));
  const rights = await finance.sql(
    "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee LIKE 'iamr:%ledger-loader' ORDER BY 1, 2",
  );
  expect(rights.map(({ table_name, privilege_type }) => `${privilege_type} ${table_name}`)).toEqual(
    ['loaded_files', 'sale_lines', 'sale_tenders'].flatMap((name) => [
      `INSERT ${name}`,
      `SELECT ${name}`,
      `UPDATE ${name}`,
    ]),
  );
});

/** Finance's modules as they are when both tables of files have a column more; the ledger's list has it if `isBooked`. */
function withAnotherColumn(isBooked: boolean) {
  const rows = '../../lambdas/base/domain/sale-rows';
  const booked = '../../lambdas/serve/finance/booked-columns';
  jest.doMock(rows, () => {
    const real = jest.requireActual<typeof import('../../lambdas/base/domain/sale-rows')>(rows);
    const cashier = { name: 'cashier', type: 'string', bytes: 64, optional: true, comment: '' } as const;
    const [saleLines, saleTenders] = real.rowTables.map((table) => ({
      ...table,
      columns: [...table.columns, cashier],
    }));
    return { ...real, saleLines, saleTenders, rowTables: [saleLines, saleTenders] };
  });
  jest.doMock(booked, () => {
    const { bookedColumns } = jest.requireActual<typeof import('../../lambdas/serve/finance/booked-columns')>(booked);
    const more = Object.entries(bookedColumns).map(([name, columns]) => [name, [...columns, 'cashier']]);
    return { bookedColumns: isBooked ? Object.fromEntries(more) : bookedColumns };
  });
  try {
    let modules: typeof import('../../lambdas/serve/finance/load/load') &
      typeof import('../../lambdas/serve/finance/create-schema/migrations');
    jest.isolateModules(() => {
      modules = {
        ...require('../../lambdas/serve/finance/load/load'),
        ...require('../../lambdas/serve/finance/create-schema/migrations'),
      };
    });
    return modules!;
  } finally {
    jest.dontMock(rows).dontMock(booked);
  }
}

/** Beside every file of the lake one as it is when it has a column more, of another sale. */
async function addFilesWithAnotherColumn(): Promise<LakeFile[]> {
  const { lake } = finance.buckets;
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  for (const key of await finance.files()) {
    const made = `${finance.s3.fileOf(lake, key)}.made`;
    await connection.run(
      `copy (select * replace ('new' as transaction_id), 'till-7' as cashier
         from read_parquet('${finance.s3.fileOf(lake, key)}', hive_partitioning = false)) to '${made}' (format parquet)`,
    );
    const Key = key.replace('.parquet', '-new.parquet');
    await finance.s3.call('PutObject', { Bucket: lake, Key, Body: readFileSync(made) });
    rmSync(made);
  }
  connection.closeSync();
  const { Contents } = await finance.s3.call('ListObjectsV2', { Bucket: lake });
  return Contents.map((object: object) => lakeFileOf(object)!);
}

test('a column that comes to the files is copied beside files of before it, and booked once the ledger has it, be that old or new', async () => {
  const ledger = finance.warehouse();
  const addColumn = ['sale_lines', 'sale_tenders'].map(
    (name) => `ALTER TABLE finance.${name} ADD COLUMN cashier varchar(64)`,
  );
  const drop = 'DROP SCHEMA finance CASCADE';
  await sell(aSale({ transactionId: 'old' }));
  const files = await addFilesWithAnotherColumn();
  const book = async ({ loadOf, loadStatements }: ReturnType<typeof withAnotherColumn>) => {
    const load = loadOf(files, finance.buckets.lake, new Date());
    for (const { key, body } of load.manifests)
      await finance.s3.call('PutObject', { Bucket: finance.buckets.manifests, Key: key, Body: Buffer.from(body) });
    await ledger.run(loadStatements(load, finance.buckets.manifests, copyRoleArn));
  };
  const booked = async (column: string) =>
    Promise.all(
      ['sale_lines', 'sale_tenders'].map((name) =>
        finance.sql(`SELECT transaction_id, ${column} AS cashier FROM finance.${name} ORDER BY 1`),
      ),
    );
  const sales = (cashier: string | null) =>
    Array(2).fill([
      { transaction_id: 'new', cashier },
      { transaction_id: 'old', cashier: null },
    ]);
  const modules = withAnotherColumn(true);
  const { beforeMigrations, migrations, migrationStatements } = modules;
  const step = { version: migrations.length + 1, statements: addColumn };

  await book(withAnotherColumn(false));
  expect(await booked('NULL')).toEqual(sales(null));

  await finance.emptyLedger();
  await ledger.run(migrationStatements(step, new Date()));
  await book(modules);
  expect(await booked('cashier')).toEqual(sales('till-7'));

  await finance.sql(drop);
  await ledger.run(beforeMigrations);
  for (const migration of [...migrations, step]) await ledger.run(migrationStatements(migration, new Date()));
  await book(modules);
  expect(await booked('cashier')).toEqual(sales('till-7'));

  await finance.sql(drop);
  await finance.createSchema();
}, 60_000);

test('a deploy that is killed before or after any of its calls is made good by the next', async () => {
  const clean = async () =>
    finance.sql(
      'DROP SCHEMA IF EXISTS finance CASCADE; ' +
        Object.values(roleNames)
          .map((name) => `DROP ROLE IF EXISTS "iamr:${name}";`)
          .join(' '),
    );
  await clean();
  await finance.createSchema();
  const points = crashPoints(finance.rig.calls()).filter(
    ({ operation }) => operation !== 'redshift-data:DescribeStatement',
  );

  for (const point of points) {
    // None of the users is there either, so each is created and let in by one of the two runs.
    await clean();
    finance.rig.forget();
    finance.rig.crash(point);
    await expect(finance.createSchema()).rejects.toThrow('killed');

    expect({ point, ...(await finance.createSchema()) }).toMatchObject({ point, Status: 'SUCCESS' });
  }
  await sell(...numbered('a'));
  expect(await finance.loader().invoke({})).toMatchObject({ filesLoaded: 2 });
}, 120_000);
