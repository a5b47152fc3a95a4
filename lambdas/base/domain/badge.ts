import { centreClock } from './centre-clock';
import { heartbeatSlots } from './heartbeat-slots';

/** Why a SKU has its badge, or has none: the first that applies, in this order. */
export const badgeReasons = [
  'unknown-sku',
  'discontinued',
  'paused',
  'unknown-fc',
  'stale',
  'not-stocked',
  'out-of-stock',
  'past-cutoff',
  'fc-at-capacity',
  'in-stock',
] as const;

export type BadgeReason = (typeof badgeReasons)[number];

/** What a retailer decides about badges. The version names the decision in every answer. */
export interface BadgePolicy {
  readonly version: string;
  /** What is older than this earns no badge. */
  readonly maximumAgeSeconds: number;
  /** Units never promised, of SKUs that have no safety stock of their own. */
  readonly safetyStock: number;
  /** The part of a centre's daily capacity that badges may fill. */
  readonly capacityShare: number;
}

export interface BadgeRequest {
  readonly skus: readonly string[];
  /** At least one fulfilment centre, the nearest first. */
  readonly fcs: readonly string[];
}

export interface BadgeAnswer {
  readonly sku: string;
  readonly badge: boolean;
  readonly reason: BadgeReason;
  /** The centre that the answer speaks of; null where the reason is the SKU's own. */
  readonly fc: string | null;
  /** Units that can be promised there. */
  readonly available: number;
  /** Everything that was committed until then is in the answer; null when that cannot be said of any time. */
  readonly asOf: string | null;
  /** Whole seconds since `asOf`, rounded up; null with it. */
  readonly ageSeconds: number | null;
  /** Older than the policy allows, or of an age that cannot be said. */
  readonly stale: boolean;
}

/** What any item of the online table may say of itself. */
interface OnlineItem {
  /** A change of it is held since: later ones may have passed it. The rest of the item may be missing. */
  readonly heldSince?: string;
  /** Second of the epoch from which the item counts as absent, whether or not it was removed. */
  readonly expiresAt?: number;
}

export interface SkuItem extends OnlineItem {
  readonly status?: string;
  readonly safetyStock?: number;
}

export interface StockItem extends OnlineItem {
  readonly onHand?: number;
  readonly reserved?: number;
}

export interface CentreItem extends OnlineItem {
  readonly dailyCapacity?: number;
  readonly cutoff?: string;
  readonly timeZone?: string;
  /** Orders that are not cancelled, by promised day. */
  readonly promised?: Readonly<Record<string, number>>;
}

/** The beats of a source database as they came through, by slot. */
export interface BeatsItem extends OnlineItem {
  readonly beats?: Readonly<Record<string, string>>;
}

/** The source databases behind badges. */
export const badgeDatabases = ['inventory', 'orders'] as const;
export type BadgeDatabase = (typeof badgeDatabases)[number];

/** What an answer is computed from, by the names in the request. */
export interface BadgeItems {
  readonly sku: (sku: string) => SkuItem | undefined;
  readonly stock: (sku: string, fc: string) => StockItem | undefined;
  readonly centre: (fc: string) => CentreItem | undefined;
  readonly beats: (database: BadgeDatabase) => BeatsItem | undefined;
}

/** Instants are milliseconds; never: nothing can be said. */
const never = Number.NEGATIVE_INFINITY;

/** An answer before it is put into words. */
interface Verdict {
  readonly reason: BadgeReason;
  readonly fc: string | null;
  readonly available: number;
  readonly asOf: number;
}

/** A centre at the time of the request, the same for all SKUs. */
interface Centre {
  readonly fc: string;
  /** Undefined when the centre is unknown. */
  readonly closed?: 'past-cutoff' | 'fc-at-capacity' | 'no';
  readonly heldSince: number;
}

/**
 * Decides about the badges of a request, in its order. A pure function of what it is given.
 *
 * The first centre in the given order that can serve wins, and the answer is as old as what it needs: the databases, the
 * SKU, that centre and its stock. When none can serve, the answer speaks of the centre that got furthest through the
 * reasons (of several, the nearest), and is as old as the oldest part of all of them, since any could have changed it.
 */
