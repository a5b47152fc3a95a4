import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { ChangeApplier } from '../../lambdas/serve/badges/change-applier';
import { OnlineTable } from '../../lambdas/serve/badges/online-table';
import { StateTable } from '../../lambdas/serve/badges/state-table';
import { SweepWalk } from '../../lambdas/serve/badges/sweep/sweep-walk';
import { crashPoints, type Rig, startRig } from '../engine-rig';
import { deliver, objectsOf } from '../engine-rig/shard';
import { changesEvent, epochStart, Source } from './badges-apply-source';
import {
  apply,
  comparable,
  day,
  expected,
  finishLoad,
  item,
  prepare,
  served,
  startEpoch,
  sweep,
} from './badges-apply-tables';

let rig: Rig;
let source: Source;
beforeEach(async () => {
  rig = await startRig();
  await prepare(rig);
  rig.forget();
  source = new Source();
});
afterEach(() => rig.close());

const sku = (name: string, status = 'active', safety_stock: number | null = 2) =>
  source.put('inventory', 'skus', { sku: name, status, category: 'kitchen', reorder_point: 5, safety_stock });
const stock = (name: string, location: string, on_hand: number, reserved = 0) =>
  source.put('inventory', 'stock', { sku: name, location, on_hand, reserved });
const centre = (fc_id: string, daily_capacity = 100) =>
  source.put('inventory', 'fulfillment_centers', {
    fc_id,
    daily_capacity,
    cutoff: '14:30:00',
    time_zone: 'Europe/Paris',
  });
const order = (order_id: string, fc_id: string, promised_date: string, status = 'open') =>
  source.put('orders', 'orders', { order_id, fc_id, promised_date, status });

async function flush(): Promise<void> {
  await apply(rig).invoke(changesEvent(source.take()));
}

const matches = async () => expect(comparable(await served(rig), source)).toEqual(comparable(expected(source), source));

test('rows of each table are served by their features', async () => {
  sku('A');
  stock('A', 'fc-1', 10, 3);
  centre('fc-1');
  order('o-1', 'fc-1', day(1));
  order('o-2', 'fc-1', day(1));
  order('o-3', 'fc-1', day(2), 'shipped');

  await flush();

  expect(await item(rig, 'sku#A')).toMatchObject({ status: 'active', category: 'kitchen', safetyStock: 2 });
  expect(await item(rig, 'stock#A#fc-1')).toMatchObject({
    onHand: 10,
    reserved: 3,
    position: '000001:000000027C000080:0000000001',
    committedAt: expect.stringMatching(/Z$/),
  });
  expect(await item(rig, 'centre#fc-1')).toMatchObject({
    dailyCapacity: 100,
    cutoff: '14:30',
    timeZone: 'Europe/Paris',
    promised: { [day(1)]: 2, [day(2)]: 1 },
  });
});

test('an order that is cancelled, moved to another day or centre, or deleted counts where it is, once', async () => {
  for (const id of ['o-1', 'o-2', 'o-3', 'o-4', 'o-5']) order(id, 'fc-1', day(1));
  await flush();
  order('o-1', 'fc-1', day(1), 'cancelled');
  order('o-2', 'fc-1', day(3));
  order('o-3', 'fc-2', day(1));
  source.delete('orders', 'orders', { order_id: 'o-4' });
  order('o-5', 'fc-1', day(1), 'shipped');

  const records = source.take();
  await apply(rig).invoke(changesEvent(records));
  await apply(rig).invoke(changesEvent([...records].reverse()));

  await matches();
});

test('orders of days long past count nowhere, and their days go', async () => {
  order('old', 'fc-1', day(-30));
  order('new', 'fc-1', day(1));
  await rig.engines.dynamodb.call('PutItem', {
    TableName: 'online',
    Item: { pk: { S: 'centre#fc-1' }, promised: { M: { [day(-9)]: { N: '7' } } } },
  });
  await flush();

  order('old', 'fc-1', day(2));
  await flush();

  expect((await item(rig, 'centre#fc-1'))!.promised).toEqual({ [day(1)]: 1, [day(2)]: 1 });
});

