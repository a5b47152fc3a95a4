import { proposalOf } from '../../../examples/reorder-proposals/proposal';

const trigger = {
  schemaVersion: 1 as const,
  crossingId: 'A#store-1#7#reorder-point-reached',
  kind: 'reorder-point-reached' as const,
  sku: 'A',
  location: 'store-1',
  available: 3,
  reorderPoint: 5,
  decidedAt: '2026-11-28T10:00:00.000Z',
};

test('a reorder point that was reached is filled up to twice of it', () => {
  expect(proposalOf(trigger)).toEqual({
    crossingId: 'A#store-1#7#reorder-point-reached',
    sku: 'A',
    location: 'store-1',
    quantity: 7,
    proposedAt: '2026-11-28T10:00:00.000Z',
  });
  expect(proposalOf({ ...trigger, available: -2 }).quantity).toBe(12);
});

test.each([
  ['another schema', { schemaVersion: 2 as any }, 'schemaVersion: got 2, allowed: 1'],
  ['another kind', { kind: 'stock-out' as const }, "kind: got 'stock-out', allowed: reorder-point-reached"],
  ['no SKU', { sku: '' }, 'sku: got none, allowed: a text'],
  ['no reorder point', { reorderPoint: null }, 'reorderPoint: got null, allowed: a whole number'],
])('%s is refused', (_, change, message) => {
  expect(() => proposalOf({ ...trigger, ...change })).toThrow(message);
});
