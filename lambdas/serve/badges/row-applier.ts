import { type Change, positionOf } from '../../base/domain/change';
import { typedTable } from '../../base/domain/source-columns';
import type { SourceName } from '../../base/domain/source-tables';
import { backOff } from './dynamo-calls';
import type { Item } from './item-values';
import { type RowChange, type StoredRow, withChange } from './row-state';
import { type RowKey, type StateTable, type StateWrite, stateId } from './state-table';

/** What became of the rows that a batch spoke of. */
export interface Applied {
  /** Rows brought to a newer position. */
  applied: number;
  /** Rows found at the very position that came: repeats. */
  repeated: number;
  /** Rows found at a later one. */
  outdated: number;
}

/** Rows of state by `stateId`; those that are not in it are not in state. */
export type StoredRows = ReadonlyMap<string, StoredRow>;

/**
 * What was read a moment ago, for whoever could ask for it sooner: guesses, to be written on only on condition that they
 * still hold. What is missing was not there.
 */
export interface ReadAhead {
  readonly stored: StoredRows;
  /** Online items by partition key, of those that were asked for. */
  readonly online: ReadonlyMap<string, Item>;
}

/** All that a batch says about one row. */
export interface RowChanges extends RowKey {
  readonly changes: readonly RowChange[];
}

/** A row as it was read, and as it is to be. */
export type RowWork = StateWrite & { readonly changes: readonly RowChange[] };

/** What is made of rows beside their state. */
export interface RowView {
  /** Writes rows to state, and what must change with them; answers those that are no more as they were read. */
  write(changed: readonly RowWork[]): Promise<RowWork[]>;
  /** Serves rows that are in state. Must bear a repeat, and one that comes late. */
  serve(rows: readonly RowWork[]): Promise<void>;
}

const rounds = 10;

/**
 * Brings state and a view of it to what changes say. A row is written on condition of the version that was read, and
 * read again where that has changed, so any number of these may be at work on the same rows.
 */
export class RowApplier {
  constructor(
    private readonly state: Pick<StateTable, 'read'>,
    private readonly view: RowView,
  ) {}

  async apply(rows: readonly RowChanges[], ahead?: Pick<ReadAhead, 'stored'>): Promise<Applied> {
    const result: Applied = { applied: 0, repeated: 0, outdated: 0 };
    let open = rows;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`${open.length} rows are contended`);
      if (round > 1) await backOff(round);
      const stored = round === 1 && ahead !== undefined ? ahead.stored : await this.state.read(open);
      open = await this.#round(open, stored, result);
    }
    return result;
  }

  /** Answers the rows that have changed between reading and writing. */
  async #round(rows: readonly RowChanges[], known: StoredRows, result: Applied): Promise<RowChanges[]> {
    const changed: RowWork[] = [];
    const settled: RowWork[] = [];
    for (const row of rows) {
      const stored = known.get(stateId(row));
      const next = nextOf(row, stored);
      const work = { ...row, stored, next };
      if (next !== stored) changed.push(work);
      else if (row.changes.some((change) => isIn(change, next))) {
        result.repeated += 1;
        // State may have been written, and the view not: a crash between the two is mended here.
        settled.push(work);
      } else result.outdated += 1;
    }
    const failed = new Set(await this.view.write(changed));
    const written = changed.filter((work) => !failed.has(work));
    result.applied += written.length;
    await this.view.serve([...written, ...settled]);
    return [...failed];
  }
}

/** What the row is after its changes; the very row that is stored where they add nothing. */
export function nextOf({ table, changes }: RowChanges, stored: StoredRow | undefined): StoredRow {
  return changes.reduce<StoredRow | undefined>((image, change) => withChange(image, change, columnsOf(table)), stored)!;
}

/** Whether the stored row is what this change made of it, or filled in. */
function isIn({ position }: RowChange, stored: StoredRow): boolean {
  return position === stored.position || (stored.fills > 0 && Object.values(stored.lagging).includes(position));
}

/** A change and the epoch that it arrived in. */
export interface DatedChange {
  readonly change: Change;
  readonly epoch: number;
}

/** Gathers what changes say by row. A change of the primary key ends one row and makes another, at one position. */
export function byRow(changes: readonly DatedChange[]): RowChanges[] {
  const rows = new Map<string, { table: string; key: readonly string[]; changes: RowChange[] }>();
  for (const { change, epoch } of changes) {
    const { database, table, operation, key, oldKey, row, commitTime } = change;
    const at = { position: positionOf(epoch, change), ...(commitTime === undefined ? {} : { commitTime }) };
    const add = (rowKey: readonly string[], rowChange: RowChange) => {
      const place = { table: `${database}.${table}`, key: rowKey };
      const found = rows.get(stateId(place));
      if (found === undefined) rows.set(stateId(place), { ...place, changes: [rowChange] });
      else found.changes.push(rowChange);
    };
    if (oldKey !== undefined) add(oldKey, { ...at, effect: 'delete', row: {} });
    if (operation === 'delete') add(key, { ...at, effect: 'delete', row: {} });
    else {
      const isWhole = columnsOf(`${database}.${table}`).every((column) => row[column] !== undefined);
      const isPart = operation === 'update' && oldKey === undefined && !isWhole;
      add(key, { ...at, effect: isPart ? 'merge' : 'replace', row });
    }
  }
  return [...rows.values()];
}

/** The rows that changes are about, each once. */
export function rowsOf(changes: readonly Change[]): RowKey[] {
  const rows = new Map<string, RowKey>();
  for (const { database, table, key, oldKey } of changes)
    for (const rowKey of oldKey === undefined ? [key] : [oldKey, key]) {
      const row = { table: `${database}.${table}`, key: rowKey };
      rows.set(stateId(row), row);
    }
  return [...rows.values()];
}

const columns = new Map<string, readonly string[]>();

/** The canonical columns of a table, key included. */
export function columnsOf(table: string): readonly string[] {
  let known = columns.get(table);
  if (known === undefined) {
    const [database, name] = table.split('.') as [SourceName, string];
    known = Object.keys(typedTable(database, name)!.columns);
    columns.set(table, known);
  }
  return known;
}
