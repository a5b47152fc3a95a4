import fc from 'fast-check';
import type { LocationKind } from '../../../lambdas/base/domain/stock-policy';
import {
  bucketAt,
  compacted,
  nothingSold,
  type Sold,
  soldSince,
  withSold,
} from '../../../lambdas/serve/inventory/sold-buckets';

const minute = 60_000;
const day = 86_400_000;
const horizon = 60 * day;
const now = Date.UTC(2026, 10, 22, 12);
const counting: LocationKind = { name: 'store', locations: '.*', onHand: 'without-sales', lagSeconds: 0 };
const deducting: LocationKind = { ...counting, onHand: 'with-sales' };

const sell = (sold: Sold, at: number, units: number, when = now) =>
  withSold(sold, new Map([[bucketAt(at), units]]), when);

test.each([
  ['a count without sales takes the ten minutes of the count off', counting, now - 1, 0 + 3],
  ['a database that takes sales off has those of the ten minutes of its last change', deducting, now - 1, 0],
])('%s', (_, kind, cutoff, units) => {
  const sold = sell(nothingSold, now - 5 * minute, 3);

  expect(soldSince(sold, cutoff, kind)).toBe(units);
});

test('what was sold before the count is not taken off, whatever was sold is when there is none', () => {
  const sold = sell(sell(nothingSold, now - 60 * minute, 3), now, 2);

  expect(soldSince(sold, now - 30 * minute, counting)).toBe(2);
  expect(soldSince(sold, undefined, counting)).toBe(5);
});

test('old ten minutes become days, but for the day of the count', () => {
  let sold = nothingSold;
  for (const daysAgo of [2, 3])
    for (const hour of [1, 2, 3]) sold = sell(sold, now - daysAgo * day - hour * 3_600_000, 1);

  const { buckets } = compacted(sold, now - 3 * day - 90 * minute, counting, now, horizon);

  expect(Object.keys(buckets).filter((bucket) => bucket.startsWith('D'))).toHaveLength(1);
  expect(Object.keys(buckets)).toHaveLength(4);
});

test('beyond the horizon what a count covers goes, and what none covers is folded; a late sale waits as long again', () => {
  const old = now - 70 * day;
  const sold = sell(nothingSold, old, 4, old);

  expect(compacted(sold, now - day, counting, now, horizon)).toMatchObject({ buckets: {}, folded: 0 });
  const folded = compacted(sold, undefined, counting, now, horizon);
  expect(folded).toMatchObject({ buckets: {}, folded: 4 });
  const late = compacted(sell(folded, old, 2), undefined, counting, now, horizon);
  expect(Object.values(late.buckets)).toEqual([2]);
  expect(soldSince(late, undefined, counting)).toBe(6);
  expect(compacted(late, undefined, counting, now + horizon + day, horizon)).toMatchObject({ buckets: {}, folded: 6 });
  // A count that covers all of it ends it.
  expect(soldSince(compacted(late, now, counting, now, horizon), now, counting)).toBe(0);
});

test('whatever is sold, when and how late: without a count nothing is ever lost or counted twice', () => {
  const sales = fc.array(
    fc.record({
      ago: fc.integer({ min: 0, max: 200 * 144 }),
      units: fc.integer({ min: -3, max: 5 }),
      wait: fc.integer({ min: 0, max: 40 * 144 }),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(sales, (all) => {
      let sold = nothingSold;
      let at = now;
      for (const { ago, units, wait } of all) {
        at += wait * 10 * minute;
        sold = compacted(sell(sold, at - ago * 10 * minute, units, at), undefined, counting, at, horizon);
      }

      expect(soldSince(sold, undefined, counting)).toBe(all.reduce((sum, { units }) => sum + units, 0));
      expect(Object.keys(sold.buckets).length).toBeLessThanOrEqual(30);
    }),
    { numRuns: 200, seed: 20261122 },
  );
});
