import type { Sale } from '../../lambdas/base/domain/sale';
import { type MerchandisingEngine, merchandisingEngines } from '../../lib/stages';
import { kinesisEvent } from '../engine-rig';
import { someSales } from '../engine-rig/sales';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';
import { bySql, type MerchandisingRig, startMerchandising } from './merchandising-rig';

const hourMs = 3_600_000;
const at = (milliseconds: number) => new Date(milliseconds).toISOString();
/** The start of the hour that has been over for one whole hour: the lake has had the time it may take. */
const lastHour = Math.floor(Date.now() / hourMs) * hourMs - 2 * hourMs;

let lake: LakeAndLedger;
let merchandising: MerchandisingRig;

/** Tests beside this engine, with a lake of their own. */
function beside(engine: MerchandisingEngine): void {
  beforeAll(async () => {
    lake = await openLakeAndLedger({ ledger: false });
  });
  afterAll(() => lake.close());
  beforeEach(async () => {
    merchandising = await startMerchandising(engine);
    merchandising.rig.attach('athena', lake.athena);
  });
  afterEach(() => merchandising.close());
}

/** Every test has sales of a source of its own in an hour of its own, since they share the lake. */
let tests = 0;
function salesOf(count: number, change: (index: number) => Partial<Sale> = () => ({})): Sale[] {
  const test = tests++;
  return someSales(count, (index) => ({
    source: `pos-${test}`,
    region: index % 4 === 0 ? "o'higgins" : 'eu-west',
    occurredAt: at(lastHour - test * hourMs + index * 61_234),
    acceptedAt: at(lastHour - test * hourMs + index * 61_234 + 2_000),
    ...(index % 7 === 2 ? { type: 'return' as const } : {}),
    ...(index % 5 === 1 ? { currency: 'CAD' } : {}),
    lines: [
      { line: 1, sku: `SKU-${index % 9}`, quantity: 1 + (index % 3), unitPrice: 255, category: 'kitchen, "blue"' },
      { line: 2, sku: 'SKU-50', quantity: 1, unitPrice: 1_099, discount: 100, tax: 21 },
      { line: 3, sku: 'SKU-50', quantity: 2, unitPrice: 1_099, category: 'a\u0000b\\c\n' },
    ],
    ...change(index),
  }));
}

async function intoLake(sales: readonly Sale[]): Promise<void> {
  await lake.writer().invoke(kinesisEvent(sales));
  await lake.flush();
}
const intoSeries = (sales: readonly Sale[], more: Readonly<Record<string, string>> = {}) =>
  merchandising.open('write', more).invoke(kinesisEvent(sales));

const variables = {
  WORKGROUP_NAME: 'queries',
  DATABASE_NAME: 'tillstream_local',
  LAKE_DELAY_MINUTES: '30',
  SALES_RETENTION_DAYS: '0',
  ITEMS_RETENTION_DAYS: '0',
};
/** Nothing is late. */
const soon = { MEMORY_HOURS: '8766' };
/** As Lambda gives it: a quarter of an hour. */
const remainingMs = 900_000;
const compare = (request: object, more: Readonly<Record<string, string>> = {}) =>
  comparing(more).invoke(request, remainingMs);
const comparing = (more: Readonly<Record<string, string>> = {}) =>
  merchandising.open('compare', { ...variables, ...more });

/** All that merchants see of these sales is what SQL says of them. */
async function expectAllOf(sales: readonly Sale[]): Promise<void> {
  const times = sales.map(({ occurredAt }) => Date.parse(occurredAt));
  const range = {
    from: at(Math.floor(Math.min(...times) / hourMs) * hourMs),
    to: at(Math.ceil((Math.max(...times) + 1) / hourMs) * hourMs),
  };
  for (const by of ['region', 'item'] as const) {
    const { body } = await merchandising.ask('groups', { ...range, by });
    const rows = body.rows.map(({ value, currency, netSales, units, transactions }: any) => ({
      ...{ value, currency, netSales, units, transactions },
    }));
    const expected = (await bySql(sales, by === 'item' ? 'sku' : by)).map(
      ({ value, currency, netSales, units, transactions }) => ({ value, currency, netSales, units, transactions }),
    );
    const key = ({ value, currency }: { value: string; currency: string }) => `${value} ${currency}`;
    expect(new Map(rows.map((row: any) => [key(row), row]))).toEqual(
      new Map(expected.map((row: any) => [key(row), row])),
    );
  }
}