export function evaluate(items: BadgeItems, request: BadgeRequest, policy: BadgePolicy, now: Date): BadgeAnswer[] {
  const at = now.getTime();
  const inventory = watermark(items.beats('inventory'));
  const both = Math.min(inventory, watermark(items.beats('orders')));
  const centres = request.fcs.map((fc) => centreAt(fc, items.centre(fc), policy, at));

  return request.skus.map((sku) => {
    const item = items.sku(sku);
    const skuHeldSince = heldSince(item);
    const reason = lifecycleReason(present(item, at));
    if (reason !== undefined)
      return inWords(sku, { reason, fc: null, available: 0, asOf: Math.min(inventory, skuHeldSince) }, policy, at);

    const verdicts = centres.map((centre): Verdict => {
      const { fc, closed } = centre;
      const known = Math.min(skuHeldSince, centre.heldSince);
      if (closed === undefined) return { reason: 'unknown-fc', fc, available: 0, asOf: Math.min(inventory, known) };
      const stock = items.stock(sku, fc);
      const asOf = Math.min(both, known, heldSince(stock));
      const available = availableOf(present(stock, at), item?.safetyStock ?? policy.safetyStock);
      const reason = isStale(asOf, policy, at) ? 'stale' : stockReason(available, closed);
      return { reason, fc, available: available ?? 0, asOf };
    });
    const server = verdicts.find((verdict) => verdict.reason === 'in-stock');
    if (server !== undefined) return inWords(sku, server, policy, at);
    const furthest = verdicts.reduce((best, verdict) => (rank(verdict) > rank(best) ? verdict : best));
    const asOf = Math.min(...verdicts.map((verdict) => verdict.asOf));
    return inWords(sku, { ...furthest, asOf }, policy, at);
  });
}

function lifecycleReason(item: SkuItem | undefined): BadgeReason | undefined {
  if (item?.status === 'active') return undefined;
  return item?.status === 'discontinued' || item?.status === 'paused' ? item.status : 'unknown-sku';
}

function stockReason(available: number | undefined, closed: 'past-cutoff' | 'fc-at-capacity' | 'no'): BadgeReason {
  if (available === undefined) return 'not-stocked';
  if (available <= 0) return 'out-of-stock';
  return closed === 'no' ? 'in-stock' : closed;
}

/** Whole units that can be promised. What cannot be (a negative reservation) never adds to them. */
function availableOf(stock: StockItem | undefined, safetyStock: number): number | undefined {
  if (stock?.onHand === undefined || stock.reserved === undefined) return undefined;
  return Math.max(0, Math.floor(stock.onHand - Math.max(0, stock.reserved) - Math.max(0, safetyStock)));
}

function centreAt(fc: string, item: CentreItem | undefined, policy: BadgePolicy, at: number): Centre {
  const { dailyCapacity, cutoff, timeZone, promised } = present(item, at) ?? {};
  const unknown = { fc, heldSince: heldSince(item) };
  // Orders may come in before their centre does: then there are counts, and nothing else.
  if (dailyCapacity === undefined || cutoff === undefined || timeZone === undefined) return unknown;
  const clock = centreClock(timeZone, cutoff, at);
  if (clock === undefined) return unknown;
  // 0.07 * 100 is a little more than 7 here, and the eighth order must not fit into it.
  const limit = Math.round(dailyCapacity * policy.capacityShare * 1e6) / 1e6;
  const isFull = (promised?.[clock.day] ?? 0) >= limit;
  return { ...unknown, closed: clock.isPastCutoff ? 'past-cutoff' : isFull ? 'fc-at-capacity' : 'no' };
}

/** Everything committed in the database before this came through: all of its beats did, and nothing older is held. */
function watermark(item: BeatsItem | undefined): number {
  let oldest = heldSince(item);
  for (const slot of heartbeatSlots) oldest = Math.min(oldest, instant(item?.beats?.[slot] ?? ''));
  return oldest;
}

function heldSince(item: OnlineItem | undefined): number {
  return item?.heldSince === undefined ? Number.POSITIVE_INFINITY : instant(item.heldSince);
}

function instant(text: string): number {
  const at = Date.parse(text);
  return Number.isNaN(at) ? never : at;
}

function present<Item extends OnlineItem>(item: Item | undefined, at: number): Item | undefined {
  return item?.expiresAt !== undefined && item.expiresAt * 1_000 <= at ? undefined : item;
}

const rank = ({ reason }: Verdict): number => badgeReasons.indexOf(reason);

const isStale = (asOf: number, { maximumAgeSeconds }: BadgePolicy, at: number) => at - asOf > maximumAgeSeconds * 1_000;

function inWords(sku: string, { reason, fc, available, asOf }: Verdict, policy: BadgePolicy, at: number): BadgeAnswer {
  // A source's clock may be ahead of ours: nothing is newer than now.
  const notAhead = Math.min(asOf, at);
  const isKnown = notAhead !== never;
  return {
    sku,
    badge: reason === 'in-stock',
    reason,
    fc,
    available,
    asOf: isKnown ? new Date(notAhead).toISOString() : null,
    ageSeconds: isKnown ? Math.ceil((at - notAhead) / 1_000) : null,
    stale: isStale(notAhead, policy, at),
  };
}
