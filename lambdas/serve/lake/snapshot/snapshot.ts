import { isoWeekOf, nextWeek, weekEnd, weekStart } from '../../../base/domain/iso-week';
import type { Column } from '../../../base/domain/lake-rows';
import { partitionColumn } from '../../../base/domain/sale-rows';
import { type SnapshotTable, snapshotTables, velocityDays } from '../../../base/domain/snapshot-tables';
import type { Selection, Statement } from './snapshot-queries';

/** A file of the lake, as it went into a snapshot. */
export interface InputFile {
  readonly key: string;
  readonly versionId: string;
  readonly bytes: number;
}

export interface StoredFile {
  /** In the snapshots' bucket. */
  readonly key: string;
  /** Where its rows were unloaded to. */
  readonly unloadedKey: string;
  readonly bytes: number;
}

export interface TableManifest extends Statement {
  readonly columns: readonly Pick<Column, 'name' | 'type'>[];
  readonly inputs: readonly InputFile[];
  readonly files: readonly StoredFile[];
  /** The query whose rows these are; it names its attempt. */
  readonly query: string;
}

/** What a snapshot is, in words that a program can check: it is there when its manifest is. */
export interface Manifest {
  readonly snapshot: string;
  readonly schemaVersion: number;
  /** Rows accepted before this, and in no earlier snapshot. */
  readonly cut: string;
  readonly attempt: string;
  readonly madeAt: string;
  readonly tables: Readonly<Record<SnapshotTable['name'], TableManifest>>;
}

/** A snapshot to be made. */
export interface Due {
  readonly snapshot: string;
  readonly cut: Date;
}

export interface Wishes {
  /** Make snapshots up to this week; without it, up to the last that has ended. */
  readonly week?: string;
  /** Close the current week at this time already: what it accepts after it belongs to the next. */
  readonly cut?: string;
}

/**
 * The snapshots that are due, oldest first: every week since the last snapshot, or since the lake's first date, that
 * ended long enough ago for its last rows to be delivered. Throws for a wish that cannot be granted.
 */
export function dueSnapshots(
  made: readonly Manifest[],
  firstDate: string | undefined,
  now: Date,
  settleHours: number,
  { week, cut }: Wishes = {},
): Due[] {
  if (week !== undefined && weekEnd(week) > now)
    throw new Error(`week ${week} ends at ${weekEnd(week).toISOString()}: only a week that has ended is made whole`);
  const newest = made.at(-1);
  const first = newest === undefined ? firstDate && isoWeekOf(new Date(firstDate)) : nextWeek(newest.snapshot);
  if (first === undefined || first === '') return [];
  const due: Due[] = [];
  for (let next = first; isDue(next); next = nextWeek(next)) due.push({ snapshot: next, cut: weekEnd(next) });
  if (cut === undefined) return due;

  const current = isoWeekOf(now);
  const at = new Date(cut);
  if (Number.isNaN(at.getTime()) || at > now || at < weekStart(current))
    throw new Error(
      `cut '${cut}' is not in the current week: use a time from ${weekStart(current).toISOString()} to now`,
    );
  const open = due.at(-1)?.snapshot ?? newest?.snapshot;
  if (open !== undefined && open >= current) throw new Error(`snapshot ${current} is there already: it never changes`);
  if (open !== undefined && nextWeek(open) !== current) throw new Error(`the weeks before ${current} come first`);
  return [...due, { snapshot: current, cut: at }];

  function isDue(candidate: string): boolean {
    if (week !== undefined) return candidate <= week;
    return weekEnd(candidate).getTime() + (cut === undefined ? settleHours : 0) * 3_600_000 <= now.getTime();
  }
}

/**
 * The first date whose files may hold rows that no snapshot has: as far before the last cut as a file can be late. All
 * dates, when there is no snapshot.
 */
export function listFrom(made: readonly Manifest[], fileDelayDays: number): string | undefined {
  const newest = made.at(-1);
  if (newest === undefined) return undefined;
  return new Date(Date.parse(newest.cut) - fileDelayDays * 86_400_000).toISOString().slice(0, 10);
}

/**
 * The files that a snapshot is made of: those of the dates that it is for, and of earlier dates all those to which a file
 * has come since, because a file that is late may repeat what is there.
 */
export function inputsOf(table: SnapshotTable, offered: readonly string[], made: readonly Manifest[]): string[] {
  const known = new Set(made.flatMap(({ tables }) => tables[table.name].inputs.map(({ key }) => key)));
  const closed = made.at(-1)?.cut.slice(0, 10) ?? '';
  const fresh = new Set<string>();
  for (const key of offered) if (dateOf(key) >= closed || !known.has(key)) fresh.add(dateOf(key));
  return offered.filter((key) => fresh.has(dateOf(key)));
}

/** What the queries of a snapshot must look back on, given the files that it is made of. */
export function selectionOf(
  inputs: readonly InputFile[],
  made: readonly Manifest[],
  { cut }: Due,
  attempt: string,
): Selection {
  const oldest = inputs.map(({ key }) => dateOf(key)).sort()[0] ?? cut.toISOString().slice(0, 10);
  const historyFrom = new Date(Date.parse(oldest) - velocityDays * 86_400_000);
  const since = (from: Date) => made.map(({ snapshot }) => snapshot).filter((one) => one >= isoWeekOf(from));
  return { attempt, cut, earlier: since(new Date(oldest)), history: since(historyFrom), historyFrom };
}

/** Why a snapshot is not what its manifest says; undefined when it is. */
export function differenceOf(said: Statement, found: Statement): string | undefined {
  for (const member of ['digest', 'rows', 'sales', 'salesOfEarlierWeeks'] as const)
    if (said[member] !== found[member]) return `${member} is ${found[member]}, the manifest says ${said[member]}`;
  for (const [name, sum] of Object.entries(said.sums))
    if (found.sums[name] !== sum) return `the sum of ${name} is ${found.sums[name]}, the manifest says ${sum}`;
  return undefined;
}

export function dateOf(key: string): string {
  return new RegExp(`/${partitionColumn}=([^/]+)/`).exec(key)?.[1] ?? '';
}

/** How many sales of a snapshot were sold in weeks before it, and how many it has. */
export function salesOf({ tables }: Manifest): { sales: number; salesOfEarlierWeeks: number } {
  const { sales, salesOfEarlierWeeks } = tables[snapshotTables[0]!.name];
  return { sales, salesOfEarlierWeeks };
}
