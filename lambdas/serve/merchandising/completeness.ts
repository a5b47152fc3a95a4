import { wholeSource } from '../../base/domain/completeness-mark';
import type { PartMarks, SourceArrival, Unreadable } from './time-series';

/** Up to which minute an answer is complete. */
export interface Completeness {
  /** The earliest of all that vouch; null where none does, or one has begun to and its marks have not come through yet. */
  readonly completeThrough: string | null;
  readonly sources: readonly SourceCompleteness[];
}

export interface SourceCompleteness {
  readonly source: string;
  /** All its sales up to here are counted; null: it does not vouch. */
  readonly completeThrough: string | null;
  /** Which of its parts is the furthest behind, where it speaks by parts. */
  readonly slowestPart?: string;
  /** Sales of it that were accepted can be read by then: late ones, or such that a clock was ahead of. */
  readonly unreadableUntil?: string;
  /** When its last sale occurred, among those of the last days: old beside a fresh mark, it is quiet; else it is silent. */
  readonly lastSaleAt: string | null;
}

const minuteMs = 60_000;

/**
 * What the marks say. A mark counts once it has come through every lane, since only then all that was sent before it is
 * written; where the lanes became more or fewer, the newest set that is whole counts. Of the parts of a source the
 * earliest one counts, and of the sources again. Marks and arrivals may be of several looks: the newest count.
 * What cannot be read yet is not vouched for.
 */
export function completenessOf(
  marks: readonly PartMarks[],
  arrivals: readonly SourceArrival[],
  unreadable: readonly Unreadable[] = [],
): Completeness {
  const bySource = new Map<string, Map<string, PartMarks[]>>();
  for (const mark of marks) {
    const parts = bySource.get(mark.source) ?? new Map<string, PartMarks[]>();
    bySource.set(mark.source, parts);
    const sets = parts.get(mark.part);
    if (sets === undefined) parts.set(mark.part, [mark]);
    else sets.push(mark);
  }
  const inOrder = [...arrivals].sort((a, b) => a.acceptedAt - b.acceptedAt);
  const lastSales = new Map(inOrder.map(({ source, occurredAt }) => [source, occurredAt]));

  const sources = [...new Set([...bySource.keys(), ...lastSales.keys()])].sort().map((source): SourceCompleteness => {
    const parts = [...(bySource.get(source) ?? [])].map(([part, some]) => ({ part, through: throughAllLanes(some) }));
    const [slowest] = parts.sort((a, b) => (a.through ?? -Infinity) - (b.through ?? -Infinity));
    const lastSale = lastSales.get(source);
    const lacking = unreadable.filter((some) => some.source === source);
    const through = slowest?.through && Math.min(slowest.through, ...lacking.map(({ occurredAt }) => occurredAt));
    return {
      source,
      completeThrough: through === undefined ? null : minute(through),
      ...(slowest === undefined || slowest.part === wholeSource ? {} : { slowestPart: slowest.part }),
      ...(lacking.length === 0 ? {} : { unreadableUntil: iso(Math.max(...lacking.map(({ until }) => until))) }),
      lastSaleAt: lastSale === undefined ? null : iso(lastSale),
    };
  });
  const vouching = sources.filter(({ source }) => bySource.has(source)).map(({ completeThrough }) => completeThrough);
  // A source of which nobody knows up to when is no reason to believe the others.
  return { completeThrough: vouching.includes(null) ? null : (vouching.sort()[0] ?? null), sources };
}

function throughAllLanes(sets: readonly PartMarks[]): number | undefined {
  const whole = sets.filter(({ set, lanes }) => lanes >= lanesIn(set)).sort((a, b) => b.markedAt - a.markedAt);
  return whole[0]?.completeThrough;
}

/** A mark as it came through one lane, `<number>.<number>/<count>x<count>` of the shards. */
export interface LaneMark extends Pick<PartMarks, 'source' | 'part' | 'completeThrough' | 'markedAt'> {
  readonly lane: string;
}

/** Puts the lanes of a set together, for a database that cannot. */
export function partMarksOf(marks: Iterable<LaneMark>): PartMarks[] {
  const found = new Map<string, PartMarks>();
  for (const { source, part, lane, completeThrough, markedAt } of marks) {
    const set = lane.slice(lane.indexOf('/') + 1);
    const id = JSON.stringify([source, part, set]);
    const known = found.get(id) ?? { lanes: 0, completeThrough, markedAt };
    found.set(id, {
      ...{ source, part, set },
      lanes: known.lanes + 1,
      completeThrough: Math.min(known.completeThrough, completeThrough),
      markedAt: Math.min(known.markedAt, markedAt),
    });
  }
  return [...found.values()];
}

function lanesIn(set: string): number {
  return set.split('x').reduce((product, count) => product * Number(count), 1);
}

function minute(time: number): string {
  return iso(Math.floor(time / minuteMs) * minuteMs);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
