import { countsBaskets, type Dimension, measurementFor } from './dimensions';
import { type InfluxDbConnection, influxDbPost } from './influxdb-connection';
import { type Column, influxQl, type Selection } from './influxql';
import { type Databases, databaseOf, type Point, tagValue } from './points';
import type { Amounts, Filters, Sums, SumsQuestion, TimeSeriesReader } from './time-series';

export interface InfluxDbReaderOptions extends InfluxDbConnection {
  readonly databases: Databases;
}

interface Row {
  readonly tags: Readonly<Record<string, string>>;
  readonly time: number;
  readonly values: Readonly<Record<string, any>>;
}

/** Beyond them an answer would be refused anyway; the database is not to gather millions. */
const mostSeries = 50_000;

/** Timestream for InfluxDB, by the `/query` that InfluxDB 1, 2 and 3 share, under a token that can only read. */
export function influxDbReader({ databases, ...connection }: InfluxDbReaderOptions): TimeSeriesReader {
  const post = influxDbPost(connection);

  return {
    async sums(question) {
      const { from, to, where, by, everyMinutes } = question;
      const asked = dimensionsOf(question);
      const { measurement, tagOf } = measurementFor(asked);
      const isOfItems = measurement === 'items';
      const rows = await select(measurement, {
        columns: [...sumColumns(countsBaskets(asked)), ...(isOfItems ? returnedColumns : [])],
        from: measurement,
        between: { from, to },
        where: tagsOf(where, tagOf),
        by: ['currency', ...(isOfItems ? [] : ['type']), ...(by === undefined ? [] : [tag(by, tagOf)])],
        ...(everyMinutes === undefined ? {} : { everyMinutes }),
        seriesLimit: mostSeries,
      });
      return gathered(rows, by === undefined ? undefined : tag(by, tagOf), everyMinutes !== undefined);
    },

    async ranking({ from, to, where, measure, order, limit }) {
      const { measurement, tagOf } = measurementFor(['item']);
      const between = { from, to };
      const rows = await select(measurement, {
        columns: [{ call: order === 'top' ? 'TOP' : 'BOTTOM', field: measure, of: { tag: 'sku', limit }, as: 'sum' }],
        from: {
          columns: [{ call: 'SUM', field: measure, as: measure }],
          from: measurement,
          between,
          where: tagsOf(where, tagOf),
          by: ['currency', 'sku'],
        },
        between,
        by: ['currency'],
      });
      const direction = order === 'top' ? -1 : 1;
      rows.sort((a, b) => direction * (a.values.sum - b.values.sum) || (a.values.sku < b.values.sku ? -1 : 1));
      const ranked = new Map<string, string[]>();
      for (const { tags, values } of rows)
        ranked.set(tags.currency!, [...(ranked.get(tags.currency!) ?? []), values.sku]);
      return ranked;
    },

    async marks(since) {
      const rows = await newest('completeness', 'complete_through', ['source', 'part', 'lane'], since);
      return rows.map(({ tags, time, values }) => ({
        source: tags.source!,
        part: tags.part!,
        lane: tags.lane!,
        completeThrough: values.complete_through,
        markedAt: time,
      }));
    },

    async arrivals(since) {
      const rows = await newest('arrivals', 'occurred_at', ['source'], since);
      return rows.map(({ tags, time, values }) => ({
        source: tags.source!,
        occurredAt: values.occurred_at,
        acceptedAt: time,
      }));
    },
  };

  function newest(measurement: Point['measurement'], field: string, by: readonly string[], since: number) {
    return select(measurement, {
      columns: [{ call: 'LAST', field, as: field }],
      from: measurement,
      // Clocks of two machines differ.
      between: { from: since, to: Date.now() + 3_600_000 },
      by,
      seriesLimit: mostSeries,
    });
  }

  async function select(measurement: Point['measurement'], selection: Selection): Promise<Row[]> {
    const form = new URLSearchParams({
      db: databaseOf({ measurement }, databases),
      epoch: 'ms',
      q: influxQl(selection),
    });
    const answer = await post('/query', 'application/x-www-form-urlencoded', form.toString());
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the time series refused a query: HTTP ${answer.status}: ${text.slice(0, 300)}`);
    const [{ error, series = [] } = {} as any] = JSON.parse(text).results;
    if (error !== undefined) throw new Error(`the time series refused a query: ${String(error).slice(0, 300)}`);
    return series.flatMap(({ tags = {}, columns, values }: any) =>
      values.map((row: unknown[]) => {
        const named = Object.fromEntries(columns.map((column: string, place: number) => [column, row[place]]));
        return { tags, time: named.time, values: named };
      }),
    );
  }
}

const sumColumn = (field: string): Column => ({ call: 'SUM', field, as: field });
const sumColumns = (baskets: boolean): Column[] => [
  ...['net', 'units', 'discount'].map(sumColumn),
  baskets ? { call: 'COUNT', field: 'net', as: 'transactions' } : sumColumn('transactions'),
];
const returnedColumns = ['returned_net', 'returned_units', 'returned_discount', 'returns'].map(sumColumn);

function dimensionsOf({ where, by }: SumsQuestion): (Dimension | 'currency')[] {
  return [...(Object.keys(where) as (Dimension | 'currency')[]), ...(by === undefined ? [] : [by])];
}

function tagsOf(where: Filters, tagOf: (dimension: Dimension) => string | undefined) {
  return Object.fromEntries(
    Object.entries(where).map(([dimension, values]) => [tag(dimension as Dimension, tagOf), values.map(tagValue)]),
  );
}

function tag(dimension: Dimension, tagOf: (dimension: Dimension) => string | undefined): string {
  const found = tagOf(dimension);
  if (found === undefined) throw new Error(`items are not kept by ${dimension}`);
  return found;
}

/** Puts the rows of sales and of returns together: they lie in two series, or in two fields of one. */
function gathered(rows: readonly Row[], valueTag: string | undefined, isWindowed: boolean): Sums[] {
  const sums = new Map<string, Sums>();
  for (const { tags, time, values } of rows) {
    const value = valueTag === undefined ? undefined : tags[valueTag]!;
    const at = isWindowed ? time : undefined;
    const id = JSON.stringify([tags.currency, value, at]);
    const known = sums.get(id) ?? { sold: nothing, returned: nothing };
    const { sold, returned } = amountsOf(values, tags.type);
    sums.set(id, {
      currency: tags.currency!,
      ...(value === undefined ? {} : { value }),
      ...(at === undefined ? {} : { at }),
      sold: added(known.sold, sold),
      returned: added(known.returned, returned),
    });
  }
  return [...sums.values()];
}

const nothing: Amounts = { net: 0, units: 0, discount: 0, transactions: 0 };

function amountsOf(values: Row['values'], type: string | undefined): Pick<Sums, 'sold' | 'returned'> {
  const { net, units, discount, transactions } = values;
  if (type === 'sale') return { sold: { net, units, discount, transactions }, returned: nothing };
  if (type === 'return')
    return { sold: nothing, returned: { net: -net, units: -units, discount: -discount, transactions } };
  const returned = {
    net: values.returned_net ?? 0,
    units: values.returned_units ?? 0,
    discount: values.returned_discount ?? 0,
    transactions: values.returns ?? 0,
  };
  // The fields of the whole point have the returns taken off already.
  return {
    sold: {
      net: net + returned.net,
      units: units + returned.units,
      discount: discount + returned.discount,
      transactions: transactions - returned.transactions,
    },
    returned,
  };
}

function added(one: Amounts, other: Amounts): Amounts {
  return {
    net: one.net + other.net,
    units: one.units + other.units,
    discount: one.discount + other.discount,
    transactions: one.transactions + other.transactions,
  };
}
