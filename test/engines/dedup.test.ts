import fc from 'fast-check';
import type { Sale } from '../../lambdas/base/domain/sale';
import { crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver, objectsOf, recordsOf } from '../engine-rig/shard';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.engines.dynamodb.call('CreateTable', {
    TableName: 'claims',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  await rig.engines.kinesis.call('CreateStream', { StreamName: 'sales', ShardCount: 2 });
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
  rig.forget();
});
afterEach(() => rig.close());

const dedup = (environment: Record<string, string> = {}) =>
  rig.container('../lambdas/refine/dedup/handler', {
    CLAIMS_TABLE_NAME: 'claims',
    CLAIM_DAYS: '16',
    SALES_STREAM_NAME: 'sales',
    HELD_BUCKET_NAME: 'held',
    ...environment,
  });

/** What readers of `sales` make of it: the bodies of each transaction. A repeat of the same body is harmless. */
async function handedOver(): Promise<Map<string, Set<string>>> {
  const bodies = new Map<string, Set<string>>();
  for (const text of await recordsOf(rig, 'sales')) {
    const { transactionId } = JSON.parse(text) as Sale;
    bodies.set(transactionId, (bodies.get(transactionId) ?? new Set()).add(text));
  }
  return bodies;
}

async function expectEachHandedOver(sales: readonly Sale[]): Promise<void> {
  expect(await handedOver()).toEqual(
    new Map(sales.map((sale) => [sale.transactionId, new Set([JSON.stringify(sale)])])),
  );
}

const claimCount = async () => (await rig.engines.dynamodb.call('Scan', { TableName: 'claims' })).Count;

describe('repeats', () => {
  test('every sale is handed over, as it came', async () => {
    const sales = someSales(60);

    const answer = await dedup().invoke(kinesisEvent(sales));

    expect(answer).toEqual({ batchItemFailures: [] });
    expect((await recordsOf(rig, 'sales')).sort()).toEqual(sales.map((sale) => JSON.stringify(sale)).sort());
  });

  test('a record delivered twice is handed over twice, since the first time may have been lost', async () => {
    const event = kinesisEvent(someSales(3));
    const container = dedup();

    await container.invoke(event);
    await container.invoke(event);

    await expectEachHandedOver(someSales(3));
    expect(await recordsOf(rig, 'sales')).toHaveLength(6);
    expect(container.metric('Duplicates')).toBe(0);
  });

  test('a batch cut differently the second time changes nothing', async () => {
    const { Records } = kinesisEvent([...someSales(10), ...someSales(4)]);

    await dedup().invoke({ Records: Records.slice(0, 7) });
    await dedup().invoke({ Records: Records.slice(3, 12) });
    await dedup().invoke({ Records: Records.slice(9) });

    await expectEachHandedOver(someSales(10));
    expect(await claimCount()).toBe(10);
  });

  test('a sale under a new sequence number is stopped, in the same batch and in a later one', async () => {
    const container = dedup();

    await container.invoke(kinesisEvent([...someSales(5), ...someSales(5)]));
    await container.invoke(kinesisEvent(someSales(5), { firstSequence: 100 }));

    expect(await recordsOf(rig, 'sales')).toHaveLength(5);
    expect(container.metric('Duplicates')).toBe(10);
    expect(container.metric('HandedOver')).toBe(5);
  });

  test('a repeat that was accepted at another time, with other card facts, is a repeat', async () => {
    const container = dedup();
    const [tender] = aSale().tenders;
    const again = aSale({
      acceptedAt: '2026-11-23T08:00:00.000Z',
      tenders: [{ ...tender!, card: { ...tender!.card!, country: 'IE' } }],
    });

    await container.invoke(kinesisEvent([aSale(), again]));

    await expectEachHandedOver([aSale()]);
    expect(container.metric('Conflicts')).toBe(0);
  });

  test('the same transaction id of another source is another sale', async () => {
    await dedup().invoke(kinesisEvent([aSale(), aSale({ source: 'web' })]));

    expect(await recordsOf(rig, 'sales')).toHaveLength(2);
  });
});

