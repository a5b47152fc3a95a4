import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { type Container, crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { changesEvent, Source, type SourceRecord } from './badges-apply-source';
import {
  applyContainer,
  countContainer,
  lookupContainer,
  prepareInventory,
  salesBeats,
  sweepContainer,
} from './inventory-tables';

// What Lambda gives up of the sales or of the changes, and what stock says until it is mended.
const hour = 3_600_000;
const started = Date.now() - 30 * hour;
// Three quarters of the retention ago.
const lostAt = started + 12 * hour;
const object = 'aws/lambda/mapping/shardId-000000000000/2026/11/28/2026-11-28T10.00.00-batch';

let rig: Rig;
let source: Source;
let apply: Container;
let count: Container;
let sweep: Container;
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig);
  [apply, count, sweep] = [applyContainer(rig), countContainer(rig), sweepContainer(rig)];
  await epoch(1, started);
  source = new Source();
  source.put('inventory', 'skus', { sku: 'A', status: 'active', category: 'c', reorder_point: 5, safety_stock: 0 });
  stock(20);
  await apply.invoke(changes(source.take(), started + 1_000));
  await beatDatabase(started + 60_000);
  await beatSales(started + 60_000);
  await sweep.invoke({});
  rig.forget();
});
afterEach(() => rig.close());

const stock = (on_hand: number) =>
  source.put('inventory', 'stock', {
    ...{ sku: 'A', location: 'store-1', on_hand, reserved: 0 },
    updated_at: new Date(started).toISOString().replace('Z', '000Z'),
  });

const epoch = (number: number, startedAt: number) =>
  rig.engines.dynamodb.call('PutItem', {
    TableName: 'epochs',
    Item: {
      database: { S: 'inventory' },
      epoch: { N: String(number) },
      startedAt: { S: new Date(startedAt).toISOString() },
      loadedAt: { S: new Date(startedAt + 5_000).toISOString() },
    },
  });

/** Records of the database that were committed and arrived at a time. */
function changes(records: readonly SourceRecord[], arrivedAt: number, firstSequence = 1) {
  const time = new Date(arrivedAt).toISOString().replace('Z', '000Z');
  const at = records.map((record) => ({
    ...record,
    text: record.text.replace(/"commit-timestamp":"[^"]+"/, `"commit-timestamp":"${time}"`),
    arrivedAt,
  }));
  return changesEvent(at, { firstSequence });
}

/** Records of the sales that arrived at a time. */
function sales(records: readonly unknown[], arrivedAt: number, firstSequence: number) {
  const { Records } = kinesisEvent(records, { firstSequence });
  return {
    Records: Records.map((record) => ({
      ...record,
      kinesis: { ...record.kinesis, approximateArrivalTimestamp: arrivedAt / 1_000 },
    })),
  };
}

const beatSales = (at: number) => count.invoke(sales(salesBeats(at), at, Math.floor(at / 1_000)));
async function beatDatabase(at: number) {
  source.beat(heartbeatSlots, at);
  await apply.invoke(changes(source.take(), at, Math.floor(at / 1_000)));
}

/** What Lambda puts aside, now. */
async function giveUp(event: object): Promise<void> {
  const Body = Buffer.from(JSON.stringify({ version: '1.0', payload: JSON.stringify(event) }));
  await rig.engines.s3.call('PutObject', { Bucket: 'held', Key: object, Body });
}
const takeAway = () => rig.engines.s3.call('DeleteObject', { Bucket: 'held', Key: object });

async function answer() {
  const { body } = await lookupContainer(rig).invoke({
    multiValueQueryStringParameters: { sku: ['A'], location: ['store-1'] },
  });
  return JSON.parse(body).answers[0];
}

const sold = () =>
  sales(
    [
      aSale({
        location: 'store-1',
        occurredAt: new Date(lostAt).toISOString(),
        lines: [{ line: 1, sku: 'A', quantity: 3, unitPrice: 1 }],
      }),
    ],
    lostAt,
    1,
  );

