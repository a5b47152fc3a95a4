import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { redriveHeld } from '../../bin/redrive/redrive-held';
import type { Sale } from '../../lambdas/base/domain/sale';
import { crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver, objectsOf } from '../engine-rig/shard';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await createTable('claims', 'id');
  await createTable('counters', 'item', 'bucket');
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
  rig.forget();
});
afterEach(() => rig.close());

async function createTable(TableName: string, ...keys: string[]): Promise<void> {
  await rig.engines.dynamodb.call('CreateTable', {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
  });
}

const count = () =>
  rig.container('../lambdas/serve/inventory/count/handler', {
    CLAIMS_TABLE_NAME: 'claims',
    COUNTERS_TABLE_NAME: 'counters',
    CLAIM_DAYS: '60',
    HELD_BUCKET_NAME: 'held',
  });

type Sums = Record<string, { units: number; lines: number }>;

/** What the table says: by item and ten minutes, lanes added up as readers do. */
async function counted(): Promise<Sums> {
  const { Items } = await rig.engines.dynamodb.call('Scan', { TableName: 'counters' });
  const sums: Sums = {};
  for (const { item, bucket, units, lines } of Items)
    add(sums, `${item.S} ${bucket.S.split('#')[0]}`, units.N, lines.N);
  return sums;
}

/** What it should say, computed from the sales without any of the code under test. */
function expected(sales: readonly Sale[]): Sums {
  const sums: Sums = {};
  for (const { type, location, occurredAt, lines } of sales)
    for (const { sku, quantity } of lines)
      add(sums, `${sku}#${location} ${occurredAt.slice(0, 15)}0Z`, type === 'return' ? -quantity : quantity, 1);
  return sums;
}

function add(sums: Sums, name: string, units: number | string, lines: number | string): void {
  sums[name] ??= { units: 0, lines: 0 };
  sums[name].units += Number(units);
  sums[name].lines += Number(lines);
}

/** Sales that share some items, with returns, and one too large for a transaction. */
const batch = [
  ...someSales(60, (index) => ({
    type: index % 7 === 0 ? 'return' : 'sale',
    location: `store-${index % 3}`,
    occurredAt: `2026-11-22T10:${10 + (index % 30)}:00.000Z`,
    lines: [
      { line: 1, sku: `SKU-${index % 5}`, quantity: 1 + (index % 4), unitPrice: 100 },
      { line: 2, sku: `SKU-${index % 11}`, quantity: 1, unitPrice: 100 },
    ],
  })),
  aSale({
    transactionId: 'large',
    lines: Array.from({ length: 150 }, (_, index) => ({
      line: index + 1,
      sku: `SKU-${index}`,
      quantity: 2,
      unitPrice: 1,
    })),
  }),
];

describe('repeats', () => {
  test('every unit of every sale is counted', async () => {
    const container = count();

    const answer = await container.invoke(kinesisEvent(batch));

    expect(answer).toEqual({ batchItemFailures: [] });
    expect(await counted()).toEqual(expected(batch));
    expect(container.metric('Counted')).toBe(60 + 2);
  });

  test('a batch delivered twice is counted once', async () => {
    const container = count();

    await container.invoke(kinesisEvent(batch));
    await container.invoke(kinesisEvent(batch));

    expect(await counted()).toEqual(expected(batch));
    expect(container.metric('Duplicates')).toBe(62);
  });

  test('a batch cut differently the second time is counted once', async () => {
    const { Records } = kinesisEvent(batch);

    await count().invoke({ Records: Records.slice(0, 25) });
    await count().invoke({ Records: Records.slice(10, 50) });
    await count().invoke({ Records: Records.slice(3) });

    expect(await counted()).toEqual(expected(batch));
  });

  test('a sale under a new sequence number is counted once, in the same batch, later, and from another shard', async () => {
    const container = count();

    await container.invoke(kinesisEvent([...batch, ...batch]));
    await container.invoke(kinesisEvent(batch, { firstSequence: 1_000 }));
    await container.invoke(kinesisEvent(batch, { shard: 1, firstSequence: 5_000 }));

    expect(await counted()).toEqual(expected(batch));
  });

  test('each shard has a lane of its own in a counter', async () => {
    await count().invoke(kinesisEvent([aSale()]));
    await count().invoke(kinesisEvent([aSale({ transactionId: 'T-2' })], { shard: 1 }));

    const { Items } = await rig.engines.dynamodb.call('Scan', { TableName: 'counters' });
    expect(Items.map(({ bucket }: any) => bucket.S).sort()).toEqual([
      '2026-11-22T10:10Z#shardId-000000000000',
      '2026-11-22T10:10Z#shardId-000000000001',
    ]);
    expect(await counted()).toEqual({ 'SKU-1#store-042 2026-11-22T10:10Z': { units: 4, lines: 2 } });
  });
});