describe('what is held', () => {
  test('a conflict is held with the position of the winner, reported, and never handed over', async () => {
    const container = dedup();
    const other = aSale({ note: 'another body' });
    const { Records } = kinesisEvent([aSale(), other]);

    await container.invoke({ Records });

    await expectEachHandedOver([aSale()]);
    const [loser] = Object.entries(await objectsOf(rig, 'held', 'conflicts/'));
    expect(loser![0]).toBe(`conflicts/${Records[1]!.eventID.replace(':', '/')}.json`);
    expect(loser![1]).toMatchObject({
      key: 'pos-eu#T-1',
      winner: Records[0]!.eventID,
      payload: JSON.stringify({ Records: [Records[1]] }),
    });
    expect(loser![1].digest).not.toBe(loser![1].winnerDigest);
    expect(container.metric('Conflicts')).toBe(1);
    expect(container.lines).toContainEqual(
      expect.objectContaining({ level: 'WARN', message: 'conflict', key: 'pos-eu#T-1' }),
    );
  });

  test('a record that is no sale is held and stops nothing', async () => {
    const container = dedup();

    const answer = await container.invoke(kinesisEvent(['{', aSale(), { ...aSale(), lines: [] }]));

    expect(answer).toEqual({ batchItemFailures: [] });
    await expectEachHandedOver([aSale()]);
    const reasons = Object.values(await objectsOf(rig, 'held', 'held/')).map(({ reason }) => reason);
    expect(reasons).toEqual(['the record is not JSON', 'lines are missing']);
    expect(container.metric('Held')).toBe(2);
  });

  test('a repeat of what a newer release claimed is held until that release is back', async () => {
    await dedup().invoke(kinesisEvent([aSale()]));
    await rig.engines.dynamodb.call('UpdateItem', {
      TableName: 'claims',
      Key: { id: { S: 'pos-eu#T-1' } },
      UpdateExpression: 'SET digest = :newer',
      ExpressionAttributeValues: { ':newer': { S: '2:abc' } },
    });
    const container = dedup();

    await container.invoke(kinesisEvent([aSale()], { firstSequence: 9 }));

    expect(container.metric('Held')).toBe(1);
    expect(Object.values(await objectsOf(rig, 'held', 'held/'))[0].reason).toContain('digest version 2');
  });
});

