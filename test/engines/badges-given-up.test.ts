import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { crashPoints, type Rig, startRig } from '../engine-rig';
import { changesEvent, Source, type SourceRecord } from './badges-apply-source';
import { apply, comparable, expected, item, prepare, served, sweep } from './badges-apply-tables';

const hour = 3_600_000;
const started = Date.now() - 30 * hour;
const object = 'aws/lambda/mapping/shardId-000000000000/2026/11/28/2026-11-28T10.00.00-batch';

let rig: Rig;
let source: Source;
beforeEach(async () => {
  rig = await startRig();
  await prepare(rig);
  for (const database of ['inventory', 'orders']) await epoch(database, 1, started);
  source = new Source();
  sku('A', 'active');
  stock('A', 10);
  source.put('orders', 'orders', { order_id: 'o', fc_id: 'fc', promised_date: '2026-11-28', status: 'open' });
  await apply(rig).invoke(at(source.take(), started + 1_000));
  // The load is through.
  source.beat(heartbeatSlots, started + 60_000);
  await apply(rig).invoke(at(source.take(), started + 60_000));
  await sweep(rig).invoke({});
  rig.forget();
});
afterEach(() => rig.close());

const sku = (name: string, status: string) => source.put('inventory', 'skus', { sku: name, status });
const stock = (name: string, on_hand: number) =>
  source.put('inventory', 'stock', { sku: name, location: 'fc', on_hand, reserved: 0 });

const epoch = (database: string, number: number, startedAt: number) =>
  rig.engines.dynamodb.call('PutItem', {
    TableName: 'epochs',
    Item: {
      database: { S: database },
      epoch: { N: String(number) },
      startedAt: { S: new Date(startedAt).toISOString() },
      loadedAt: { S: new Date(startedAt + 5_000).toISOString() },
    },
  });

/** Records that were committed and arrived at a time. */
function at(records: readonly SourceRecord[], arrivedAt: number, firstSequence?: number) {
  const time = new Date(arrivedAt).toISOString().replace('Z', '000Z');
  return changesEvent(
    records.map((record) => ({
      ...record,
      text: record.text.replace(/"commit-timestamp":"[^"]+"/, `"commit-timestamp":"${time}"`),
      arrivedAt,
    })),
    firstSequence === undefined ? {} : { firstSequence },
  );
}

/** What Lambda puts aside. */
async function giveUp(event: object, key = object): Promise<void> {
  const Body = Buffer.from(JSON.stringify({ version: '1.0', payload: JSON.stringify(event) }));
  await rig.engines.s3.call('PutObject', { Bucket: 'held', Key: key, Body });
}

const heldSince = async (database: string) => (await item(rig, `beats#${database}`))!.heldSince;
const beats = async (arrivedAt: number) => {
  source.beat(heartbeatSlots, arrivedAt);
  return apply(rig).invoke(at(source.take(), arrivedAt, 5_000));
};
const lostAt = started + 2 * hour;
const lost = () => {
  stock('A', 0);
  return at(source.take(), lostAt, 2_000);
};

test('a batch that was given up keeps its database stale from the moment that beats could hide it', async () => {
  await giveUp(lost());

  await beats(lostAt + 30_000);
  expect(await heldSince('inventory')).toBe(new Date(lostAt).toISOString());
  await beats(Date.now());
  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBe(new Date(lostAt).toISOString());
  expect(await heldSince('orders')).toBeUndefined();
});

test('redriven, it is made up for, and the database is vouched for again', async () => {
  const event = lost();
  await giveUp(event);
  await beats(lostAt + 30_000);

  await apply(rig).invoke(event);
  expect(await heldSince('inventory')).toBeDefined();
  await rig.engines.s3.call('DeleteObject', { Bucket: 'held', Key: object });
  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBeUndefined();
  expect(comparable(await served(rig), source)).toEqual(comparable(expected(source), source));
});

test.each(crashPoints({ 'dynamodb:BatchGetItem': 1, 'dynamodb:Query': 2, 'dynamodb:TransactWriteItems': 1 }))(
  'killed $when call $call of $operation: the batch comes again, and no beat goes ahead of the mark',
  async (point) => {
    await giveUp(lost());
    source.beat(heartbeatSlots, lostAt + 30_000);
    const event = at(source.take(), lostAt + 30_000, 5_000);
    rig.crash(point);

    await expect(apply(rig).invoke(event)).rejects.toThrow();
    const { beats: noted, heldSince: marked } = (await item(rig, 'beats#inventory'))!;
    expect(marked !== undefined || Object.values(noted).every((beat: any) => Date.parse(beat) < lostAt)).toBe(true);
    await apply(rig).invoke(event);

    expect(await heldSince('inventory')).toBe(new Date(lostAt).toISOString());
  },
);

test('several are stale from the first change of any, until the last is redriven', async () => {
  sku('B', 'active');
  await giveUp(at(source.take(), lostAt + hour, 3_000), `${object}-2`);
  await giveUp(lost());
  await sweep(rig).invoke({});
  expect(await heldSince('inventory')).toBe(new Date(lostAt).toISOString());

  await rig.engines.s3.call('DeleteObject', { Bucket: 'held', Key: object });
  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBe(new Date(lostAt + hour).toISOString());
});

test('a batch of beats alone is no loss', async () => {
  source.beat(heartbeatSlots, lostAt);
  await giveUp(at(source.take(), lostAt, 2_000));

  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBeUndefined();
  expect(await heldSince('orders')).toBeUndefined();
});

test.each([
  ['one that cannot be read', 1, '{'],
  ['more than anyone reads', 101, '{"payload":{"Records":[]}}'],
])('of %s everything is missing', async (_, count, body) => {
  for (let index = 0; index < count; index++)
    await rig.engines.s3.call('PutObject', { Bucket: 'held', Key: `${object}-${index}`, Body: Buffer.from(body) });

  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBe('1970-01-01T00:00:00.000Z');
  expect(await heldSince('orders')).toBe('1970-01-01T00:00:00.000Z');
});

test('a later load makes up for it, though the batch is never redriven', async () => {
  await giveUp(lost());
  await sweep(rig).invoke({});
  const reloadedAt = Date.now() + 1_000;
  await epoch('inventory', 2, reloadedAt);
  source.reload();
  const load = source.take().filter(({ partitionKey }) => partitionKey.startsWith('inventory'));
  await apply(rig).invoke(at(load, reloadedAt + 500, 7_000));
  source.beat(heartbeatSlots, reloadedAt + 60_000);
  const inventory = source.take().filter(({ partitionKey }) => partitionKey.startsWith('inventory'));
  await apply(rig).invoke(at(inventory, reloadedAt + 60_000, 8_000));

  await sweep(rig).invoke({});
  expect(await heldSince('inventory')).toBeUndefined();
  await sweep(rig).invoke({});

  expect(await heldSince('inventory')).toBeUndefined();
  expect(await item(rig, 'stock#A#fc')).toMatchObject({ onHand: 0 });
});

test('nobody looks into the bucket for changes that are on time', async () => {
  stock('A', 3);
  source.beat(heartbeatSlots);
  rig.forget();

  await apply(rig).invoke(at(source.take(), Date.now(), 9_000));

  expect(rig.calls()['s3:ListObjectsV2']).toBeUndefined();
});
