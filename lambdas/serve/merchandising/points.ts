import { createHash } from 'node:crypto';
import type { MarkRecord } from '../../base/domain/completeness-mark';
import { netOf, type Sale, saleKey, signOf } from '../../base/domain/sale';
import { storable } from '../../base/domain/sale-rows';
import type { TimeSeriesWriter } from './time-series';

/** One point of a time series. Tags identify the series; fields carry all the rest, every point all of them. */
export interface Point {
  readonly measurement: 'sales' | 'items' | 'completeness' | 'arrivals' | 'comparison' | 'unreadable';
  readonly tags: Readonly<Record<string, string>>;
  /** Integers as numbers, text as strings. */
  readonly fields: Readonly<Record<string, number | string>>;
  /** Nanoseconds since 1970: the minute of the sale, and a place in it that the sale itself decides. */
  readonly timeNs: bigint;
}

// A line without a category still needs the tag: InfluxDB knows no empty tags.
const noCategory = 'uncategorized';
const minuteNs = 60_000_000_000n;
const hourMs = 3_600_000;
/** By how much our clock and a database's may differ. */
const clocksMs = 5 * 60_000;

/** What of a sale its points are made of. */
export type PointedSale = Pick<
  Sale,
  'source' | 'transactionId' | 'type' | 'channel' | 'region' | 'location' | 'occurredAt' | 'currency' | 'lines'
>;

/**
 * A sale as points: one in `sales` per category, one in `items` per SKU. The same sale gives the same points whenever
 * and however often it comes, and a point written twice overwrites itself, so repeats change nothing. `transactions`
 * is 1 on the first point of a sale and 0 on the others, so that its sum counts sales.
 */
export function pointsOf(sale: PointedSale): Point[] {
  const sign = signOf(sale);
  const { region, channel, location, type, currency } = sale;
  const key = saleKey(sale);
  const occurredAtMs = Date.parse(sale.occurredAt);
  const fieldsOf = (lines: Sale['lines']) => ({
    net: sign * sum(lines, netOf),
    units: sign * sum(lines, (line) => line.quantity),
    lines: lines.length,
    discount: sign * sum(lines, (line) => line.discount ?? 0),
    tax: sign * sum(lines, (line) => line.tax ?? 0),
    occurred_at: occurredAtMs,
    key,
  });

  const byCategory = [...groupBy(sale.lines, (line) => categoryTag(line.category))].sort(byFirst);
  const sales = byCategory.map(([category, lines], index): Point => {
    const tags = { category, channel, currency, location, region, type };
    return {
      measurement: 'sales',
      tags,
      fields: { ...fieldsOf(lines), transactions: index === 0 ? 1 : 0 },
      timeNs: timeOf(key, tags, occurredAtMs),
    };
  });
  const items = [...groupBy(sale.lines, (line) => line.sku)].map(([sku, lines]): Point => {
    const tags = { currency, region, sku };
    const fields = { ...fieldsOf(lines), ...returnedOf(fieldsOf(lines), type) };
    return { measurement: 'items', tags, fields, timeNs: timeOf(key, tags, occurredAtMs) };
  });
  return [...sales, ...items];
}

/**
 * Marks as points, one per mark and lane that it came through, at the moment when the door took it: the newest point of a
 * lane is what is known of it, in whichever order they are written, and however often.
 */
export function markPointsOf({ marks, acceptedAt, ingestLane, salesLane }: MarkRecord): Point[] {
  const other = salesLane ?? { number: 0, of: 1 };
  const lane = `${ingestLane.number}.${other.number}/${ingestLane.of}x${other.of}`;
  return marks.map(({ source, part, completeThrough }) => ({
    measurement: 'completeness',
    tags: { lane, part, source },
    fields: { complete_through: Date.parse(completeThrough) },
    timeNs: BigInt(Date.parse(acceptedAt)) * 1_000_000n,
  }));
}

/** The sales of one request are accepted at one moment. */
function isLater(one: Sale, other: Sale): boolean {
  if (one.acceptedAt !== other.acceptedAt) return one.acceptedAt > other.acceptedAt;
  return Date.parse(one.occurredAt) > Date.parse(other.occurredAt);
}

/** A point per source, of its sale in the batch that was accepted last: a source that sends nothing shows. */
export function arrivalPointsOf(sales: Iterable<Sale>): Point[] {
  const last = new Map<string, Sale>();
  for (const sale of sales) {
    const known = last.get(sale.source);
    if (known === undefined || isLater(sale, known)) last.set(sale.source, sale);
  }
  return [...last.values()].map(({ source, acceptedAt, occurredAt }) => ({
    measurement: 'arrivals',
    tags: { source },
    fields: { occurred_at: Date.parse(occurredAt) },
    timeNs: BigInt(Date.parse(acceptedAt)) * 1_000_000n,
  }));
}

