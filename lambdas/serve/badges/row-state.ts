import type { ColumnValue, Row } from '../../base/domain/source-columns';

/** What is known of a source row: its last image, or that it is gone, and since which position. */
export interface StoredRow {
  readonly position: string;
  readonly commitTime?: string;
  readonly row: Row;
  readonly deleted: boolean;
  /** Columns that the newest update did not send, with the position that their value is from. */
  readonly lagging: Readonly<Record<string, string>>;
  /** How often a late change has filled in such columns: together with the position it names this very image. */
  readonly fills: number;
  /** Of an order: what the last change of it that counted did. */
  readonly counted?: readonly Counted[];
}

/** What an order's change did to the count of a centre and day. */
export interface Counted {
  readonly fc: string;
  readonly day: string;
  readonly by: 1 | -1;
  /** The count's version that this change is part of, and what the count was then. */
  readonly version: number;
  readonly orders: number;
  /** Of the order. */
  readonly position: string;
  readonly commitTime?: string;
}

/** What a change does to one key. A change of the primary key is two of these. */
export interface RowChange {
  readonly position: string;
  readonly commitTime?: string;
  /** The row is exactly this; or these columns of it are; or it is gone. */
  readonly effect: 'replace' | 'merge' | 'delete';
  readonly row: Row;
}

/**
 * The row after one more change, in whatever order changes come and however often: the same changes always end in the
 * same row. Answers the very row that it was given when the change adds nothing.
 *
 * A late change still matters to columns that a newer update left out: their value is as old as it says in `lagging`.
 */
export function withChange(stored: StoredRow | undefined, change: RowChange, columns: readonly string[]): StoredRow {
  if (stored === undefined || change.position > stored.position) return newer(stored, change, columns);
  return change.position < stored.position ? withLate(stored, change) : stored;
}

function newer(stored: StoredRow | undefined, change: RowChange, columns: readonly string[]): StoredRow {
  const { position, commitTime, effect, row } = change;
  const at = { position, ...(commitTime === undefined ? {} : { commitTime }) };
  if (effect === 'delete') return { ...at, row: {}, deleted: true, lagging: {}, fills: 0 };
  const missing = effect === 'merge' ? columns.filter((column) => row[column] === undefined) : [];
  return {
    ...at,
    row: Object.fromEntries(columns.map((column) => [column, row[column] ?? before(column)])),
    deleted: false,
    lagging: Object.fromEntries(missing.map((column) => [column, stored?.lagging[column] ?? stored?.position ?? ''])),
    fills: 0,
  };

  function before(column: string): ColumnValue {
    const isKept = effect === 'merge' && row[column] === undefined;
    return isKept ? (stored?.row[column] ?? null) : null;
  }
}

function withLate(stored: StoredRow, { position, effect, row }: RowChange): StoredRow {
  const sent = Object.keys(stored.lagging).filter(
    (column) => stored.lagging[column]! < position && (effect !== 'merge' || row[column] !== undefined),
  );
  if (sent.length === 0) return stored;
  return {
    ...stored,
    row: { ...stored.row, ...Object.fromEntries(sent.map((column) => [column, row[column] ?? null])) },
    lagging: { ...stored.lagging, ...Object.fromEntries(sent.map((column) => [column, position])) },
    fills: stored.fills + 1,
  };
}
