import type { Sale } from '../../lambdas/base/domain/sale';
import { crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { deliver } from '../engine-rig/shard';
import { changesEvent, epochStart, Source } from './badges-apply-source';
import {
  applyContainer,
  countContainer,
  lookupContainer,
  positionsOf,
  prepareInventory,
  salesBeats,
  sweepContainer,
  triggersOf,
} from './inventory-tables';

// From the inventory database's rows and the sales to an answer and to triggers, on engines.
let rig: Rig;
let source: Source;
let sequence: number;
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig);
  await startEpoch();
  rig.forget();
  source = new Source();
  sequence = 1;
});
afterEach(() => rig.close());

async function startEpoch(loadedAt?: number): Promise<void> {
  await rig.engines.dynamodb.call('PutItem', {
    TableName: 'epochs',
    Item: {
      database: { S: 'inventory' },
      epoch: { N: '1' },
      startedAt: { S: new Date(epochStart(1)).toISOString() },
      ...(loadedAt === undefined ? {} : { loadedAt: { S: new Date(loadedAt).toISOString() } }),
    },
  });
}

const next = () => {
  sequence += 1_000;
  return sequence;
};
const sku = (name: string, reorder_point: number | null, status = 'active') =>
  source.put('inventory', 'skus', { sku: name, status, category: 'kitchen', reorder_point, safety_stock: 0 });
const counted = (minutesAgo: number) => new Date(Date.now() - minutesAgo * 60_000).toISOString().replace('Z', '000Z');
const stock = (name: string, location: string, on_hand: number, reserved = 0, minutesAgo = 120) =>
  source.put('inventory', 'stock', { sku: name, location, on_hand, reserved, updated_at: counted(minutesAgo) });

async function applied(): Promise<void> {
  const records = source.take();
  await applyContainer(rig).invoke(changesEvent(records, { firstSequence: next() }));
}

const sold = (transactionId: string, quantity: number, change: Partial<Sale> = {}) =>
  aSale({
    transactionId,
    location: 'store-1',
    occurredAt: new Date(Date.now() - 60_000).toISOString(),
    lines: [{ line: 1, sku: 'A', quantity, unitPrice: 100 }],
    ...change,
  });

async function count(...records: readonly unknown[]): Promise<void> {
  await countContainer(rig).invoke(kinesisEvent(records, { firstSequence: next() }));
}

/** Everything has come through until now, and the load is vouched for. */
async function vouched(): Promise<void> {
  await startEpoch(epochStart(1) + 5_000);
  source.beat(salesBeats().map((text) => JSON.parse(text).beat));
  const beats = source.take().map((record) => ({ ...record, arrivedAt: Date.now() }));
  await applyContainer(rig).invoke(changesEvent(beats, { firstSequence: next() }));
  await sweepContainer(rig).invoke({});
  await count(...salesBeats());
}

async function ask(skus: readonly string[], locations: readonly string[]) {
  const { statusCode, body } = await lookupContainer(rig).invoke({
    multiValueQueryStringParameters: { sku: skus, location: locations },
  });
  return { statusCode, ...JSON.parse(body) };
}

test('a position is what the database says less what was sold since, in one round trip', async () => {
  sku('A', 5);
  stock('A', 'store-1', 20, 3);
  await applied();
  await count(sold('T-1', 4), sold('T-2', 1, { type: 'return' }), sold('before', 9, { occurredAt: counted(180) }));
  await vouched();
  rig.forget();

  const { statusCode, answers } = await ask(['A', 'B'], ['store-1', 'nowhere']);

  expect(statusCode).toBe(200);
  expect(answers[0]).toEqual({
    sku: 'A',
    location: 'store-1',
    state: 'stocked',
    onHand: 20,
    reserved: 3,
    soldSinceCount: 3,
    available: 14,
    countedAt: expect.any(String),
    status: 'active',
    reorderPoint: 5,
    low: false,
    version: 2,
    asOf: expect.any(String),
    ageSeconds: expect.any(Number),
    stale: false,
  });
  expect(answers.slice(1).map(({ state }: any) => state)).toEqual(['unknown-location', 'unknown-sku', 'unknown-sku']);
  expect(rig.calls()).toEqual({ 'dynamodb:BatchGetItem': 1 });
});

test('no answer claims an age before both feeds have come through, and none is fresher than the one behind', async () => {
  sku('A', 5);
  stock('A', 'store-1', 20);
  await applied();
  expect((await ask(['A'], ['store-1'])).answers[0]).toMatchObject({ asOf: null, ageSeconds: null, stale: true });
  await vouched();
  const old = Date.now() - 400_000;
  await rig.engines.dynamodb.call('DeleteItem', { TableName: 'positions', Key: { pk: { S: 'beats#sales' } } });

  await count(...salesBeats(old));

  const [answer] = (await ask(['A'], ['store-1'])).answers;
  expect(answer).toMatchObject({ asOf: new Date(old).toISOString(), stale: true });
});

