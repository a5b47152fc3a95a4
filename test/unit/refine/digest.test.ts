import fc from 'fast-check';
import type { Sale } from '../../../lambdas/base/domain/sale';
import { digestOf, matches } from '../../../lambdas/refine/dedup/digest';
import { aSale } from '../../engine-rig/sales';

/** The same event with the keys of every object in another order. */
function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((member) => shuffled(member, seed));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, shuffled(member, seed)] as const);
  members.sort(([a], [b]) => ((a.charCodeAt(0) * seed) % 97) - ((b.charCodeAt(0) * seed) % 97));
  return Object.fromEntries(members);
}

const full = aSale({
  businessDate: '2026-11-21',
  originalTransactionId: 'T-0',
  customerId: 'c-1',
  note: 'left at the door',
  lines: [
    { line: 1, sku: 'SKU-1', quantity: 2, unitPrice: 255, discount: 10, tax: 40, category: 'kitchen' },
    { line: 2, sku: 'SKU-2', quantity: 1, unitPrice: 100 },
  ],
});

test('the digest names its version', () => {
  const digest = digestOf(full);

  expect(digest).toMatch(/^1:[A-Za-z0-9_-]{43}$/);
});

test('the digest of version 1 is frozen: claims that were made under it still stand', () => {
  expect(digestOf(full)).toBe('1:sh68utNEghTuhLQy94RGrnz750WzUKQngOw9-okaqqM');
});

test('the order of keys does not matter, however deep', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 96 }), (seed) => {
      expect(digestOf(shuffled(full, seed) as Sale)).toBe(digestOf(full));
    }),
  );
});

test('when it was accepted, and what is derived from the card, does not matter', () => {
  const card = { token: 'tok_abcdefghijklmnopqrstuvwxyz', brand: 'other', bin: '000000', last4: '0000' };
  const [tender] = full.tenders;

  const again = {
    ...full,
    acceptedAt: '2026-11-23T00:00:00.000Z',
    tenders: [{ ...tender!, card: { ...card, country: 'IE', funding: 'debit' } }],
  };

  expect(digestOf(again)).toBe(digestOf(full));
});

/** Every value in the event, as a path to it. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]));
}

const indifferent = /acceptedAt|card\.(brand|bin|last4|country|funding)/;

test.each(
  pathsOf(full)
    .map((path) => path.join('.'))
    .filter((path) => !indifferent.test(path)),
)('another %s is another sale', (path) => {
  const changed = structuredClone(full) as any;
  const names = path.split('.');
  const last = names.pop()!;
  const owner = names.reduce((object, name) => object[name], changed);
  owner[last] = typeof owner[last] === 'number' ? owner[last] + 1 : `${owner[last]}x`;

  expect(digestOf(changed)).not.toBe(digestOf(full));
});

test('a field that is left out is another sale than the field present', () => {
  const { note: _, ...without } = full;

  expect(digestOf(without)).not.toBe(digestOf(full));
});

test('a claim is compared under its own version, and one of a newer release cannot be', () => {
  expect(matches(digestOf(full), full)).toBe(true);
  expect(matches(digestOf(full), aSale())).toBe(false);
  expect(matches('99:abc', full)).toBeUndefined();
});
