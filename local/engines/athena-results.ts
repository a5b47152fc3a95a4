import { DuckDBTimestampValue, type DuckDBValue } from '@duckdb/node-api';
import { parse } from 'csv-parse/sync';
import { RefusedSql } from './redshift-tokens';

/** A column of a result, with its type in Athena's words. */
export interface ResultColumn {
  readonly name: string;
  readonly type: string;
}

type Row = readonly (string | null)[];

const typeNames: Readonly<Record<string, string>> = {
  VARCHAR: 'varchar',
  INTEGER: 'integer',
  BIGINT: 'bigint',
  // What a sum of whole numbers is to DuckDB; to Athena it stays a bigint, or fails.
  HUGEINT: 'bigint',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  BLOB: 'varbinary',
};

/** The columns of a result, from DuckDB's description of it. */
export function resultColumns(described: readonly ResultColumn[]): ResultColumn[] {
  return described.map(({ name, type }, at) => {
    const known = type.startsWith('DECIMAL') ? 'decimal' : typeNames[type];
    if (known === undefined) throw new RefusedSql(`type ${type} of a result is not modelled locally`);
    // DuckDB names an expression after its text, Athena by its place.
    return { name: /^\w+$/.test(name) ? name : `_col${at}`, type: known };
  });
}

/** A row as Athena writes its values. */
export function textsOf(row: readonly DuckDBValue[], columns: readonly ResultColumn[]): Row {
  return row.map((value, at) => {
    if (value === null) return null;
    const { name, type } = columns[at]!;
    if (type === 'bigint' && BigInt.asIntN(64, BigInt(value as bigint)) !== BigInt(value as bigint))
      throw new RefusedSql(`NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow in ${name}`);
    if (type === 'double') return doubleText(value as number);
    if (value instanceof DuckDBTimestampValue)
      return new Date(Number(value.micros / 1_000n)).toISOString().replace('T', ' ').replace('Z', '');
    return String(value);
  });
}

/** As Java writes a double. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e7)) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`;
}

/** A result as the CSV that Athena leaves in S3: values in quotes, a null without. */
export function toCsv(columns: readonly ResultColumn[], rows: readonly Row[]): string {
  const line = (row: Row) => row.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',');
  return [columns.map(({ name }) => name), ...rows].map((row) => `${line(row)}\n`).join('');
}

/** The rows of such a CSV, the header among them. */
export function fromCsv(text: string): Row[] {
  return parse(text, {
    cast: (value, { quoting }) => (quoting || value !== '' ? value : null),
    relax_column_count: false,
  });
}