test('a record that is no sale is held and stops nothing', async () => {
  const container = count();

  const answer = await container.invoke(kinesisEvent(['{', ...batch]));

  expect(answer).toEqual({ batchItemFailures: [] });
  expect(await counted()).toEqual(expected(batch));
  expect(Object.keys(await objectsOf(rig, 'held', 'held/'))).toHaveLength(1);
  expect(container.metric('Held')).toBe(1);
});

describe('failures', () => {
  const records = [...batch, ...batch.slice(0, 5), 'no sale'];
  const clean = crashPoints({ 's3:PutObject': 1, 'dynamodb:TransactWriteItems': 4 });

  test('the crash points below are all the calls of a clean run', async () => {
    await count().invoke(kinesisEvent(records));

    expect(rig.calls()).toEqual({ 's3:PutObject': 1, 'dynamodb:TransactWriteItems': 4 });
  });

  test.each(clean)('killed $when call $call of $operation: counters are exact', async (point) => {
    rig.crash(point);

    const invocations = await deliver(kinesisEvent(records), () => count(), [500, 17, 30]);

    expect(invocations).toBeGreaterThan(1);
    expect(await counted()).toEqual(expected(batch));
  });

  test('sales that were counted are taken out of a transaction, the others are counted', async () => {
    await count().invoke(kinesisEvent(batch.filter((_, index) => index % 2 === 0)));
    const container = count();

    await container.invoke(kinesisEvent(batch));

    expect(await counted()).toEqual(expected(batch));
    expect(container.metric('Counted')).toBe(30);
  });

  test.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
    'an action refused by %s is tried again',
    async (code) => {
      rig.throttle({ operation: 'dynamodb:TransactWriteItems', call: 2, statement: 40, code });

      const answer = await count().invoke(kinesisEvent(batch));

      expect(answer).toEqual({ batchItemFailures: [] });
      expect(await counted()).toEqual(expected(batch));
      expect(rig.calls()).toEqual({ 'dynamodb:TransactWriteItems': 5 });
    },
  );

  test('counted before and in conflict at once: the counted are taken out and the rest is tried again', async () => {
    await count().invoke(kinesisEvent([batch[0]]));
    rig.intercept({ operation: 'dynamodb:TransactWriteItems' }, (input, proceed) =>
      proceed(input).catch((error) => {
        error.fields.CancellationReasons.splice(-1, 1, { Code: 'TransactionConflict' });
        throw error;
      }),
    );

    await count().invoke(kinesisEvent(batch));

    expect(await counted()).toEqual(expected(batch));
  });

  test('what stays in conflict is delivered again, and is counted then', async () => {
    const { Records } = kinesisEvent([aSale()]);
    for (let call = 1; call <= 8; call++)
      rig.throttle({ operation: 'dynamodb:TransactWriteItems', call, statement: 1 });
    const container = count();

    const answer = await container.invoke({ Records });

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: Records[0]!.kinesis.sequenceNumber }] });
    expect(await counted()).toEqual({});
    await container.invoke({ Records });
    expect(await counted()).toEqual(expected([aSale()]));
    expect(container.metric('Delayed')).toBe(1);
  });

  test('an error that no retry mends fails the batch aloud', async () => {
    rig.throttle({ operation: 'dynamodb:TransactWriteItems', statement: 0, code: 'ValidationError' });

    await expect(count().invoke(kinesisEvent(batch))).rejects.toThrow('cancelled');
  });

  test('a batch that was given up half way and is redriven weeks later is counted once', async () => {
    const event = kinesisEvent(batch);
    rig.crash({ operation: 'dynamodb:TransactWriteItems', call: 2, when: 'after' });
    await expect(count().invoke(event)).rejects.toThrow('killed');
    await rig.engines.s3.call('PutObject', {
      Bucket: 'held',
      Key: 'aws/lambda/6a1f/shardId-000000000000/2026/11/22/2026-11-22T10.15.30-8c1d',
      Body: Buffer.from(JSON.stringify({ payload: JSON.stringify(event) })),
    });
    await count().invoke(kinesisEvent(batch.slice(20), { firstSequence: 1_000 }));
    rig.serve('count', count());

    const result = await redriveHeld(
      new S3Client({ ...rig.client, forcePathStyle: true }),
      new LambdaClient(rig.client),
      {
        bucket: 'held',
        functionName: 'count',
        prefixes: ['aws/lambda/'],
        maximumAgeDays: 30,
        dryRun: false,
        now: Date.now() + 21 * 86_400_000,
        print: () => {},
      },
    );

    expect(result).toEqual({ done: 1, records: batch.length, left: 0, heldAgain: 0 });
    expect(await counted()).toEqual(expected(batch));
  });

  test('two shards and a zombie at the same counters: exact', async () => {
    const half = (start: number) => batch.filter((_, index) => index % 2 === start);

    await Promise.all([
      deliver(kinesisEvent(half(0)), () => count(), [20]),
      deliver(kinesisEvent(half(0)), () => count(), [31]),
      deliver(kinesisEvent(half(1), { shard: 1 }), () => count(), [13]),
    ]);

    expect(await counted()).toEqual(expected(batch));
  });

  test('whatever is repeated, cut or killed, counters are exact', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: batch.length - 1 }), { minLength: 1, maxLength: 40 }),
        fc.array(
          fc.record({
            call: fc.integer({ min: 1, max: 5 }),
            when: fc.constantFrom('before' as const, 'after' as const),
          }),
          { maxLength: 4 },
        ),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
        async (picked, crashes, sizes) => {
          // Each run has a source and a place of its own, so that all can share the engines.
          const place = `place-${++run}`;
          const sales = picked.map((index) => ({ ...batch[index]!, source: place, location: place }));
          rig.forget();
          for (const crash of crashes) rig.crash({ operation: 'dynamodb:TransactWriteItems', ...crash });

          await deliver(kinesisEvent(sales, { firstSequence: run * 1_000 }), () => count(), sizes);

          const mine = Object.entries(await counted()).filter(([name]) => name.includes(`#${place} `));
          const unique = [...new Map(sales.map((sale) => [sale.transactionId, sale])).values()];
          expect(Object.fromEntries(mine)).toEqual(expected(unique));
        },
      ),
      { numRuns: 20, seed: 20261122 },
    );
  });
});

test('costs: sales share transactions and counters', async () => {
  const sales = someSales(500, (index) => ({
    location: `store-${index % 4}`,
    lines: [{ line: 1, sku: `SKU-${index % 50}`, quantity: 1, unitPrice: 100 }],
  }));

  await count().invoke(kinesisEvent(sales));

  // 500 claims and 100 counters, hardly any of which is written twice: close to the least that 100 actions a call allow.
  expect(rig.calls()['dynamodb:TransactWriteItems']).toBeLessThanOrEqual(7);
  expect(rig.billed()['claims:write']).toBe(2 * 500);
  expect(rig.billed()['counters:write']).toBeLessThanOrEqual(2 * 110);
});