/** A sale and SKU each. */
const itemsOf = (sales: readonly Sale[]) =>
  sales.reduce((sum, { lines }) => sum + new Set(lines.map(({ sku }) => sku)).size, 0);

/** Where items go that nobody is to find. */
const elsewhere = { influxdb: { ITEMS_DATABASE: 'merchandising' }, liveanalytics: { ITEMS_TABLE: 'sales' } };

describe.each(merchandisingEngines)('%s', (engine) => {
  beside(engine);

  // First, while the lake holds nothing else: it compares all that was accepted in the last day.
  test('writes what the lake has and the series lack, once, a late sale and items that lack beside their sale among it', async () => {
    const sales = salesOf(55, (index) => (index === 9 ? { occurredAt: '2026-10-20T12:34:56.789Z' } : {}));
    await intoLake([...sales, ...sales.slice(0, 20)]);
    const known = sales.filter((_, index) => index % 3 !== 0);
    await intoSeries(known.slice(0, 20));
    // Only their sales: their items go where nobody looks for them.
    await intoSeries(known.slice(20), elsewhere[engine]);

    const found = await compare({}, soon);
    expect(found).toMatchObject({ salesMissing: 19, beyondRetention: 0, left: null });
    // Of the missing sales two items each or three, and those of the others that went elsewhere.
    expect(found.itemsMissing).toBe(itemsOf(sales) - itemsOf(known.slice(0, 20)));
    await expectAllOf(sales);
    expect(await compare({}, soon)).toMatchObject({ salesMissing: 0, pointsWritten: 0, left: null });
    await expectAllOf(sales);
  });
});

