import { createHash } from 'node:crypto';

/** The files of a date, and whether the compacted ones are made of exactly these. */
export interface CompactedDate {
  readonly date: string;
  readonly keys: readonly string[];
  readonly isCompacted: boolean;
  /** It was, when it had other files. */
  readonly wasCompacted: boolean;
}

/** A name for a set of files: it is another one as soon as one file more is there. */
export function fingerprintOf(keys: readonly string[]): string {
  return createHash('sha256')
    .update([...keys].sort().join('\n'))
    .digest('hex')
    .slice(0, 32);
}

/** What lies under each date, oldest first, and what is marked as compacted of it (`date/fingerprint`). */
export function datesOf(
  keys: readonly string[],
  marks: readonly string[],
  dateOf: (key: string) => string,
): CompactedDate[] {
  const marked = new Set(marks);
  const datesMarked = new Set(marks.map((mark) => mark.split('/')[0]));
  const byDate = new Map<string, string[]>();
  for (const key of keys) byDate.set(dateOf(key), [...(byDate.get(dateOf(key)) ?? []), key]);
  return [...byDate]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([date, ofDate]) => ({
      date,
      keys: ofDate,
      isCompacted: marked.has(`${date}/${fingerprintOf(ofDate)}`),
      wasCompacted: datesMarked.has(date),
    }));
}

/** The dates to be compacted: those under which no file can come any more, and that are not compacted. */
export function dueDates(dates: readonly CompactedDate[], today: string, fileDelayDays: number): CompactedDate[] {
  const closedBefore = new Date(Date.parse(today) - fileDelayDays * 86_400_000).toISOString().slice(0, 10);
  return dates.filter(({ date, isCompacted }) => !isCompacted && date < closedBefore);
}

/**
 * The date before which the views read compacted files: the first that is not compacted, so that from there on they read
 * what Firehose has delivered. Undefined while nothing is compacted.
 */
export function compactedBefore(dates: readonly CompactedDate[]): string | undefined {
  const open = dates.findIndex(({ isCompacted }) => !isCompacted);
  if (open === 0 || dates.length === 0) return undefined;
  if (open > 0) return dates[open]!.date;
  return new Date(Date.parse(dates.at(-1)!.date) + 86_400_000).toISOString().slice(0, 10);
}
