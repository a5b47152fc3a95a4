import type { Context } from 'aws-lambda';
import { isReal } from '../../../base/domain/times';
import { lakeQueries } from '../../../base/runtime/athena';
import { athenaClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { pointsOf, tagValue } from '../points';
import type { Amounts, Sums, TimeSeriesReader, TimeSeriesWriter } from '../time-series';
import { LakeSales, type LakeWindow, type Span, windowMinutes } from './lake-sales';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
// What is compared at once: the sums of a day are some thousand numbers.
const hoursAtOnce = 24;
// What is read from the lake at once. A window of more is read whole.
const linesAtOnce = 100_000;
const windowsAtOnce = 100;
// Another piece is not begun without this much time for it.
const timeForPieceMs = 90_000;

/** Nothing: the hours of what was accepted in the last day. Whole hours in ISO 8601: what occurred from one to before the other. */
export interface ComparisonRequest {
  readonly from?: string;
  readonly to?: string;
}

export interface ComparisonOutcome {
  readonly hoursCompared: number;
  /** Sales that the lake had and the time series had not. */
  readonly salesMissing: number;
  readonly pointsWritten: number;
  /** Of the points written: older than the retention, and so refused. */
  readonly beyondRetention: number;
  /** The first hour that there was no time for. */
  readonly left: string | null;
}

/**
 * The handler that compares the time series with the lake, in sums of ten minutes, region and currency, and writes again
 * every sale of a window where they differ. Each engine has a function of its own. Runs by schedule and on demand.
 *
 * Hours are compared once they are over and the lake has them (`LAKE_DELAY_MINUTES`), and each again for a day, so a run
 * that is lost loses nothing; an hour of weeks ago is compared when a late sale of it is accepted. On repeat: points
 * overwrite themselves. The lake lacks what came late within the delay: then the series has more, and nothing is missing.
 * On failure: what was written stays, and the next run finds the rest. What is missing after it was written is an error.
 * Where late points can be read hours later only (`late`), a window is not compared before that, and one that was written
 * again may be found, and written, once more until it can be read.
 */
export function lakeComparison(
  reader: TimeSeriesReader,
  writer: TimeSeriesWriter,
): (request: ComparisonRequest, context: Context) => Promise<ComparisonOutcome> {
  const athena = athenaClient();
  const workgroupName = requireEnv('WORKGROUP_NAME');
  const database = requireEnv('DATABASE_NAME');
  const delayMs = Number(requireEnv('LAKE_DELAY_MINUTES')) * 60_000;
  const salesRetentionMs = retentionMs(requireEnv('SALES_RETENTION_DAYS'));
  const itemsRetentionMs = retentionMs(requireEnv('ITEMS_RETENTION_DAYS'));

  return async (request, context) => {
    const remainingMs = () => context.getRemainingTimeInMillis();
    const lake = new LakeSales(lakeQueries(athena, { workgroupName, database, remainingMs }));
    const complete = Date.now() - delayMs;
    const asked = hoursIn(request) ?? (await lake.hoursOf({ from: complete - dayMs, to: complete }));
    // What is older than the retention would be refused: the writer has counted it when it came.
    const hours = asked.filter((hour) => hour + hourMs <= complete && hour >= Date.now() - salesRetentionMs + hourMs);
    const result = { hoursCompared: 0, salesMissing: 0, pointsWritten: 0, beyondRetention: 0 };
    let still: LakeWindow[] = [];
    for (let start = 0; start < hours.length && remainingMs() > timeForPieceMs; start += hoursAtOnce) {
      const piece = hours.slice(start, start + hoursAtOnce);
      const spans = spansOf(piece);
      const windows = (await lake.windows(spans)).filter(isReadable);
      const differing = await differences(spans, windows);
      result.salesMissing += differing.reduce((sum, { missing }) => sum + missing, 0);
      for (const pack of packsOf(differing.map(({ window }) => window))) {
        const points = (await lake.sales(pack)).flatMap(pointsOf);
        const { beyondRetention } = await writer.write(points);
        result.pointsWritten += points.length;
        result.beyondRetention += beyondRetention;
      }
      if (differing.length > 0)
        still = still.concat(
          (await differences(spans, windows.filter(isReadAtOnce)))
            .filter(({ missing }) => missing > 0)
            .map(({ window }) => window),
        );
      result.hoursCompared += piece.length;
    }
    const left = hours.length - result.hoursCompared;
    countMetrics({
      HoursCompared: result.hoursCompared,
      HoursLeft: left,
      SalesMissing: result.salesMissing,
      PointsRewritten: result.pointsWritten,
    });
    if (result.salesMissing > 0) log.warn('sales were missing', result);
    if (still.length > 0)
      throw new Error(`still missing after it was written: ${still.slice(0, 3).map(shown).join('; ')}`);
    return { ...result, left: left === 0 ? null : new Date(hours[result.hoursCompared]!).toISOString() };
  };

  /** Whether what is written there now can be read now. */
  function isReadAtOnce({ from }: LakeWindow): boolean {
    return writer.late === undefined || from >= Date.now() - writer.late.afterMs;
  }

  /** Whether all that was accepted there can be read by now. */
  function isReadable(window: LakeWindow): boolean {
    return isReadAtOnce(window) || window.acceptedAt < Date.now() - writer.late!.withinMs - delayMs;
  }

  /** The windows of the lake where the time series say something else, and how many sales they lack there. */
  async function differences(spans: readonly Span[], windows: readonly LakeWindow[]) {
    const ofSales = new Map<string, Sums>();
    const ofItems = new Map<string, Sums>();
    for (const span of spans) {
      const question = { ...span, where: {}, by: 'region', everyMinutes: windowMinutes } as const;
      for (const sums of await reader.sums(question)) ofSales.set(idOf(sums.value!, sums.currency, sums.at!), sums);
      for (const sums of await reader.sums({ ...question, of: 'items' }))
        ofItems.set(idOf(sums.value!, sums.currency, sums.at!), sums);
    }
    const itemsSince = Date.now() - itemsRetentionMs + hourMs;
    return windows.flatMap((window) => {
      const id = idOf(tagValue(window.region), window.currency, window.from);
      const sales = ofSales.get(id);
      const items = ofItems.get(id);
      const { sold, returned, soldItems, returnedItems } = window;
      const isEqual =
        areEqual(sold, sales?.sold) &&
        areEqual(returned, sales?.returned) &&
        (window.from < itemsSince ||
          (areEqual({ ...sold, transactions: soldItems }, items?.sold) &&
            areEqual({ ...returned, transactions: returnedItems }, items?.returned)));
      const lacking = (ours: Amounts, theirs: Amounts | undefined) =>
        Math.max(0, ours.transactions - (theirs?.transactions ?? 0));
      return isEqual ? [] : [{ window, missing: lacking(sold, sales?.sold) + lacking(returned, sales?.returned) }];
    });
  }
}

const idOf = (region: string, currency: string, from: number) => JSON.stringify([region, currency, from]);

const shown = ({ region, currency, from }: LakeWindow) => `${region}, ${currency}, ${new Date(from).toISOString()}`;

function areEqual(ours: Amounts, theirs: Amounts = { net: 0, units: 0, discount: 0, transactions: 0 }): boolean {
  return (['net', 'units', 'discount', 'transactions'] as const).every((name) => ours[name] === theirs[name]);
}

/** No days: for ever. */
function retentionMs(days: string): number {
  return Number(days) === 0 ? Number.POSITIVE_INFINITY : Number(days) * dayMs;
}

function hoursIn({ from, to }: ComparisonRequest): number[] | undefined {
  if (from === undefined && to === undefined) return undefined;
  const [first, end] = [hourOf('from', from), hourOf('to', to)];
  if (first >= end) throw new Error(`to: got ${to}, allowed: an hour after from (${from})`);
  return Array.from({ length: (end - first) / hourMs }, (_, index) => first + index * hourMs);
}

function hourOf(name: string, text: unknown): number {
  const isTime = typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:00(:00(\.000)?)?Z$/.test(text);
  const full = isTime ? text.replace(/:00(:00(\.000)?)?Z$/, ':00:00.000Z') : '';
  if (!isReal(full)) throw new Error(`${name}: got ${String(text)}, allowed: a whole hour in UTC, 2026-11-28T10:00Z`);
  return Date.parse(full);
}

/** Hours that follow on each other are asked for together. */
function spansOf(hours: readonly number[]): Span[] {
  const spans: { from: number; to: number }[] = [];
  for (const hour of hours) {
    const last = spans.at(-1);
    if (last?.to === hour) last.to = hour + hourMs;
    else spans.push({ from: hour, to: hour + hourMs });
  }
  return spans;
}

/** As many windows to a query as a function can hold the sales of. */
function packsOf(windows: readonly LakeWindow[]): LakeWindow[][] {
  const packs: LakeWindow[][] = [];
  let lines = 0;
  for (const window of windows) {
    const last = packs.at(-1);
    if (last !== undefined && last.length < windowsAtOnce && lines + window.lines <= linesAtOnce) {
      last.push(window);
      lines += window.lines;
    } else {
      packs.push([window]);
      lines = window.lines;
    }
  }
  return packs;
}