describe('whatever the engine', () => {
  beside('influxdb');

  test('a database that knows of no comparison is compared as far back as it may be; one that does, from there', async () => {
    const days = 5;
    const old = salesOf(6, (index) => ({
      occurredAt: at(lastHour - days * 24 * hourMs + index * 60_000),
      acceptedAt: at(lastHour - days * 24 * hourMs + index * 60_000 + 1_000),
    }));
    await intoLake(old);

    const before = Date.now() - 30 * 60_000;
    const first = await compare({}, soon);
    await expectAllOf(old);
    expect(Date.parse(first.comparedThrough)).toBeGreaterThanOrEqual(before);
    const second = await compare({}, soon);
    expect(second).toMatchObject({ salesMissing: 0, itemsMissing: 0, pointsWritten: 0, left: null });
    expect(second.hoursCompared).toBeLessThan(first.hoursCompared);
  });

  test('a sale of a till whose clock is a day ahead is missed once its hour is over', async () => {
    await compare({}, soon);
    const [ahead] = salesOf(1, () => ({ occurredAt: at(lastHour), acceptedAt: at(lastHour - 24 * hourMs) }));
    await intoLake([ahead!]);

    expect((await compare({}, soon)).salesMissing).toBe(1);
    expect((await compare({}, soon)).salesMissing).toBe(0);
  });

  test('what was not reached for want of time, or failed, is begun with again', async () => {
    const [known] = salesOf(1);
    await intoLake([known!]);
    const soonest = await comparing(soon).invoke({}, 80_000);
    expect(soonest).toMatchObject({ hoursCompared: 0, left: expect.any(String) });
    expect(Date.parse(soonest.comparedThrough)).toBeLessThan(Date.now() - 6 * 24 * hourMs);

    merchandising.failWrites(100);
    await expect(compare({}, soon)).rejects.toThrow();
    merchandising.failWrites(0);

    await compare({}, soon);
    await expectAllOf([known!]);
  });

  test('compares what occurred in the hours that were asked for, and no others', async () => {
    const sales = salesOf(10);
    await intoLake(sales);
    const hour = Math.floor(Date.parse(sales[0]!.occurredAt) / hourMs) * hourMs;

    const before = await compare({ from: at(hour - 3 * hourMs), to: at(hour - 2 * hourMs) });
    expect(before.hoursCompared).toBe(1);
    await expect(merchandising.ask('totals', { from: at(hour), to: at(hour + hourMs) })).resolves.toMatchObject({
      body: { rows: [] },
    });
    const found = await compare({ from: at(hour), to: at(hour + hourMs) });
    expect(found).toMatchObject({ hoursCompared: 1, salesMissing: 10, left: null });
    await expectAllOf(sales);
  });

  test('a failure loses nothing: the next run writes it', async () => {
    const sales = salesOf(10);
    await intoLake(sales);
    const hour = Math.floor(Date.parse(sales[0]!.occurredAt) / hourMs) * hourMs;
    const span = { from: at(hour), to: at(hour + hourMs) };

    merchandising.failWrites(10);
    await expect(compare(span)).rejects.toThrow(/did not take all points: HTTP 503/);
    merchandising.failWrites(0);
    expect(await compare(span)).toMatchObject({ salesMissing: 10 });
    await expectAllOf(sales);
  });

  test('what is missing after it was written is an error that names it, and metrics tell of it all', async () => {
    const sales = salesOf(4);
    await intoLake(sales);
    const hour = Math.floor(Date.parse(sales[0]!.occurredAt) / hourMs) * hourMs;

    merchandising.loseWrites(10);
    const container = comparing();
    await expect(container.invoke({ from: at(hour), to: at(hour + hourMs) }, remainingMs)).rejects.toThrow(
      /^still missing after it was written: .*eu-west, EUR, /,
    );
    expect(container.metric('SalesMissing')).toBe(4);
    expect(container.metric('HoursLeft')).toBe(0);
    merchandising.loseWrites(0);
  });

  test('hours that are not over, or older than the retention, are not compared', async () => {
    const sales = salesOf(4, (index) => ({
      occurredAt: at(index < 2 ? Date.now() - 60_000 : Date.now() - 50 * 24 * hourMs),
    }));
    await intoLake(sales);
    const found = await compare(
      {
        from: at(Math.floor(Date.now() / hourMs - 51 * 24) * hourMs),
        to: at(Math.floor(Date.now() / hourMs - 49 * 24) * hourMs),
      },
      { SALES_RETENTION_DAYS: '40', ITEMS_RETENTION_DAYS: '10' },
    );
    expect(found).toMatchObject({ hoursCompared: 0, salesMissing: 0 });
    const current = Math.floor(Date.now() / hourMs) * hourMs;
    expect(await compare({ from: at(current), to: at(current + hourMs) })).toMatchObject({ hoursCompared: 0 });
  });

  test('says where it stopped for want of time', async () => {
    const found = await comparing().invoke({ from: '2026-11-01T00:00Z', to: '2026-11-03T00:00Z' }, 80_000);
    expect(found).toMatchObject({ hoursCompared: 0, left: '2026-11-01T00:00:00.000Z' });
  });

  test.each([
    [
      { from: '2026-11-01T00:10Z', to: '2026-11-03T00:00Z' },
      'from: got 2026-11-01T00:10Z, allowed: a whole hour in UTC',
    ],
    [
      { from: '2026-02-30T00:00Z', to: '2026-11-03T00:00Z' },
      'from: got 2026-02-30T00:00Z, allowed: a whole hour in UTC',
    ],
    [{ from: '2026-11-01T00:00Z' }, 'to: got undefined, allowed: a whole hour in UTC'],
    [{ from: '2026-11-01T00:00Z', to: '2026-11-01T00:00Z' }, 'to: got 2026-11-01T00:00Z, allowed: an hour after from'],
  ])('refuses %j', async (request, message) => {
    await expect(compare(request)).rejects.toThrow(message);
  });
});

describe('where late points can be read hours later', () => {
  beside('liveanalytics');
  const days = (count: number) => count * 24 * hourMs;
  /** Of three days before, each test's in an hour of its own. */
  const lateSales = (hour: number, acceptedAt: number) =>
    salesOf(6, (index) => ({
      occurredAt: at(lastHour - days(3) + hour * hourMs + index * 60_000),
      acceptedAt: at(acceptedAt),
    }));

  test('what was accepted since is not missing yet', async () => {
    await intoLake(lateSales(0, Date.now() - hourMs));

    const found = await compare({});
    expect(found).toMatchObject({ salesMissing: 0, pointsWritten: 0, left: null });
    expect(found.hoursCompared).toBeGreaterThan(0);
  });

  test('what should be there is written, and not looked for at once', async () => {
    const sales = lateSales(1, Date.now() - 10 * hourMs);
    await intoLake(sales);
    merchandising.loseWrites(10);

    expect(await compare({})).toMatchObject({ salesMissing: 6 });
    merchandising.loseWrites(0);
    expect(await compare({})).toMatchObject({ salesMissing: 6 });
    await expectAllOf(sales);
  });
});
