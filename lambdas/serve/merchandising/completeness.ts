import { wholeSource } from '../../base/domain/completeness-mark';
import type { LaneMark, SourceArrival } from './time-series';

/** Up to which minute an answer is complete. */
export interface Completeness {
  /** The earliest of all that vouch; null where none does. */
  readonly completeThrough: string | null;
  readonly sources: readonly SourceCompleteness[];
}

export interface SourceCompleteness {
  readonly source: string;
  /** All its sales up to here are counted; null: it does not vouch. */
  readonly completeThrough: string | null;
  /** Which of its parts is the furthest behind, where it speaks by parts. */
  readonly slowestPart?: string;
  /** When its last sale occurred, among those of the last days: old beside a fresh mark, it is quiet; else it is silent. */
  readonly lastSaleAt: string | null;
}

const minuteMs = 60_000;

/**
 * What the marks say. A mark counts once it has come through every lane, since only then all that was sent before it is
 * written; where the lanes became more or fewer, the newest set that is whole counts. Of the parts of a source the
 * earliest one counts, and of the sources again.
 */
export function completenessOf(marks: readonly LaneMark[], arrivals: readonly SourceArrival[]): Completeness {
  const bySource = new Map<string, Map<string, LaneMark[]>>();
  for (const mark of marks) {
    const parts = bySource.get(mark.source) ?? new Map<string, LaneMark[]>();
    bySource.set(mark.source, parts);
    parts.set(mark.part, [...(parts.get(mark.part) ?? []), mark]);
  }
  const lastSales = new Map(arrivals.map(({ source, occurredAt }) => [source, occurredAt]));

  const sources = [...new Set([...bySource.keys(), ...lastSales.keys()])].sort().map((source): SourceCompleteness => {
    const parts = [...(bySource.get(source) ?? [])].map(([part, some]) => ({ part, through: throughAllLanes(some) }));
    const [slowest] = parts.sort((a, b) => (a.through ?? -Infinity) - (b.through ?? -Infinity));
    const lastSale = lastSales.get(source);
    return {
      source,
      completeThrough: slowest?.through === undefined ? null : minute(slowest.through),
      ...(slowest === undefined || slowest.part === wholeSource ? {} : { slowestPart: slowest.part }),
      lastSaleAt: lastSale === undefined ? null : new Date(lastSale).toISOString(),
    };
  });
  const vouched = sources.map(({ completeThrough }) => completeThrough).filter((through) => through !== null);
  return { completeThrough: vouched.sort()[0] ?? null, sources };
}

function throughAllLanes(marks: readonly LaneMark[]): number | undefined {
  const sets = new Map<string, LaneMark[]>();
  for (const mark of marks) {
    const set = mark.lane.slice(mark.lane.indexOf('/') + 1);
    sets.set(set, [...(sets.get(set) ?? []), mark]);
  }
  const whole = [...sets]
    .filter(([set, lanes]) => lanes.length >= lanesIn(set))
    .map(([, lanes]) => ({
      markedAt: Math.min(...lanes.map(({ markedAt }) => markedAt)),
      through: Math.min(...lanes.map(({ completeThrough }) => completeThrough)),
    }))
    .sort((a, b) => b.markedAt - a.markedAt);
  return whole[0]?.through;
}

/** `2x4`: each of two shards of the first stream went into each of four of the second. */
function lanesIn(set: string): number {
  return set.split('x').reduce((product, count) => product * Number(count), 1);
}

function minute(time: number): string {
  return new Date(Math.floor(time / minuteMs) * minuteMs).toISOString();
}
