import { completenessOf, partMarksOf } from '../../../lambdas/serve/merchandising/completeness';
import { SalesClient } from '../../../lambdas/serve/merchandising/query/answer';
import type { PartMarks, SourceArrival, TimeSeriesReader } from '../../../lambdas/serve/merchandising/time-series';

const now = Date.parse('2026-11-28T12:00:00Z');
const minute = (ago: number) => now - ago * 60_000;
const iso = (time: number) => new Date(time).toISOString();
/** In all eight lanes, unless it says otherwise. */
const marks = (source: string, part: string, ago: number, change: Partial<PartMarks> = {}): PartMarks => ({
  ...{ source, part, set: '2x4', lanes: 8, completeThrough: minute(ago), markedAt: minute(ago) },
  ...change,
});

test('while the marks of one source have not come through all lanes, nothing is said of all sources', () => {
  const web = marks('web-eu', '*', 1);
  const begun = marks('pos-eu', 'store-1', 1, { lanes: 7 });

  expect(completenessOf([web, begun], [])).toEqual({
    completeThrough: null,
    sources: [
      { source: 'pos-eu', completeThrough: null, slowestPart: 'store-1', lastSaleAt: null },
      { source: 'web-eu', completeThrough: iso(minute(1)), lastSaleAt: null },
    ],
  });
});

test('a source that has never said anything holds back none that has', () => {
  const { completeThrough } = completenessOf(
    [marks('web-eu', '*', 1)],
    [{ source: 'pos-eu', occurredAt: minute(9), acceptedAt: minute(8) }],
  );

  expect(completeThrough).toBe(iso(minute(1)));
});

test('the newest whole set of lanes counts, and the newest look of two', () => {
  const looks = [
    marks('pos-eu', '*', 20),
    marks('pos-eu', '*', 90, { set: '1x1', lanes: 1 }),
    marks('pos-eu', '*', 5),
    marks('pos-eu', '*', 1, { set: '4x4', lanes: 15 }),
  ];
  const arrivals = [3, 1, 2].map((ago) => ({ source: 'pos-eu', occurredAt: minute(ago), acceptedAt: minute(ago) }));

  for (const order of [looks, [...looks].reverse()])
    expect(completenessOf(order, arrivals).sources).toEqual([
      { source: 'pos-eu', completeThrough: iso(minute(5)), lastSaleAt: iso(minute(1)) },
    ]);
});

test('five thousand parts in sixteen lanes are put together, and the slowest lane of the slowest part counts', () => {
  const lanes = Array.from({ length: 80_000 }, (_, index) => ({
    source: 'pos-eu',
    part: `store-${index % 5_000}`,
    lane: `${index % 4}.${Math.floor(index / 5_000)}/1x16`,
    completeThrough: minute(index === 77_777 ? 9 : 1),
    markedAt: minute(1),
  }));

  const together = partMarksOf(lanes);

  expect(together).toHaveLength(5_000);
  expect(completenessOf(together, []).sources).toEqual([
    { source: 'pos-eu', completeThrough: iso(minute(9)), slowestPart: 'store-2777', lastSaleAt: null },
  ]);
  expect(completenessOf(partMarksOf(lanes.slice(1)), []).completeThrough).toBeNull();
});

test('what cannot be read yet holds back its own source, and the whole with it, until it can be', async () => {
  let clock = now;
  const sale = { source: 'pos-eu', occurredAt: minute(-60), until: minute(-60 - 360) };
  const reader = {
    marks: async () => [marks('pos-eu', '*', -(clock - now) / 60_000), marks('web-eu', '*', -(clock - now) / 60_000)],
    arrivals: async () => [],
    unreadable: async () => [sale],
  } as unknown as TimeSeriesReader;
  const client = new SalesClient(reader, () => clock);
  const at = async (minutes: number) => {
    clock = now + minutes * 60_000;
    const { completeThrough, sources } = await client.completeness();
    return [completeThrough, sources[0]!.unreadableUntil, sources[1]!.completeThrough];
  };

  expect(await at(59)).toEqual([iso(minute(-59)), undefined, iso(minute(-59))]);
  expect(await at(90)).toEqual([iso(sale.occurredAt), iso(sale.until), iso(minute(-90))]);
  expect(await at(421)).toEqual([iso(minute(-421)), undefined, iso(minute(-421))]);
});

describe('between two looks at the whole week', () => {
  let clock = now;
  let written: PartMarks[];
  const asked: number[] = [];
  const reader = {
    async marks(since: number) {
      asked.push((clock - since) / 60_000);
      return written.filter(({ markedAt }) => markedAt >= since);
    },
    async arrivals(): Promise<SourceArrival[]> {
      return [];
    },
  } as unknown as TimeSeriesReader;

  test('a part that was last heard of days ago still counts, and what is new is seen at once', async () => {
    const client = new SalesClient(reader, () => clock);
    const through = async () => (await client.completeness()).completeThrough;
    written = [marks('pos-eu', 'silent', 3 * 1_440), marks('pos-eu', 'busy', 1)];

    expect(await through()).toBe(iso(minute(3 * 1_440)));
    clock += 60_000;
    expect(await through()).toBe(iso(minute(3 * 1_440)));
    written = [marks('pos-eu', 'silent', 0), marks('pos-eu', 'busy', 0)];
    expect(await through()).toBe(iso(minute(0)));
    clock += 10 * 60_000;
    expect(await through()).toBe(iso(minute(0)));

    expect(asked).toEqual([7 * 1_440, 30, 30, 7 * 1_440]);
  });
});
