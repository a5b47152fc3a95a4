import fc from 'fast-check';
import type { StockPolicy } from '../../../lambdas/base/domain/stock-policy';
import { type Position, withCounts, withImages } from '../../../lambdas/serve/inventory/position';
import { attributesOfPosition, positionOfItem } from '../../../lambdas/serve/inventory/position-item';
import { bucketAt } from '../../../lambdas/serve/inventory/sold-buckets';
import { decodeBuckets, encodeBuckets } from '../../../lambdas/serve/inventory/sold-encoding';
import { itemBytes } from '../../../local/engines/dynamodb/capacity';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const units = fc.oneof(
  fc.integer({ min: -9, max: 99 }),
  fc.maxSafeInteger().map((value) => Math.floor(value / 4)),
);
const bucket = (prefix: string, most: number) =>
  fc.integer({ min: -1_000, max: most }).map((number) => `${prefix}${number.toString(36)}`);

test('whatever was sold by time is read as it was written', () => {
  const buckets = fc.dictionary(fc.oneof(bucket('', 4_000_000), bucket('D', 30_000)), units);

  fc.assert(
    fc.property(buckets, (sold) => {
      expect(decodeBuckets(encodeBuckets(sold))).toEqual(sold);
    }),
    { numRuns: 500, seed: 20261128 },
  );
});

test('what ends in the midst of a number is an error, not a smaller stock', () => {
  const bytes = encodeBuckets({ '1rz3k': 300, '1rz3l': 2, Djxa: 7 });

  expect(() => decodeBuckets(bytes.slice(0, -1))).toThrow('ends too early');
});

describe('a position that sells in every ten minutes', () => {
  const days = 8;
  const tenMinutes = 600_000;
  const end = Date.UTC(2026, 10, 28);
  const start = end - days * 86_400_000;
  const policy: StockPolicy = {
    locationKinds: [{ name: 'all', locations: '.*', onHand: 'without-sales', lagSeconds: 0 }],
    rearmShare: 0.1,
    maximumAgeSeconds: 300,
  };
  const at = (now: number) => ({
    ...{ sku: 'SKU-10442', location: 'store-042', policy, horizonMs: 60 * 86_400_000, now },
    settledOf: () => 0,
  });
  const logged = { position: '000001:000000027C000040:0000000001', fills: 0, deleted: false };
  const time = new Date(start).toISOString();
  let position: Position;
  beforeAll(() => {
    const images = {
      stock: { ...logged, onHand: 9_999, reserved: 3, countedAt: time, committedAt: time },
      sku: { ...logged, status: 'active', reorderPoint: 50 },
    };
    position = withImages(undefined, images, at(start))!.position;
    for (let now = start; now < end; now += tenMinutes) {
      const pack = Math.floor(now / 1_000);
      const counts = { lane: String(pack % 7), pack, sold: new Map([[bucketAt(now), 3]]), lines: 3 };
      position = withCounts(position, counts, at(now))!.position;
    }
  });

  test('is one write unit, whatever its history', () => {
    const { sold, ...others } = attributesOfPosition(position);
    // As it is sent.
    const item = { pk: { S: 'stock#SKU-10442#store-042' }, ...others, sold: { B: base64(sold!.B!) } };

    expect(Object.keys(position.sold.buckets).length).toBeGreaterThan(250);
    expect(itemBytes(item as unknown as Parameters<typeof itemBytes>[0])).toBeLessThan(1_024);
  });

  test('is read as it was written', () => {
    expect(positionOfItem(attributesOfPosition(position))).toEqual(position);
  });

  test('is read in its first form, a map of numbers, too', () => {
    const M = Object.fromEntries(
      Object.entries(position.sold.buckets).map(([bucket, units]) => [bucket, { N: String(units) }]),
    );

    expect(positionOfItem({ ...attributesOfPosition(position), sold: { M } })).toEqual(position);
  });
});