describe('a batch of sales that was given up', () => {
  test('keeps stock stale from the first beat behind it on, however new those are that follow', async () => {
    await beatDatabase(Date.now());
    await giveUp(sold());

    await beatSales(lostAt + 30_000);
    const { asOf } = await answer();
    await beatSales(Date.now());

    expect(Date.parse(asOf)).toBeLessThan(lostAt);
    expect(await answer()).toMatchObject({ asOf: expect.any(String), stale: true, available: 20 });
    await sweep.invoke({});
    expect(Date.parse((await answer()).asOf)).toBeLessThan(lostAt);
  });

  test('is found by the sweep where no old beat has told of it', async () => {
    await beatDatabase(Date.now());
    await beatSales(Date.now());
    expect(await answer()).toMatchObject({ stale: false });

    await giveUp(sold());
    await sweep.invoke({});

    expect(await answer()).toMatchObject({ stale: true });
  });

  test('is made up for by its redrive: each unit once, and stock is vouched for again', async () => {
    await giveUp(sold());
    await beatSales(lostAt + 30_000);
    await beatSales(Date.now());
    await beatDatabase(Date.now());

    await count.invoke(sold());
    expect(await answer()).toMatchObject({ available: 17, stale: true });
    await takeAway();
    await sweep.invoke({});
    await count.invoke(sold());

    expect(await answer()).toMatchObject({ available: 17, soldSinceCount: 3, stale: false });
  });

  test.each(crashPoints({ 's3:ListObjectsV2': 1, 'dynamodb:Query': 1, 'dynamodb:TransactWriteItems': 1 }))(
    'killed $when call $call of $operation: no beat goes ahead of the mark',
    async (point) => {
      await beatDatabase(Date.now());
      await giveUp(sold());
      const beats = sales(salesBeats(lostAt + 30_000), lostAt + 30_000, 500);
      rig.forget();
      rig.crash(point);

      await expect(count.invoke(beats)).rejects.toThrow('killed');
      count = countContainer(rig);
      expect(Date.parse((await answer()).asOf)).toBeLessThan(lostAt);
      await count.invoke(beats);

      expect(Date.parse((await answer()).asOf)).toBeLessThan(lostAt);
    },
  );
});

describe('a batch of changes that was given up', () => {
  const lost = () => {
    stock(2);
    return changes(source.take(), lostAt, 2_000);
  };

  test('keeps stock stale from its first change on, and a redrive makes up for it', async () => {
    const event = lost();
    await giveUp(event);
    await beatDatabase(lostAt + 30_000);
    await beatDatabase(Date.now());
    await beatSales(Date.now());
    await sweep.invoke({});
    expect(await answer()).toMatchObject({ available: 20, stale: true });

    await apply.invoke(event);
    await takeAway();
    await sweep.invoke({});

    expect(await answer()).toMatchObject({ available: 2, low: true, stale: false });
  });

  test('is made up for by a load as well; the sales are vouched for once nothing lies aside', async () => {
    await giveUp(lost());
    await sweep.invoke({});
    const reloadedAt = Date.now() + 1_000;
    await epoch(2, reloadedAt);
    source.reload();
    const ours = (records: SourceRecord[]) =>
      records.filter(({ partitionKey }) => partitionKey.startsWith('inventory'));
    await apply.invoke(changes(ours(source.take()), reloadedAt + 500, 7_000));
    source.beat(heartbeatSlots, reloadedAt + 60_000);
    await apply.invoke(changes(ours(source.take()), reloadedAt + 60_000, 8_000));
    await sweep.invoke({});
    await beatSales(Date.now());
    expect(await answer()).toMatchObject({ available: 2, stale: true });

    await takeAway();
    await sweep.invoke({});

    expect(await answer()).toMatchObject({ available: 2, stale: false });
  });
});
