import { type ColumnKind, type ColumnValue, isSourceName, type Row, typedTable } from './source-columns';
import type { SourceName } from './source-tables';

/** One row's change as AWS DMS sends it, in the platform's words. */
export interface Change {
  readonly database: SourceName;
  readonly table: string;
  readonly operation: 'load' | 'insert' | 'update' | 'delete';
  /** Values of the key columns, as text: the new key where an update changed it. */
  readonly key: readonly string[];
  /** The row's columns as far as they were sent: on update one that did not change may be missing (TOAST). */
  readonly row: Row;
  /** The key before an update that changed it. */
  readonly oldKey?: readonly string[];
  /** UTC, ISO 8601; a load has none. */
  readonly commitTime?: string;
  /** `<LSN as 16 hex digits>:<index in the transaction, 10 digits>`, sortable; zeros for a load, which comes before all changes. */
  readonly logPosition: string;
}

/** What DMS says about tables and itself. Its place among the rows means nothing: it may lie on another shard. */
export interface ControlRecord {
  readonly control: string;
}

/** A record that says nothing we can use, and as much as could be read of what it is about. */
export interface UnreadableChange {
  readonly reason: string;
  readonly database?: SourceName;
  readonly table?: string;
  readonly key?: readonly string[];
  readonly commitTime?: string;
  readonly logPosition?: string;
}

const loadPosition = '0000000000000000:0000000000';
const operations = ['load', 'insert', 'update', 'delete'] as const;

/**
 * Reads a record of the `changes` stream. Tolerant where DMS's forms vary or are not documented (numbers as text, missing
 * columns, times without fraction), and strict about what they must mean: a value that is not one makes a reason, which
 * names the column, never its contents.
 */
export function parseChange(text: string): Change | ControlRecord | UnreadableChange {
  let record: any;
  try {
    record = JSON.parse(text);
  } catch {
    return { reason: 'not JSON' };
  }
  const metadata = record?.metadata;
  if (metadata === null || typeof metadata !== 'object') return { reason: 'metadata is missing' };
  if (metadata['record-type'] === 'control') return { control: String(metadata.operation) };

  const database = metadata['schema-name'];
  if (typeof database !== 'string' || !isSourceName(database))
    return { reason: 'schema-name: got none of ours, allowed: inventory, orders' };
  const commitTime = timestamp(metadata['commit-timestamp']);
  let known: Omit<UnreadableChange, 'reason'> = { database, ...(commitTime === undefined ? {} : { commitTime }) };
  const table = metadata['table-name'];
  const definition = typeof table === 'string' ? typedTable(database, table) : undefined;
  if (definition === undefined) return { ...known, reason: `table-name: got a table that ${database} does not have` };

  const key = keyOf(record.data, definition.key);
  if (key === undefined) return { ...known, table, reason: `key: got none, allowed: ${definition.key.join(', ')}` };
  known = { ...known, table, key };
  const operation = operations.find((each) => each === metadata.operation);
  if (operation === undefined) return { ...known, reason: `operation: got another, allowed: ${operations.join(', ')}` };

  const logPosition = operation === 'load' ? loadPosition : logPositionOf(metadata);
  if (logPosition === undefined)
    return { ...known, reason: 'stream-position or transaction-record-id: missing, or not as PostgreSQL has them' };
  known = { ...known, logPosition };
  const row: Record<string, ColumnValue> = {};
  // A delete may or may not come with its other columns, all null: they say nothing.
  if (operation !== 'delete')
    for (const [column, kind] of Object.entries<ColumnKind>(definition.columns)) {
      if (record.data[column] === undefined) continue;
      const value = columnValue(record.data[column], kind);
      if (value === undefined) return { ...known, reason: `${column}: not ${allowed(kind)}` };
      row[column] = value;
    }

  const before = record['before-image'];
  const oldKey = operation === 'update' ? keyOf({ ...record.data, ...before }, definition.key) : undefined;
  return {
    database,
    table,
    operation,
    key,
    row,
    ...(oldKey === undefined || oldKey.every((value, index) => value === key[index]) ? {} : { oldKey }),
    ...(commitTime === undefined || operation === 'load' ? {} : { commitTime }),
    logPosition,
  };
}

/** Where a change stands in the history of its row: by epoch first, then by the database's log; sortable as text. */
export function positionOf(epoch: number, { logPosition }: Pick<Change, 'logPosition'>): string {
  return `${epochText(epoch)}:${logPosition}`;
}

/** The position of what a load did not touch: after all of the epochs before, before all of its own. */
export function sweptPosition(epoch: number): string {
  return `${epochText(epoch)}:-`;
}

export function epochOf(position: string): number {
  return Number(position.slice(0, 6));
}

function epochText(epoch: number): string {
  return String(epoch).padStart(6, '0');
}

/** `00000002/7C007178.3.00000002/7C007178`: the log sequence number of the change comes first. */
function logPositionOf(metadata: Record<string, unknown>): string | undefined {
  const lsn = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})(?![0-9a-f])/i.exec(String(metadata['stream-position']));
  const index = integer(metadata['transaction-record-id']);
  if (lsn === null || index === undefined || index < 0 || index > 9_999_999_999) return undefined;
  const halves = lsn.slice(1).map((half) => half.toUpperCase().padStart(8, '0'));
  return `${halves.join('')}:${String(index).padStart(10, '0')}`;
}

function keyOf(data: unknown, columns: readonly string[]): string[] | undefined {
  if (data === null || typeof data !== 'object') return undefined;
  const key = columns.map((column) => name((data as Record<string, unknown>)[column]));
  return key.some((value) => value === undefined) ? undefined : (key as string[]);
}

/** Undefined for what the column cannot hold. */
function columnValue(value: unknown, kind: ColumnKind): ColumnValue | undefined {
  if (value === null) return null;
  if (typeof kind !== 'string') return kind.find((word) => word === value);
  switch (kind) {
    case 'name':
      return name(value);
    case 'text':
      return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
    case 'integer':
      return integer(value);
    case 'timestamp':
      return timestamp(value);
    case 'date':
      return date(value);
    case 'time':
      return /^([01]\d|2[0-4]):[0-5]\d/.exec(String(value))?.[0];
    case 'zone':
      return isZone(value) ? value : undefined;
  }
}

function allowed(kind: ColumnKind): string {
  return typeof kind === 'string' ? `a ${kind}` : `one of ${kind.join(', ')}`;
}

/** A part of a key. Keys of several parts are joined by `#`, so none may hold one. DMS rounds numbers beyond 16 digits. */
function name(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'string' && /^[^#]{1,128}$/.test(value) ? value : undefined;
}

function integer(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

/** As ISO 8601 in UTC with milliseconds at least, so that times sort as text; digits beyond are kept. */
function timestamp(value: unknown): string | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?$/.exec(String(value));
  if (parts === null) return undefined;
  const [, day, time, fraction = ''] = parts;
  const text = `${day}T${time}.${fraction.padEnd(6, '0')}Z`;
  return Number.isNaN(Date.parse(text)) ? undefined : text;
}

function date(value: unknown): string | undefined {
  const day = /^\d{4}-\d\d-\d\d/.exec(String(value))?.[0];
  return day !== undefined && !Number.isNaN(Date.parse(`${day}T00:00:00Z`)) ? day : undefined;
}

const zones = new Set<string>();

function isZone(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (zones.has(value)) return true;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: value });
  } catch {
    return false;
  }
  zones.add(value);
  return true;
}