describe('lifecycle', () => {
  beforeEach(async () => {
    sku('A');
    stock('A', 'fc-1', 10);
    stock('A', 'fc-2', 20);
    await flush();
    sku('A', 'discontinued');
    await flush();
  });

  test('a discontinued sku says so at once, and its stock gets an end', async () => {
    expect(await item(rig, 'sku#A')).toMatchObject({ status: 'discontinued' });
    for (const fc of ['fc-1', 'fc-2'])
      expect((await item(rig, `stock#A#${fc}`))!.expiresAt).toBeGreaterThan(Date.now() / 1_000);
  });

  test('reactivated after its serving rows have gone: they come back from state with what happened meanwhile', async () => {
    for (const fc of ['fc-1', 'fc-2'])
      await rig.engines.dynamodb.call('DeleteItem', { TableName: 'online', Key: { pk: { S: `stock#A#${fc}` } } });
    source.delete('inventory', 'stock', { sku: 'A', location: 'fc-2' });
    await flush();

    sku('A', 'active');
    await flush();

    await matches();
    expect(await item(rig, 'stock#A#fc-1')).toMatchObject({ onHand: 10 });
  });

  test('deleted, and made again later: its stock is whole', async () => {
    source.delete('inventory', 'skus', { sku: 'A' });
    await flush();
    expect((await item(rig, 'sku#A'))!.status).toBeUndefined();

    sku('A', 'paused');
    await flush();

    await matches();
  });

  test.each(
    crashPoints({
      'dynamodb:BatchGetItem': 3,
      'dynamodb:BatchExecuteStatement': 2,
      'dynamodb:TransactWriteItems': 1,
      'dynamodb:UpdateItem': 1,
    }),
  )('killed $when call $call of $operation while it comes back: it is whole in the end', async (point) => {
    sku('A', 'active');
    stock('A', 'fc-2', 21);
    rig.crash(point);

    await deliver(changesEvent(source.take()), () => apply(rig), [2, 1]);

    await matches();
  });
});

test('a key that changes ends one row and makes another', async () => {
  sku('A');
  stock('A', 'fc-1', 10);
  order('o-1', 'fc-1', day(1));
  await flush();
  source.changeKey('inventory', 'stock', { sku: 'A', location: 'fc-1' }, { sku: 'A', location: 'fc-9' });
  source.changeKey('orders', 'orders', { order_id: 'o-1' }, { order_id: 'o-9' });
  stock('A', 'fc-1', 5);

  const records = source.take().reverse();
  await apply(rig).invoke(changesEvent(records));

  await matches();
});

test('a late change fills in what a newer update left out, and nothing else', async () => {
  sku('A');
  await flush();
  source.put('inventory', 'skus', { sku: 'A', category: 'garden' });
  source.put('inventory', 'skus', { sku: 'A', safety_stock: 9 }, { leaveOut: ['category'] });
  const [first, second] = source.take();

  await apply(rig).invoke(changesEvent([second!]));
  expect(await item(rig, 'sku#A')).toMatchObject({ category: 'kitchen', safetyStock: 9 });
  await apply(rig).invoke(changesEvent([first!]));

  expect(await item(rig, 'sku#A')).toMatchObject({ category: 'garden', safetyStock: 9 });
});

test('control records are counted, nothing more', async () => {
  const container = apply(rig);
  const control = { control: {}, metadata: { 'record-type': 'control', operation: 'create-table', 'schema-name': '' } };

  await container.invoke(
    changesEvent([{ partitionKey: 'TASK', arrivedAt: epochStart(1) + 1, text: JSON.stringify(control) }]),
  );

  expect(container.metric('Controls')).toBe(1);
  expect(container.metric('Held')).toBe(0);
});

