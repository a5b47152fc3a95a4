import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { redriveHeld } from '../../bin/redrive/redrive-held';
import type { Sale } from '../../lambdas/base/domain/sale';
import { crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver, objectsOf } from '../engine-rig/shard';
import { countContainer, positionsOf, prepareInventory, salesBeats } from './inventory-tables';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig);
  rig.forget();
});
afterEach(() => rig.close());

const count = () => countContainer(rig);

type Sums = Record<string, { units: number; lines: number; days: Record<string, number> }>;

/** What the positions say, by SKU and location, and by the days of what was sold: all of it lies days back. */
async function counted(): Promise<Sums> {
  const sums: Sums = {};
  for (const [pk, { units, lines, sold }] of Object.entries(await positionsOf(rig))) {
    const days = Object.entries(sold.buckets).map(([bucket, count]) => {
      expect(bucket).toMatch(/^D/);
      const day = new Date(Number.parseInt(bucket.slice(1), 36) * 86_400_000).toISOString().slice(0, 10);
      return [day, count] as const;
    });
    sums[pk.slice('stock#'.length)] = { units, lines, days: Object.fromEntries(days) };
  }
  return sums;
}

/** What they should say, computed from the sales without any of the code under test. */
function expected(sales: readonly Sale[]): Sums {
  const sums: Sums = {};
  for (const { type, location, occurredAt, lines } of sales)
    for (const { sku, quantity } of lines) {
      const name = `${sku}#${location}`;
      sums[name] ??= { units: 0, lines: 0, days: {} };
      const sum = sums[name];
      const units = type === 'return' ? -quantity : quantity;
      const day = occurredAt.slice(0, 10);
      sum.units += units;
      sum.lines += 1;
      sum.days[day] = (sum.days[day] ?? 0) + units;
    }
  // What came back whole stands no more in its day.
  for (const { days } of Object.values(sums))
    for (const [day, units] of Object.entries(days)) if (units === 0) delete days[day];
  return sums;
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
    expect(container.metric('Counted')).toBe(61);
  });

  test('a batch delivered twice is counted once', async () => {
    const container = count();

    await container.invoke(kinesisEvent(batch));
    await container.invoke(kinesisEvent(batch));

    expect(await counted()).toEqual(expected(batch));
    expect(container.metric('Duplicates')).toBe(61);
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

  test('each shard has a lane of its own, and a position counts all of them', async () => {
    await count().invoke(kinesisEvent([aSale()]));
    await count().invoke(kinesisEvent([aSale({ transactionId: 'T-2' })], { shard: 12 }));

    const position = (await positionsOf(rig))['stock#SKU-1#store-042']!;
    expect(Object.keys(position.lanes).sort()).toEqual(['0', '12']);
    expect(position).toMatchObject({ version: 2, units: 4, lines: 2 });
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
  const some = batch.slice(0, 30);
  const records = [...some, ...some.slice(0, 5), 'no sale', ...salesBeats()];
  const calls = {
    // The beats of the sales (three times) and the registry (twice: beats this old are looked behind), and the journal.
    'dynamodb:GetItem': 3,
    'dynamodb:BatchGetItem': 4,
    'dynamodb:Query': 2,
    's3:ListObjectsV2': 1,
    // A pack, its lane, and its end; the mark of what is held; the maps of the beats, and beats, 25 at once.
    'dynamodb:PutItem': 2,
    'dynamodb:UpdateItem': 5,
    'dynamodb:TransactWriteItems': 1,
    // Claims, locations, positions.
    'dynamodb:BatchExecuteStatement': 2 + 3 + 2,
    's3:PutObject': 1,
  };

  test('the crash points below are all the calls of a clean run', async () => {
    await count().invoke(kinesisEvent(records));

    expect(rig.calls()).toEqual(calls);
  });

  test.each(crashPoints(calls))('killed $when call $call of $operation: positions are exact', async (point) => {
    rig.crash(point);

    const invocations = await deliver(kinesisEvent(records), () => count(), [500, 17, 30]);

    expect(invocations).toBeGreaterThan(1);
    expect(await counted()).toEqual(expected(some));
  });

  test('sales that were counted are left out, the others are counted', async () => {
    await count().invoke(kinesisEvent(batch.filter((_, index) => index % 2 === 0)));
    const container = count();

    await container.invoke(kinesisEvent(batch));

    expect(await counted()).toEqual(expected(batch));
    expect(container.metric('Counted')).toBe(30);
  });

  test.each(['ThrottlingError', 'ProvisionedThroughputExceeded', 'TransactionConflict'])(
    'a claim or a position refused by %s is tried again',
    async (code) => {
      for (const call of [2, 5])
        rig.throttle({ operation: 'dynamodb:BatchExecuteStatement', call, statement: 3, code });

      const answer = await count().invoke(kinesisEvent(batch));

      expect(answer).toEqual({ batchItemFailures: [] });
      expect(await counted()).toEqual(expected(batch));
    },
  );

  test('an error that no retry mends fails the batch aloud, and its pack is counted by the next', async () => {
    rig.intercept({ operation: 'dynamodb:BatchExecuteStatement', call: 4 }, async (input, proceed) => {
      const answer = await proceed(input);
      return { Responses: [{ Error: { Code: 'ValidationError', Message: 'no' } }, ...answer.Responses.slice(1)] };
    });

    await expect(count().invoke(kinesisEvent(batch))).rejects.toThrow('ValidationError');

    await count().invoke(kinesisEvent([aSale({ transactionId: 'next', location: 'store-9' })], { firstSequence: 900 }));
    expect(await counted()).toEqual(expected([...batch, aSale({ location: 'store-9' })]));
  });

  test('a batch that was given up half way and is redriven weeks later is counted once', async () => {
    const event = kinesisEvent(batch);
    rig.crash({ operation: 'dynamodb:BatchExecuteStatement', call: 6, when: 'after' });
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

  test('two shards and a zombie at the same positions: exact', async () => {
    const half = (start: number) => batch.filter((_, index) => index % 2 === start);

    await Promise.all([
      deliver(kinesisEvent(half(0)), () => count(), [20]),
      deliver(kinesisEvent(half(0)), () => count(), [31]),
      deliver(kinesisEvent(half(1), { shard: 1 }), () => count(), [13]),
    ]);

    expect(await counted()).toEqual(expected(batch));
  });

  test('whatever is repeated, cut or killed, positions are exact', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: batch.length - 1 }), { minLength: 1, maxLength: 40 }),
        fc.array(
          fc.record({
            operation: fc.constantFrom('BatchExecuteStatement', 'PutItem', 'UpdateItem', 'BatchGetItem'),
            call: fc.integer({ min: 1, max: 6 }),
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
          for (const crash of crashes) rig.crash({ ...crash, operation: `dynamodb:${crash.operation}` });

          await deliver(kinesisEvent(sales, { firstSequence: run * 1_000 }), () => count(), sizes);

          const mine = Object.entries(await counted()).filter(([name]) => name.endsWith(`#${place}`));
          const unique = [...new Map(sales.map((sale) => [sale.transactionId, sale])).values()];
          expect(Object.fromEntries(mine)).toEqual(expected(unique));
        },
      ),
      { numRuns: 20, seed: 20261122 },
    );
  });
});

test('costs: a write unit for a sale and one for a position, and next to nothing for the pack', async () => {
  const sales = someSales(500, (index) => ({
    location: `store-${index % 4}`,
    lines: [{ line: 1, sku: `SKU-${index % 50}`, quantity: 1, unitPrice: 100 }],
  }));
  await count().invoke(kinesisEvent(sales));
  rig.forget();

  await count().invoke(
    kinesisEvent(
      sales.map((sale) => ({ ...sale, source: 'again' })),
      { firstSequence: 1_000 },
    ),
  );

  expect(rig.billed()['positions:write']).toBe(100);
  expect(rig.billed()['claims:write']).toBeLessThanOrEqual(500 + 20);
});
