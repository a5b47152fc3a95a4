import { AwsError } from './engine';
import type { GlueTable } from './glue';
import type { ParquetColumn } from './s3-parquet';

/** A row that fits the table, as JSON that DuckDB reads without doubt, or why it does not fit. */
export type Fitted = { readonly row: string } | { readonly problem: string };

/** A Glue table, ready to check rows against it. */
export interface RowSchema {
  readonly columns: readonly ParquetColumn[];
  /** Fits one object to the table like the OpenX SerDe: other fields are dropped, missing ones are null. */
  fit(text: string, value: Readonly<Record<string, unknown>>): Fitted;
  /** The same row with nothing but the table's fields, for what the reader of the row stumbles over. */
  rewritten(row: string): string;
}

/** Answers the value in the column's type: the same value where it already is, undefined where it cannot be. */
type Coercion = (value: NonNullable<unknown>) => NonNullable<unknown> | undefined;

/** Prepares a table's columns; a type that is not modelled is refused. */
export function rowSchemaOf(table: GlueTable): RowSchema {
  const columns = table.StorageDescriptor.Columns.map(({ Name, Type }) => ({
    name: Name.toLowerCase(),
    ...columnType(Type, `${table.DatabaseName}.${table.Name}.${Name}`),
  }));
  if (columns.length === 0) {
    throw new AwsError('InvalidArgumentException', `glue table ${table.DatabaseName}.${table.Name} has no columns`);
  }

  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    fit(text, value) {
      const folded = withLowerCaseKeys(value);
      let asIs = folded === value;
      let row: Record<string, unknown> | undefined;
      for (const { name, coerce } of columns) {
        const given = folded[name];
        if (given === undefined || given === null) continue;
        const fitting = coerce(given);
        if (fitting === undefined)
          return { problem: `Data does not match the schema. For input string: ${quoted(given)}` };
        if (fitting !== given) {
          asIs = false;
          row ??= {};
          row[name] = fitting;
        }
      }
      // The sender's own text keeps digits that a JavaScript number would lose.
      if (asIs) return { row: text };
      return { row: JSON.stringify(picked({ ...folded, ...row })) };
    },
    rewritten: (row) => JSON.stringify(picked(JSON.parse(row)), (_, value) => wellFormed(value)),
  };

  function picked(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries(columns.map(({ name }) => [name, value[name]]));
  }
}

function columnType(glueType: string, where: string): { type: string; coerce: Coercion } {
  const type = glueType.trim().toLowerCase();
  const decimal = /^decimal\((\d{1,2}),\s*(\d{1,2})\)$/.exec(type);
  if (decimal !== null) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
    if (precision >= 1 && precision <= 38 && scale <= precision) {
      return { type: `DECIMAL(${precision},${scale})`, coerce: decimalOf(precision, scale) };
    }
  }
  const known: Record<string, { type: string; coerce: Coercion }> = {
    string: { type: 'VARCHAR', coerce: textOf },
    int: { type: 'INTEGER', coerce: integerOf(-(2 ** 31), 2 ** 31 - 1) },
    // The largest doubles inside the range of 64 bits.
    bigint: { type: 'BIGINT', coerce: integerOf(-(2 ** 63), 2 ** 63 - 1024) },
    double: { type: 'DOUBLE', coerce: numberOf },
    boolean: { type: 'BOOLEAN', coerce: booleanOf },
    date: { type: 'DATE', coerce: dateOf },
    timestamp: { type: 'TIMESTAMP', coerce: timestampOf },
  };
  const found = known[type];
  if (found === undefined) {
    const allowed = `${Object.keys(known).join(', ')}, decimal(p,s)`;
    throw new AwsError('InvalidArgumentException', `glue type ${glueType} of ${where} is not modelled: use ${allowed}`);
  }
  return found;
}

const textOf: Coercion = (value) =>
  typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);

function integerOf(least: number, most: number): Coercion {
  return (value) => {
    if (typeof value === 'string' && /^[+-]?\d+$/.test(value.trim())) {
      const parsed = BigInt(value.trim().replace('+', ''));
      // As text, which DuckDB casts without loss.
      return Number(parsed) >= least && Number(parsed) <= most ? parsed.toString() : undefined;
    }
    return Number.isInteger(value) && (value as number) >= least && (value as number) <= most ? value : undefined;
  };
}

const numberOf: Coercion = (value) => {
  if (typeof value === 'number') return value;
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  return Number.isFinite(parsed) ? parsed : undefined;
};

const booleanOf: Coercion = (value) => {
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  return text === 'true' ? true : text === 'false' ? false : undefined;
};

/** As text in any case: a number would reach DuckDB as a double and be rounded as one. */
function decimalOf(precision: number, scale: number): Coercion {
  return (value) => {
    const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
    const match = /^([+-]?)0*(\d*)(?:\.(\d*))?$/.exec(text);
    if (match === null || (match[2] === '' && !/\d/.test(text))) return undefined;
    const [, sign, whole = '', fraction = ''] = match;
    const kept = BigInt(`${whole}${fraction.slice(0, scale).padEnd(scale, '0')}` || '0');
    const units = (fraction[scale] ?? '0') >= '5' ? kept + 1n : kept;
    if (units >= 10n ** BigInt(precision)) return undefined;
    const digits = units.toString().padStart(scale + 1, '0');
    const cut = digits.length - scale;
    return `${sign === '-' ? '-' : ''}${digits.slice(0, cut)}${scale === 0 ? '' : `.${digits.slice(cut)}`}`;
  };
}

const dateOf: Coercion = (value) => {
  const match = typeof value === 'string' ? /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(value) : null;
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return isDay(year, month, day) ? value : undefined;
};

const plainTimestamp = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d{1,9})?$/;
const isoTimestamp = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?Z$/;

/**
 * The formats that Firehose's guide lists for the OpenX SerDe: with a blank, ISO in UTC, and seconds or milliseconds since
 * 1970 (docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html). Offsets are not among them.
 */
const timestampOf: Coercion = (value) => {
  if (typeof value === 'number') return sinceEpoch(value);
  if (typeof value !== 'string') return undefined;
  const match = plainTimestamp.exec(value) ?? isoTimestamp.exec(value);
  if (match === null) return /^\d+(\.\d+)?$/.test(value) ? sinceEpoch(Number(value)) : undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const valid = isDay(year, month, day) && hour < 24 && minute < 60 && second < 60;
  if (!valid) return undefined;
  // DuckDB reads both forms, but not single digits.
  if (match[2]!.length + match[3]!.length + match[4]!.length + match[5]!.length + match[6]!.length === 10) return value;
  const two = (digits: number) => String(digits).padStart(2, '0');
  return `${match[1]}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}${match[7] ?? ''}`;
};

/** Firehose takes what is below 10^12 for seconds. */
function sinceEpoch(value: number): string | undefined {
  const milliseconds = Math.round(Math.abs(value) < 1e12 ? value * 1000 : value);
  if (Math.abs(milliseconds) > 8.64e15) return undefined;
  return new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', '');
}

function isDay(year: number, month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** The SerDe does not mind the case of keys. The same object if there is nothing to change. */
function withLowerCaseKeys(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  for (const key in value) {
    if (key === key.toLowerCase()) continue;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
  }
  return value;
}

const quoted = (value: unknown) => JSON.stringify(typeof value === 'string' ? value : JSON.stringify(value));
const wellFormed = (value: unknown) =>
  // Half a surrogate pair is legal in JSON's escapes but not in UTF-8.
  typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\uFFFD') : value;
