import { TimestreamWriteClient } from '@aws-sdk/client-timestream-write';
import fc from 'fast-check';
import { type MarkRecord, markRecordText } from '../../lambdas/base/domain/completeness-mark';
import type { Sale } from '../../lambdas/base/domain/sale';
import { liveAnalyticsWriter } from '../../lambdas/serve/merchandising/liveanalytics/writer';
import type { Point } from '../../lambdas/serve/merchandising/points';
import { AwsError } from '../../local/engines/engine';
import { type Crash, crashPoints, kinesisEvent } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver } from '../engine-rig/shard';
import { bySql, type MerchandisingRig, startMerchandising } from './merchandising-rig';

let merchandising: MerchandisingRig;
beforeEach(async () => {
  // A year: what is written here lies in both stores.
  merchandising = await startMerchandising('liveanalytics', 365);
});
afterEach(() => merchandising.close());

const now = Date.now();
const iso = (time: number) => new Date(time).toISOString();
const range = { from: iso(now - 20 * 86_400_000), to: iso(now + 3_600_000) };
const categories = ['kitchen', "it's", 'a=b "c"', undefined];

/** Of the last ten days, in few series, with returns and several categories. */
const batchIn = (region: string): Sale[] =>
  someSales(60, (index) => ({
    transactionId: `${region}-${index}`,
    region,
    type: index % 7 === 0 ? 'return' : 'sale',
    occurredAt: iso(now - index * 4 * 3_600_000),
    lines: [0, 1, 2].slice(0, 1 + (index % 3)).map((place) => {
      const category = categories[(index + place) % categories.length];
      const sku = `SKU-${(index * 3 + place) % 11}`;
      const line = { line: place + 1, sku, quantity: 1 + (index % 4), unitPrice: 100 + index };
      return category === undefined ? line : { ...line, category };
    }),
  }));

const write = () => merchandising.open('write');

async function expectExact(region: string, sales: readonly Sale[]): Promise<void> {
  const [row] = await bySql(sales, null);
  const { body } = await merchandising.ask('totals', { ...range, region });
  const { netSales, units, transactions, returns } = row!;
  expect(body.rows).toEqual([expect.objectContaining({ netSales, units, transactions, returns })]);
}

test('killed before or after any call, repeated and cut otherwise, sums are exact', async () => {
  const records = [...batchIn('clean'), ...batchIn('clean').slice(0, 5), 'no sale'];
  await write().invoke(kinesisEvent(records));
  const calls = Object.entries(merchandising.rig.calls()).filter(([name]) => !name.endsWith('DescribeEndpoints'));
  expect(Object.fromEntries(calls)).toEqual({ 's3:PutObject': 1, 'timestream:WriteRecords': 6 });
  await expectExact('clean', batchIn('clean'));

  for (const [place, point] of crashPoints(Object.fromEntries(calls)).entries()) {
    const region = `region-${place}`;
    const sales = batchIn(region);
    merchandising.rig.forget();
    merchandising.rig.crash(point as Crash);

    const invocations = await deliver(kinesisEvent([...sales, ...sales.slice(0, 5), 'no sale']), write, [500, 17, 30]);

    expect(invocations).toBeGreaterThan(1);
    await expectExact(region, sales);
  }
});

test('a throttled call is tried again by itself; one that is refused fails the batch, and the next makes it good', async () => {
  const sales = batchIn('eu');
  const container = write();
  merchandising.rig.throttle({ operation: 'timestream:WriteRecords', call: 2 });
  await container.invoke(kinesisEvent(sales.slice(0, 30)));
  merchandising.failWrites(1);

  await expect(container.invoke(kinesisEvent(sales))).rejects.toThrow('not now');
  await container.invoke(kinesisEvent(sales));

  await expectExact('eu', sales);
});

test('an address that serves no longer is asked for anew, by writer and reader', async () => {
  const sales = batchIn('eu');
  const container = write();
  await container.invoke(kinesisEvent(sales.slice(0, 30)));
  await merchandising.ask('totals', range);
  merchandising.rig.forget();
  for (const operation of ['timestream:WriteRecords', 'timestream:Query'])
    merchandising.rig.throttle({ operation, code: 'InvalidEndpointException' });

  await container.invoke(kinesisEvent(sales));
  await expectExact('eu', sales);

  expect(merchandising.rig.calls()['timestream:DescribeEndpoints']).toBe(2);
});

/** Refuses the first record of the next call, with this reason, and lets the others through. */
function refuseOne(Reason: string, ExistingVersion?: number): void {
  merchandising.rig.intercept({ operation: 'timestream:WriteRecords' }, async (input, proceed) => {
    await proceed({ ...input, Records: input.Records.slice(1) });
    const RejectedRecords = [{ RecordIndex: 0, Reason, ...(ExistingVersion === undefined ? {} : { ExistingVersion }) }];
    throw new AwsError('RejectedRecordsException', 'see RejectedRecords', 419, { RejectedRecords });
  });
}

