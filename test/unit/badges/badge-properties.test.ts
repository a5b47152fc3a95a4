import fc from 'fast-check';
import { type BadgePolicy, badgeReasons, evaluate } from '../../../lambdas/base/domain/badge';
import { someFcs, worlds } from './arbitrary-world';
import { ago, itemsOf, noon, policy, type World } from './badge-world';

const decide = (world: World, order: readonly string[], given: BadgePolicy = policy) =>
  evaluate(itemsOf(world), { skus: ['A'], fcs: order }, given, noon)[0]!;

const ageOf = (time: string | undefined) => (time === undefined ? 0 : (noon.getTime() - Date.parse(time)) / 1_000);

/** Seconds; infinite when a beat is missing. */
function databaseAge(world: World, database: 'inventory' | 'orders'): number {
  const { beats: all = {}, heldSince: held } = world.beats[database] ?? {};
  if (Object.keys(all).length < 64) return Number.POSITIVE_INFINITY;
  return Math.max(...Object.values(all).map(ageOf), held === undefined ? Number.NEGATIVE_INFINITY : ageOf(held));
}

test('no badge is given when anything says no', () => {
  fc.assert(
    fc.property(worlds, someFcs, (world, order) => {
      const given = decide(world, order);
      if (!given.badge) return;

      const stocked = world.stock[`A#${given.fc}`]!;
      const place = world.centres[given.fc!]!;
      const ages = [world.skus.A, stocked, place].map((item) => ageOf(item?.heldSince));
      expect(world.skus.A?.status).toBe('active');
      expect(Math.max(...ages, databaseAge(world, 'inventory'), databaseAge(world, 'orders'))).toBeLessThanOrEqual(300);
      expect((stocked.expiresAt ?? Number.POSITIVE_INFINITY) * 1_000).toBeGreaterThan(noon.getTime());
      const safetyStock = world.skus.A!.safetyStock ?? 2;
      expect(stocked.onHand! - Math.max(0, stocked.reserved!) - safetyStock).toBe(given.available);
      expect(given.available).toBeGreaterThan(0);
      const local = place.timeZone === 'Europe/Berlin' ? '12:00' : '06:00';
      expect(local < place.cutoff!).toBe(true);
      expect(place.promised!['2026-11-22']!).toBeLessThan(place.dailyCapacity! * 0.9);
      expect(given.stale).toBe(false);
    }),
    { numRuns: 2_000, seed: 1 },
  );
});

test('the age is that of the slowest part', () => {
  fc.assert(
    fc.property(worlds, someFcs, (world, order) => {
      const given = decide(world, order);

      const needs = given.badge ? [given.fc!] : order;
      const known = (name: string) => {
        const { timeZone } = world.centres[name] ?? {};
        return timeZone !== undefined && timeZone !== 'Nowhere/Land';
      };
      const isOfSku = given.fc === null;
      const ages = [
        databaseAge(world, 'inventory'),
        ...(!isOfSku && needs.some(known) ? [databaseAge(world, 'orders')] : []),
        ageOf(world.skus.A?.heldSince),
        ...(isOfSku ? [] : needs.map((name) => ageOf(world.centres[name]?.heldSince))),
        ...(isOfSku ? [] : needs.filter(known).map((name) => ageOf(world.stock[`A#${name}`]?.heldSince))),
      ];
      const slowest = Math.max(0, ...ages);
      expect(given.ageSeconds).toBe(Number.isFinite(slowest) ? Math.ceil(slowest) : null);
      expect(given.asOf).toBe(Number.isFinite(slowest) ? ago(slowest) : null);
      expect(given.stale).toBe(slowest > 300);
    }),
    { numRuns: 2_000, seed: 2 },
  );
});

test('more stock never takes a badge away, and more promised orders, reservations or safety stock never give one', () => {
  fc.assert(
    fc.property(worlds, someFcs, fc.integer({ min: 1, max: 9 }), (world, order, more) => {
      const stockedWith = (change: (item: World['stock'][string]) => object): World => ({
        ...world,
        stock: Object.fromEntries(
          Object.entries(world.stock).map(([key, item]) => [key, { ...item, ...change(item) }]),
        ),
      });
      const { badge } = decide(world, order);
      const richer = stockedWith(({ onHand = 0 }) => ({ onHand: onHand + more }));
      const reserved = stockedWith(({ reserved: before = 0 }) => ({ reserved: before + more }));
      const busier: World = {
        ...world,
        centres: Object.fromEntries(
          Object.entries(world.centres).map(([key, item]) => [
            key,
            { ...item, promised: { '2026-11-22': (item.promised?.['2026-11-22'] ?? 0) + more } },
          ]),
        ),
      };

      expect(decide(richer, order).badge || !badge).toBe(true);
      for (const worse of [
        decide(reserved, order),
        decide(busier, order),
        decide(world, order, { ...policy, safetyStock: policy.safetyStock + more }),
        decide(world, order, { ...policy, maximumAgeSeconds: policy.maximumAgeSeconds - more * 30 }),
      ])
        expect(!worse.badge || badge).toBe(true);
    }),
    { numRuns: 1_000, seed: 3 },
  );
});

test('every SKU is answered alone: in any company, the same answer in its place', () => {
  fc.assert(
    fc.property(worlds, someFcs, (world, order) => {
      const together = evaluate(itemsOf(world), { skus: ['B', 'A', 'C'], fcs: order }, policy, noon);

      expect(together.map(({ sku: name }) => name)).toEqual(['B', 'A', 'C']);
      expect(together[1]).toEqual(decide(world, order));
    }),
    { numRuns: 300, seed: 4 },
  );
});

test('these worlds bring about every reason', () => {
  const seen = new Set(
    fc.sample(fc.tuple(worlds, someFcs), { numRuns: 2_000, seed: 5 }).map((x) => decide(...x).reason),
  );

  expect([...seen].sort()).toEqual([...badgeReasons].sort());
});
