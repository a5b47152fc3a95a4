import { type Dimension, dimensions, measurementFor } from '../dimensions';
import type { Filters } from '../time-series';

/** What a caller asks, checked and bounded. */
export interface SalesQuestion {
  readonly kind: 'totals' | 'groups' | 'series';
  /** Milliseconds since 1970, both on whole minutes. */
  readonly from: number;
  readonly to: number;
  readonly where: Filters;
  readonly by?: Dimension;
  readonly everyMinutes?: number;
  readonly measure: 'netSales' | 'units';
  readonly order: 'top' | 'bottom';
  readonly limit: number;
  /** Beside last week's same weekday, up to the same time of day. */
  readonly compare: boolean;
  /** In whose clock a week ago is looked for. */
  readonly timeZone: string;
}

/** Why a question cannot be answered: what was got, and what is allowed. */
export interface InvalidQuestion {
  readonly code: 'unknown-parameter' | 'missing' | 'malformed' | 'duplicate' | 'too-many' | 'not-kept';
  readonly message: string;
}

type Query = Readonly<Record<string, readonly string[] | undefined>>;

const minuteMs = 60_000;
const dayMs = 86_400_000;
const mostDays = 400;
const mostWindows = 1_500;
const mostGroups = 5_000;
const mostItems = 500;
const mostValues = 50;
const windows: Readonly<Record<string, number>> = { '1m': 1, '5m': 5, '15m': 15, '1h': 60, '1d': 1_440 };
const filters = [...dimensions, 'currency'] as const;
const shared = ['from', 'to', 'timeZone', 'compare', ...filters];
const allowedParameters = {
  totals: shared,
  groups: [...shared, 'by', 'measure', 'order', 'limit'],
  series: [...shared, 'every'],
} as const;
const zonedTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/;

class Invalid extends Error {
  constructor(
    readonly code: InvalidQuestion['code'],
    message: string,
  ) {
    super(message);
  }
}

/** Reads the parameters of `/merchandising/totals`, `/groups` and `/series`. */
export function readQuestion(
  kind: SalesQuestion['kind'],
  query: Query | null,
  nowMs: number,
): SalesQuestion | InvalidQuestion {
  try {
    return read(kind, query ?? {}, nowMs);
  } catch (error) {
    if (error instanceof Invalid) return { code: error.code, message: error.message };
    throw error;
  }
}

function read(kind: SalesQuestion['kind'], query: Query, nowMs: number): SalesQuestion {
  const allowed: readonly string[] = allowedParameters[kind];
  const unknown = Object.keys(query).find((parameter) => !allowed.includes(parameter));
  if (unknown !== undefined)
    throw new Invalid('unknown-parameter', `got '${shown(unknown)}', allowed: ${allowed.join(', ')}`);
  const one = (parameter: string): string | undefined => {
    const values = query[parameter] ?? [];
    if (values.length > 1) throw new Invalid('duplicate', `${parameter}: got it twice, allowed: once`);
    return values[0];
  };
  const oneOf = <T extends string>(parameter: string, choices: readonly T[], otherwise?: T): T => {
    const value = one(parameter) ?? otherwise;
    if (value === undefined) throw new Invalid('missing', `${parameter}: got none, allowed: ${choices.join(', ')}`);
    if (!choices.includes(value as T))
      throw new Invalid('malformed', `${parameter}: got '${shown(value)}', allowed: ${choices.join(', ')}`);
    return value as T;
  };

  const timeZone = zoneOf(one('timeZone') ?? 'UTC');
  const { from, to } = rangeOf(one('from'), one('to'), timeZone, nowMs);
  const where = filtersOf(query);
  const by = kind === 'groups' ? oneOf('by', dimensions) : undefined;
  checkKept(where, by);
  const everyMinutes = kind === 'series' ? windows[oneOf('every', Object.keys(windows), '1h')]! : undefined;
  if (everyMinutes !== undefined && (to - from) / minuteMs / everyMinutes > mostWindows)
    throw new Invalid(
      'too-many',
      `every: got ${Math.ceil((to - from) / minuteMs / everyMinutes)} windows, allowed: at most ${mostWindows}`,
    );
  return {
    kind,
    from,
    to,
    where,
    ...(by === undefined ? {} : { by }),
    ...(everyMinutes === undefined ? {} : { everyMinutes }),
    measure: oneOf('measure', ['netSales', 'units'], 'netSales'),
    order: oneOf('order', ['top', 'bottom'], 'top'),
    limit: limitOf(one('limit'), by),
    compare: oneOf('compare', ['last-week', 'none'], 'none') === 'last-week',
    timeZone,
  };
}

