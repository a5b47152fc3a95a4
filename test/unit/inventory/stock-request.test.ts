import { readFileSync } from 'node:fs';
import { readStockPolicy } from '../../../lambdas/base/domain/stock-policy';
import { readQuery } from '../../../lambdas/serve/inventory/lookup/request';
import { stockTriggerSchemaText } from '../../../lambdas/serve/inventory/stock-trigger';
import { mostPlaces, mostSkus } from '../../../lambdas/serve/lookup-request';
import { stageNamed } from '../../../lib/stages';

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

test.each([
  [null, 'sku: got none, allowed: at least one'],
  [{ sku: ['A'] }, 'location: got none, allowed: at least one'],
  [{ sku: ['A'], location: ['L'], fc: ['L'] }, "got 'fc', allowed: sku, location"],
  [{ sku: ['A#B'], location: ['L'] }, "sku: got 'A#B', allowed: 1 to 64 of A-Z a-z 0-9 . _ -"],
  [{ sku: ['A'], location: ['L', 'L'] }, "location: got 'L' twice, allowed: once"],
  [{ sku: names('A', 49), location: ['L'] }, 'sku: got 49 with 1 location, allowed: at most 48'],
  [{ sku: ['A'], location: names('L', 49) }, 'location: got 49, allowed: at most 48'],
])('%j is refused, and says what is allowed', (query, message) => {
  expect(readQuery(query)).toMatchObject({ message });
});

test('the most that is taken fits into one round trip of 100 keys', () => {
  for (let locations = 1; locations <= mostPlaces; locations++) {
    const skus = mostSkus(locations);
    expect(skus).toBeGreaterThan(0);
    expect(2 + locations + skus * (1 + locations)).toBeLessThanOrEqual(100);
    expect(readQuery({ sku: names('A', skus), location: names('L', locations) })).toMatchObject({
      skus: names('A', skus),
    });
  }
});

test('docs/stock-trigger.schema.json is what is published', () => {
  expect(readFileSync('docs/stock-trigger.schema.json', 'utf8')).toBe(stockTriggerSchemaText());
});

test('a policy that is not whole is refused by name', () => {
  const whole = stageNamed('prod').stock.policy;
  const kind = whole.locationKinds[0]!;

  expect(readStockPolicy(JSON.stringify(whole))).toEqual(whole);
  expect(() => readStockPolicy(JSON.stringify({ ...whole, rearmShare: -1 }))).toThrow('rearmShare: got -1');
  expect(() => readStockPolicy(JSON.stringify({ ...whole, locationKinds: [kind] }))).toThrow('no kind fits location');
  expect(() => readStockPolicy(JSON.stringify({ ...whole, locationKinds: [{ ...kind, onHand: 'maybe' }] }))).toThrow(
    'onHand of store: got maybe',
  );
});