test('a record of the sales that is none makes all stock old until it is redriven', async () => {
  sku('A', 5);
  stock('A', 'store-1', 20);
  await applied();
  await vouched();
  const records = kinesisEvent(['no sale'], { firstSequence: 77 });
  await countContainer(rig).invoke(records);
  // The record arrived days ago.
  expect((await ask(['A'], ['store-1'])).answers[0].stale).toBe(true);
  const { Item } = await rig.engines.dynamodb.call('GetItem', {
    TableName: 'positions',
    Key: { pk: { S: 'beats#sales' } },
  });
  expect(Item.heldSince.S).toEqual(expect.any(String));

  const mended = kinesisEvent([sold('T-1', 1)], { firstSequence: 77 });
  await countContainer(rig).invoke(mended);

  const after = await rig.engines.dynamodb.call('GetItem', {
    TableName: 'positions',
    Key: { pk: { S: 'beats#sales' } },
  });
  expect(after.Item.heldSince).toBeUndefined();
});

describe('triggers', () => {
  beforeEach(async () => {
    sku('A', 5);
    stock('A', 'store-1', 20);
    await applied();
  });

  const kinds = async () => (await triggersOf(rig)).map(({ kind, version }) => `${version} ${kind}`).sort();

  test('one for each crossing, and what wavers around the point triggers once', async () => {
    await count(sold('T-1', 16));
    await count(sold('T-2', 1, { type: 'return' }));
    await count(sold('T-3', 1));
    await count(sold('T-4', 4));
    await count(sold('T-5', 9, { type: 'return' }));
    await count(sold('T-6', 6));

    expect(await kinds()).toEqual([
      '2 reorder-point-reached',
      '5 stock-out',
      '6 back-in-stock',
      '7 reorder-point-reached',
    ]);
  });

  test('a reorder point that is raised is reached at every location that is below it', async () => {
    stock('A', 'store-2', 40);
    await applied();
    sku('A', 30);
    await applied();

    expect((await triggersOf(rig)).map(({ crossingId }) => crossingId)).toEqual(['A#store-1#2#reorder-point-reached']);
  });

  test('it says what made it', async () => {
    await count(sold('T-1', 16));

    const [trigger] = await triggersOf(rig);
    expect(trigger).toMatchObject({
      crossingId: 'A#store-1#2#reorder-point-reached',
      available: 4,
      soldSinceCount: 16,
      reorderPoint: 5,
      rearmAt: 6,
      causedBy: {
        change: 'sales',
        sales: [expect.stringMatching(/^shardId-0+:\d+$/)],
        moreSales: 0,
        stock: expect.stringMatching(/^000001:/),
        sku: expect.stringMatching(/^000001:/),
      },
    });
  });

  test.each(crashPoints({ 'dynamodb:TransactWriteItems': 1, 'dynamodb:UpdateItem': 1, 'dynamodb:PutItem': 2 }))(
    'killed $when call $call of $operation, and delivered again: one trigger',
    async (point) => {
      rig.crash(point);

      await deliver(kinesisEvent([sold('T-1', 16)], { firstSequence: 9_000 }), () => countContainer(rig), [1]);
      await count(sold('T-1', 16));

      expect(await kinds()).toEqual(['2 reorder-point-reached']);
      expect((await positionsOf(rig))['stock#A#store-1']!.units).toBe(16);
    },
  );
});

test('stock that a load does not bring is gone after it', async () => {
  sku('A', 5);
  stock('A', 'store-1', 20);
  stock('B', 'store-1', 7);
  await applied();
  await vouched();
  await rig.engines.dynamodb.call('PutItem', {
    TableName: 'epochs',
    Item: {
      database: { S: 'inventory' },
      epoch: { N: '2' },
      startedAt: { S: new Date(epochStart(2)).toISOString() },
      loadedAt: { S: new Date(epochStart(2) + 5_000).toISOString() },
    },
  });
  source.reload(() => source.delete('inventory', 'stock', { sku: 'B', location: 'store-1' }));
  await applied();
  expect((await ask(['A'], ['store-1'])).answers[0].stale).toBe(true);
  source.beat(salesBeats().map((text) => JSON.parse(text).beat));
  const beats = source.take().map((record) => ({ ...record, arrivedAt: Date.now() }));
  await applyContainer(rig).invoke(changesEvent(beats, { firstSequence: next() }));
  await sweepContainer(rig).invoke({});

  const { answers } = await ask(['A', 'B'], ['store-1']);

  expect(answers.map(({ state, onHand, stale }: any) => [state, onHand, stale])).toEqual([
    ['stocked', 20, false],
    ['not-stocked', null, false],
  ]);
});
