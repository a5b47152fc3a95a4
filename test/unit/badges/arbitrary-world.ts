import fc from 'fast-check';
import { ago, beatsAt, noon, type World } from './badge-world';

export const fcs = ['FC1', 'FC2', 'FC3'];
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
/** Worlds in which every reason comes about. */
export const worlds: fc.Arbitrary<World> = fc.record({
  skus: bySome(['A'], sku),
  stock: bySome(
    fcs.map((name) => `A#${name}`),
    stock,
  ),
  centres: bySome(fcs, centre),
  beats: bySome(['inventory', 'orders'], beats),
}) as fc.Arbitrary<World>;
export const someFcs = fc.shuffledSubarray(fcs, { minLength: 1 });