/** Sales have their place within their minute by chance, so only whole minutes can be asked for. */
function rangeOf(from: string | undefined, to: string | undefined, timeZone: string, nowMs: number) {
  const range = {
    from: from === undefined ? startOfDay(nowMs, timeZone) : wholeMinute('from', from, Math.floor),
    to: to === undefined ? Math.floor(nowMs / minuteMs) * minuteMs + minuteMs : wholeMinute('to', to, Math.ceil),
  };
  if (range.from >= range.to) throw new Invalid('malformed', 'from: got a time that is not before to');
  if (range.to - range.from > mostDays * dayMs)
    throw new Invalid(
      'too-many',
      `from: got ${Math.ceil((range.to - range.from) / dayMs)} days before to, allowed: at most ${mostDays}`,
    );
  return range;
}

function wholeMinute(parameter: string, text: string, round: (minutes: number) => number): number {
  const time = zonedTime.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new Invalid(
      'malformed',
      `${parameter}: got '${shown(text)}', allowed: a time with its zone, such as 2026-11-22T10:15Z`,
    );
  return round(time / minuteMs) * minuteMs;
}

function filtersOf(query: Query): Filters {
  const where: Partial<Record<Dimension | 'currency', readonly string[]>> = {};
  for (const filter of filters) {
    const values = query[filter] ?? [];
    if (values.length === 0) continue;
    if (values.length > mostValues)
      throw new Invalid('too-many', `${filter}: got ${values.length} values, allowed: at most ${mostValues}`);
    const bad = values.find((value) => value.length === 0 || value.length > 400);
    if (bad !== undefined) throw new Invalid('malformed', `${filter}: got ${bad.length} characters, allowed: 1 to 400`);
    where[filter] = [...new Set(values)];
  }
  return where;
}

/** Refuses what no database here could answer, rather than answering something near it. */
function checkKept(where: Filters, by: Dimension | undefined): void {
  const asked = [...(Object.keys(where) as (Dimension | 'currency')[]), ...(by === undefined ? [] : [by])];
  const { tagOf } = measurementFor(asked);
  const missing = asked.find((dimension) => tagOf(dimension) === undefined);
  if (missing !== undefined)
    throw new Invalid('not-kept', `${missing}: got it beside item, allowed beside item: region, currency`);
  for (const several of ['category', 'item'] as const)
    if ((where[several]?.length ?? 0) > 1 && by !== several)
      throw new Invalid(
        'not-kept',
        `${several}: got ${where[several]!.length} values, allowed: one, unless by is ${several} (a basket with two would count twice)`,
      );
}

function limitOf(limit: string | undefined, by: Dimension | undefined): number {
  const most = by === 'item' ? mostItems : mostGroups;
  if (limit === undefined) return by === 'item' ? 10 : most;
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1 || Number(limit) > most)
    throw new Invalid('malformed', `limit: got '${shown(limit)}', allowed: 1 to ${most}`);
  return Number(limit);
}

function zoneOf(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw new Invalid('malformed', `timeZone: got '${shown(name)}', allowed: a name such as Europe/Berlin`);
  }
}

/** Midnight of the day that it is then in that zone. */
export function startOfDay(time: number, timeZone: string): number {
  const { year, month, day } = clockIn(time, timeZone);
  return timeIn(Date.UTC(year, month - 1, day), timeZone);
}

/** The same weekday and time of day, seven days before, by the clocks of that zone. */
export function weekBefore(time: number, timeZone: string): number {
  return timeIn(wallTime(time, timeZone) - 7 * dayMs, timeZone);
}

/** The moment at which clocks show this (given as if they were UTC); where they never do, the one an hour on. */
function timeIn(wall: number, timeZone: string): number {
  const first = wall - offset(wall, timeZone);
  // The first guess may lie on the other side of a change of clocks.
  return wall - offset(first, timeZone);
}

function offset(time: number, timeZone: string): number {
  return wallTime(time, timeZone) - time;
}

function wallTime(time: number, timeZone: string): number {
  const { year, month, day, hour, minute } = clockIn(time, timeZone);
  return Date.UTC(year, month - 1, day, hour, minute) + (((time % minuteMs) + minuteMs) % minuteMs);
}

function clockIn(time: number, timeZone: string) {
  const parts = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone, calendar: 'iso8601', hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
  }).formatToParts(time);
  const read = (type: string) => Number(parts.find((part) => part.type === type)!.value);
  return { year: read('year'), month: read('month'), day: read('day'), hour: read('hour'), minute: read('minute') };
}

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
