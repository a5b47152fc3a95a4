import type { LakeQueries } from '../../../base/runtime/athena';
import type { PointedSale } from '../points';
import type { Amounts } from '../time-series';

/** How finely lake and time series are compared: sums of so many minutes. */
export const windowMinutes = 10;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
// A till's clock may be so far ahead of the door (`too-far-ahead`): a sale may be accepted before it occurs.
const aheadMs = dayMs;

/** From its first millisecond to the one that is not in it any more. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What the lake says of a region's sales in one currency and window. */
export interface LakeWindow {
  readonly region: string;
  readonly currency: string;
  /** Milliseconds. */
  readonly from: number;
  readonly sold: Amounts;
  readonly returned: Amounts;
  /** Of items, each sale and SKU counts as one transaction. */
  readonly soldItems: number;
  readonly returnedItems: number;
  readonly lines: number;
  /** When the last of them was accepted. */
  readonly acceptedAt: number;
}

const nothing: Amounts = { net: 0, units: 0, discount: 0, transactions: 0 };

/** The sales of the lake by the time when they occurred, each once, whatever its files repeat. */
export class LakeSales {
  constructor(private readonly queries: LakeQueries) {}

  /** The hours, in order, in which sales occurred that were accepted then. */
  async hoursOf(accepted: Span): Promise<number[]> {
    const rows = await this.queries.rows(
      `SELECT DISTINCT date_trunc('hour', occurred_at) AS occurred
FROM sale_lines
WHERE accepted_date BETWEEN ${dateOf(accepted.from)} AND ${dateOf(accepted.to)}
  AND ${within('accepted_at', accepted)}`,
    );
    return rows.map(([hour]) => millisecondsOf(hour!)).sort((a, b) => a - b);
  }

  async windows(spans: readonly Span[]): Promise<LakeWindow[]> {
    const rows = await this.queries.rows(
      `SELECT region, currency, date_trunc('hour', occurred_at) AS occurred, minute(occurred_at) / ${windowMinutes} AS part, type,
  SUM(net) AS net, SUM(units) AS units, SUM(COALESCE(discount, 0)) AS discount,
  COUNT(DISTINCT source || '#' || transaction_id) AS transactions,
  COUNT(DISTINCT source || '#' || transaction_id || '#' || sku) AS items, COUNT(*) AS lines, MAX(accepted_at) AS accepted
FROM sales
WHERE ${acceptedFor(spans)} AND (${spans.map((span) => within('occurred_at', span)).join(' OR ')})
GROUP BY region, currency, date_trunc('hour', occurred_at), minute(occurred_at) / ${windowMinutes}, type`,
    );
    const windows = new Map<string, LakeWindow>();
    for (const [region, currency, hour, part, type, ...numbers] of rows) {
      const acceptedAt = millisecondsOf(numbers.pop()!);
      const [net = 0, units = 0, discount = 0, transactions = 0, items = 0, lines = 0] = numbers.map(Number);
      const from = millisecondsOf(hour!) + Number(part) * windowMinutes * 60_000;
      const id = JSON.stringify([region, currency, from]);
      const known = windows.get(id) ?? {
        ...{ region: region!, currency: currency!, from, sold: nothing, returned: nothing },
        ...{ soldItems: 0, returnedItems: 0, lines: 0, acceptedAt },
      };
      // Each kind of transaction is one row; returns are below zero here, as they are in the points.
      windows.set(id, {
        ...known,
        ...(type === 'return'
          ? { returned: { net: -net, units: -units, discount, transactions }, returnedItems: items }
          : { sold: { net, units, discount, transactions }, soldItems: items }),
        lines: known.lines + lines,
        acceptedAt: Math.max(known.acceptedAt, acceptedAt),
      });
    }
    return [...windows.values()];
  }

  /** The sales of these windows, with all that points are made of. */
  async sales(windows: readonly Pick<LakeWindow, 'region' | 'currency' | 'from'>[]): Promise<PointedSale[]> {
    const spans = windows.map(({ from }) => ({ from, to: from + windowMinutes * 60_000 }));
    const conditions = windows.map(
      ({ region, currency }, index) =>
        `(region = ${text(region)} AND currency = ${text(currency)} AND ${within('occurred_at', spans[index]!)})`,
    );
    const rows = await this.queries.rows(
      `SELECT source, transaction_id, type, channel, region, location, occurred_at, currency,
  line, sku, quantity, unit_price, category, discount, tax
FROM sales
WHERE ${acceptedFor(spans)} AND (${conditions.join(' OR ')})
ORDER BY source, transaction_id, line`,
    );
    const sales: (PointedSale & { readonly lines: PointedSale['lines'][number][] })[] = [];
    for (const [source, transactionId, type, channel, region, location, occurred, currency, ...rest] of rows) {
      const [line, sku, quantity, unitPrice, category, discount, tax] = rest;
      const last = sales.at(-1);
      const ofLine = {
        ...{ line: Number(line), sku: sku!, quantity: Number(quantity), unitPrice: Number(unitPrice) },
        ...(category == null ? {} : { category }),
        ...(discount == null ? {} : { discount: Number(discount) }),
        ...(tax == null ? {} : { tax: Number(tax) }),
      };
      if (last !== undefined && last.source === source && last.transactionId === transactionId) last.lines.push(ofLine);
      else
        sales.push({
          ...{
            source: source!,
            transactionId: transactionId!,
            region: region!,
            location: location!,
            currency: currency!,
          },
          type: type as PointedSale['type'],
          channel: channel as PointedSale['channel'],
          occurredAt: new Date(millisecondsOf(occurred!)).toISOString(),
          lines: [ofLine],
        });
    }
    return sales;
  }
}

/** Dates of acceptance under which sales that occurred then can lie. */
function acceptedFor(spans: readonly Span[]): string {
  return `accepted_date >= ${dateOf(Math.min(...spans.map(({ from }) => from)) - aheadMs)}`;
}

function within(column: string, { from, to }: Span): string {
  return `(${column} >= ${timestamp(from)} AND ${column} < ${timestamp(to)})`;
}

function timestamp(milliseconds: number): string {
  return `TIMESTAMP '${new Date(milliseconds).toISOString().replace('T', ' ').slice(0, -1)}'`;
}

function dateOf(milliseconds: number): string {
  return `'${new Date(milliseconds).toISOString().slice(0, 10)}'`;
}

/** Athena writes `2026-11-28 10:00:00.000`, in UTC. */
function millisecondsOf(time: string): number {
  return Date.parse(`${time.replace(' ', 'T')}Z`);
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
