import { type Sale, saleKey, signOf } from '../../../base/domain/sale';

/** What one sale adds to one counter: an SKU sold at a location within ten minutes. */
export interface Count {
  /** `<sku>#<location>` */
  readonly item: string;
  /** Start of the ten minutes in which it was sold, by the source's clock: `2026-11-22T10:10Z`. */
  readonly bucket: string;
  /** Negative for returns. */
  readonly units: number;
  /** Lines, positive for returns too. */
  readonly lines: number;
}

/** A sale's counts, or a part of them, that are counted once under one claim. */
export interface Portion {
  /** `<source>#<transactionId>#<part>` */
  readonly claim: string;
  readonly counts: readonly Count[];
}

/** What one transaction writes: a claim per portion, and their counts added up by counter. */
export interface Pack<P extends Portion = Portion> {
  readonly portions: readonly P[];
  readonly totals: readonly Count[];
}

// TransactWriteItems takes 100 actions: the claims and the counters.
const actionsPerTransaction = 100;
const countsPerPortion = actionsPerTransaction - 1;

/**
 * Cuts a sale by the order of its SKUs into portions that fit into a transaction each. The cut depends on the event alone,
 * so the claims of one delivery are those of every other.
 */
export function portionsOf(sale: Sale): Portion[] {
  const bucket = bucketOf(sale.occurredAt);
  const bySku = new Map<string, { item: string; bucket: string; units: number; lines: number }>();
  for (const { sku, quantity } of sale.lines) {
    let count = bySku.get(sku);
    if (count === undefined) {
      count = { item: `${sku}#${sale.location}`, bucket, units: 0, lines: 0 };
      bySku.set(sku, count);
    }
    count.units += signOf(sale) * quantity;
    count.lines += 1;
  }
  const key = saleKey(sale);
  const counts = [...bySku.keys()].sort().map((sku) => bySku.get(sku)!);
  return Array.from({ length: Math.ceil(counts.length / countsPerPortion) }, (_, part) => ({
    claim: `${key}#${part}`,
    counts: counts.slice(part * countsPerPortion, (part + 1) * countsPerPortion),
  }));
}

/**
 * Packs portions into transactions, each claim once: by place and time, where sales share counters, as many as fit.
 */
export function packsOf<P extends Portion>(portions: readonly P[]): Pack<P>[] {
  const unique = new Map(portions.map((portion) => [portion.claim, portion]));
  const near = [...unique.values()].map((portion) => ({ portion, place: placeOf(portion) }));
  near.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  const packs: P[][] = [];
  let counters = new Set<string>();
  for (const { portion } of near) {
    const added = portion.counts.map(counterOf).filter((counter) => !counters.has(counter));
    const last = packs.at(-1);
    if (last !== undefined && last.length + 1 + counters.size + added.length <= actionsPerTransaction) {
      last.push(portion);
      for (const counter of added) counters.add(counter);
    } else {
      packs.push([portion]);
      counters = new Set(portion.counts.map(counterOf));
    }
  }
  return packs.map(packOf);
}

/** Adds up the counts of portions that go into one transaction. */
export function packOf<P extends Portion>(portions: readonly P[]): Pack<P> {
  const totals = new Map<string, { item: string; bucket: string; units: number; lines: number }>();
  for (const count of portions.flatMap(({ counts }) => counts)) {
    const total = totals.get(counterOf(count));
    if (total === undefined) totals.set(counterOf(count), { ...count });
    else {
      total.units += count.units;
      total.lines += count.lines;
    }
  }
  return { portions, totals: [...totals.values()] };
}

function bucketOf(occurredAt: string): string {
  return `${new Date(occurredAt).toISOString().slice(0, 15)}0Z`;
}

function counterOf({ item, bucket }: Count): string {
  return `${item}#${bucket}`;
}

function placeOf({ counts }: Portion): string {
  const { item, bucket } = counts[0]!;
  return `${item.slice(item.indexOf('#'))}#${bucket}#${item}`;
}
