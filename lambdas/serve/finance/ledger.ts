import { oneRowPerKey } from '../../base/domain/lake-views';
import type { Column, RowTable } from '../../base/domain/sale-rows';
import { bookedColumns } from './booked-columns';

/**
 * A load as SQL: files are copied as the rows' definition has them, and booked as far as the ledger has their columns.
 * Everything here runs on Redshift and on PostgreSQL but the attributes, which say how Redshift lays a table out and
 * nothing about what is in it.
 */

/** What only Redshift knows: rows of one sale or payment lie together, days are found without a scan. */
export const layoutOf: Readonly<Record<string, string>> = {
  sale_lines: 'DISTSTYLE KEY DISTKEY (transaction_id) COMPOUND SORTKEY (business_date, source, transaction_id)',
  sale_tenders: 'DISTSTYLE KEY DISTKEY (transaction_id) COMPOUND SORTKEY (business_date, source, transaction_id)',
  loaded_files: 'DISTSTYLE ALL SORTKEY (accepted_date)',
  day_reports: 'DISTSTYLE ALL SORTKEY (business_date)',
  day_report_totals: 'DISTSTYLE ALL SORTKEY (business_date)',
  schema_versions: 'DISTSTYLE ALL',
  settlement_files: 'DISTSTYLE ALL SORTKEY (last_settled_date)',
  settlement_batches: 'DISTSTYLE ALL SORTKEY (gateway)',
  settlement_lines: 'DISTSTYLE KEY DISTKEY (gateway_reference) COMPOUND SORTKEY (settled_date, gateway, batch)',
  reconciliation_matches: 'DISTSTYLE KEY DISTKEY (settlement_line_id) COMPOUND SORTKEY (business_date, gateway)',
  reconciliation_breaks: 'DISTSTYLE KEY DISTKEY (break_id) COMPOUND SORTKEY (business_date, gateway, class)',
  reconciliation_totals: 'DISTSTYLE ALL SORTKEY (business_date)',
  reconciliation_runs: 'DISTSTYLE ALL SORTKEY (business_date)',
  reconciliation_resolutions: 'DISTSTYLE KEY DISTKEY (break_id) SORTKEY (resolved_at)',
};

/** Columns that are dates in the ledger and text in the files. */
const dates = new Set(['business_date']);

/** What a row has beside what the sale said: when it was new to the ledger, and by which load. */
const loadedAt = 'loaded_at';
const loadNumber = 'load_number';

/** Puts Redshift's attributes behind a `CREATE TABLE finance.x (...)`. */
export function withLayout(statement: string): string {
  const name = /^CREATE TABLE (?:IF NOT EXISTS )?finance\.(\w+)/.exec(statement)?.[1];
  return name !== undefined && name in layoutOf ? `${statement}\n${layoutOf[name]}` : statement;
}

/**
 * The number of the load that is under way. It holds the lock of the loads until it is committed: so numbers are given in
 * the order in which loads become visible, and a later number is not seen by whoever has seen an earlier one only.
 */
export const createThisLoad =
  'CREATE TEMP TABLE this_load AS\nSELECT COALESCE(MAX(load_number), 0) + 1 AS load_number\nFROM finance.loaded_files';

/** Where files are copied to first: the files' columns, in the files' order, since Parquet is copied by position. */
export function createCopied({ name, columns }: RowTable): string {
  return `CREATE TEMP TABLE copied_${name} (\n${columns
    .map((column) => `  ${column.name} ${sqlType(column)}`)
    .join(',\n')}\n)`;
}

/** FILLRECORD: files of before a column came lack it at their end, and have null there. */
export function copyFiles({ name }: RowTable, manifest: string, roleArn: string): string {
  return `COPY copied_${name} FROM ${manifest}\nIAM_ROLE ${roleArn}\nFORMAT AS PARQUET MANIFEST FILLRECORD`;
}

/** One row per key of what was copied, as the ledger's columns. MERGE takes no row twice, and no query as its source. */
export function createArrived(table: RowTable, loadedAtLiteral: string): string {
  const columns = bookedColumns[table.name].map((name) =>
    dates.has(name) ? `CAST(${name} AS date) AS ${name}` : name,
  );
  const query = oneRowPerKey(table, `copied_${table.name}`, [
    ...columns,
    `${loadedAtLiteral} AS ${loadedAt}`,
    `(SELECT ${loadNumber} FROM this_load) AS ${loadNumber}`,
  ]);
  return `CREATE TEMP TABLE arrived_${table.name} DISTKEY (transaction_id) AS\n${query}`;
}

/**
 * Books what is new and leaves what is booked: Redshift's MERGE must do something to a row that matches, so it sets the
 * last part of the key to what it is.
 */
export function mergeArrived({ name, key }: RowTable): string {
  const ledger = `finance.${name}`;
  const arrived = `arrived_${name}`;
  const names = [...bookedColumns[name], loadedAt, loadNumber];
  const last = key.at(-1);
  return [
    `MERGE INTO ${ledger}`,
    `USING ${arrived}`,
    `ON ${key.map((column) => `${ledger}.${column} = ${arrived}.${column}`).join(' AND ')}`,
    `WHEN MATCHED THEN UPDATE SET ${last} = ${arrived}.${last}`,
    `WHEN NOT MATCHED THEN INSERT (${names.join(', ')})`,
    `VALUES (${names.map((column) => `${arrived}.${column}`).join(', ')})`,
  ].join('\n');
}

function sqlType({ type, bytes }: Column): string {
  return type === 'string' ? `varchar(${bytes})` : type;
}
