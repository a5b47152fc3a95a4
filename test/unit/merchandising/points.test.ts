import fc from 'fast-check';
import type { Sale, SaleLine } from '../../../lambdas/base/domain/sale';
import { lineProtocol } from '../../../lambdas/serve/merchandising/influxdb/line-protocol';
import { arrivalPointsOf, type Point, pointsOf, SeriesMinutes } from '../../../lambdas/serve/merchandising/points';
import { parseKey, parseLines } from '../../../local/engines/influxdb-line';
import { aSale, someSales } from '../../engine-rig/sales';
import { arbitrarySale } from '../lake/arbitrary-sale';

const line = (change: Partial<SaleLine> = {}): SaleLine => ({
  line: 1,
  sku: 'SKU-1',
  quantity: 2,
  unitPrice: 255,
  category: 'kitchen',
  ...change,
});
const salesOf = (sale: Sale) => pointsOf(sale).filter(({ measurement }) => measurement === 'sales');
const itemsOf = (sale: Sale) => pointsOf(sale).filter(({ measurement }) => measurement === 'items');
const total = (points: readonly Point[], field: string) =>
  points.reduce((sum, { fields }) => sum + Number(fields[field]), 0);
/** What the database would identify a point by. */
const placeOf = ({ measurement, tags, timeNs }: Point) => JSON.stringify([measurement, tags, String(timeNs)]);
const minuteOf = (occurredAt: string) => BigInt(Math.floor(Date.parse(occurredAt) / 60_000));

/** A point as the database reads its line. */
function read(point: Point) {
  const points = parseLines(lineProtocol(point), 0n);
  expect(points).toHaveLength(1);
  const { key, names, types, values, time } = points[0]!;
  const { measurement, tags } = parseKey(key);
  return {
    measurement,
    tags: Object.fromEntries(tags),
    fields: Object.fromEntries(names.map((name, place) => [name, values[place]])),
    types: Object.fromEntries(names.map((name, place) => [name, types[place]])),
    timeNs: time,
  };
}

describe('what a sale adds', () => {
  const mixed = aSale({
    lines: [
      line({ line: 1, sku: 'A', quantity: 2, unitPrice: 100, discount: 30, tax: 17, category: 'kitchen' }),
      line({ line: 2, sku: 'B', quantity: 1, unitPrice: 250, category: 'garden' }),
      line({ line: 3, sku: 'A', quantity: 1, unitPrice: 100, category: 'kitchen' }),
    ],
  });

  test('one point per category, one per item', () => {
    expect(salesOf(mixed).map(({ tags, fields }) => [tags.category, fields.net, fields.units, fields.lines])).toEqual([
      ['garden', 250, 1, 1],
      ['kitchen', 270, 3, 2],
    ]);
    expect(itemsOf(mixed).map(({ tags, fields }) => [tags.sku, fields.net, fields.units, fields.lines])).toEqual([
      ['A', 270, 3, 2],
      ['B', 250, 1, 1],
    ]);
  });

  test('a sale in several categories is one transaction', () => {
    expect(total(salesOf(mixed), 'transactions')).toBe(1);
    expect(salesOf(mixed)).toHaveLength(2);
  });

  test('a return counts negative in money and units, positively in lines and transactions', () => {
    const points = salesOf({ ...mixed, type: 'return' });

    expect([total(points, 'net'), total(points, 'units'), total(points, 'discount'), total(points, 'tax')]).toEqual([
      -520, -4, -30, -17,
    ]);
    expect([total(points, 'lines'), total(points, 'transactions')]).toEqual([3, 1]);
    expect(points.every(({ tags }) => tags.type === 'return')).toBe(true);
  });

  test('every point of a measurement has all its fields, and the sale it came from', () => {
    for (const points of [salesOf(mixed), itemsOf(mixed)])
      expect(new Set(points.map(({ fields }) => Object.keys(fields).join())).size).toBe(1);
    expect(pointsOf(mixed).every(({ fields }) => fields.key === 'pos-eu#T-1')).toBe(true);
    expect(pointsOf(mixed).every(({ fields }) => fields.occurred_at === Date.parse(mixed.occurredAt))).toBe(true);
  });

  test.each([undefined, ''])('a line whose category is %p is found under one name', (category) => {
    const lines = [{ ...line(), ...(category === undefined ? {} : { category }) }];
    if (category === undefined) delete (lines[0] as { category?: string }).category;

    expect(salesOf(aSale({ lines }))[0]!.tags.category).toBe('uncategorized');
  });

  test('sums over all points are those of the lines, whatever the sale', () => {
    fc.assert(
      fc.property(arbitrarySale, (sale) => {
        const sign = sale.type === 'return' ? -1 : 1;
        let net = 0;
        let units = 0;
        for (const { quantity, unitPrice, discount = 0 } of sale.lines) {
          net += sign * (quantity * unitPrice - discount);
          units += sign * quantity;
        }
        for (const points of [salesOf(sale), itemsOf(sale)]) {
          expect([total(points, 'net'), total(points, 'units')]).toEqual([net + 0, units]);
          expect(total(points, 'lines')).toBe(sale.lines.length);
        }
        expect(total(salesOf(sale), 'transactions')).toBe(1);
      }),
      { seed: 20261122 },
    );
  });
});

