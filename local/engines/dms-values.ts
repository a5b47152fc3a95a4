/** A column as PostgreSQL describes it. */
export interface ColumnType {
  readonly oid: number;
  /** Precision and scale, or length; -1: none. */
  readonly modifier: number;
}

export interface ValueOptions {
  readonly hexPrefix: boolean;
  readonly maximumLobBytes: number;
}

/** Turns PostgreSQL's text of a value into what DMS writes as JSON. */
export type ValueWriter = (text: string) => string | number;

const bool = 16;
const bytea = 17;
const integers = [21, 23];
const bigint = 20;
const text = 25;
const json = [114, 3802];
const floats = [700, 701];
const numeric = 1700;
const timestamp = 1114;
const timestamptz = 1184;

/**
 * How DMS writes values of a type to Kinesis, as far as captures and its guide tell: numbers as JSON numbers, big ones
 * with their digits lost; booleans as letters; times in UTC without an empty fraction; documents as strings.
 */
export function valueWriter({ oid, modifier }: ColumnType, options: ValueOptions): ValueWriter {
  // `t` or `f`, as in the log.
  if (oid === bool) return (value) => value;
  if (integers.includes(oid) || floats.includes(oid)) return number;
  if (oid === bigint) return (value) => (value.replace('-', '').length > 16 ? scientific(value) : Number(value));
  if (oid === numeric) return numericWriter(modifier);
  if (oid === timestamp || oid === timestamptz) return time;
  if (oid === bytea) return (value) => limited(`${options.hexPrefix ? '0x' : ''}${value.slice(2)}`, options);
  if (oid === text || json.includes(oid)) return (value) => limited(value, options);
  return (value) => value;
}

/** The name by which a control record's table definition calls the type. */
export function typeName({ oid, modifier }: ColumnType): { type: string; length?: number } {
  if (oid === 21) return { type: 'INT16' };
  if (oid === 23) return { type: 'INT32' };
  if (oid === bigint) return { type: 'INT64' };
  if (oid === numeric) return { type: 'NUMERIC' };
  if (floats.includes(oid)) return { type: oid === 700 ? 'REAL4' : 'REAL8' };
  if (oid === timestamp || oid === timestamptz) return { type: 'TIMESTAMP' };
  if (oid === 1082) return { type: 'DATE' };
  if (oid === bool) return { type: 'STRING', length: 5 };
  if (oid === 1043 && modifier > 4) return { type: 'WSTRING', length: modifier - 4 };
  return { type: 'STRING' };
}

/** Not a number to JSON is none to DMS either: `NaN` and `Infinity` stay words. */
function number(value: string): number | string {
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : value;
}

/** DMS writes more than 16 digits in scientific notation: what is lost is lost here too, the notation is JSON's own. */
function scientific(value: string): number {
  return Number(Number(value).toExponential(15));
}

function numericWriter(modifier: number): ValueWriter {
  const precision = modifier < 4 ? undefined : ((modifier - 4) >> 16) & 0xffff;
  if (precision !== undefined && precision > 38) return (value) => value;
  if (precision !== undefined) return number;
  // Without a declared precision it is NUMERIC(28,6) to DMS, which cuts the rest.
  return (value) => number(value.replace(/(\.\d{6})\d+$/, '$1'));
}

/** `2022-12-18 19:28:42.4425+00` becomes `2022-12-18T19:28:42.442500Z`. */
function time(value: string): string {
  const [, date, clock, fraction] = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?$/.exec(value) ?? [];
  if (date === undefined) return value;
  return `${date}T${clock}${fraction === undefined ? '' : `.${fraction.padEnd(6, '0')}`}Z`;
}

function limited(value: string, { maximumLobBytes }: ValueOptions): string {
  if (value.length * 4 <= maximumLobBytes || Buffer.byteLength(value) <= maximumLobBytes) return value;
  throw new Error(`a value of ${Buffer.byteLength(value)} bytes is longer than the ${maximumLobBytes} of LobMaxSize`);
}
