import type { LocationKind } from '../../base/domain/stock-policy';

/**
 * Units sold by the time at which they were sold: ten minutes each (`1rz3k`, the number of the ten minutes since 1970 in
 * base 36), and whole days (`D` before the day's number) once they are old. Negative where more came back.
 */
export type SoldBuckets = Readonly<Record<string, number>>;

/** Units of one position by time, and what has become too old to be told apart. */
export interface Sold {
  readonly buckets: SoldBuckets;
  /** Units of times that no count has covered, from before `foldedUntil`. */
  readonly folded: number;
  /** Milliseconds; 0: nothing is folded. */
  readonly foldedUntil: number;
  /** Seconds: when something was last put into a day, which is when it was late. */
  readonly lateAt: number;
}

export const nothingSold: Sold = { buckets: {}, folded: 0, foldedUntil: 0, lateAt: 0 };

const tenMinutesMs = 600_000;
const dayMs = 86_400_000;
// A count that comes later than this after its own time finds days instead of ten minutes.
const fineMs = 1.5 * dayMs;

/** The ten minutes in which something happened. */
export function bucketAt(milliseconds: number): string {
  return Math.floor(milliseconds / tenMinutesMs).toString(36);
}

/** Until when, in milliseconds, the count covers what was sold; undefined: it covers nothing. */
export type Cutoff = number | undefined;

/**
 * Sold at times that a count does not cover. What was folded counts as long as any of it may be after the count: it errs
 * on the side of promising too little.
 */
export function soldSince({ buckets, folded, foldedUntil }: Sold, cutoff: Cutoff, kind: LocationKind): number {
  let units = cutoff === undefined || foldedUntil > cutoff ? folded : 0;
  for (const [bucket, count] of Object.entries(buckets)) if (!isCovered(bucket, cutoff, kind)) units += count;
  return units;
}

/** Adds what was sold, by ten minutes. */
export function withSold(sold: Sold, added: ReadonlyMap<string, number>, now: number): Sold {
  const buckets: Record<string, number> = { ...sold.buckets };
  let { lateAt } = sold;
  for (const [bucket, units] of added) {
    if (isOld(bucket, now)) lateAt = Math.floor(now / 1_000);
    buckets[bucket] = (buckets[bucket] ?? 0) + units;
  }
  return { ...sold, buckets, lateAt };
}

/**
 * Keeps a position small. Ten minutes that are old become days, but for the day of the count, whose parts still matter.
 * Days that are older than the horizon, and into which nothing has come for as long, go: if a count covers them, for good;
 * if none does, into a total. The horizon is the time in which a sale can still come, and in which a count can be restated.
 */
export function compacted(sold: Sold, cutoff: Cutoff, kind: LocationKind, now: number, horizonMs: number): Sold {
  const buckets: Record<string, number> = {};
  const add = (bucket: string, units: number) => {
    buckets[bucket] = (buckets[bucket] ?? 0) + units;
  };
  const countDay = cutoff === undefined ? undefined : Math.floor(cutoff / dayMs);
  const isQuiet = sold.lateAt * 1_000 + horizonMs <= now;
  let { folded, foldedUntil } = sold;
  // A newer count covers what was folded: it has done its duty.
  if (cutoff !== undefined && foldedUntil <= cutoff) {
    folded = 0;
    foldedUntil = 0;
  }
  for (const [bucket, units] of Object.entries(sold.buckets)) {
    const { start, end } = spanOf(bucket);
    if (end + horizonMs <= now && isQuiet) {
      if (isCovered(bucket, cutoff, kind)) continue;
      folded += units;
      foldedUntil = Math.max(foldedUntil, end);
    } else if (isOld(bucket, now) && Math.floor(start / dayMs) !== countDay)
      add(`D${Math.floor(start / dayMs).toString(36)}`, units);
    else add(bucket, units);
  }
  // What came back whole says nothing any more.
  for (const [bucket, units] of Object.entries(buckets)) if (units === 0) delete buckets[bucket];
  return { ...sold, buckets, folded, foldedUntil };
}

function isOld(bucket: string, now: number): boolean {
  return spanOf(bucket).end <= now - fineMs;
}

function isCovered(bucket: string, cutoff: Cutoff, { onHand }: LocationKind): boolean {
  if (cutoff === undefined) return false;
  const { start, end } = spanOf(bucket);
  return onHand === 'without-sales' ? end <= cutoff : start < cutoff;
}

function spanOf(bucket: string): { readonly start: number; readonly end: number } {
  const [size, number] = bucket.startsWith('D') ? [dayMs, bucket.slice(1)] : [tenMinutesMs, bucket];
  const start = Number.parseInt(number, 36) * size;
  return { start, end: start + size };
}
