import { crashPoints } from '../engine-rig';
import { type SettledBatch, settledKinds, settlementFile, someSettled } from '../engine-rig/settlements';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

type Gateway = keyof typeof settlementFile;

let finance: LakeAndLedger;
beforeAll(async () => {
  finance = await openLakeAndLedger({ ledger: true });
  expect(await finance.createSchema()).toMatchObject({ Status: 'SUCCESS' });
}, 120_000);
beforeEach(async () => {
  await finance.emptyLedger();
  for (const Bucket of [finance.buckets.settlement, finance.buckets.manifests])
    for (const Key of await keys(Bucket)) await finance.s3.call('DeleteObject', { Bucket, Key });
  finance.rig.forget();
});
afterAll(() => finance.close());

async function keys(Bucket: string, Prefix = ''): Promise<string[]> {
  const { Contents = [] } = await finance.s3.call('ListObjectsV2', { Bucket, Prefix });
  return Contents.map(({ Key }: { Key: string }) => Key);
}
async function drop(key: string, content: string): Promise<object> {
  await finance.s3.call('PutObject', { Bucket: finance.buckets.settlement, Key: key, Body: Buffer.from(content) });
  return { detail: { object: { key } } };
}
async function object(Key: string): Promise<string> {
  const { Body } = await finance.s3.call('GetObject', { Bucket: finance.buckets.settlement, Key });
  return Body.toString();
}
/** Looks for files without an outcome, as the schedule does. */
const sweep = (settler = finance.settler()) => settler.invoke({}, 15 * 60_000);
/** The reports of the files that are held. */
async function reports(): Promise<any[]> {
  return Promise.all(
    (await keys(finance.buckets.settlement, 'held/')).map(async (key) => JSON.parse(await object(key))),
  );
}
/** What the ledger says of all that was settled, and what the batches do. */
async function settledTotals() {
  const [lines] = await finance.sql(
    'SELECT COUNT(*) AS rows, SUM(gross) AS gross, SUM(fee) AS fee, SUM(net) AS net FROM finance.settlement_lines',
  );
  for (const table of ['settlement_batches', 'settlement_files'])
    expect([
      table,
      ...(await finance.sql(
        `SELECT COALESCE(SUM(rows), 0) AS rows, SUM(gross) AS gross, SUM(fee) AS fee, SUM(net) AS net FROM finance.${table}`,
      )),
    ]).toEqual([table, lines]);
  return Object.fromEntries(Object.entries(lines!).map(([name, value]) => [name, Number(value)]));
}
const totalsOf = (...batches: SettledBatch[]) => {
  const all = batches.flatMap(({ settled }) => settled);
  const gross = all.reduce((sum, line) => sum + line.gross, 0);
  const fee = all.reduce((sum, line) => sum + line.fee, 0);
  return { rows: all.length, gross, fee, net: gross - fee };
};
const nothing = { rows: 0, gross: 0, fee: 0, net: 0 };

test.each<Gateway>(['adyen', 'stripe', 'braintree'])(
  "a file of %s's is loaded, once, under any name and in any repetition",
  async (gateway) => {
    const kinds = settledKinds[gateway];
    const batches = [
      someSettled('b-1', 40, 'EUR', '2026-11-24', kinds),
      someSettled('b-2', 25, 'JPY', '2026-11-24', kinds),
    ];
    const text = settlementFile[gateway](...batches);
    const event = await drop(`incoming/${gateway}/report_1.csv`, text);

    const first = await finance.settler().invoke(event);
    const repeated = await finance.settler().invoke(event);
    const renamed = await finance.settler().invoke(await drop(`incoming/${gateway}/copy of it.csv`, text));
    const swept = await sweep();

    expect([first, repeated, renamed, swept]).toEqual([
      { loaded: 1, repeated: 0, held: 0, left: 0 },
      { loaded: 0, repeated: 1, held: 0, left: 0 },
      { loaded: 0, repeated: 1, held: 0, left: 0 },
      { loaded: 0, repeated: 0, held: 0, left: 0 },
    ]);
    const net = totalsOf(...batches).net;
    // Only Adyen writes what was paid out as rows.
    const paidOut = gateway === 'adyen' ? { rows: 2, gross: -net, net: -net } : { rows: 0, gross: 0, net: 0 };
    const { rows, gross, fee } = totalsOf(...batches);
    expect(await settledTotals()).toEqual({
      rows: rows + paidOut.rows,
      gross: gross + paidOut.gross,
      fee,
      net: net + paidOut.net,
    });
    expect(await reports()).toEqual([]);
  },
);

