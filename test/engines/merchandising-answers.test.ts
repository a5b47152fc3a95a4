import { createHash } from 'node:crypto';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { TimestreamQueryClient } from '@aws-sdk/client-timestream-query';
import fc from 'fast-check';
import { asSale, demoEvents } from '../../bench/base/demo-sales';
import { markRecordText } from '../../lambdas/base/domain/completeness-mark';
import type { Sale } from '../../lambdas/base/domain/sale';
import { influxDbReader } from '../../lambdas/serve/merchandising/influxdb/reader';
import { liveAnalyticsReader } from '../../lambdas/serve/merchandising/liveanalytics/reader';
import { type TimeSeriesReader, TooMuchError } from '../../lambdas/serve/merchandising/time-series';
import { type MerchandisingEngine, merchandisingEngines } from '../../lib/stages';
import { kinesisEvent } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver } from '../engine-rig/shard';
import { bySql, type MerchandisingRig, type SqlRow, startMerchandising } from './merchandising-rig';

const columns = [
  ...(['netSales', 'units', 'transactions', 'returns'] as const),
  ...(['averageBasket', 'unitsPerBasket', 'returnsRate', 'discountShare'] as const),
];

/** An answer's rows as SQL gives them, in its order. */
function rowsOf({ rows }: any): SqlRow[] {
  return rows
    .map((row: any) => ({
      value: row.value ?? null,
      currency: row.currency,
      ...Object.fromEntries(columns.map((column) => [column, row[column]])),
    }))
    .sort((a: SqlRow, b: SqlRow) => compare(a.currency, b.currency) || compare(a.value ?? '', b.value ?? ''));
}
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** SQL rounds halves up, and so a ratio may differ from ours by one in its last digit; sums must not. */
const lastDigits = { averageBasket: 1, unitsPerBasket: 0.01, returnsRate: 0.0001, discountShare: 0.0001 } as const;

function expectEqual(told: readonly SqlRow[], expected: readonly SqlRow[]): void {
  expect(told.map(({ value, currency }) => [value, currency])).toEqual(
    expected.map(({ value, currency }) => [value, currency]),
  );
  for (const [place, row] of told.entries())
    for (const column of columns) {
      const should = expected[place]![column];
      const lastDigit = column in lastDigits ? lastDigits[column as keyof typeof lastDigits] : 0;
      const told = row[column];
      if (should === null || told === null || lastDigit === 0)
        expect([row.value, column, told]).toEqual([row.value, column, should]);
      else expect(Math.abs(told - should)).toBeLessThanOrEqual(1.1 * lastDigit);
    }
}

const line = (category: string) => ({ line: 1, sku: 'A', quantity: 1, unitPrice: 100, category });

/** A reader of an engine that gathers no more than so much. */
function readerOf(engine: MerchandisingEngine, { rig, environment }: MerchandisingRig, most: number): TimeSeriesReader {
  if (engine === 'liveanalytics')
    return liveAnalyticsReader({
      openClient: () => new TimestreamQueryClient(rig.client),
      tables: { database: environment.TIMESTREAM_DATABASE!, sales: 'sales', items: 'items', sources: 'sources' },
      most,
    });
  return influxDbReader({
    url: `https://${environment.INFLUXDB_ENDPOINT}:8086`,
    databases: { sales: environment.SALES_DATABASE!, items: environment.ITEMS_DATABASE! },
    secrets: new SecretsManagerClient(rig.client),
    tokenSecretArn: environment.READ_TOKEN_SECRET_ARN!,
    most,
  });
}

let merchandising: MerchandisingRig;

