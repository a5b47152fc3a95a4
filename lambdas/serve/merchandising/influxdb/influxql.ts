/**
 * The only place where InfluxQL is put together. Names and texts are escaped, times are numbers, and nothing but SELECT can
 * be said; what is asked is bounded in time by its type, and in its series by `seriesLimit`.
 */
export interface Selection {
  readonly columns: readonly Column[];
  readonly from: string | Selection;
  readonly between: { readonly from: number; readonly to: number };
  /** Tags that must have one of these values. */
  readonly where?: Readonly<Record<string, readonly string[]>>;
  readonly by?: readonly string[];
  readonly everyMinutes?: number;
  readonly seriesLimit?: number;
}

export type Column = {
  readonly call: 'SUM' | 'COUNT' | 'LAST' | 'TOP' | 'BOTTOM';
  readonly field: string;
  readonly as?: string;
  /** Of TOP and BOTTOM: the tag that may come once, and how many of it. */
  readonly of?: { readonly tag: string; readonly limit: number };
};

const minuteMs = 60_000;

export function influxQl(selection: Selection): string {
  const { columns, from, between, where = {}, by = [], everyMinutes, seriesLimit } = selection;
  const conditions = [
    `time >= ${wholeNumber(between.from)}ms`,
    `time < ${wholeNumber(between.to)}ms`,
    ...Object.entries(where).map(([tag, values]) => oneOf(tag, values)),
  ];
  const groups = by.map(name);
  if (everyMinutes !== undefined) {
    // Windows begin with what is asked for, not with 1970: a day does not begin at midnight UTC everywhere.
    const offset = (wholeNumber(between.from) / minuteMs) % wholeNumber(everyMinutes);
    groups.push(`time(${everyMinutes}m, ${offset}m)`);
  }
  return [
    `SELECT ${columns.map(column).join(', ')}`,
    `FROM ${typeof from === 'string' ? name(from) : `(${influxQl(from)})`}`,
    `WHERE ${conditions.join(' AND ')}`,
    ...(groups.length === 0 ? [] : [`GROUP BY ${groups.join(', ')}`]),
    ...(everyMinutes === undefined ? [] : ['fill(none)']),
    ...(seriesLimit === undefined ? [] : [`SLIMIT ${wholeNumber(seriesLimit)}`]),
  ].join(' ');
}

function column({ call, field, as, of }: Column): string {
  const limited = of === undefined ? '' : `, ${name(of.tag)}, ${wholeNumber(of.limit)}`;
  return `${call}(${name(field)}${limited})${as === undefined ? '' : ` AS ${name(as)}`}`;
}

/** No value at all allows nothing, rather than everything. */
function oneOf(tag: string, values: readonly string[]): string {
  if (values.length === 0) throw new Error(`no value to choose ${tag} by`);
  return `(${values.map((value) => `${name(tag)} = ${text(value)}`).join(' OR ')})`;
}

function name(identifier: string): string {
  return `"${escaped(identifier, '"')}"`;
}

function text(value: string): string {
  return `'${escaped(value, "'")}'`;
}

function escaped(value: string, quote: '"' | "'"): string {
  return value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`).replaceAll('\n', '\\n');
}

function wholeNumber(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`got ${value}, allowed: whole numbers`);
  return value;
}