describe('a record that cannot be used', () => {
  const bad = (text: string, partitionKey: string) => ({ text, partitionKey, arrivedAt: epochStart(1) + 2_000 });

  async function badStock() {
    sku('A');
    stock('A', 'fc-1', 10);
    stock('A', 'fc-2', 20);
    await flush();
    stock('A', 'fc-1', 11);
    const [record] = source.take();
    const broken = { ...record!, text: record!.text.replace('"on_hand":11', '"on_hand":"eleven"') };
    return { broken, mended: record! };
  }

  test('marks its item until it is redriven, mended or not, by no other beat or change', async () => {
    const { broken, mended } = await badStock();
    const container = apply(rig);
    await container.invoke(changesEvent([broken], { firstSequence: 500 }));
    source.beat(heartbeatSlots);
    await flush();

    expect((await item(rig, 'stock#A#fc-1'))!.heldSince).toEqual(expect.stringMatching(/Z$/));
    expect((await item(rig, 'stock#A#fc-2'))!.heldSince).toBeUndefined();
    expect(container.metric('Held')).toBe(1);
    expect(Object.keys(await objectsOf(rig, 'held', 'held/'))).toHaveLength(1);

    await container.invoke(changesEvent([broken], { firstSequence: 500 }));
    expect((await item(rig, 'stock#A#fc-1'))!.heldSince).toBeDefined();
    await container.invoke(changesEvent([mended], { firstSequence: 500 }));
    expect((await item(rig, 'stock#A#fc-1'))!.heldSince).toBeUndefined();
    expect(await item(rig, 'stock#A#fc-1')).toMatchObject({ onHand: 11 });
  });

  test('is made up for by a later whole change of its row, redriven or not', async () => {
    const { broken } = await badStock();
    await apply(rig).invoke(changesEvent([broken], { firstSequence: 500 }));
    stock('A', 'fc-1', 12);
    await flush();

    await apply(rig).invoke(changesEvent([broken], { firstSequence: 500 }));

    expect(await item(rig, 'stock#A#fc-1')).toMatchObject({ onHand: 12 });
    expect((await item(rig, 'stock#A#fc-1'))!.heldSince).toBeUndefined();
  });

  test.each([
    ['{', 'orders.orders.o-1', [false, true]],
    ['{', 'nobody', [true, true]],
    ['{"metadata":{"schema-name":"inventory","table-name":"other"}}', 'x', [true, false]],
  ])('of which only the database is known (%s under %s) marks the database', async (text, partitionKey, marked) => {
    await apply(rig).invoke(changesEvent([bad(text, partitionKey)], { firstSequence: 500 }));

    // The load of the first epoch marks both as well: its mark is the older one.
    const marks = await Promise.all(
      ['inventory', 'orders'].map(async (database) => {
        const { Items } = await rig.engines.dynamodb.call('Query', {
          TableName: 'state',
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: `held#${database}` } },
        });
        return Items.some(({ sk }: any) => sk.S !== 'load');
      }),
    );
    expect(marks).toEqual(marked);
  });
});