describe('where a point lies', () => {
  test('the same sale gives the same points, whenever it comes', () => {
    fc.assert(
      fc.property(arbitrarySale, (sale) => {
        const again: Sale = JSON.parse(JSON.stringify({ ...sale, acceptedAt: '2026-12-01T00:00:00.000Z' }));

        expect(pointsOf(again).map(lineProtocol)).toEqual(pointsOf(sale).map(lineProtocol));
      }),
      { seed: 20261122 },
    );
  });

  test('no two points of a sale share a place', () => {
    fc.assert(
      fc.property(arbitrarySale, (sale) => {
        const points = pointsOf(sale);

        expect(new Set(points.map(placeOf)).size).toBe(points.length);
      }),
      { seed: 20261122 },
    );
  });

  test('ten thousand sales of one minute and series lie apart', () => {
    const sales = someSales(10_000).map((sale, index) => ({ ...sale, source: index % 2 === 0 ? 'pos-eu' : 'web' }));
    const keys = new Set(sales.map(({ source, transactionId }) => `${source}#${transactionId}`));

    const places = new Set(sales.flatMap(salesOf).map(placeOf));

    expect([keys.size, places.size]).toEqual([10_000, 10_000]);
  });

  test.each([
    '2026-11-22T10:15:00.000Z',
    '2026-11-22T10:15:59.999Z',
    '2026-11-22T10:15:30.123456Z',
    '1970-01-01T00:00:00.000Z',
    '1969-12-31T23:59:59.999Z',
    '1969-12-31T23:59:00.000Z',
    '2010-01-01T00:00:00Z',
  ])('a sale of %s lies in its own minute', (occurredAt) => {
    for (const { timeNs } of someSales(50, () => ({ occurredAt })).flatMap(pointsOf)) {
      const start = minuteOf(occurredAt) * 60_000_000_000n;
      expect(timeNs >= start && timeNs < start + 60_000_000_000n).toBe(true);
    }
  });
});

describe('line protocol', () => {
  const hostile = [
    'plain',
    'with, comma',
    'with = equals',
    'with "quotes"',
    "it's",
    '#not a comment',
    ' leading and trailing ',
    ' ',
    '\\',
    'ends in backslash\\',
    'ends in two\\\\',
    'escaped\\, comma',
    'two\nlines',
    'carriage\r\nreturn',
    'tab\tbed',
    'null\u0000char',
    'vertical\u000b and form\u000c feed',
    'next line \u0085 and separators \u2028 \u2029',
    'Küche & Bad',
    '厨房用品',
    '👩‍🍳',
    'half a \ud83d pair',
    'e\u0301 combined',
    '=',
    ',',
    ',=,=,=',
    'category=x,region=y net=1i 0',
  ];

  test.each(hostile)('a category is one tag, whatever it holds: %j', (category) => {
    const [point] = salesOf(aSale({ lines: [line({ category })] }));

    const { tags, ...rest } = read(point!);

    const { category: readCategory, ...others } = tags;
    expect(others).toEqual({
      channel: 'store',
      currency: 'EUR',
      location: 'store-042',
      region: 'eu-west',
      type: 'sale',
    });
    // As the lake has it, so that both say the same of it; and as a tag can hold it.
    const kept = category.replaceAll('\u0000', '').replace(/\p{Surrogate}/gu, '\uFFFD');
    expect(readCategory).toBe(kept.replace(/\\/g, '/').replace(/\p{Cc}/gu, ' '));
    expect([rest.measurement, rest.fields.net, rest.fields.transactions, rest.timeNs]).toEqual([
      'sales',
      510n,
      1n,
      point!.timeNs,
    ]);
  });

  test('any text is one tag and one line', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 100, unit: 'binary' }), (category) => {
        const [point] = salesOf(aSale({ lines: [line({ category })] }));

        expect(lineProtocol(point!)).not.toMatch(/[\r\n]/);
        expect(Object.keys(read(point!).tags)).toHaveLength(6);
        expect(read(point!).timeNs).toBe(point!.timeNs);
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });

  test('numbers are integers to the database, text is text', () => {
    const [point] = salesOf(aSale());

    expect(read(point!).types).toEqual({
      net: 'integer',
      units: 'integer',
      lines: 'integer',
      discount: 'integer',
      tax: 'integer',
      occurred_at: 'integer',
      transactions: 'integer',
      key: 'string',
    });
  });

  test('a return of nothing is zero, not minus zero; the largest amounts keep every digit', () => {
    const free = aSale({ type: 'return', lines: [line({ unitPrice: 0 })] });
    const dear = aSale({ type: 'return', lines: [line({ quantity: 1, unitPrice: Number.MAX_SAFE_INTEGER })] });

    expect(lineProtocol(salesOf(free)[0]!)).toContain(' net=0i,');
    expect(read(salesOf(dear)[0]!).fields.net).toBe(-9_007_199_254_740_991n);
  });

  test('quotes and backslashes in a field stay in it', () => {
    const point: Point = {
      measurement: 'sales',
      tags: { region: 'eu' },
      fields: { key: 'a"b\\c\\', n: 1 },
      timeNs: 5n,
    };

    expect(read(point)).toMatchObject({ fields: { key: 'a"b\\c\\', n: 1n }, timeNs: 5n });
  });

  test('tags are in the order that the database likes', () => {
    for (const { tags } of pointsOf(aSale())) expect(Object.keys(tags)).toEqual(Object.keys(tags).sort());
  });
});

