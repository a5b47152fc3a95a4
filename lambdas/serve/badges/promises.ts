import type { StoredRow } from './row-state';

/** An order's part in a centre's load: it is promised from there for a day, and not cancelled. */
export interface Promised {
  readonly fc: string;
  readonly day: string;
}

/** By how much the orders of a centre for a day change. */
export interface CountChange extends Promised {
  readonly by: number;
}

// The day ends at another time in each zone, and nobody asks for a day that is over in all of them: a week is ample.
const keptDays = 7;

/** The first day that is still counted. Days only leave, so what left with a count in it is never counted down again. */
export function firstCountedDay(now: number): string {
  return new Date(now - keptDays * 86_400_000).toISOString().slice(0, 10);
}

/** What an order counts for; shipping frees no capacity, cancelling does. */
export function promisedBy(stored: StoredRow | undefined): Promised | undefined {
  if (stored === undefined || stored.deleted) return undefined;
  const { fc_id: fc, promised_date: day, status } = stored.row;
  if (typeof fc !== 'string' || typeof day !== 'string' || status === 'cancelled') return undefined;
  return { fc, day };
}

/** What an order's new row changes in the counts, as against the row that they hold now. */
export function countChanges(old: StoredRow | undefined, next: StoredRow, firstDay: string): CountChange[] {
  const was = promisedBy(old);
  const is = promisedBy(next);
  if (was?.fc === is?.fc && was?.day === is?.day) return [];
  const changes = [...(was === undefined ? [] : [{ ...was, by: -1 }]), ...(is === undefined ? [] : [{ ...is, by: 1 }])];
  return changes.filter(({ day }) => day >= firstDay);
}

/** Adds up changes by centre and day; what cancels out is left out. */
export function summed(changes: readonly CountChange[]): Map<string, Map<string, number>> {
  const byCentre = new Map<string, Map<string, number>>();
  for (const { fc, day, by } of changes) {
    const days = byCentre.get(fc) ?? new Map<string, number>();
    byCentre.set(fc, days);
    const sum = (days.get(day) ?? 0) + by;
    if (sum === 0) days.delete(day);
    else days.set(day, sum);
  }
  for (const [fc, days] of byCentre) if (days.size === 0) byCentre.delete(fc);
  return byCentre;
}
