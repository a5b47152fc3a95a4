import { badgeFeatures, type FeatureKind } from '../../lambdas/base/domain/badge-features';
import { type HistoryRow, trainingSetQuery } from '../../lambdas/base/domain/badge-history';
import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { countPosition } from '../../lambdas/serve/badges/history-rows';
import { openDynamoDb } from '../../local/engines/dynamodb';
import { crashPoints, type Rig, startRig } from '../engine-rig';
import { deliver } from '../engine-rig/shard';
import type { HistoryLake } from './badge-history-lake';
import { changesEvent, epochStart, Source, type SourceRecord } from './badges-apply-source';
import { apply, day, finishLoad, item, policy, prepare, startEpoch, sweep } from './badges-apply-tables';

let rig: Rig;
let lake: HistoryLake;
let source: Source;
beforeEach(start);
afterEach(() => rig.close());

const sku = (name: string, status = 'active', leaveOut: readonly string[] = []) =>
  source.put(
    'inventory',
    'skus',
    { sku: name, status, category: 'c', reorder_point: 5, safety_stock: 2 },
    { leaveOut },
  );
const stock = (location: string, on_hand: number) =>
  source.put('inventory', 'stock', { sku: 'A', location, on_hand, reserved: 0 });
const order = (order_id: string, fc_id: string, status = 'open') =>
  source.put('orders', 'orders', { order_id, fc_id, promised_date: day(1), status });

/** A rig of its own, and names of all that lookups can read at some moment, with what it says: looked at after every write. */
async function start(): Promise<Map<string, string>> {
  rig = await startRig();
  const served = new Map<string, string>();
  const dynamodb = await openDynamoDb();
  const plain = (value: any) => (value?.N === undefined ? (value?.S ?? null) : Number(value.N));
  rig.attach('dynamodb', {
    service: 'dynamodb',
    contents: () => dynamodb.contents(),
    close: () => dynamodb.close(),
    async call(operation, input) {
      try {
        return await dynamodb.call(operation, input);
      } finally {
        if (/Update|Execute|Transact/.test(operation)) {
          const { Items } = await dynamodb.call('Scan', { TableName: 'online' });
          for (const {
            pk,
            position,
            countsVersion,
            promised,
            positions,
            beats,
            heldSince,
            expiresAt,
            ...rest
          } of Items) {
            const kind = pk.S.split('#', 1)[0] as FeatureKind;
            if (position !== undefined)
              served.set(
                `${kind}/${pk.S}/${position.S}`,
                JSON.stringify(Object.keys(badgeFeatures[kind].features).map((name) => plain(rest[name]))),
              );
            for (const [when, { N }] of Object.entries<any>(promised?.M ?? {}))
              if (countsVersion !== undefined)
                served.set(`count/${pk.S}/${countPosition(Number(countsVersion.N))}/${when}`, N);
            for (const [slot, { S }] of Object.entries<any>(positions?.M ?? {}))
              served.set(`beat/${pk.S}#${slot}/${S}`, new Date(beats.M[slot].S).toISOString());
            if (heldSince !== undefined) served.set(`held/${pk.S}/${new Date(heldSince.S).toISOString()}`, '');
            if (kind === 'stock' && expiresAt?.N !== undefined && rest.onHand?.N !== undefined)
              served.set(`end/${pk.S}/${new Date(Number(expiresAt.N) * 1_000).toISOString()}`, '');
          }
        }
      }
    },
  });
  lake = await prepare(rig);
  source = new Source();
  return served;
}

/** The same of what the history says. A count that a version did not change is that of the version before. */
function told(rows: readonly HistoryRow[], served: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  const counts = rows.filter(({ kind }) => kind === 'count');
  for (const row of rows) {
    const { kind, item: pk, position } = row;
    if (kind === 'sku' || kind === 'stock' || kind === 'centre')
      found.set(
        `${kind}/${pk}/${position}`,
        JSON.stringify(Object.values(badgeFeatures[kind].features).map((column) => row[column] ?? null)),
      );
    if (kind === 'beat') found.set(`beat/${pk}/${position}`, String(row.beat_at));
    if (kind === 'held' || kind === 'end') found.set(`${kind}/${pk}/${position}`, '');
  }
  for (const name of served.keys()) {
    const [kind, pk, version, when] = name.split('/') as [string, string, string, string];
    if (kind !== 'count' || !counts.some((row) => row.item === pk && row.position === version)) continue;
    const newest = counts
      .filter((row) => row.item === pk && row.day === when && row.position <= version)
      .reduce<HistoryRow | undefined>(
        (last, row) => (last === undefined || row.position > last.position ? row : last),
        undefined,
      );
    if (newest !== undefined) found.set(name, String(newest.orders));
  }
  return found;
}