test('a loaded row says what the file said, and where it came from', async () => {
  const batch = someSettled('b-1', 7);
  await finance.settler().invoke(await drop('incoming/adyen/report.csv', settlementFile.adyen(batch)));

  const [refund] = await finance.sql(
    `SELECT *, CAST(settled_date AS varchar) AS day, CAST(occurred_at AS varchar) AS time
     FROM finance.settlement_lines WHERE kind = 'refund'`,
  );
  const [file] = await finance.sql('SELECT * FROM finance.settlement_files');
  const [totals] = await finance.sql('SELECT * FROM finance.settlement_batches');

  expect(refund).toMatchObject({
    settlement_line_id: expect.stringMatching(/^[0-9a-f]{64}$/),
    gateway: 'adyen',
    batch: 'b-1',
    row_number: 7,
    gateway_reference: 'ref-b-1-6',
    payment_reference: 'pay-b-1-6',
    merchant_reference: 'S042-T3-b-1-6',
    day: '2026-11-24',
    time: '2026-11-22 00:03:42',
    currency: 'EUR',
    gross: String(batch.settled[6]!.gross),
    fee: '0',
    original_currency: 'EUR',
    file_digest: file!.file_digest,
  });
  expect(file).toMatchObject({ object_key: 'incoming/adyen/report.csv', gateway: 'adyen', rows: '9', net: '0' });
  expect(totals).toMatchObject({ batch: 'b-1', currency: 'EUR', paid_out: String(totalsOf(batch).net) });
});

describe('held, with nothing of it loaded, is', () => {
  const good = settlementFile.stripe(someSettled('b-1', 30));

  test.each([
    [
      'a bad row',
      () => good.replace(/(\n.*){20}/, (rows) => rows.replace(/charge,/, 'charge?,')),
      'reporting_category',
    ],
    ['a wrong header', () => good.replace('net,', 'nett,'), 'net'],
    ['an unknown currency', () => good.replace(',eur,', ',xxq,'), 'currency'],
    ['a card number in a cell', () => good.replace('a ""quoted"", text', 'card 4111-1111-1111-1111'), 'description'],
    ['an open quote', () => `${good}"`, undefined],
    ['no CSV at all', () => '\u0000\u0001PAR1', 'automatic_payout_id'],
  ])('%s', async (_, file, field) => {
    const settler = finance.settler();

    const outcome = await settler.invoke(await drop('incoming/stripe/report.csv', file()));

    expect(outcome).toEqual({ loaded: 0, repeated: 0, held: 1, left: 0 });
    expect(settler.metric('FilesHeld')).toBe(1);
    expect(await settledTotals()).toEqual(nothing);
    const [report] = await reports();
    expect(report).toMatchObject({ file: 'incoming/stripe/report.csv', issues: 1 });
    expect(report.told[0].field).toBe(field);
    expect(JSON.stringify([report, settler.lines])).not.toMatch(/1111/);
    // Nothing of it was written for COPY either, and it is not looked at again until it is mended.
    expect(await keys(finance.buckets.manifests)).toEqual([]);
    expect(await sweep()).toEqual({ loaded: 0, repeated: 0, held: 0, left: 0 });

    const mended = await finance.settler().invoke(await drop('incoming/stripe/report.csv', good));

    expect(mended).toEqual({ loaded: 1, repeated: 0, held: 0, left: 0 });
    expect(await settledTotals()).toEqual(totalsOf(someSettled('b-1', 30)));
  });

  test('a batch that came with another file, while the rest of its file waits with it', async () => {
    await finance.settler().invoke(await drop('incoming/stripe/first.csv', good));
    const changed = settlementFile.stripe(someSettled('b-1', 29), someSettled('b-2', 5));

    const outcome = await finance.settler().invoke(await drop('incoming/stripe/second.csv', changed));

    expect(outcome).toEqual({ loaded: 0, repeated: 0, held: 1, left: 0 });
    expect(await settledTotals()).toEqual(totalsOf(someSettled('b-1', 30)));
    expect((await reports())[0].told).toEqual([
      {
        field: 'automatic_payout_id',
        problem: 'the batch came with another file, incoming/stripe/first.csv',
        got: 'b-1',
        allowed: 'a batch that is not in the ledger',
      },
    ]);
  });

  test('a file in the folder of no gateway, or with a card number for a name', async () => {
    const names = ['incoming/paypal/report.csv', 'incoming/report.csv', 'incoming/stripe/4111111111111111.csv'];
    for (const key of names) await drop(key, good);

    const settler = finance.settler();
    const outcome = await sweep(settler);

    expect(outcome).toEqual({ loaded: 0, repeated: 0, held: 3, left: 0 });
    expect(
      JSON.stringify([await reports(), settler.lines, await keys(finance.buckets.settlement, 'held/')]),
    ).not.toMatch(/41111/);
  });
});

