import { crashPoints, kinesisEvent } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { type LakeAndLedger, openLakeAndLedger, totalsOf } from './lake-and-ledger';

let lake: LakeAndLedger;
beforeEach(async () => {
  lake = await openLakeAndLedger({ ledger: false });
});
afterEach(() => lake.close());

const manyLines = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    line: index + 1,
    sku: `SKU-${index}`,
    quantity: 1 + (index % 3),
    unitPrice: index,
  }));

test('sales and returns lie in the lake by the date of their acceptance, and add up to what was sent', async () => {
  const sales = [
    ...someSales(3, () => ({ occurredAt: '2010-02-03T04:05:06.789Z' })),
    aSale({ transactionId: 'R-1', type: 'return', originalTransactionId: 'T-1', note: 'broken "lid"\nand more' }),
    aSale({ transactionId: 'T-9', acceptedAt: '2026-11-23T00:00:00.000Z' }),
  ];

  const answer = await lake.writer().invoke(kinesisEvent(sales));
  await lake.flush();

  expect(answer).toEqual({ batchItemFailures: [] });
  expect(await lake.lakeTotals()).toEqual(totalsOf(sales));
  const files = await lake.files();
  expect(files.map((key) => key.split('/').slice(0, 2).join('/'))).toEqual([
    'sale_lines/accepted_date=2026-11-22',
    'sale_lines/accepted_date=2026-11-23',
    'sale_tenders/accepted_date=2026-11-22',
    'sale_tenders/accepted_date=2026-11-23',
  ]);
});

test('a batch delivered twice, cut differently, and a sale repeated under a new number change nothing', async () => {
  const sales = someSales(20);
  const event = (from: number, to: number) => kinesisEvent(sales.slice(from, to), { firstSequence: from + 1 });

  await lake.writer().invoke(event(0, 20));
  await lake.writer().invoke(event(0, 7));
  await lake.writer().invoke(event(7, 20));
  await lake.writer().invoke(kinesisEvent([sales[3], sales[3]], { shard: 1, firstSequence: 100 }));
  await lake.flush();

  expect(await lake.lakeTotals()).toEqual(totalsOf(sales));
});

test('repeats within a batch are written once', async () => {
  const container = lake.writer();

  await container.invoke(kinesisEvent([aSale(), aSale(), aSale()]));

  expect(container.metric('LinesWritten')).toBe(1);
  expect(container.metric('TendersWritten')).toBe(1);
});

test('a sale of 2,000 lines arrives whole', async () => {
  const sale = aSale({ lines: manyLines(2_000) });

  await lake.writer().invoke(kinesisEvent([sale]));
  await lake.flush();

  expect(await lake.lakeTotals()).toEqual(totalsOf([sale]));
  expect(await lake.files('errors/')).toEqual([]);
});

test('what is no sale is held under its position, and the rest goes on', async () => {
  const container = lake.writer();

  await container.invoke(kinesisEvent(['no json', aSale(), { source: 'pos-eu' }]));
  await lake.flush();

  const { Contents } = await lake.s3.call('ListObjectsV2', { Bucket: lake.buckets.held });
  expect(Contents).toHaveLength(2);
  expect(container.metric('Held')).toBe(2);
  expect(await lake.lakeTotals()).toEqual(totalsOf([aSale()]));
});

test('a batch that was given up and comes back from the held bucket is written as if it had never been away', async () => {
  const sales = someSales(5);
  const givenUp = JSON.stringify(kinesisEvent(sales));

  await lake.writer().invoke(JSON.parse(givenUp));
  await lake.writer().invoke(JSON.parse(givenUp));
  await lake.flush();

  expect(await lake.lakeTotals()).toEqual(totalsOf(sales));
});

test('a record that is throttled in the middle of a call is sent again, alone', async () => {
  const sale = aSale({ lines: manyLines(2_000), tenders: [] });
  lake.rig.throttle({ operation: 'firehose:PutRecordBatch', statement: 2 });

  const answer = await lake.writer().invoke(kinesisEvent([sale]));
  await lake.writer().invoke(kinesisEvent([aSale({ transactionId: 'T-2' })]));
  await lake.flush();

  expect(answer).toEqual({ batchItemFailures: [] });
  expect(await lake.lakeTotals()).toEqual(totalsOf([sale, aSale({ transactionId: 'T-2' })]));
});

test('a record that stays refused has the batch delivered again from its first sale on, and nothing is lost', async () => {
  const sales = someSales(1_200, () => ({ tenders: [] }));
  const event = kinesisEvent(sales);
  lake.rig.throttle({ operation: 'firehose:PutRecordBatch', call: 1, statement: 1 });
  for (const call of [2, 3, 4, 5]) lake.rig.throttle({ operation: 'firehose:PutRecordBatch', call, statement: 0 });
  const container = lake.writer();

  const { batchItemFailures } = await container.invoke<any>(event);

  expect(batchItemFailures).toEqual([{ itemIdentifier: event.Records[500]!.kinesis.sequenceNumber }]);
  expect(container.metric('LinesWritten')).toBe(700);
  await lake.writer().invoke(kinesisEvent(sales.slice(500), { firstSequence: 501 }));
  await lake.writer().invoke(kinesisEvent([aSale({ transactionId: 'X' })], { shard: 1 }));
  await lake.flush();
  expect(await lake.lakeTotals()).toEqual(totalsOf([...sales, aSale({ transactionId: 'X' })]));
});

test('once Firehose refuses records it is given no more: what follows comes again anyway', async () => {
  // Two calls of 4 MiB, and a third.
  const sales = someSales(40, () => ({ tenders: [], lines: manyLines(100), note: '😀'.repeat(500) }));
  for (const call of [1, 2, 3, 4, 5]) lake.rig.throttle({ operation: 'firehose:PutRecordBatch', call, statement: 0 });

  const { batchItemFailures } = await lake.writer().invoke<any>(kinesisEvent(sales));

  expect(batchItemFailures).toHaveLength(1);
  expect(lake.rig.calls()['firehose:PutRecordBatch']).toBe(5);
  const paid = aSale({ transactionId: 'X' });
  await lake.writer().invoke(kinesisEvent([...sales, paid]));
  await lake.flush();
  expect(await lake.lakeTotals()).toEqual(totalsOf([...sales, paid]));
});

test('a writer that is killed before or after any of its calls loses nothing and doubles nothing', async () => {
  const records = [...someSales(12, (index) => ({ lines: manyLines(index + 1) })), 'no json'];
  const sales = someSales(12, (index) => ({ lines: manyLines(index + 1) }));
  await lake.writer().invoke(kinesisEvent(records));
  const points = crashPoints(lake.rig.calls());
  expect(points.length).toBeGreaterThanOrEqual(6);

  for (const [number, point] of points.entries()) {
    const renamed = sales.map((sale) => ({ ...sale, transactionId: `${number}-${sale.transactionId}` }));
    lake.rig.forget();
    lake.rig.crash(point);
    await expect(lake.writer().invoke(kinesisEvent([...renamed, 'no json']))).rejects.toThrow('killed');
    await lake.writer().invoke(kinesisEvent([...renamed, 'no json']));
  }
  await lake.flush();

  const all = [
    sales,
    ...points.map((_, number) => sales.map((sale) => ({ ...sale, transactionId: `${number}-${sale.transactionId}` }))),
  ];
  expect(await lake.lakeTotals()).toEqual(totalsOf(all.flat()));
});
