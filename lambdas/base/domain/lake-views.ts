import type { Column, LakeRowTable } from './lake-rows';

/** What is asked of tables whose files may repeat rows: one row per key, in the same words on every engine. */

/**
 * A query for one row per key, the earliest; the same text for Athena, DuckDB, PostgreSQL and Redshift. `columns` may be
 * expressions.
 */
export function oneRowPerKey(
  table: LakeRowTable,
  from: string,
  columns: readonly string[] = table.columns.map(({ name }) => name),
): string {
  const names = table.columns.map(({ name }) => name).join(', ');
  return [
    `SELECT ${columns.join(', ')}`,
    'FROM (',
    `  SELECT ${names},`,
    `    ROW_NUMBER() OVER (PARTITION BY ${table.key.join(', ')} ORDER BY ${table.earliest}) AS repetition`,
    `  FROM ${from}`,
    ') AS numbered',
    'WHERE repetition = 1',
  ].join('\n');
}

/** The columns of a table's view: the table's, and the date by which its files lie. */
export function lakeViewColumns({ columns, partition: { column: name, comment } }: LakeRowTable): Column[] {
  return [...columns, { name, type: 'string', comment }];
}

/** Where the rows of old dates lie in few files. */
export const compactedName = ({ name }: LakeRowTable): string => `${name}_compacted`;

/**
 * One row per key of a table of the lake, the same text for Athena and DuckDB. Repeats meet under one date, so the date is
 * part of the key here: then a query for a date reaches through the view and reads that date's files only. Dates before
 * `compactedBefore` are read where they were compacted, which is one row per key already.
 */
export function lakeViewQuery(table: LakeRowTable, compactedBefore?: string): string {
  const columns = lakeViewColumns(table);
  const { column: date } = table.partition;
  const dated = { ...table, key: [date, ...table.key], columns };
  if (compactedBefore === undefined) return oneRowPerKey(dated, table.name);
  return [
    oneRowPerKey(dated, `${table.name}\n  WHERE ${date} >= '${compactedBefore}'`),
    'UNION ALL',
    `SELECT ${columns.map(({ name }) => name).join(', ')}`,
    `FROM ${compactedName(table)}`,
    `WHERE ${date} < '${compactedBefore}'`,
  ].join('\n');
}

/** One row per key of one date, as it was delivered. */
export function oneRowPerKeyOfDate(table: LakeRowTable, date: string): string {
  return oneRowPerKey(table, `${table.name}\n  WHERE ${table.partition.column} = '${date}'`);
}