test('a sweep for which there is no time says how many files it leaves, and the next takes them', async () => {
  for (const name of ['a', 'b']) await drop(`incoming/stripe/${name}.csv`, settlementFile.stripe(someSettled(name, 2)));

  expect(await finance.settler().invoke({}, 60_000)).toEqual({ loaded: 0, repeated: 0, held: 0, left: 2 });
  expect(await sweep()).toEqual({ loaded: 2, repeated: 0, held: 0, left: 0 });
});

test('the same batch id of another gateway is another batch', async () => {
  await finance.settler().invoke(await drop('incoming/stripe/a.csv', settlementFile.stripe(someSettled('1', 3))));

  const outcome = await finance
    .settler()
    .invoke(
      await drop(
        'incoming/braintree/a.csv',
        settlementFile.braintree(someSettled('1', 3, 'EUR', '2026-11-24', settledKinds.braintree)),
      ),
    );

  expect(outcome).toEqual({ loaded: 1, repeated: 0, held: 0, left: 0 });
});

test('a loader that is killed before or after any of its calls has each file in the ledger once, with the next run', async () => {
  const batches = [someSettled('start', 5)];
  await finance.settler().invoke(await drop('incoming/stripe/start.csv', settlementFile.stripe(...batches)));
  const points = crashPoints(finance.rig.calls());
  expect(new Set(points.map(({ operation }) => operation))).toEqual(
    new Set([
      'redshift-data:ExecuteStatement',
      'redshift-data:BatchExecuteStatement',
      'redshift-data:DescribeStatement',
      'redshift-data:GetStatementResult',
      's3:GetObject',
      's3:PutObject',
    ]),
  );

  for (const [number, point] of points.entries()) {
    const batch = someSettled(`crash-${number}`, 5);
    batches.push(batch);
    const event = await drop(`incoming/stripe/crash-${number}.csv`, settlementFile.stripe(batch));
    finance.rig.forget();
    finance.rig.crash(point);
    await expect(finance.settler().invoke(event)).rejects.toThrow('killed');

    // By the schedule: the event itself is lost.
    await sweep();

    expect({ point, ...(await settledTotals()) }).toEqual({ point, ...totalsOf(...batches) });
    expect(await reports()).toEqual([]);
    expect(await sweep()).toEqual({ loaded: 0, repeated: 0, held: 0, left: 0 });
  }
}, 120_000);

test('of two runs with the same file at the same moment one loads it', async () => {
  const batch = someSettled('b-1', 50);
  const event = await drop('incoming/stripe/report.csv', settlementFile.stripe(batch));

  const outcomes = await Promise.all([1, 2, 3].map(() => finance.settler().invoke<any>(event)));

  expect(outcomes.map(({ loaded }) => loaded).sort()).toEqual([0, 0, 1]);
  expect(await settledTotals()).toEqual(totalsOf(batch));
});

test('of two files with the same batch at the same moment one is loaded and one is held', async () => {
  const events = [
    await drop('incoming/stripe/one.csv', settlementFile.stripe(someSettled('b-1', 50))),
    await drop('incoming/stripe/other.csv', settlementFile.stripe(someSettled('b-1', 49))),
  ];

  const outcomes = await Promise.all(events.map((event) => finance.settler().invoke<any>(event)));

  expect(outcomes.map(({ loaded, held }) => `${loaded} ${held}`).sort()).toEqual(['0 1', '1 0']);
  expect(await finance.sql('SELECT file_digest FROM finance.settlement_files')).toHaveLength(1);
});

test('a file that is replaced while it is read is taken as it is then', async () => {
  const event = await drop('incoming/stripe/report.csv', settlementFile.stripe(someSettled('old', 5)));
  finance.rig.intercept({ operation: 'redshift-data:ExecuteStatement' }, async (input, proceed) => {
    await drop('incoming/stripe/report.csv', settlementFile.stripe(someSettled('new', 6)));
    return proceed(input);
  });

  const outcome = await finance.settler().invoke(event);

  expect(outcome).toEqual({ loaded: 1, repeated: 0, held: 0, left: 0 });
  expect(await settledTotals()).toEqual(totalsOf(someSettled('new', 6)));
});

test('a file that is gone is nobody’s concern', async () => {
  expect(await finance.settler().invoke({ detail: { object: { key: 'incoming/stripe/gone.csv' } } })).toEqual({
    loaded: 0,
    repeated: 0,
    held: 0,
    left: 0,
  });
});

test('a throttled call is tried again', async () => {
  const batch = someSettled('b-1', 5);
  const event = await drop('incoming/stripe/report.csv', settlementFile.stripe(batch));
  finance.rig.throttle({ operation: 'redshift-data:BatchExecuteStatement' });
  finance.rig.throttle({ operation: 's3:PutObject' });

  await finance.settler().invoke(event);

  expect(await settledTotals()).toEqual(totalsOf(batch));
});
