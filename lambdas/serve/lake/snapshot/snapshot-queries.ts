import type { Column } from '../../../base/domain/lake-rows';
import {
  attemptColumn,
  milliseconds,
  type SnapshotTable,
  snapshotColumn,
  snapshotColumns,
  snapshotTables,
} from '../../../base/domain/snapshot-tables';

/** What decides which rows a snapshot holds, beside the files that it is made of. */
export interface Selection {
  /** Names the lists of files (`inputsKey`) that Athena reads. */
  readonly attempt: string;
  /** Rows accepted before this. */
  readonly cut: Date;
  /** Earlier snapshots that may hold rows of these files already. */
  readonly earlier: readonly string[];
  /** Earlier snapshots in which cards are looked back on, and from when. */
  readonly history: readonly string[];
  readonly historyFrom: Date;
}

/**
 * The rows of a snapshot: one per key of what was accepted before the cut and is in no earlier snapshot. The same text on
 * Athena and DuckDB; it gives the same rows whenever it runs, since neither its files nor earlier snapshots ever change.
 */
export function snapshotRows(table: SnapshotTable, selection: Selection): string {
  const { source, derived } = table;
  const names = source.columns.map(({ name }) => name);
  const key = source.key.map((name) => `earlier.${name} = taken.${name}`);
  const taken = [
    `SELECT ${names.map((name) => `taken.${name}`).join(', ')}`,
    'FROM (',
    `  SELECT ${names.join(', ')}, ROW_NUMBER() OVER (PARTITION BY ${source.key.join(', ')} ORDER BY accepted_at) AS repetition`,
    `  FROM ${table.inputs}`,
    `  WHERE ${attemptColumn} = '${selection.attempt}' AND accepted_at < ${timestamp(selection.cut)}`,
    ') AS taken',
    ...(selection.earlier.length === 0
      ? ['WHERE repetition = 1']
      : [
          'LEFT JOIN (',
          `  SELECT DISTINCT ${source.key.join(', ')} FROM ${table.name} WHERE ${among(selection.earlier)}`,
          `) AS earlier ON ${key.join(' AND ')}`,
          `WHERE taken.repetition = 1 AND earlier.${source.key[0]} IS NULL`,
        ]),
  ].join('\n');
  if (derived.length === 0) return taken;
  const history =
    selection.history.length === 0
      ? ''
      : `\nUNION ALL\nSELECT ${names.join(', ')}, 0 AS is_new FROM ${table.name}\nWHERE ${among(selection.history)} AND accepted_at >= ${timestamp(selection.historyFrom)}`;
  const columns = snapshotColumns(table).map(({ name }) => name);
  return [
    `SELECT ${columns.join(', ')}`,
    'FROM (',
    `SELECT ${names.join(', ')}, is_new,`,
    derived.map(({ name, expression }) => `  ${expression} AS ${name}`).join(',\n'),
    'FROM (',
    `SELECT ${names.join(', ')}, 1 AS is_new FROM (`,
    taken,
    `) AS fresh${history}`,
    ') AS known',
    ') AS derived',
    'WHERE is_new = 1',
  ].join('\n');
}

/** The rows that a snapshot has stored. */
export function storedRows(table: SnapshotTable, snapshot: string): string {
  const columns = snapshotColumns(table).map(({ name }) => name);
  return `SELECT ${columns.join(', ')} FROM ${table.name} WHERE ${snapshotColumn} = '${snapshot}'`;
}

/** What is stated of a snapshot's rows of one table. */
export interface Statement {
  readonly rows: number;
  readonly sums: Readonly<Record<string, string>>;
  /** The same for the same rows in any order; see `statementQuery`. */
  readonly digest: string;
  readonly sales: number;
  /** Sales that occurred before the snapshot's week. */
  readonly salesOfEarlierWeeks: number;
}

/**
 * States rows: how many, their sums, how many sales, and four sums of 64 bits each of every row's SHA-256, which do not
 * depend on the order of the rows. A row is hashed as the text of its columns, each with its length before it, so that no
 * two rows have one text.
 */
export function statementQuery(
  rows: string,
  columns: readonly Pick<Column, 'name' | 'type'>[],
  sums: readonly string[],
  weekStart: Date,
): string {
  const texts = columns.map(({ name, type }) => {
    const text = `CAST(${type === 'timestamp' ? milliseconds(name) : name} AS varchar)`;
    return `COALESCE(CAST(length(${text}) AS varchar) || ':' || ${text}, '-')`;
  });
  const words = [1, 17, 33, 49].map(
    (from) => `SUM(CAST(from_big_endian_64(from_hex(substr(hash, ${from}, 16))) AS decimal(38, 0)))`,
  );
  return [
    'SELECT COUNT(*), COUNT(DISTINCT sale), COUNT(DISTINCT CASE WHEN is_earlier = 1 THEN sale END),',
    [...words, ...sums.map((name) => `SUM(${name})`)].join(',\n'),
    'FROM (',
    `SELECT source || '#' || transaction_id AS sale, CASE WHEN occurred_at < ${timestamp(weekStart)} THEN 1 ELSE 0 END AS is_earlier,`,
    `${sums.map((name) => `${name}, `).join('')}to_hex(sha256(to_utf8(${texts.join(' || ')}))) AS hash`,
    `FROM (\n${rows}\n) AS stated_rows`,
    ') AS hashed',
  ].join('\n');
}

/** Reads the one row that `statementQuery` gives. */
export function statementOf(row: readonly (string | null)[], sums: readonly string[]): Statement {
  const [rows, sales, salesOfEarlierWeeks, ...rest] = row.map((value) => value ?? '0');
  return {
    rows: Number(rows),
    sums: Object.fromEntries(sums.map((name, place) => [name, rest[4 + place]!])),
    digest: rest
      .slice(0, 4)
      .map((word) => BigInt.asUintN(64, BigInt(word)).toString(16).padStart(16, '0'))
      .join(''),
    sales: Number(sales),
    salesOfEarlierWeeks: Number(salesOfEarlierWeeks),
  };
}

export function unload(rows: string, location: string): string {
  return `UNLOAD (\n${rows}\n)\nTO '${location}'\nWITH (format = 'PARQUET', compression = 'SNAPPY')`;
}

/** The views that people train on: every snapshot up to the newest, which each row names as `as_of`. */
export function trainingViews(snapshots: readonly string[]): string[] {
  const newest = [...snapshots].sort().at(-1);
  return snapshotTables.map((table) => {
    const columns = [...snapshotColumns(table).map(({ name }) => name), snapshotColumn];
    return `CREATE OR REPLACE VIEW ${table.view} AS\nSELECT ${columns.join(', ')}, '${newest}' AS as_of\nFROM ${table.name}\nWHERE ${among(snapshots)}`;
  });
}

function among(snapshots: readonly string[]): string {
  return `${snapshotColumn} IN (${snapshots.map((snapshot) => `'${snapshot}'`).join(', ')})`;
}

function timestamp(time: Date): string {
  return `TIMESTAMP '${time.toISOString().slice(0, 23).replace('T', ' ')}'`;
}