function expectTold(rows: readonly HistoryRow[], served: ReadonlyMap<string, string>): void {
  const found = told(rows, served);
  const missing = [...served].filter(([name, value]) => found.get(name) !== value);

  expect(served.size).toBeGreaterThan(0);
  expect(missing.map(([name, value]) => [name, value, found.get(name)])).toEqual([]);
}

/** All that can happen to what is served, in a few records: two batches, and a third cut across them on redelivery. */
function story(): SourceRecord[] {
  sku('A');
  stock('fc-1', 10);
  stock('fc-2', 5);
  source.put('inventory', 'fulfillment_centers', {
    fc_id: 'fc-1',
    daily_capacity: 9,
    cutoff: '12:00:00',
    time_zone: 'UTC',
  });
  order('o-1', 'fc-1');
  source.beat(heartbeatSlots.slice(0, 2), epochStart(1));
  stock('fc-1', 9);
  sku('A', 'discontinued', ['category']);
  order('o-1', 'fc-2');
  order('o-2', 'fc-1');
  source.beat(heartbeatSlots.slice(0, 1), epochStart(2));
  stock('fc-1', 8);
  sku('A', 'active', ['category', 'safety_stock']);
  source.delete('inventory', 'stock', { sku: 'A', location: 'fc-2' });
  order('o-2', 'fc-1', 'cancelled');
  const records = source.take();
  stock('fc-1', 7);
  const [bad] = source.take();
  return [...records, { ...bad!, text: bad!.text.replace('"on_hand":7', '"on_hand":"seven"') }];
}

test('every image of a row that a batch serves is in the lake, with its position, commit time and when it was readable', async () => {
  const before = new Date().toISOString();
  await apply(rig).invoke(changesEvent(story().slice(0, 9)));

  const rows = await lake.rows();

  expect(rows.find(({ item: pk }) => pk === 'stock#A#fc-1')).toMatchObject({
    kind: 'stock',
    position: expect.stringMatching(/^000001:0000000/),
    committed_at: expect.stringMatching(/^2\d{3}-/),
    on_hand: '10',
    reserved: '0',
    deleted: '0',
  });
  const readable = rows.find(({ item: pk }) => pk === 'sku#A')!.readable_at as string;
  expect(`${readable.replace(' ', 'T')}Z` >= before).toBe(true);
  expect(rows.find(({ kind }) => kind === 'policy')).toMatchObject({ position: '1', policy: JSON.stringify(policy) });
  expect(rows.find(({ kind }) => kind === 'count')).toMatchObject({
    item: 'centre#fc-1',
    orders: '1',
    order_id: 'o-1',
  });
  expect(rows.filter(({ kind }) => kind === 'beat')).toHaveLength(4);
});

test('a change that was never served has no time when it was readable, though it is there', async () => {
  stock('fc-1', 10);
  stock('fc-1', 9);
  const [first, second] = source.take();
  stock('fc-1', 8);
  await apply(rig).invoke(changesEvent([first!, second!]));
  await apply(rig).invoke(changesEvent(source.take()));
  await apply(rig).invoke(changesEvent([second!]));

  const times = lake.taken.filter(({ kind }) => kind === 'stock').map((row) => [row.on_hand, typeof row.readable_at]);

  expect(times).toEqual([
    [9, 'string'],
    [10, 'undefined'],
    [8, 'string'],
    [9, 'undefined'],
  ]);
});

test('whatever call the reader is killed at, all that was ever served is in the history', async () => {
  const sizes = [9, 3];
  await deliver(changesEvent(story()), () => apply(rig), sizes);
  // Before a call is after the one before it, and reads leave nothing behind: what is left is after writes.
  const points = crashPoints(rig.calls()).filter(({ operation, when }) =>
    operation === 'firehose:PutRecordBatch' ? true : when === 'after' && /Update|Execute|Transact/.test(operation),
  );
  expect(points.length).toBeGreaterThan(20);

  for (const point of points) {
    await rig.close();
    const served = await start();
    rig.forget();
    rig.crash(point);

    await deliver(changesEvent(story()), () => apply(rig), sizes);

    expectTold(lake.taken, served);
  }
}, 60_000);

