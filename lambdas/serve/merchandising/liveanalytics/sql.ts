import type { SumsOfPoints } from '../sums';

/**
 * The only place where SQL for Timestream is put together. Names and texts are quoted, times are numbers, and nothing but
 * SELECT can be said; whatever is asked is bounded in time.
 */
export interface Source {
  readonly database: string;
  readonly table: string;
  readonly measurement: string;
  /** Milliseconds since 1970. */
  readonly between: { readonly from: number; readonly to: number };
  /** Dimensions that must have one of these values. */
  readonly where?: Readonly<Record<string, readonly string[]>>;
}

const minuteMs = 60_000;

/**
 * Sums by dimensions, and by windows if `everyMinutes` says so: `at` is the window's start less `windowOffsetMs`, since
 * windows begin with what is asked for and Timestream's with 1970.
 */
export function sumsSql(source: Source, sums: SumsOfPoints, everyMinutes: number | undefined, most?: number): string {
  const { fields, countsPoints, by } = sums;
  const at = everyMinutes === undefined ? undefined : windowStart(source.between.from, everyMinutes);
  return [
    'SELECT',
    [
      ...by.map(name),
      ...(at === undefined ? [] : [`to_milliseconds(${at}) AS "at"`]),
      ...fields.map((field) => `sum(${name(field)}) AS ${name(field)}`),
      ...(countsPoints ? ['count("net") AS "transactions"'] : []),
    ].join(', '),
    from(source),
    `GROUP BY ${[...by.map(name), ...(at === undefined ? [] : [at])].join(', ')}`,
    ...(most === undefined ? [] : [oneMoreThan(most)]),
  ].join(' ');
}

/** By how much windows of so many minutes, from then on, are ahead of Timestream's own. */
export function windowOffsetMs(fromMs: number, everyMinutes: number): number {
  return wholeNumber(fromMs) % (wholeNumber(everyMinutes) * minuteMs);
}

/** Of each currency the first items by their sum of a field; of equal ones the first by name. */
export function rankingSql(source: Source, field: string, order: 'top' | 'bottom', limit: number): string {
  const sums = `SELECT "currency", "sku", sum(${name(field)}) AS "sum" ${from(source)} GROUP BY "currency", "sku"`;
  const rank = `row_number() OVER (PARTITION BY "currency" ORDER BY "sum" ${order === 'top' ? 'DESC' : 'ASC'}, "sku" ASC)`;
  return [
    'SELECT "currency", "sku", "place"',
    `FROM (SELECT "currency", "sku", ${rank} AS "place" FROM (${sums}))`,
    `WHERE "place" <= ${wholeNumber(limit)} ORDER BY "currency", "place"`,
  ].join(' ');
}

/** The newest value of a field for each set of dimensions, and of when it is. */
export function newestSql(source: Source, field: string, by: readonly string[], most: number): string {
  const dimensions = by.map(name).join(', ');
  return [
    `SELECT ${dimensions}, max_by(${name(field)}, time) AS ${name(field)}, to_milliseconds(max(time)) AS "at"`,
    from(source),
    `GROUP BY ${dimensions} ${oneMoreThan(most)}`,
  ].join(' ');
}

/** The newest mark of each lane, and of them the earliest of each set of lanes: a row for many, since answers come in pages. */
export function marksSql(source: Source, most: number): string {
  const set = `split_part("lane", '/', 2)`;
  const lanes = [
    'SELECT "source", "part", "lane", max_by("complete_through", time) AS "newest", max(time) AS "marked"',
    from(source),
    'GROUP BY "source", "part", "lane"',
  ].join(' ');
  return [
    `SELECT "source", "part", ${set} AS "set", count("lane") AS "lanes",`,
    'min("newest") AS "through", to_milliseconds(min("marked")) AS "at"',
    `FROM (${lanes}) GROUP BY "source", "part", ${set} ${oneMoreThan(most)}`,
  ].join(' ');
}

/** The earliest value of a field for each set of dimensions. */
export function earliestSql(source: Source, field: string, by: readonly string[], most: number): string {
  const dimensions = by.map(name).join(', ');
  return `SELECT ${dimensions}, min(${name(field)}) AS ${name(field)} ${from(source)} GROUP BY ${dimensions} ${oneMoreThan(most)}`;
}

/** That one tells of all that would be left out. */
function oneMoreThan(most: number): string {
  return `LIMIT ${wholeNumber(most) + 1}`;
}

function from({ database, table, measurement, between, where = {} }: Source): string {
  const conditions = [
    `measure_name = ${text(measurement)}`,
    `time >= from_milliseconds(${wholeNumber(between.from)})`,
    `time < from_milliseconds(${wholeNumber(between.to)})`,
    ...Object.entries(where).map(([dimension, values]) => oneOf(dimension, values)),
  ];
  return `FROM ${name(database)}.${name(table)} WHERE ${conditions.join(' AND ')}`;
}

function windowStart(fromMs: number, everyMinutes: number): string {
  const offsetMinutes = windowOffsetMs(fromMs, everyMinutes) / minuteMs;
  const moment = offsetMinutes === 0 ? 'time' : `time - ${wholeNumber(offsetMinutes)}m`;
  return `bin(${moment}, ${everyMinutes}m)`;
}

/** No value at all allows nothing, rather than everything. */
function oneOf(dimension: string, values: readonly string[]): string {
  if (values.length === 0) throw new Error(`no value to choose ${dimension} by`);
  return `${name(dimension)} IN (${values.map(text).join(', ')})`;
}

function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function wholeNumber(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`got ${value}, allowed: whole numbers`);
  return value;
}
