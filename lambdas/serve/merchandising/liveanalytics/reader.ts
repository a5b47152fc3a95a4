import { QueryCommand, type TimestreamQueryClient, ValidationException } from '@aws-sdk/client-timestream-query';
import type { Point } from '../points';
import { gathered, rankedItems, sumsOfPoints } from '../sums';
import { type TimeSeriesReader, TooMuchError } from '../time-series';
import { byFreshEndpoint } from './fresh-endpoint';
import { earliestSql, marksSql, newestSql, rankingSql, type Source, sumsSql, windowOffsetMs } from './sql';
import { type Tables, tableOf } from './tables';

export interface LiveAnalyticsReaderOptions {
  readonly openClient: () => TimestreamQueryClient;
  readonly tables: Tables;
  readonly now?: () => number;
  /** Rows that an answer may be made of, where it is not to be the usual number. */
  readonly most?: number;
}

/** What an answer may take. */
interface Limits {
  readonly most?: number | undefined;
  readonly deadline: AbortSignal | undefined;
}

/** Values by column; all of them are text or a number as text. */
type Row = Readonly<Record<string, string | undefined>>;

/** How old a comparison may be that still counts. */
const comparisonsMs = 35 * 86_400_000;
/** The database is not to gather millions: what has more is no answer that anybody reads. */
const usualRows = 50_000;

/** Timestream for LiveAnalytics, by SQL, with rights to select only. */
export function liveAnalyticsReader(options: LiveAnalyticsReaderOptions): TimeSeriesReader {
  const { openClient, tables, now = Date.now, most: mostRows = usualRows } = options;
  const timestream = byFreshEndpoint(openClient);

  return {
    async sums({ from, to, everyMinutes, ...question }, deadline) {
      const sums = sumsOfPoints(question);
      const source = sourceOf(sums.measurement, { from, to }, sums.where);
      // Windows are bounded by the question; values of a dimension are not.
      const most = everyMinutes === undefined ? mostRows : undefined;
      const rows = await ask(sumsSql(source, sums, everyMinutes, most), { most, deadline });
      const { valueTag, fields } = sums;
      return gathered(
        rows.map((row) => ({
          currency: row.currency!,
          ...(row.type === undefined ? {} : { type: row.type }),
          ...(valueTag === undefined ? {} : { value: row[valueTag]! }),
          ...(everyMinutes === undefined ? {} : { at: Number(row.at) + windowOffsetMs(from, everyMinutes) }),
          sums: Object.fromEntries(['transactions', ...fields].map((field) => [field, Number(row[field])])),
        })),
      );
    },

    async ranking({ from, to, measure, order, limit, ...question }, deadline) {
      const { measurement, where } = rankedItems(question);
      const ranked = new Map<string, string[]>();
      for (const { currency, sku } of await ask(
        rankingSql(sourceOf(measurement, { from, to }, where), measure, order, limit),
        { deadline },
      ))
        ranked.set(currency!, [...(ranked.get(currency!) ?? []), sku!]);
      return ranked;
    },

    async marks(since, deadline) {
      const rows = await ask(marksSql(sourceOf('completeness', sinceThen(since)), mostRows), {
        most: mostRows,
        deadline,
      });
      return rows.map(({ source, part, set, lanes, through, at }) => ({
        source: source!,
        part: part!,
        set: set!,
        lanes: Number(lanes),
        completeThrough: Number(through),
        markedAt: Number(at),
      }));
    },

    async arrivals(since, deadline) {
      const rows = await newest('arrivals', 'occurred_at', ['source'], since, deadline);
      return rows.map(({ source, occurred_at, at }) => ({
        source: source!,
        occurredAt: Number(occurred_at),
        acceptedAt: Number(at),
      }));
    },

    async unreadable(since, deadline) {
      const source = sourceOf('unreadable', sinceThen(since));
      const sql = earliestSql(source, 'occurred_at', ['source', 'until'], mostRows);
      return (await ask(sql, { most: mostRows, deadline })).map(({ source, until, occurred_at }) => ({
        source: source!,
        occurredAt: Number(occurred_at),
        until: Number(until),
      }));
    },

    async comparedThrough() {
      const [row] = await newest('comparison', 'compared_through', ['beside'], now() - comparisonsMs);
      return row === undefined ? undefined : Number(row.compared_through);
    },
  };

  function newest(
    measurement: Point['measurement'],
    field: string,
    by: readonly string[],
    since: number,
    deadline?: AbortSignal,
  ) {
    return ask(newestSql(sourceOf(measurement, sinceThen(since)), field, by, mostRows), { most: mostRows, deadline });
  }

  /** Clocks of two machines differ. */
  function sinceThen(from: number): Source['between'] {
    return { from, to: now() + 3_600_000 };
  }

  function sourceOf(
    measurement: Point['measurement'],
    between: Source['between'],
    where: Source['where'] = {},
  ): Source {
    return { database: tables.database, table: tableOf(measurement, tables), measurement, between, where };
  }

  /**
   * All pages of an answer; throws where there are more rows than `most`. A table knows its columns from what was written:
   * before that there is nothing to be found.
   */
  async function ask(QueryString: string, { most = Number.POSITIVE_INFINITY, deadline }: Limits): Promise<Row[]> {
    const rows: Row[] = [];
    let NextToken: string | undefined;
    try {
      do {
        const input = { QueryString, ...(NextToken === undefined ? {} : { NextToken }) };
        const page = await timestream((client) =>
          client.send(new QueryCommand(input), deadline === undefined ? {} : { abortSignal: deadline }),
        );
        const columns = (page.ColumnInfo ?? []).map(({ Name }) => Name!);
        for (const { Data = [] } of page.Rows ?? [])
          rows.push(Object.fromEntries(columns.map((column, place) => [column, Data[place]?.ScalarValue])));
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
    } catch (error) {
      if (error instanceof ValidationException && /Column '.+' does not exist/.test(error.message)) return [];
      throw error;
    }
    if (rows.length > most) throw new TooMuchError('rows of the time series', most);
    return rows;
  }
}