test('a sweep that is killed anywhere tells the history of every row that it took away', async () => {
  const world = () => {
    sku('A');
    stock('fc-1', 1);
    stock('fc-2', 1);
    order('o-1', 'fc-1');
  };
  for (const point of [
    { operation: 'dynamodb:BatchExecuteStatement', when: 'after' },
    { operation: 'dynamodb:TransactWriteItems', when: 'after' },
    { operation: 'firehose:PutRecordBatch', when: 'before' },
  ] as const) {
    await rig.close();
    const served = await start();
    world();
    await apply(rig).invoke(changesEvent(source.take()));
    await finishLoad(rig, source, 1);
    source.reload(() => {
      source.delete('inventory', 'stock', { sku: 'A', location: 'fc-1' });
      source.delete('orders', 'orders', { order_id: 'o-1' });
    });
    await startEpoch(rig, 2);
    await apply(rig).invoke(changesEvent(source.take()));
    await startEpoch(rig, 2, { isLoaded: true });
    source.beat(heartbeatSlots);
    const beats = source.take().map((record) => ({ ...record, arrivedAt: Date.now() }));
    await apply(rig).invoke(changesEvent(beats, { firstSequence: 900_000 }));
    rig.forget();
    rig.crash(point);

    await expect(sweep(rig).invoke({})).rejects.toThrow('killed');
    await sweep(rig).invoke({});

    expectTold(lake.taken, served);
    expect(lake.taken.find(({ kind, deleted }) => kind === 'stock' && deleted === 1)).toMatchObject({
      item: 'stock#A#fc-1',
      position: '000002:-',
    });
    expect(await item(rig, 'beats#orders')).not.toHaveProperty('heldSince');
  }
}, 30_000);

test('a firehose that takes nothing has the batch come again', async () => {
  sku('A');
  const event = changesEvent(source.take());
  for (let call = 1; call <= 5; call++) rig.throttle({ operation: 'firehose:PutRecordBatch', call, statement: 0 });

  await expect(apply(rig).invoke(event)).rejects.toThrow('records were refused');
  await apply(rig).invoke(event);

  expect(lake.taken.filter(({ kind }) => kind === 'sku')).toHaveLength(1);
});

describe('a training set', () => {
  const at = async (known: Date) => lake.query(trainingSetQuery(known));
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

  test('is what was readable then, though more had been committed', async () => {
    sku('A');
    stock('fc-1', 10);
    order('o-1', 'fc-1');
    source.put('inventory', 'fulfillment_centers', {
      fc_id: 'fc-1',
      daily_capacity: 9,
      cutoff: '12:00',
      time_zone: 'UTC',
    });
    source.beat(heartbeatSlots, epochStart(1));
    await apply(rig).invoke(changesEvent(source.take()));
    await pause();
    const then = new Date();
    stock('fc-1', 4);
    stock('fc-2', 1);
    order('o-2', 'fc-1');
    // Committed minutes before `then`, and readable after it.
    const late = source.take();
    expect(JSON.parse(late[0]!.text).metadata['commit-timestamp'] < then.toISOString()).toBe(true);
    await pause();
    await apply(rig).invoke(changesEvent(late));
    await apply(rig).invoke(changesEvent(late));

    const [before, now] = [await at(then), await at(new Date())];

    expect(before).toMatchObject([
      {
        sku: 'A',
        fc: 'fc-1',
        status: 'active',
        on_hand: '10',
        safety_stock: '2',
        daily_capacity: '9',
        cutoff: '12:00',
        orders_day: '0',
        orders_day_after: '1',
        inventory_as_of: new Date(epochStart(1))
          .toISOString()
          .replace('T', ' ')
          .replace('Z', '')
          .replace(/\.000$/, ''),
      },
    ]);
    expect(now.map(({ fc, on_hand, orders_day_after }) => [fc, on_hand, orders_day_after])).toEqual([
      ['fc-1', '4', '2'],
      ['fc-2', '1', '0'],
    ]);
  });

  test('holds nothing of a time before, nor of rows that are gone', async () => {
    const empty = new Date();
    await pause();
    sku('A');
    stock('fc-1', 10);
    await apply(rig).invoke(changesEvent(source.take()));
    source.delete('inventory', 'stock', { sku: 'A', location: 'fc-1' });
    await pause();
    const then = new Date();
    await pause();
    await apply(rig).invoke(changesEvent(source.take()));

    expect([await at(empty), await at(new Date())]).toEqual([[], []]);
    expect(await at(then)).toMatchObject([{ fc: 'fc-1', daily_capacity: null, inventory_as_of: null }]);
  });
});