describe('a record that is refused', () => {
  test('for its time, by a clock that is not ours, is counted', async () => {
    const container = write();
    refuseOne('The record timestamp is outside the time range [a, b) of the memory store.');

    await container.invoke(kinesisEvent(batchIn('eu')));

    expect(container.metric('PointsBeyondRetention')).toBe(1);
  });

  test('for its version is written above it', async () => {
    const container = write();
    refuseOne('The record version 1 is lower than the existing version 2.', 2);

    await container.invoke(kinesisEvent(batchIn('eu')));

    expect(container.metric('PointsBeyondRetention')).toBe(0);
    await expectExact('eu', batchIn('eu'));
  });

  test('for anything else fails the batch, says why, and is made good by the next', async () => {
    const container = write();
    refuseOne('The column net has another type.');

    await expect(container.invoke(kinesisEvent(batchIn('eu')))).rejects.toThrow(
      /^table (sales|items|sources) did not take all points: The column net has another type\.$/,
    );
    await container.invoke(kinesisEvent(batchIn('eu')));

    await expectExact('eu', batchIn('eu'));
  });
});

test('what is older than the retention, or too far ahead, is counted and stops nothing', async () => {
  const sales = batchIn('eu');
  const old = aSale({ transactionId: 'old', occurredAt: iso(now - 366 * 86_400_000) });
  const early = aSale({ transactionId: 'early', occurredAt: iso(now + 3_600_000) });
  const far = aSale({ transactionId: 'far', occurredAt: '9999-12-31T23:59:59Z' });
  const container = write();

  await container.invoke(kinesisEvent([old, early, ...sales, far]));

  await expectExact('eu', sales);
  // A point of the sale and one of its item, each.
  expect([container.metric('PointsBeyondRetention'), container.metric('PointsAhead')]).toEqual([2, 4]);
});

test('a source is complete up to what cannot be read yet, however far its marks are', async () => {
  const hours = (count: number) => now + count * 3_600_000;
  const sold = (source: string, occurredAt: number) =>
    aSale({ source, transactionId: `${source}-${occurredAt}`, occurredAt: iso(occurredAt) });
  const vouch = (...sources: string[]) =>
    markRecordText({
      marks: sources.map((source) => ({ source, part: '*', completeThrough: iso(hours(0)) })),
      acceptedAt: iso(Date.now()),
      ingestLane: { number: 0, of: 1 },
    });
  const minute = (time: number) => iso(Math.floor(time / 60_000) * 60_000);

  await write().invoke(
    kinesisEvent([
      ...[sold('pos-eu', hours(-1)), sold('pos-eu', hours(-200)), sold('pos-eu', hours(-90))],
      ...[sold('web-eu', hours(-2)), sold('web-eu', hours(3)), sold('silent', hours(-100))],
      vouch('pos-eu', 'web-eu'),
    ]),
  );
  const { body } = await merchandising.ask('completeness');
  const { body: answer } = await merchandising.ask('totals', range);

  const until = expect.any(String);
  expect(body).toEqual({
    completeThrough: minute(hours(-200)),
    sources: [
      { source: 'pos-eu', completeThrough: minute(hours(-200)), unreadableUntil: until, lastSaleAt: until },
      { source: 'silent', completeThrough: null, unreadableUntil: until, lastSaleAt: iso(hours(-100)) },
      // Three hours ahead: nothing is lacking before then.
      { source: 'web-eu', completeThrough: minute(hours(0)), lastSaleAt: until },
    ],
  });
  expect(answer.completeness).toEqual(body);
  const waits = Date.parse(body.sources[0].unreadableUntil) - Date.now();
  expect([waits > 5.9 * 3_600_000, waits <= 7 * 3_600_000]).toEqual([true, true]);
});

describe('points in one place', () => {
  const point = (net: number): Point => ({
    measurement: 'sales',
    tags: { category: 'c', channel: 'store', currency: 'EUR', location: 'l', region: 'eu', type: 'sale' },
    fields: { net, units: 1, lines: 1, discount: 0, tax: 0, occurred_at: now, key: 'k', transactions: 1 },
    timeNs: BigInt(now) * 1_000_000n,
  });
  const writerAt = (clock: () => number) =>
    liveAnalyticsWriter({
      openClient: () => new TimestreamWriteClient(merchandising.rig.client),
      tables: { database: 'tillstream_test', sales: 'sales', items: 'items', sources: 'sources' },
      salesRetentionDays: 365,
      itemsRetentionDays: 365,
      memoryHours: 24,
      now: clock,
    });
  const netSales = async () => (await merchandising.ask('totals', range)).body.rows[0].netSales;

  test('are one, and the last that was written counts, whoever wrote it by whichever clock', async () => {
    const [fast, slow] = [writerAt(() => now + 60_000), writerAt(() => now)];

    await fast.write([point(1)]);
    await slow.write([point(2)]);
    expect(await netSales()).toBe(2);
    await slow.write([point(2)]);
    await slow.write([point(3)]);
    expect(await netSales()).toBe(3);
    await fast.write([point(4), point(5)]);
    expect(await netSales()).toBe(5);
  });
});