/** How far the comparison with the lake has come: all that was accepted before then is there. */
export function comparedPoint(through: number): Point {
  return {
    measurement: 'comparison',
    tags: { beside: 'lake' },
    fields: { compared_through: through },
    timeNs: BigInt(Date.now()) * 1_000_000n,
  };
}

/**
 * What was sold so long ago, or is so far ahead, that its points can be read later only, where that is so: a point per
 * source and hour, which says since when its sales are lacking. To be written before the marks that vouch for them.
 */
export function unreadablePointsOf(
  sales: Iterable<Sale>,
  { late, early }: Pick<TimeSeriesWriter, 'late' | 'early'>,
  nowMs: number,
): Point[] {
  const earliest = new Map<string, { readonly source: string; readonly until: number; readonly occurredAt: number }>();
  for (const { source, occurredAt: text } of sales) {
    const occurredAt = Date.parse(text);
    const from =
      late !== undefined && occurredAt < nowMs - late.afterMs + clocksMs
        ? nowMs + late.withinMs
        : early !== undefined && occurredAt > nowMs + early.afterMs - clocksMs
          ? occurredAt + early.withinMs
          : undefined;
    if (from === undefined) continue;
    const until = Math.ceil(from / hourMs) * hourMs;
    const id = JSON.stringify([source, until]);
    const known = earliest.get(id);
    if (known === undefined || occurredAt < known.occurredAt) earliest.set(id, { source, until, occurredAt });
  }
  return [...earliest.values()].map(({ source, until, occurredAt }) => ({
    measurement: 'unreadable',
    tags: { source, until: String(until) },
    fields: { occurred_at: occurredAt },
    timeNs: BigInt(nowMs) * 1_000_000n,
  }));
}

/** What of an item's point was a return: a tag for it would double the series of items, which are the most by far. */
function returnedOf({ net, units, discount }: Record<'net' | 'units' | 'discount', number>, type: Sale['type']) {
  const share = type === 'return' ? -1 : 0;
  return {
    returned_net: share * net + 0,
    returned_units: share * units + 0,
    returned_discount: share * discount + 0,
    returns: -share + 0,
  };
}

/**
 * Counts the points of each series and minute over the batches of a container, and answers the largest number among
 * those that a batch adds to. Two different sales meet (and one is lost) with a chance of n^2 / 1.2e11 per series and
 * minute; the ceiling on n is alarmed. A container reads one shard: with S shards the true number is up to S times it.
 */
export class SeriesMinutes {
  readonly #counts = new Map<string, number>();

  /** `remembered`: series and minutes after which the oldest are forgotten. */
  constructor(private readonly remembered = 100_000) {}

  add(points: readonly Point[]): number {
    let most = 0;
    for (const { measurement, tags, timeNs } of points) {
      const seriesMinute = JSON.stringify([measurement, ...Object.values(tags), String(minuteOf(timeNs))]);
      const count = (this.#counts.get(seriesMinute) ?? 0) + 1;
      this.#counts.set(seriesMinute, count);
      if (count > most) most = count;
    }
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= this.remembered) break;
      this.#counts.delete(oldest);
    }
    return most;
  }
}

function timeOf(key: string, tags: Readonly<Record<string, string>>, occurredAtMs: number): bigint {
  const identity = JSON.stringify([key, ...Object.values(tags)]);
  const hash = createHash('sha256').update(identity).digest().readBigUInt64BE();
  return BigInt(Math.floor(occurredAtMs / 60_000)) * minuteNs + (hash % minuteNs);
}

/** Rounded down, before 1970 too. */
function minuteOf(timeNs: bigint): bigint {
  return timeNs / minuteNs - (timeNs % minuteNs < 0n ? 1n : 0n);
}

/** A line's category as it stands in its tag; whoever asks for one must ask for this. */
export function categoryTag(category: string | undefined): string {
  return tagValue(storable(category) || noCategory);
}

/**
 * A text as it can stand in a tag, whatever the database; whoever asks for it must ask for this. In InfluxDB a backslash
 * before a separator escapes it, so one at the end would swallow what follows: it becomes a slash.
 */
export function tagValue(value: string): string {
  return value.replace(/\\/g, '/').replace(/\p{Cc}/gu, ' ');
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

function sum<T>(values: readonly T[], numberOf: (value: T) => number): number {
  return values.reduce((total, value) => total + numberOf(value), 0);
}

function byFirst([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