describe('how crowded a minute is', () => {
  const points = (count: number, change: (index: number) => Partial<Sale> = () => ({})) =>
    someSales(count, change).flatMap(salesOf);

  test('sales of one series and minute are counted together', () => {
    expect(new SeriesMinutes().add(points(7))).toBe(7);
  });

  test('other minutes, places and categories are others', () => {
    const apart = points(4, (index) => ({
      occurredAt: `2026-11-22T10:1${index % 2}:30.000Z`,
      location: index < 2 ? 'store-001' : 'store-002',
    }));

    expect(new SeriesMinutes().add(apart)).toBe(1);
  });

  test('batches of one container add up, and a batch elsewhere says nothing of it', () => {
    const minutes = new SeriesMinutes();
    minutes.add(points(200));

    expect(minutes.add(points(200, (index) => ({ transactionId: `U-${index}` })))).toBe(400);
    expect(minutes.add(points(3, () => ({ location: 'store-001' })))).toBe(3);
  });

  test('minutes on either side of 1970 are two', () => {
    const around = [
      ...points(1, () => ({ occurredAt: '1969-12-31T23:59:30.000Z' })),
      ...points(1, () => ({ occurredAt: '1970-01-01T00:00:30.000Z' })),
    ];

    expect(new SeriesMinutes().add(around)).toBe(1);
  });

  test('tags that hold a separator do not run into each other', () => {
    const tags = (region: string, type: string) => ({ region, type });
    const alike = [
      { measurement: 'sales', tags: tags('a|b', 'c'), fields: {}, timeNs: 0n },
      { measurement: 'sales', tags: tags('a', 'b|c'), fields: {}, timeNs: 0n },
    ] as const;

    expect(new SeriesMinutes().add(alike)).toBe(1);
  });

  test('it bears a batch with more series than a call has arguments, forgets the oldest, and a batch of none', () => {
    const many = Array.from({ length: 200_000 }, (_, index) => ({
      measurement: 'items' as const,
      tags: { sku: `SKU-${index}` },
      fields: {},
      timeNs: 0n,
    }));
    const minutes = new SeriesMinutes(1_000);

    expect(minutes.add(many)).toBe(1);
    expect(minutes.add(many.slice(0, 1))).toBe(1);
    expect(minutes.add(many.slice(-1))).toBe(2);
    expect(minutes.add([])).toBe(0);
  });
});

test('what was last heard of a source is its sale that was accepted last, and of those of one request the latest', () => {
  const heard = (changes: readonly Partial<Sale>[]) =>
    arrivalPointsOf(changes.map((change) => aSale(change))).map(({ tags, fields, timeNs }) => [
      tags.source,
      new Date(Number(fields.occurred_at)).toISOString(),
      new Date(Number(timeNs / 1_000_000n)).toISOString(),
    ]);
  const [early, late] = ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.5Z'];
  const [first, second] = ['2026-11-22T11:00:00.000Z', '2026-11-22T11:00:01.000Z'];

  expect(
    heard([
      { occurredAt: early, acceptedAt: second },
      { occurredAt: late, acceptedAt: first },
      { source: 'web', occurredAt: early, acceptedAt: first },
      { source: 'web', occurredAt: late, acceptedAt: first },
      { source: 'web', occurredAt: early, acceptedAt: first },
    ]),
  ).toEqual([
    ['pos-eu', '2026-11-22T10:00:00.000Z', second],
    ['web', '2026-11-22T10:00:00.500Z', first],
  ]);
});