test('an answer of many rows is whole', async () => {
  const sales = someSales(1_200, (index) => ({
    transactionId: `T-${index}`,
    location: `store-${index}`,
    occurredAt: iso(now - 3_600_000),
  }));
  await deliver(kinesisEvent(sales), write, [400]);
  merchandising.rig.forget();

  const { body } = await merchandising.ask('groups', { ...range, by: 'location' });

  expect(body.rows).toHaveLength(1_200);
  expect(merchandising.rig.calls()['timestream:Query']).toBeGreaterThan(3);
});

test('before the first sale there is nothing, and that is an answer', async () => {
  for (const [question, more] of [
    ['totals', {}],
    ['groups', { by: 'item' }],
    ['series', { every: '1h' }],
  ] as const) {
    const { status, body } = await merchandising.ask(question, { ...range, ...more });

    expect([status, body.rows, body.completeness]).toEqual([200, [], { completeThrough: null, sources: [] }]);
  }
});

describe('beside InfluxDB', () => {
  let influx: MerchandisingRig;
  beforeEach(async () => {
    influx = await startMerchandising('influxdb');
  });
  afterEach(() => influx.close());

  const day = 86_400_000;
  const midnight = Math.floor(now / day) * day;
  const fewDays = { from: iso(midnight - 9 * day + 90_000), to: iso(midnight + 60_000) };
  const asked: [question: string, parameters: Record<string, string | string[]>][] = [
    ['completeness', {}],
    ['totals', { ...fewDays, compare: 'last-week' }],
    ['totals', { ...fewDays, category: "it's", region: ['region-0', 'region-1'], currency: 'EUR' }],
    ...['region', 'channel', 'location', 'category'].map((by): (typeof asked)[number] => [
      'groups',
      { ...fewDays, by, compare: 'last-week' },
    ]),
    ['groups', { ...fewDays, by: 'region', order: 'bottom', measure: 'units', limit: '1' }],
    ...(['top', 'bottom'] as const).map((order): (typeof asked)[number] => [
      'groups',
      { ...fewDays, by: 'item', order, limit: '500', compare: 'last-week' },
    ]),
    ['groups', { ...fewDays, by: 'item', item: ['SKU-1', 'SKU-2'], region: 'region-1' }],
    ['series', { ...fewDays, every: '1h', compare: 'last-week' }],
    ['series', { ...fewDays, every: '1d', channel: 'store' }],
  ];

  test('the same sales give the same answer to every question, in whichever order and however often they come', async () => {
    const pool = someSales(80, (index) => ({
      ...batchIn(`region-${index % 3}`)[index % 60]!,
      transactionId: `T-${index}`,
      source: index % 2 === 0 ? 'pos-eu' : 'web-eu',
      channel: index % 4 === 0 ? 'online' : 'store',
      currency: index % 5 === 0 ? 'SEK' : 'EUR',
      acceptedAt: iso(now - index * 1_000),
    }));
    const lane = { number: 0, of: 1 };
    const mark = (part: string, minutes: number): MarkRecord => ({
      marks: [{ source: 'pos-eu', part, completeThrough: iso(midnight - minutes * 60_000) }],
      acceptedAt: iso(now - minutes),
      ingestLane: lane,
      salesLane: lane,
    });
    const records = [...pool, markRecordText(mark('store-1', 5)), markRecordText(mark('store-2', 9))];
    const order = fc.shuffledSubarray(
      records.map((_, index) => index),
      { minLength: records.length },
    );

    await fc.assert(
      fc.asyncProperty(order, order, async (one, other) => {
        const event = (places: readonly number[]) => kinesisEvent(places.map((place) => records[place]));
        await deliver(event([...one, ...other.slice(0, 30)]), () => influx.open('write'), [37]);
        // All of it is to be readable at once, as it is in InfluxDB.
        const writeAll = () => merchandising.open('write', { MEMORY_HOURS: '8000' });
        await deliver(event([...other, ...one.slice(0, 30)]), writeAll, [23, 50]);

        for (const [question, parameters] of asked) {
          const [told, expected] = await Promise.all([
            merchandising.ask(question, parameters),
            influx.ask(question, parameters),
          ]);
          expect(expected.status).toBe(200);
          const { asOf: _, ...body } = told.body;
          const { asOf: __, ...expectedBody } = expected.body;
          expect([question, parameters, body]).toEqual([question, parameters, expectedBody]);
        }
      }),
      { numRuns: 3, seed: 20261128 },
    );
  });
});
