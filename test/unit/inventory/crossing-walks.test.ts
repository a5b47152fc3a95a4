import type { StockPolicy } from '../../../lambdas/base/domain/stock-policy';
import {
  type Circumstances,
  type Commit,
  type Position,
  withCounts,
  withImages,
} from '../../../lambdas/serve/inventory/position';
import { bucketAt } from '../../../lambdas/serve/inventory/sold-buckets';
import { triggerOf } from '../../../lambdas/serve/inventory/stock-trigger';

// Walks of one position around its reorder point, by the code that decides: sales in packs that come again, database rows
// that come late, twice and out of order, writers that meet, crashes around the commit and around the publisher.
const walks = 10_000;
const steps = 12;

const policy: StockPolicy = {
  locationKinds: [{ name: 'all', locations: '.*', onHand: 'without-sales', lagSeconds: 0 }],
  rearmShare: 0.2,
  maximumAgeSeconds: 300,
};
const tenMinutes = 600_000;
const start = Math.floor(Date.UTC(2026, 10, 22) / tenMinutes) * tenMinutes;

/** What was committed, in the words of the sources alone: the oracle knows no bucket and no level. */
interface Committed {
  readonly version: number;
  readonly sales: readonly { readonly at: number; readonly units: number }[];
  readonly stock: { readonly onHand: number; readonly reserved: number; readonly countedAt: number } | undefined;
  readonly sku: { readonly reorderPoint: number | null; readonly status: string } | undefined;
}

class Walk {
  position: Position | undefined;
  readonly history: Committed[] = [];
  readonly outbox = new Map<string, string>();
  readonly delivered: string[] = [];
  #last: Committed = { version: 0, sales: [], stock: undefined, sku: undefined };

  constructor(readonly random: () => number) {}

  /** Reads, decides, and commits on condition of what was read; `meanwhile` may commit in between. */
  commit(
    change: (before: Position | undefined, at: Circumstances) => Commit | undefined,
    now: number,
    note: (last: Committed) => Committed,
    meanwhile = () => {},
  ) {
    for (let isFirst = true; ; isFirst = false) {
      const read = this.position;
      const at = { sku: 'A', location: 'L', policy, horizonMs: 60 * 86_400_000, now, settledOf: () => 0 };
      const commit = change(read, at);
      if (isFirst) meanwhile();
      if (commit === undefined) return;
      if (this.position !== read) continue;
      this.position = commit.position;
      this.#last = { ...note(this.#last), version: commit.position.version };
      this.history.push(this.#last);
      for (const kind of commit.crossings) {
        const trigger = triggerOf(kind, commit.position, at, { change: 'sales', records: [] });
        if (this.outbox.has(trigger.crossingId)) throw new Error(`${trigger.crossingId} was committed twice`);
        this.outbox.set(trigger.crossingId, trigger.kind);
      }
      return;
    }
  }

  /** Publishes what lies in the outbox, and may crash before it takes it out. */
  publish(mayCrash: boolean): void {
    for (const id of [...this.outbox.keys()]) {
      this.delivered.push(id);
      if (mayCrash && this.random() < 0.3) return;
      this.outbox.delete(id);
    }
  }
}

/** Ids of the crossings that a history is. */
function crossingsIn(history: readonly Committed[]): string[] {
  const ids: string[] = [];
  let isArmed = true;
  let wasOut: boolean | undefined;
  for (const { version, sales, stock, sku } of history) {
    if (stock === undefined) continue;
    const since = sales.filter(({ at }) => at >= stock.countedAt).reduce((sum, { units }) => sum + units, 0);
    const available = stock.onHand - Math.max(0, stock.reserved) - since;
    if (sku?.status === 'active' && sku.reorderPoint !== null) {
      if (isArmed && available <= sku.reorderPoint) {
        isArmed = false;
        ids.push(`A#L#${version}#reorder-point-reached`);
      } else if (!isArmed && available >= sku.reorderPoint + Math.max(1, Math.ceil(sku.reorderPoint / 5)))
        isArmed = true;
    }
    const isOut = available < 1;
    if (wasOut === false && isOut) ids.push(`A#L#${version}#stock-out`);
    if (wasOut === true && !isOut) ids.push(`A#L#${version}#back-in-stock`);
    wasOut = isOut;
  }
  return ids;
}

function walk(seed: number): { readonly delivered: string[]; readonly crossings: string[]; readonly versions: number } {
  const random = randomFrom(seed);
  const pick = (below: number) => Math.floor(random() * below);
  const world = new Walk(random);
  const packs = [0, 0];
  const redo: (() => void)[] = [];
  let log = 0;
  const position = () => `000001:${String(++log).padStart(16, '0')}:0000000000`;

  const sell = (step: number, meanwhile?: () => void) => {
    const lane = pick(2);
    const sales = Array.from({ length: 1 + pick(3) }, () => ({
      at: start + pick(step + 1) * tenMinutes,
      units: pick(5) - 1,
    }));
    const sold = new Map<string, number>();
    for (const { at, units } of sales) sold.set(bucketAt(at), (sold.get(bucketAt(at)) ?? 0) + units);
    const pack = ++packs[lane]!;
    const count = () =>
      world.commit(
        (before, at) => withCounts(before, { lane: String(lane), pack, sold, lines: sales.length }, at),
        start + step * tenMinutes,
        (last) => ({ ...last, sales: [...last.sales, ...sales] }),
        meanwhile,
      );
    count();
    redo.push(count);
  };
  const change = (step: number, meanwhile?: () => void) => {
    const at = position();
    const isStock = random() < 0.6;
    const stock = { onHand: pick(25), reserved: pick(4) - 1, countedAt: start + pick(step + 2) * tenMinutes };
    const sku = { reorderPoint: random() < 0.1 ? null : 5 + pick(6), status: random() < 0.9 ? 'active' : 'paused' };
    const images = isStock
      ? {
          stock: {
            position: at,
            fills: 0,
            ...stock,
            countedAt: new Date(stock.countedAt).toISOString(),
            committedAt: null,
            deleted: false,
          },
          sku: undefined,
        }
      : { stock: undefined, sku: { position: at, fills: 0, ...sku, deleted: false } };
    const apply = () =>
      world.commit(
        (before, circumstances) => withImages(before, images, circumstances),
        start + step * tenMinutes,
        (last) => ({ ...last, ...(isStock ? { stock } : { sku }) }),
        meanwhile,
      );
    // One that is late comes behind those that follow it.
    if (random() < 0.8) apply();
    redo.push(apply);
  };

  for (let step = 0; step < steps; step++) {
    const act = () => (random() < 0.6 ? sell : change);
    act()(step, random() < 0.2 ? () => act()(step) : undefined);
    if (random() < 0.4) redo[pick(redo.length)]!();
    if (random() < 0.3) world.publish(true);
  }
  world.publish(false);
  return { delivered: world.delivered, crossings: crossingsIn(world.history), versions: world.history.length };
}

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test(`${walks} walks around the reorder point: the ids delivered are the crossings of the committed history`, () => {
  let crossings = 0;
  let repeats = 0;
  const wrong: number[] = [];
  for (let seed = 1; seed <= walks; seed++) {
    const { delivered, crossings: due, versions } = walk(seed);
    if (JSON.stringify([...new Set(delivered)].sort()) !== JSON.stringify([...due].sort()) || versions === 0)
      wrong.push(seed);
    crossings += due.length;
    repeats += delivered.length - new Set(delivered).size;
  }

  expect(wrong).toEqual([]);
  // The walks are about something.
  expect(crossings).toBeGreaterThan(walks);
  expect(repeats).toBeGreaterThan(walks / 20);
});