describe('failures', () => {
  // Repeats, conflicts and a record that is no sale, over more than one call of each kind.
  const records = [
    ...someSales(30),
    ...someSales(3),
    ...someSales(2).map((sale) => ({ ...sale, note: 'another body' })),
    'no sale',
  ];
  const clean = crashPoints({
    'dynamodb:BatchExecuteStatement': 2,
    's3:PutObject': 3,
    'kinesis:PutRecords': 1,
  });

  test('the crash points below are all the calls of a clean run', async () => {
    await dedup().invoke(kinesisEvent(records));

    expect(crashPoints(rig.calls())).toEqual(expect.arrayContaining(clean));
    expect(crashPoints(rig.calls())).toHaveLength(clean.length);
  });

  test.each(clean)('killed $when call $call of $operation: nothing is lost, nothing changes', async (point) => {
    rig.crash(point);

    const invocations = await deliver(kinesisEvent(records), () => dedup(), [500, 13, 8]);

    expect(invocations).toBeGreaterThan(1);
    await expectEachHandedOver(someSales(30));
    expect(Object.keys(await objectsOf(rig, 'held', 'conflicts/'))).toHaveLength(2);
    expect(Object.keys(await objectsOf(rig, 'held', 'held/'))).toHaveLength(1);
  });

  test('a statement throttled in the middle of a batch fails the batch from that record on', async () => {
    const sales = someSales(25);
    rig.throttle({ operation: 'dynamodb:BatchExecuteStatement', statement: 12 });
    const { Records } = kinesisEvent(sales);

    const answer = await dedup().invoke({ Records });

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: Records[12]!.kinesis.sequenceNumber }] });
    await expectEachHandedOver(sales.slice(0, 12));

    await dedup().invoke({ Records: Records.slice(12) });
    await expectEachHandedOver(sales);
    expect(await recordsOf(rig, 'sales')).toHaveLength(25);
  });

  test('a claim whose item is not told is looked up', async () => {
    const container = dedup();
    await container.invoke(kinesisEvent(someSales(3)));
    rig.intercept({ operation: 'dynamodb:BatchExecuteStatement' }, async (input, proceed) => {
      const { Responses } = await proceed(input);
      for (const { Error: refusal } of Responses) delete refusal?.Item;
      return { Responses };
    });

    await container.invoke(kinesisEvent([...someSales(3), aSale({ note: 'another body' })], { firstSequence: 50 }));

    expect(container.metric('Duplicates')).toBe(3);
    expect(container.metric('Conflicts')).toBe(1);
    expect(rig.calls()).toMatchObject({ 'dynamodb:BatchGetItem': 1 });
  });

  test('keys that were left unprocessed are looked up again', async () => {
    const container = dedup();
    await container.invoke(kinesisEvent(someSales(3)));
    rig.intercept({ operation: 'dynamodb:BatchExecuteStatement' }, async (input, proceed) => {
      const { Responses } = await proceed(input);
      for (const { Error: refusal } of Responses) delete refusal?.Item;
      return { Responses };
    });
    rig.throttle({ operation: 'dynamodb:BatchGetItem', statement: 1 });

    await container.invoke(kinesisEvent(someSales(3), { firstSequence: 50 }));

    expect(container.metric('Duplicates')).toBe(3);
    expect(rig.calls()).toMatchObject({ 'dynamodb:BatchGetItem': 2 });
  });

  test('a claim that expires between the two calls is claimed anew', async () => {
    const container = dedup();
    await container.invoke(kinesisEvent([aSale()]));
    rig.intercept({ operation: 'dynamodb:BatchExecuteStatement' }, async (input, proceed) => {
      const { Responses } = await proceed(input);
      delete Responses[0].Error.Item;
      await rig.engines.dynamodb.call('DeleteItem', { TableName: 'claims', Key: { id: { S: 'pos-eu#T-1' } } });
      return { Responses };
    });

    const answer = await container.invoke(kinesisEvent([aSale()], { firstSequence: 50 }));

    expect(answer).toEqual({ batchItemFailures: [] });
    expect(container.metric('HandedOver')).toBe(2);
    expect(await claimCount()).toBe(1);
  });

  test('what the sales stream keeps refusing is delivered again from there on', async () => {
    const sales = someSales(10);
    rig.throttle({ operation: 'kinesis:PutRecords', statement: 4 });
    for (const call of [2, 3, 4, 5, 6, 7]) rig.throttle({ operation: 'kinesis:PutRecords', call, statement: 0 });
    const { Records } = kinesisEvent(sales);

    const answer = await dedup().invoke({ Records });

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: Records[4]!.kinesis.sequenceNumber }] });
    await deliver({ Records: Records.slice(4) }, () => dedup(), [10]);
    await expectEachHandedOver(sales);
  });

  test('a call that is refused as a whole fails the batch, and the next delivery makes it good', async () => {
    const event = kinesisEvent(someSales(5));
    rig.throttle({ operation: 'kinesis:PutRecords', code: 'AccessDeniedException' });
    const container = dedup();

    await expect(container.invoke(event)).rejects.toThrow();

    await container.invoke(event);
    await expectEachHandedOver(someSales(5));
  });

  test('whatever is repeated, cut or killed, each sale is handed over and never another', async () => {
    const places = fc.record({
      operation: fc.constantFrom('dynamodb:BatchExecuteStatement', 'kinesis:PutRecords', 's3:PutObject'),
      call: fc.integer({ min: 1, max: 4 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    });
    const transactions = fc.array(fc.record({ id: fc.integer({ min: 1, max: 8 }), other: fc.boolean() }), {
      minLength: 1,
      maxLength: 40,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        transactions,
        fc.array(places, { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
        async (wanted, crashes, sizes) => {
          // Each run is a source of its own, so that all can share the engines.
          const source = `run-${++run}`;
          const sales = wanted.map(({ id, other }) =>
            aSale({ source, transactionId: `T-${id}`, ...(other ? { note: 'another body' } : {}) }),
          );
          rig.forget();
          for (const crash of crashes) rig.crash(crash);

          await deliver(kinesisEvent(sales, { firstSequence: run * 1_000 }), () => dedup(), sizes);

          const mine = (await recordsOf(rig, 'sales')).filter((text) => JSON.parse(text).source === source);
          expect(new Set(mine)).toEqual(
            new Set(
              // The first in the shard wins: nothing here claims out of order.
              [...new Map([...sales].reverse().map((sale) => [sale.transactionId, JSON.stringify(sale)])).values()],
            ),
          );
        },
      ),
      { numRuns: 25, seed: 20261122 },
    );
  });
});

test('costs: one write unit and a twentieth of a call per sale', async () => {
  const sales = someSales(500);
  const repeats = sales.slice(0, 25);
  const container = dedup();

  await container.invoke(kinesisEvent(sales));
  await container.invoke(kinesisEvent(repeats, { firstSequence: 1_000 }));

  expect(rig.billed()).toEqual({ 'claims:write': 525 });
  expect(rig.calls()).toEqual({ 'dynamodb:BatchExecuteStatement': 21, 'kinesis:PutRecords': 1 });
});

test('the longest identifiers still cost one write unit', async () => {
  const sale = aSale({ source: 's'.repeat(32), transactionId: 't'.repeat(64) });

  await dedup().invoke(kinesisEvent([sale]));

  expect(rig.billed()).toEqual({ 'claims:write': 1 });
});

test('a claim expires after the given days, in seconds as DynamoDB wants them', async () => {
  await dedup({ CLAIM_DAYS: '3' }).invoke(kinesisEvent([aSale()]));

  const { Items } = await rig.engines.dynamodb.call('Scan', { TableName: 'claims' });
  const days = (Number(Items[0].expiresAt.N) - Date.now() / 1_000) / 86_400;
  expect(days).toBeGreaterThan(2.9);
  expect(days).toBeLessThan(3.1);
});
