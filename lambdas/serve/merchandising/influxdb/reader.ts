import { partMarksOf } from '../completeness';
import type { Point } from '../points';
import { gathered, rankedItems, sumsOfPoints } from '../sums';
import { type TimeSeriesReader, TooMuchError } from '../time-series';
import { type InfluxDbConnection, influxDbPost } from './connection';
import { type Column, influxQl, type Selection } from './influxql';
import { type Databases, databaseOf } from './line-protocol';

export interface InfluxDbReaderOptions extends InfluxDbConnection {
  readonly databases: Databases;
  /** Series that an answer may be made of, where it is not to be the usual number. */
  readonly most?: number;
}

interface Row {
  readonly tags: Readonly<Record<string, string>>;
  readonly time: number;
  readonly values: Readonly<Record<string, any>>;
}

/** The database is not to gather millions: what has more is no answer that anybody reads. */
const mostSeries = 50_000;
/** How old a comparison may be that still counts. */
const comparisonsMs = 35 * 86_400_000;
/** Marks have a series for every part and lane: 5,000 stores and 64 lanes. */
const mostLanes = 320_000;

/** Timestream for InfluxDB, by the `/query` that InfluxDB 1, 2 and 3 share, under a token that can only read. */
export function influxDbReader({ databases, most, ...connection }: InfluxDbReaderOptions): TimeSeriesReader {
  const post = influxDbPost(connection);

  return {
    async sums({ from, to, everyMinutes, ...question }, deadline) {
      const { measurement, fields, countsPoints, where, by, valueTag } = sumsOfPoints(question);
      const rows = await select(
        measurement,
        {
          columns: [
            ...fields.map((field): Column => ({ call: 'SUM', field, as: field })),
            ...(countsPoints ? [{ call: 'COUNT', field: 'net', as: 'transactions' } as const] : []),
          ],
          from: measurement,
          between: { from, to },
          where,
          by,
          ...(everyMinutes === undefined ? {} : { everyMinutes }),
          seriesLimit: most ?? mostSeries,
        },
        deadline,
      );
      return gathered(
        rows.map(({ tags, time, values }) => ({
          currency: tags.currency!,
          ...(tags.type === undefined ? {} : { type: tags.type }),
          ...(valueTag === undefined ? {} : { value: tags[valueTag]! }),
          ...(everyMinutes === undefined ? {} : { at: time }),
          sums: values,
        })),
      );
    },

    async ranking({ from, to, measure, order, limit, ...question }, deadline) {
      const { measurement, where } = rankedItems(question);
      const between = { from, to };
      const rows = await select(
        measurement,
        {
          columns: [{ call: order === 'top' ? 'TOP' : 'BOTTOM', field: measure, of: { tag: 'sku', limit }, as: 'sum' }],
          from: {
            columns: [{ call: 'SUM', field: measure, as: measure }],
            from: measurement,
            between,
            where,
            by: ['currency', 'sku'],
          },
          between,
          by: ['currency'],
        },
        deadline,
      );
      const direction = order === 'top' ? -1 : 1;
      rows.sort((a, b) => direction * (a.values.sum - b.values.sum) || (a.values.sku < b.values.sku ? -1 : 1));
      const ranked = new Map<string, string[]>();
      for (const { tags, values } of rows)
        ranked.set(tags.currency!, [...(ranked.get(tags.currency!) ?? []), values.sku]);
      return ranked;
    },

    async marks(since, deadline) {
      const rows = await newest('completeness', 'complete_through', ['source', 'part', 'lane'], since, deadline);
      return partMarksOf(
        rows.map(({ tags, time, values }) => ({
          source: tags.source!,
          part: tags.part!,
          lane: tags.lane!,
          completeThrough: values.complete_through,
          markedAt: time,
        })),
      );
    },

    async arrivals(since, deadline) {
      const rows = await newest('arrivals', 'occurred_at', ['source'], since, deadline);
      return rows.map(({ tags, time, values }) => ({
        source: tags.source!,
        occurredAt: values.occurred_at,
        acceptedAt: time,
      }));
    },

    async comparedThrough() {
      const [row] = await newest('comparison', 'compared_through', ['beside'], Date.now() - comparisonsMs);
      return row?.values.compared_through;
    },
  };

  function newest(
    measurement: Point['measurement'],
    field: string,
    by: readonly string[],
    since: number,
    deadline?: AbortSignal,
  ) {
    return select(
      measurement,
      {
        columns: [{ call: 'LAST', field, as: field }],
        from: measurement,
        // Clocks of two machines differ.
        between: { from: since, to: Date.now() + 3_600_000 },
        by,
        seriesLimit: most ?? (measurement === 'completeness' ? mostLanes : mostSeries),
      },
      deadline,
    );
  }

  async function select(
    measurement: Point['measurement'],
    selection: Selection,
    deadline: AbortSignal | undefined,
  ): Promise<Row[]> {
    const limit = selection.seriesLimit;
    const form = new URLSearchParams({
      db: databaseOf({ measurement }, databases),
      epoch: 'ms',
      // One more than is allowed, which tells of all that would be left out.
      q: influxQl({ ...selection, ...(limit === undefined ? {} : { seriesLimit: limit + 1 }) }),
    });
    const answer = await post('/query', 'application/x-www-form-urlencoded', form.toString(), deadline);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the time series refused a query: HTTP ${answer.status}: ${text.slice(0, 300)}`);
    const [{ error, series = [] } = {} as any] = JSON.parse(text).results;
    if (error !== undefined) throw new Error(`the time series refused a query: ${String(error).slice(0, 300)}`);
    if (limit !== undefined && series.length > limit) throw new TooMuchError(`series of ${measurement}`, limit);
    return series.flatMap(({ tags = {}, columns, values }: any) =>
      values.map((row: unknown[]) => {
        const named = Object.fromEntries(columns.map((column: string, place: number) => [column, row[place]]));
        return { tags, time: named.time, values: named };
      }),
    );
  }
}