describe.each(merchandisingEngines)(
  'a week of real sales, a tenth of it a day late and out of order, all of it delivered twice: %s',
  (engine) => {
    const hashOf = ({ transactionId }: Sale) => createHash('sha256').update(transactionId).digest('hex');
    /** All of a week as it was, minute by minute, some of it returned, some in another currency. */
    const asItWas = Date.parse('2017-01-02T00:00Z');
    const asIfIn = Date.parse('2026-11-16T00:00Z');
    const week: Sale[] = demoEvents()
      .map((event) => ({ event, afterMs: Date.parse(event.occurredAt) - asItWas }))
      .filter(({ afterMs }) => afterMs >= 0 && afterMs < 7 * 86_400_000)
      .map(({ event, afterMs }, index) => {
        const occurredAt = new Date(asIfIn + afterMs).toISOString();
        return asSale(
          {
            ...event,
            occurredAt,
            ...(index % 11 === 0 ? { type: 'return' as const } : {}),
            ...(index % 3 === 0 ? { currency: 'CAD', region: 'ca-east' } : {}),
          },
          occurredAt,
        );
      });
    const late = week.filter((_, index) => index % 10 === 3);
    const onTime = week.filter((_, index) => index % 10 !== 3);
    const shuffled = [...late].sort((a, b) => compare(hashOf(a), hashOf(b)));
    const range = { from: '2026-11-16T00:00Z', to: '2026-11-23T00:00Z' };

    beforeAll(async () => {
      merchandising = await startMerchandising(engine);
      const twice = (sales: readonly Sale[]) => kinesisEvent([...sales, ...sales]);
      await deliver(twice(onTime), () => merchandising.open('write'), [500, 120]);
      await deliver(twice(shuffled), () => merchandising.open('write'), [90]);
    });
    afterAll(() => merchandising.close());

    test('sums by every dimension, and all figures, equal SQL over the input', async () => {
      expect(week.length).toBeGreaterThan(950);
      expectEqual(rowsOf((await merchandising.ask('totals', range)).body), await bySql(week, null));
      for (const by of ['region', 'channel', 'location', 'category']) {
        const { body } = await merchandising.ask('groups', { ...range, by });

        expectEqual(rowsOf(body), await bySql(week, by));
      }
      const items = await bySql(week, 'sku');
      for (const order of ['top', 'bottom'] as const) {
        const { body } = await merchandising.ask('groups', {
          ...range,
          by: 'item',
          order,
          limit: '500',
          measure: 'units',
        });

        const bySku = new Map(items.map((row) => [`${row.currency} ${row.value}`, row]));
        for (const row of rowsOf(body)) expectEqual([row], [bySku.get(`${row.currency} ${row.value}`)!]);
        for (const currency of ['CAD', 'USD']) {
          const sums = items.filter((row) => row.currency === currency).map(({ units }) => units);
          sums.sort((a, b) => (order === 'top' ? b - a : a - b));
          const told = body.rows.filter((row: SqlRow) => row.currency === currency).map(({ units }: SqlRow) => units);
          expect(told).toEqual(sums.slice(0, 500));
        }
      }
    });

    test('filters choose, and go together', async () => {
      const asked = { ...range, region: ['us-west', 'ca-east'], channel: 'store' };

      const { body } = await merchandising.ask('groups', { ...asked, by: 'category' });
      const one = await merchandising.ask('totals', { ...range, category: 'bag snacks' });
      const item = await merchandising.ask('totals', { ...range, item: week[0]!.lines[0]!.sku });

      expectEqual(
        rowsOf(body),
        await bySql(week, 'category', `region in ('us-west', 'ca-east') and channel = 'store'`),
      );
      expectEqual(rowsOf(one.body), await bySql(week, null, `category = 'bag snacks'`));
      expectEqual(rowsOf(item.body), await bySql(week, null, `sku = '${week[0]!.lines[0]!.sku}'`));
    });

    test('late sales lie in the minute in which they happened', async () => {
      const { body } = await merchandising.ask('series', { ...range, every: '1h' });

      for (const currency of ['CAD', 'USD']) {
        const told = body.rows
          .filter((row: any) => row.currency === currency)
          .map((row: any) => [row.at, row.netSales]);
        const hours = await bySql(week, `strftime(occurredAt at time zone 'UTC', '%Y-%m-%dT%H:00:00.000Z')`);
        expect(told).toEqual(
          hours.filter((row) => row.currency === currency).map(({ value, netSales }) => [value, netSales]),
        );
      }
    });
  },
);

