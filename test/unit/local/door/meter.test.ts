import { Meter } from '../../../../local/door/meter';
import { roleSession } from '../../../../local/door/principal';

const dedup = roleSession('dedup-role', 'dedup', 'dedup');
const lake = roleSession('lake-role', 'lake', 'lake');
const poller = roleSession('dedup-role', 'poller');

test('calls are counted by operation, of functions and of others apart', async () => {
  const meter = new Meter();

  for (const caller of [dedup, dedup, lake, poller]) await meter.run(caller, 'kinesis:PutRecords', async () => {});
  await meter.run(dedup, 'dynamodb:BatchExecuteStatement', async () => {});

  expect(meter.snapshot().calls).toEqual({
    functions: { 'kinesis:PutRecords': 3, 'dynamodb:BatchExecuteStatement': 1 },
    others: { 'kinesis:PutRecords': 1 },
    byFunction: {
      dedup: { 'kinesis:PutRecords': 2, 'dynamodb:BatchExecuteStatement': 1 },
      lake: { 'kinesis:PutRecords': 1 },
    },
  });
});

test('what engines consume is booked on the function that called, even between calls of others', async () => {
  const meter = new Meter();
  const work = (units: number) => async () => {
    await null;
    meter.dynamodb('claims', 'write', units);
    await null;
    meter.dynamodb('claims', 'read', units / 2);
  };

  await Promise.all([
    meter.run(dedup, 'dynamodb:PutItem', work(1)),
    meter.run(lake, 'dynamodb:PutItem', work(10)),
    meter.run(poller, 'dynamodb:PutItem', work(100)),
  ]);

  const { billed, billedByFunction } = meter.snapshot();
  expect(billed.dynamodb).toEqual({ claims: { writeUnits: 111, readUnits: 55.5 } });
  expect(billedByFunction.dedup!.dynamodb).toEqual({ claims: { writeUnits: 1, readUnits: 0.5 } });
  expect(billedByFunction.lake!.dynamodb).toEqual({ claims: { writeUnits: 10, readUnits: 5 } });
});

test('a query is billed by the megabyte that it reads, and none less than ten', async () => {
  const meter = new Meter();

  await meter.run(lake, 'athena:StartQueryExecution', async () => meter.athena('lake', 1));
  await meter.run(lake, 'athena:StartQueryExecution', async () => meter.athena('lake', 10_000_001));

  expect(meter.snapshot().billed.athena).toEqual({ lake: { megabytesScanned: 21 } });
});

test('streams are billed by the kilobyte, events by the piece, keys by the request', async () => {
  const meter = new Meter();

  await meter.run(dedup, 'kinesis:PutRecords', async () => meter.kinesis('sales', 'in', 3));
  await meter.run(poller, 'kinesis:GetRecords', async () => meter.kinesis('sales', 'out', 3));
  await meter.run(lake, 'firehose:PutRecordBatch', async () => meter.firehose('lines', 5));
  await meter.run(dedup, 'events:PutEvents', async () => meter.eventBridge('inventory', 2));
  await meter.run(dedup, 'kms:Decrypt', () => Promise.reject(new Error('refused'))).catch(() => {});

  expect(meter.snapshot().billed).toEqual({
    dynamodb: {},
    kms: { requests: 1 },
    kinesis: { sales: { kilobytesIn: 3, kilobytesOut: 3 } },
    eventBridge: { inventory: { events: 2 } },
    firehose: { lines: { kilobytesIn: 5 } },
    athena: {},
  });
});

test('a snapshot does not change afterwards, and a reset begins anew', async () => {
  const meter = new Meter();
  await meter.run(dedup, 'kms:Decrypt', async () => meter.dynamodb('claims', 'write', 1));

  const before = meter.snapshot();
  await meter.run(dedup, 'kms:Decrypt', async () => meter.dynamodb('claims', 'write', 1));
  meter.reset();

  expect(before.billed.dynamodb).toEqual({ claims: { writeUnits: 1, readUnits: 0 } });
  expect(meter.snapshot()).toEqual(new Meter().snapshot());
});