describe('loads', () => {
  beforeEach(() => {
    sku('A');
    sku('gone');
    stock('A', 'fc-1', 10);
    stock('gone', 'fc-1', 10);
    centre('fc-1');
    order('o-1', 'fc-1', day(1));
    order('o-gone', 'fc-1', day(1));
    source.beat(heartbeatSlots, epochStart(1));
  });

  test('a database is vouched for only when its load is drained and swept', async () => {
    await flush();
    expect((await item(rig, 'beats#inventory'))!.heldSince).toBe('1970-01-01T00:00:00.000Z');
    await sweep(rig).invoke({});
    expect((await item(rig, 'beats#inventory'))!.heldSince).toBeDefined();

    await finishLoad(rig, source, 1);

    expect((await item(rig, 'beats#inventory'))!.heldSince).toBeUndefined();
    expect((await item(rig, 'beats#orders'))!.heldSince).toBeUndefined();
    await matches();
  });

  test('what was deleted while nobody looked is swept, counts included, and late records of it change nothing', async () => {
    const before = source.take();
    await apply(rig).invoke(changesEvent(before));
    await finishLoad(rig, source, 1);
    source.reload(() => {
      source.delete('inventory', 'skus', { sku: 'gone' });
      source.delete('inventory', 'stock', { sku: 'gone', location: 'fc-1' });
      source.delete('orders', 'orders', { order_id: 'o-gone' });
    });
    await startEpoch(rig, 2);
    await flush();
    expect(Object.keys(await served(rig))).toContain('sku#gone');

    await finishLoad(rig, source, 2);
    await apply(rig).invoke(changesEvent(before, { firstSequence: 77 }));

    await matches();
    expect((await item(rig, 'beats#inventory'))!.heldSince).toBeUndefined();
  });

  test('a sweep that runs out of time goes on where it ended', async () => {
    for (let index = 0; index < 1_500; index++) stock(`many-${index}`, 'fc-1', 1);
    await flush();
    source.reload(() => {
      for (let index = 0; index < 1_500; index++)
        source.delete('inventory', 'stock', { sku: `many-${index}`, location: 'fc-1' });
    });
    await startEpoch(rig, 2);
    await flush();
    const dynamoDb = new DynamoDBClient(rig.client);
    const state = new StateTable(dynamoDb, { tableName: 'state', tombstoneDays: 30 });
    const applier = new ChangeApplier(state, new OnlineTable(dynamoDb, 'online'));
    const onePage = () => {
      let pages = 0;
      return new SweepWalk(dynamoDb, 'state', applier).sweep(
        'inventory',
        { epoch: 2, startedAt: epochStart(2) },
        () => pages++ < 1,
      );
    };

    const results = [await onePage(), await onePage()];

    expect(results.map(({ isDone }) => isDone)).toEqual([false, true]);
    expect(results.reduce((sum, { swept }) => sum + swept, 0)).toBe(1_500);
    await matches();
  });

  test('a held record of the load keeps the sweep away', async () => {
    const [first, ...others] = source.take();
    const broken = { ...first!, text: first!.text.replace('"active"', '"who knows"') };
    await apply(rig).invoke(changesEvent([broken, ...others]));

    await finishLoad(rig, source, 1);

    expect((await item(rig, 'beats#inventory'))!.heldSince).toBeDefined();
    expect((await item(rig, 'beats#orders'))!.heldSince).toBeUndefined();
  });

  test('a batch of the load that Lambda gave up keeps the sweep away', async () => {
    await flush();
    await rig.engines.s3.call('PutObject', { Bucket: 'held', Key: 'aws/lambda/x/y', Body: Buffer.from('{}') });

    await finishLoad(rig, source, 1);

    expect((await item(rig, 'beats#inventory'))!.heldSince).toBeDefined();
  });
});

test('beats only go forward, and the age of the features is that of the oldest', async () => {
  sku('A');
  source.beat(heartbeatSlots, epochStart(1));
  await flush();
  await finishLoad(rig, source, 1);
  const now = Date.now();
  source.beat(heartbeatSlots.slice(1), now);
  const late = source.take();
  source.beat(heartbeatSlots.slice(1), now + 1_000);
  const container = apply(rig);

  await container.invoke(changesEvent(source.take()));
  await container.invoke(changesEvent(late));

  const { beats } = (await item(rig, 'beats#orders'))!;
  expect(new Set(Object.values(beats)).size).toBe(2);
  expect(Date.parse(beats[heartbeatSlots[1]!])).toBe(now + 1_000);
  expect(container.metric('FeatureAgeSeconds')).toBeLessThan(60);
});

test('a log that was exchanged without a new epoch is noticed', async () => {
  source.beat(heartbeatSlots, epochStart(1));
  await flush();
  const container = apply(rig);
  sku('A');
  const [record] = source.take();
  const text = record!.text
    .replaceAll('00000002/', '00000001/')
    .replace(/"commit-timestamp":"[^"]+"/, `"commit-timestamp":"${new Date(epochStart(3)).toISOString()}"`);

  await container.invoke(changesEvent([{ ...record!, text }]));

  expect(container.metric('PositionWentBack')).toBe(1);
});

test('before any epoch is known nothing is applied, and the batch comes again', async () => {
  await rig.engines.dynamodb.call('DeleteItem', {
    TableName: 'epochs',
    Key: { database: { S: 'inventory' }, epoch: { N: '1' } },
  });
  sku('A');

  await expect(flush()).rejects.toThrow('no epoch of inventory');
});