describe.each(merchandisingEngines)('%s', (engine) => {
  beforeEach(async () => {
    merchandising = await startMerchandising(engine);
  });
  afterEach(() => merchandising.close());

  async function written(sales: readonly unknown[]): Promise<void> {
    await merchandising.open('write').invoke(kinesisEvent(sales));
  }

  test('a new region appears by itself with its first sale', async () => {
    await written(someSales(3));
    const range = { from: '2026-11-22T00:00Z', to: '2026-11-23T00:00Z', by: 'region' };
    const regions = async () => (await merchandising.ask('groups', range)).body.rows.map(({ value }: any) => value);
    expect(await regions()).toEqual(['eu-west']);

    await written([aSale({ transactionId: 'first', region: 'moon-base-1', location: 'crater', currency: 'XAU' })]);

    expect((await regions()).sort()).toEqual(['eu-west', 'moon-base-1']);
  });

  describe('beside last week', () => {
    const at = (occurredAt: string, unitPrice: number) =>
      aSale({
        transactionId: occurredAt,
        occurredAt,
        lines: [{ line: 1, sku: 'A', quantity: 1, unitPrice, category: 'kitchen' }],
      });

    test('today is compared with the same weekday up to the same time, not with all of it', async () => {
      const now = Date.now();
      const minute = Math.floor(now / 60_000) * 60_000;
      const from = minute - 3 * 3_600_000;
      const week = 7 * 86_400_000;
      const iso = (time: number) => new Date(time).toISOString();
      await written([
        at(iso(from + 60_000), 300),
        at(iso(from + 60_000 - week), 200),
        // That day went on.
        at(iso(minute + 600_000 - week), 50_000),
      ]);

      const { body } = await merchandising.ask('totals', {
        from: iso(from),
        to: iso(from + 86_400_000 / 2),
        compare: 'last-week',
      });

      expect(body.rows).toMatchObject([
        { netSales: 300, lastWeek: { netSales: 200 }, change: { netSales: 0.5, transactions: 0 } },
      ]);
      const { from: start, to: end } = body.comparedWith;
      expect(Date.parse(start)).toBe(from - week);
      expect([minute - week, minute + 60_000 - week]).toContain(Date.parse(end));
    });

    test('what was sold only last week is a row, and a window beside its own', async () => {
      await written([
        at('2026-11-20T10:00:00Z', 100),
        at('2026-11-13T10:00:00Z', 70),
        { ...at('2026-11-13T11:00:00Z', 30), region: 'eu-north' },
      ]);
      const range = { from: '2026-11-20T00:00Z', to: '2026-11-21T00:00Z', compare: 'last-week' };

      const groups = await merchandising.ask('groups', { ...range, by: 'region' });
      const series = await merchandising.ask('series', { ...range, every: '1h' });

      expect(groups.body.rows).toMatchObject([
        { value: 'eu-west', netSales: 100, lastWeek: { netSales: 70 } },
        { value: 'eu-north', netSales: 0, transactions: 0, lastWeek: { netSales: 30 }, change: { netSales: -1 } },
      ]);
      expect(series.body.rows).toMatchObject([
        { at: '2026-11-20T10:00:00.000Z', netSales: 100, lastWeek: { netSales: 70 } },
        { at: '2026-11-20T11:00:00.000Z', netSales: 0, lastWeek: { netSales: 30 } },
      ]);
    });

    test('a week before is meant by the clock of the place, also when it was set back in between', async () => {
      await written([at('2026-10-27T08:00:00Z', 10), at('2026-10-20T07:00:00Z', 5)]);
      const berlin = { from: '2026-10-27T09:00+01:00', to: '2026-10-27T09:01+01:00', timeZone: 'Europe/Berlin' };

      const { body } = await merchandising.ask('totals', { ...berlin, compare: 'last-week' });

      expect(body.comparedWith.from).toBe('2026-10-20T07:00:00.000Z');
      expect(body.rows).toMatchObject([{ netSales: 10, lastWeek: { netSales: 5 } }]);
    });
  });

  test('currencies are never added together', async () => {
    await written([aSale(), aSale({ transactionId: 'T-2', currency: 'JPY' })]);
    const range = { from: '2026-11-22T00:00Z', to: '2026-11-23T00:00Z' };

    for (const [question, more] of [
      ['totals', {}],
      ['groups', { by: 'region' }],
      ['groups', { by: 'item' }],
      ['series', {}],
    ] as const) {
      const { body } = await merchandising.ask(question, { ...range, ...more });

      expect(body.rows.map(({ currency, netSales }: any) => [currency, netSales])).toEqual([
        ['EUR', 510],
        ['JPY', 510],
      ]);
    }
  });

  test('whatever stands in a filter is a value, never a part of the query', async () => {
    await written([aSale()]);
    const hostile = `x' OR region != '\\' OR "a"='; DROP MEASUREMENT sales --\n`;

    const { status, body } = await merchandising.ask('totals', {
      from: '2026-11-22T00:00Z',
      region: hostile,
      location: `\\`,
    });

    expect([status, body.rows]).toEqual([200, []]);
    expect(merchandising.statements.every((text) => text.startsWith('SELECT '))).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), async (category) => {
        const sale = aSale({ lines: [{ line: 1, sku: 'A', quantity: 1, unitPrice: 5, category }] });
        await written([{ ...sale, transactionId: `T-${category.length}-${Buffer.from(category).toString('hex')}` }]);

        const answer = await merchandising.ask('totals', {
          from: '2026-11-22T00:00Z',
          to: '2026-11-23T00:00Z',
          category,
        });

        expect(answer.status).toBe(200);
        expect(answer.body.rows[0].netSales).toBeGreaterThanOrEqual(5);
      }),
      { numRuns: 15, seed: 20261128 },
    );
  });

  test('more than an answer is gathered from is refused, never cut', async () => {
    const categories = ['a', 'b', 'c'];
    const marked = { acceptedAt: new Date().toISOString(), ingestLane: { number: 0, of: 1 } };
    const marks = categories.map((part) => ({ source: 'pos-eu', part, completeThrough: '2026-11-22T10:00:00Z' }));
    await written([
      ...categories.map((category) =>
        aSale({ transactionId: category, source: `pos-${category}`, lines: [line(category)] }),
      ),
      markRecordText({ marks, ...marked }),
    ]);
    const question = { from: Date.parse('2026-11-22T00:00Z'), to: Date.parse('2026-11-23T00:00Z'), where: {} };

    for (const [most, isEnough] of [
      [3, true],
      [2, false],
    ] as const) {
      const reader = readerOf(engine, merchandising, most);
      for (const ask of [
        () => reader.sums({ ...question, by: 'category' }),
        () => reader.marks(Date.now() - 86_400_000),
        () => reader.arrivals(Date.parse('2026-11-01T00:00Z')),
      ])
        if (isEnough) expect(await ask()).toHaveLength(3);
        else await expect(ask()).rejects.toThrow(TooMuchError);
    }
  });

  test('after the deadline nothing is sent to the database', async () => {
    await written([aSale()]);
    const reader = readerOf(engine, merchandising, 100);
    const day = { from: Date.parse('2026-11-22T00:00Z'), to: Date.parse('2026-11-23T00:00Z'), where: {} };
    const before = merchandising.statements.length;
    const over = AbortSignal.abort();

    for (const ask of [
      () => reader.sums(day, over),
      () => reader.ranking({ ...day, measure: 'net', order: 'top', limit: 1 }, over),
      () => reader.marks(0, over),
      () => reader.arrivals(0, over),
    ])
      await expect(ask()).rejects.toMatchObject({ name: 'AbortError' });
    expect(merchandising.statements.slice(before)).toEqual([]);
  });

  test('nothing is answered while the database does not answer', async () => {
    await written([aSale()]);
    merchandising.failReads(4);

    const { status, body } = await merchandising.ask('totals');

    expect([status, body.code]).toEqual([503, 'unavailable']);
  });

  test('a question that cannot be answered is refused, and says what is allowed', async () => {
    const { status, body } = await merchandising.ask('groups', { by: 'item', channel: 'store' });

    expect(status).toBe(400);
    expect(body).toEqual({
      code: 'not-kept',
      message: 'channel: got it beside item, allowed beside item: region, currency',
    });
  });
});
