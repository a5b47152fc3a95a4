import type { Context } from 'aws-lambda';
import { lakeQueries } from '../../../base/runtime/athena';
import { athenaClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { comparedPoint, pointsOf } from '../points';
import type { TimeSeriesReader, TimeSeriesWriter } from '../time-series';
import { differences } from './differences';
import { type ComparisonRequest, hourMs, hoursIn, spansOf } from './hours';
import { LakeSales, type LakeWindow } from './lake-sales';

const dayMs = 24 * hourMs;
// Each hour again for a day; and a till's clock may be a day ahead, so that its hour is over a day after the acceptance.
const lookBackMs = 2 * dayMs;
// How far back what was accepted is compared, where nothing says how far a comparison came and points are kept for ever.
const longestBackMs = 7 * dayMs;
// What is compared at once: the sums of a day are some thousand numbers.
const hoursAtOnce = 24;
// What is read from the lake at once. A window of more is read whole.
const linesAtOnce = 100_000;
const windowsAtOnce = 100;
// Another piece is not begun without this much time for it.
const timeForPieceMs = 90_000;

export interface ComparisonOutcome {
  readonly hoursCompared: number;
  /** Sales that the lake had and the time series had not; and the same of items, a sale and SKU each. */
  readonly salesMissing: number;
  readonly itemsMissing: number;
  readonly pointsWritten: number;
  /** Of the points written: older than the retention, and so refused. */
  readonly beyondRetention: number;
  /** The first hour that there was no time for. */
  readonly left: string | null;
  /** What was accepted before this is compared; null where hours were asked for. */
  readonly comparedThrough: string | null;
}

/**
 * The handler that compares the time series with the lake, in sums of ten minutes, region and currency, and writes again
 * every sale of a window where they differ. Each engine has a function of its own. Runs by schedule and on demand.
 *
 * Hours are compared once they are over and the lake has them (`LAKE_DELAY_MINUTES`), and each again for a day; an hour of
 * weeks ago is compared when a late sale of it is accepted. First the last two days, then, day by day, what earlier runs left:
 * how far they came is a point among the others, so that a database that was restored, or is a new one, is compared from
 * where it stands. On repeat: points overwrite themselves. The lake lacks what came late within the delay: then the series
 * has more, and nothing is missing. On failure: what was written stays, and the next run finds the rest. What is missing
 * after it was written is an error. Where late points can be read hours later only (`late`), a window is not compared
 * before that, and one that was written again is looked at by the next run.
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
    const lately = complete - lookBackMs;
    const result = { hoursCompared: 0, salesMissing: 0, itemsMissing: 0, pointsWritten: 0, beyondRetention: 0 };
    const still: LakeWindow[] = [];

    const asked = hoursIn(request);
    let left = await compare(asked ?? (await lake.hoursOf({ from: lately, to: complete })));
    let through: number | undefined;
    if (asked === undefined) {
      const oldest = complete - (Number.isFinite(salesRetentionMs) ? salesRetentionMs : longestBackMs);
      through = Math.max(oldest, (await reader.comparedThrough()) ?? oldest);
      while (left.length === 0 && through < lately && remainingMs() > timeForPieceMs) {
        const to = Math.min(through + dayMs, lately);
        left = await compare(await lake.hoursOf({ from: through, to }));
        if (left.length > 0) break;
        through = to;
        await writer.write([comparedPoint(through)]);
      }
      if (left.length === 0 && through >= lately) {
        through = complete;
        await writer.write([comparedPoint(through)]);
      }
    }
    const behindMs = through === undefined ? 0 : Math.max(0, lately - through);
    countMetrics({
      HoursCompared: result.hoursCompared,
      HoursLeft: left.length + Math.ceil(behindMs / hourMs),
      SalesMissing: result.salesMissing,
      ItemsMissing: result.itemsMissing,
      PointsRewritten: result.pointsWritten,
    });
    if (result.pointsWritten > 0) log.warn('the time series differed from the lake', result);
    if (still.length > 0)
      throw new Error(`still missing after it was written: ${still.slice(0, 3).map(shown).join('; ')}`);
    return { ...result, left: isoOrNull(left[0]), comparedThrough: isoOrNull(through) };

    /** Answers the hours that there was no time for. */
    async function compare(hours: readonly number[]): Promise<readonly number[]> {
      // What is older than the retention would be refused: the writer has counted it when it came.
      const open = hours.filter((hour) => hour + hourMs <= complete && hour >= Date.now() - salesRetentionMs + hourMs);
      for (let start = 0; start < open.length; start += hoursAtOnce) {
        if (remainingMs() <= timeForPieceMs) return open.slice(start);
        const piece = open.slice(start, start + hoursAtOnce);
        await comparePiece(piece);
        result.hoursCompared += piece.length;
      }
      return [];
    }

    async function comparePiece(hours: readonly number[]): Promise<void> {
      const spans = spansOf(hours);
      const windows = (await lake.windows(spans)).filter(isReadable);
      const itemsSince = Date.now() - itemsRetentionMs + hourMs;
      const differing = await differences(reader, spans, windows, itemsSince);
      for (const { salesMissing, itemsMissing } of differing) {
        result.salesMissing += salesMissing;
        result.itemsMissing += itemsMissing;
      }
      for (const pack of packsOf(differing.map(({ window }) => window))) {
        const points = (await lake.sales(pack)).flatMap(pointsOf);
        const { beyondRetention } = await writer.write(points);
        result.pointsWritten += points.length;
        result.beyondRetention += beyondRetention;
      }
      if (differing.length === 0 || writer.late !== undefined) return;
      for (const { window, isShort } of await differences(reader, spans, windows, itemsSince))
        if (isShort) still.push(window);
    }
  };

  /** Whether all that was accepted there can be read by now. */
  function isReadable({ from, acceptedAt }: LakeWindow): boolean {
    if (writer.late === undefined) return true;
    const { afterMs, withinMs } = writer.late;
    return from >= Date.now() - afterMs || acceptedAt < Date.now() - withinMs - delayMs;
  }
}

const shown = ({ region, currency, from }: LakeWindow) => `${region}, ${currency}, ${new Date(from).toISOString()}`;

const isoOrNull = (milliseconds: number | undefined) =>
  milliseconds === undefined ? null : new Date(milliseconds).toISOString();

/** No days: for ever. */
function retentionMs(days: string): number {
  return Number(days) === 0 ? Number.POSITIVE_INFINITY : Number(days) * dayMs;
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
