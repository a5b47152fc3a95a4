import fc from 'fast-check';
import { type BadgePolicy, badgeReasons, evaluate } from '../../../lambdas/base/domain/badge';
import { ago, beatsAt, itemsOf, noon, policy, type World } from './badge-world';

const fcs = ['FC1', 'FC2', 'FC3'];
// Most of it well, or no badge would come about.
const seconds = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: -20, max: 300 }) },
  fc.integer({ min: 301, max: 600 }),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 6 });
const heldSince = fc.option(seconds.map(ago), { nil: undefined, freq: 1 });
const units = fc.integer({ min: -3, max: 8 });
const compact = <T extends object>(given: T) =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
const record = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(shape).map((given) => compact(given));

const stock = record({
  onHand: fc.integer({ min: -1, max: 20 }),
  reserved: units,
  heldSince,
  expiresAt: fc.constantFrom(undefined, undefined, undefined, noon.getTime() / 1_000, noon.getTime() / 1_000 + 60),
});
const centre = record({
  dailyCapacity: fc.integer({ min: 0, max: 20 }),
  cutoff: fc.constantFrom('00:00', '11:59', '12:00', '12:01', '14:00', '18:00', '24:00'),
  timeZone: fc.constantFrom('Europe/Berlin', 'Europe/Berlin', 'America/New_York', 'America/New_York', 'Nowhere/Land'),
  promised: fc.integer({ min: 0, max: 20 }).map((n): Record<string, number> => ({ '2026-11-22': n })),
  heldSince,
});
const beats = fc
  .tuple(seconds, seconds, heldSince, fc.integer({ min: 0, max: 20 }))
  .map(([usual, slowest, held, missing]) => {
    const all = beatsAt(ago(usual), { 'beat-3': ago(slowest) });
    if (missing === 0) delete all['beat-82'];
    return compact({ beats: all, heldSince: held });
  });
const bySome = <T>(keys: readonly string[], value: fc.Arbitrary<T>) =>
  fc
    .tuple(...keys.map(() => maybe(value)))
    .map((values) => compact(Object.fromEntries(keys.map((key, index) => [key, values[index]]))) as Record<string, T>);

const sku = record({
  status: fc.constantFrom('active', 'active', 'active', 'active', 'paused', 'discontinued'),
  safetyStock: maybe(fc.integer({ min: 0, max: 4 })),
  heldSince,
});
const worlds: fc.Arbitrary<World> = fc.record({
  skus: bySome(['A'], sku),
  stock: bySome(
    fcs.map((name) => `A#${name}`),
    stock,
  ),
  centres: bySome(fcs, centre),
  beats: bySome(['inventory', 'orders'], beats),
}) as fc.Arbitrary<World>;
const someFcs = fc.shuffledSubarray(fcs, { minLength: 1 });

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
