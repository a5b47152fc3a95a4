import fc from 'fast-check';
import { type Point, pointsOf } from '../../../lambdas/serve/merchandising/points';
import { aSale } from '../../engine-rig/sales';
import { arbitrarySale } from '../lake/arbitrary-sale';

/** What a large retailer has. A location lies in one region, and a region trades in one currency. */
const retailer = { skus: 1_000_000, locations: 5_000, regions: 20, categories: 200, channels: 2, types: 2 };
/**
 * The most series, of both databases, that an instance of this platform is to hold: docs/decisions.md says on which
 * instance, and what to do beyond.
 */
const ceiling = 25_000_000;

/** How many values a tag can have beside the others of its measurement. */
const values: Readonly<Record<Point['measurement'], Readonly<Record<string, number>>>> = {
  // Its region and currency follow from the location.
  sales: {
    category: retailer.categories,
    channel: retailer.channels,
    currency: 1,
    location: retailer.locations,
    region: 1,
    type: retailer.types,
  },
  // Every item in every region: more cannot be.
  items: { currency: 1, region: retailer.regions, sku: retailer.skus },
  completeness: { lane: 16, part: retailer.locations, source: 1 },
  arrivals: { source: 50 },
  comparison: { beside: 1 },
  // Of LiveAnalytics only, for two days of hours.
  unreadable: { source: 50, until: 48 },
};

test('the series of a million items, 5,000 locations and 20 regions stay under the ceiling', () => {
  const seriesOf = (measurement: Point['measurement']) =>
    Object.values(values[measurement]).reduce((product, count) => product * count, 1);

  expect(seriesOf('items')).toBe(20_000_000);
  expect(seriesOf('sales')).toBe(4_000_000);
  const total = (Object.keys(values) as Point['measurement'][]).reduce((sum, each) => sum + seriesOf(each), 0);
  expect(total).toBeLessThan(ceiling);
});

test('a point has the tags that were counted, and no other', () => {
  for (const { measurement, tags } of pointsOf(aSale()))
    expect(Object.keys(tags).sort()).toEqual(Object.keys(values[measurement]).sort());
});

test('nothing that identifies a sale or a card is a tag', () => {
  fc.assert(
    fc.property(arbitrarySale, (sale) => {
      const marked = {
        ...sale,
        transactionId: 'THE-TRANSACTION',
        customerId: 'THE-CUSTOMER',
        note: 'THE-NOTE',
        originalTransactionId: 'THE-ORIGINAL',
        tenders: [
          {
            type: 'card' as const,
            amount: 1,
            gateway: 'THE-GATEWAY',
            gatewayReference: 'THE-REFERENCE',
            card: { token: 'THE-TOKEN', brand: 'THE-BRAND', bin: 'THE-BIN', last4: 'THE-LAST4' },
          },
        ],
      };
      for (const { tags, fields } of pointsOf(marked)) {
        expect(JSON.stringify(tags)).not.toContain('THE-');
        // The key stands in a field, for whoever has to find a sale; of its card there is nothing at all.
        expect(JSON.stringify(fields)).not.toMatch(
          /THE-(CUSTOMER|NOTE|ORIGINAL|GATEWAY|REFERENCE|TOKEN|BRAND|BIN|LAST4)/,
        );
      }
    }),
    { numRuns: 50, seed: 20261128 },
  );
});
