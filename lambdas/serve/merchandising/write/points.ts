import { createHash } from 'node:crypto';
import { netOf, type Sale, saleKey, signOf } from '../../../base/domain/sale';

/** One point of a time series. Tags identify the series; fields carry all the rest, every point all of them. */
export interface Point {
  readonly measurement: 'sales' | 'items';
  readonly tags: Readonly<Record<string, string>>;
  /** Integers as numbers, text as strings. */
  readonly fields: Readonly<Record<string, number | string>>;
  /** Nanoseconds since 1970: the minute of the sale, and a place in it that the sale itself decides. */
  readonly timeNs: bigint;
}

// A line without a category still needs the tag: InfluxDB knows no empty tags.
const noCategory = 'uncategorized';
const minuteNs = 60_000_000_000n;

/**
 * A sale as points: one in `sales` per category, one in `items` per SKU. The same sale gives the same points whenever
 * and however often it comes, and a point written twice overwrites itself, so repeats change nothing. `transactions`
 * is 1 on the first point of a sale and 0 on the others, so that its sum counts sales.
 */
export function pointsOf(sale: Sale): Point[] {
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

  const byCategory = [...groupBy(sale.lines, (line) => line.category || noCategory)].sort(byFirst);
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
    return { measurement: 'items', tags, fields: fieldsOf(lines), timeNs: timeOf(key, tags, occurredAtMs) };
  });
  return [...sales, ...items];
}

/**
 * The largest number of points that share a series and a minute. Two different sales meet (and one is lost) with a
 * chance of n^2 / 1.2e11 per series and minute; the ceiling on n is alarmed.
 */
export function mostPerSeriesMinute(points: readonly Point[]): number {
  const counts = new Map<string, number>();
  for (const { measurement, tags, timeNs } of points) {
    const seriesMinute = `${measurement}|${Object.values(tags).join('|')}|${timeNs / minuteNs}`;
    counts.set(seriesMinute, (counts.get(seriesMinute) ?? 0) + 1);
  }
  return counts.size === 0 ? 0 : Math.max(...counts.values());
}

/** InfluxDB's line protocol; the tags of `pointsOf` are in alphabetical order already, as the database likes best. */
export function lineProtocol({ measurement, tags, fields, timeNs }: Point): string {
  const tagSet = Object.entries(tags).map(([name, value]) => `,${name}=${escapeTag(value)}`);
  const fieldSet = Object.entries(fields).map(([name, value]) =>
    typeof value === 'number' ? `${name}=${value}i` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`,
  );
  return `${measurement}${tagSet.join('')} ${fieldSet.join(',')} ${timeNs}`;
}

function timeOf(key: string, tags: Readonly<Record<string, string>>, occurredAtMs: number): bigint {
  const identity = JSON.stringify([key, ...Object.values(tags)]);
  const hash = createHash('sha256').update(identity).digest().readBigUInt64BE();
  return BigInt(Math.floor(occurredAtMs / 60_000)) * minuteNs + (hash % minuteNs);
}

// A backslash before a separator escapes it, so one at the end would swallow what follows: it becomes a slash.
function escapeTag(value: string): string {
  return value
    .replace(/\\/g, '/')
    .replace(/[\r\n\t]/g, ' ')
    .replace(/[, =]/g, '\\$&');
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
