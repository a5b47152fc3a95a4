import fc from 'fast-check';
import type { Sale } from '../../../lambdas/base/domain/sale';
import { type Count, packOf, packsOf, portionsOf } from '../../../lambdas/serve/inventory/count/packing';
import { aSale } from '../../engine-rig/sales';

const line = (number: number, sku: string, quantity = 1) => ({ line: number, sku, quantity, unitPrice: 100 });
const withSkus = (count: number, change: Partial<Sale> = {}) =>
  aSale({ lines: Array.from({ length: count }, (_, index) => line(index + 1, `SKU-${index}`)), ...change });

test('lines of one SKU are one count', () => {
  const sale = aSale({ lines: [line(1, 'A', 2), line(2, 'B'), line(3, 'A', 5)] });

  const [portion] = portionsOf(sale);

  expect(portion).toEqual({
    claim: 'pos-eu#T-1#0',
    counts: [
      { item: 'A#store-042', bucket: '2026-11-22T10:10Z', units: 7, lines: 2 },
      { item: 'B#store-042', bucket: '2026-11-22T10:10Z', units: 1, lines: 1 },
    ],
  });
});

test('a return takes units back, and is a line all the same', () => {
  const [portion] = portionsOf(aSale({ type: 'return', lines: [line(1, 'A', 3)] }));

  expect(portion!.counts).toMatchObject([{ units: -3, lines: 1 }]);
});

test.each([
  ['2026-11-22T10:09:59.999Z', '2026-11-22T10:00Z'],
  ['2026-11-22T10:10:00Z', '2026-11-22T10:10Z'],
  ['2010-12-31T23:59:59.000Z', '2010-12-31T23:50Z'],
])('what was sold at %s is counted at %s', (occurredAt, bucket) => {
  const [portion] = portionsOf(aSale({ occurredAt }));

  expect(portion!.counts[0]!.bucket).toBe(bucket);
});

test('a sale of 99 SKUs is one portion, one of 100 is two with a claim each', () => {
  expect(portionsOf(withSkus(99))).toHaveLength(1);
  const portions = portionsOf(withSkus(100));

  expect(portions.map(({ claim }) => claim)).toEqual(['pos-eu#T-1#0', 'pos-eu#T-1#1']);
  expect(portions.map(({ counts }) => counts.length)).toEqual([99, 1]);
});

test('the cut depends on the event alone, not on the order of its lines', () => {
  const sale = withSkus(250);

  expect(portionsOf({ ...sale, lines: [...sale.lines].reverse() })).toEqual(portionsOf(sale));
});

test('the same sale twice in a batch is packed once', () => {
  const packs = packsOf([...portionsOf(aSale()), ...portionsOf(aSale())]);

  expect(packs).toEqual([packOf(portionsOf(aSale()))]);
});

test('sales of the same item, place and time share a counter', () => {
  const packs = packsOf([...portionsOf(aSale()), ...portionsOf(aSale({ transactionId: 'T-2', type: 'return' }))]);

  expect(packs).toHaveLength(1);
  expect(packs[0]!.totals).toEqual([{ item: 'SKU-1#store-042', bucket: '2026-11-22T10:10Z', units: 0, lines: 2 }]);
});

const sales = fc.array(
  fc
    .record({
      id: fc.integer({ min: 1, max: 40 }),
      location: fc.constantFrom('store-1', 'store-2', 'store-3'),
      type: fc.constantFrom('sale' as const, 'return' as const),
      minute: fc.integer({ min: 10, max: 59 }),
      skus: fc.array(fc.integer({ min: 1, max: 130 }), { minLength: 1, maxLength: 220 }),
    })
    .map(({ id, location, type, minute, skus }) =>
      aSale({
        transactionId: `T-${id}`,
        location,
        type,
        occurredAt: `2026-11-22T10:${minute}:00Z`,
        lines: skus.map((sku, index) => line(index + 1, `SKU-${sku}`, (sku % 3) + 1)),
      }),
    ),
  { maxLength: 60 },
);

const sumsOf = (counts: readonly Count[]) => {
  const sums: Record<string, [number, number]> = {};
  for (const { item, bucket, units, lines } of counts) {
    const [unitsBefore, linesBefore] = sums[`${item} ${bucket}`] ?? [0, 0];
    sums[`${item} ${bucket}`] = [unitsBefore + units, linesBefore + lines];
  }
  return sums;
};

test('packs hold every portion once, all its counts, and never more than 100 actions or one item twice', () => {
  fc.assert(
    fc.property(sales, (batch) => {
      // A key stands for one body: dedup sees to that.
      const unique = [...new Map(batch.map((sale) => [sale.transactionId, sale])).values()];
      const portions = unique.flatMap(portionsOf);

      const packs = packsOf([...portions, ...portions]);

      expect(packs.flatMap((pack) => pack.portions.map(({ claim }) => claim)).sort()).toEqual(
        portions.map(({ claim }) => claim).sort(),
      );
      expect(sumsOf(packs.flatMap(({ totals }) => totals))).toEqual(sumsOf(portions.flatMap(({ counts }) => counts)));
      for (const { portions: claims, totals } of packs) {
        expect(claims.length + totals.length).toBeLessThanOrEqual(100);
        expect(new Set(totals.map(({ item, bucket }) => `${item} ${bucket}`)).size).toBe(totals.length);
      }
    }),
    { numRuns: 60, seed: 20261122 },
  );
});

test('transactions of small sales are nearly full', () => {
  const batch = Array.from({ length: 500 }, (_, index) =>
    aSale({
      transactionId: `T-${index}`,
      location: `store-${index % 20}`,
      lines: [line(1, `SKU-${(index * 37) % 400}`), line(2, `SKU-${(index * 91) % 400}`)],
    }),
  );

  const packs = packsOf(batch.flatMap(portionsOf));

  const actions = packs.reduce((sum, { portions, totals }) => sum + portions.length + totals.length, 0);
  expect(packs.length).toBeLessThanOrEqual(Math.ceil(actions / 100) + 1);
});
