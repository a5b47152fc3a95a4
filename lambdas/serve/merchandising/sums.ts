import { countsBaskets, type Dimension, measurementFor } from './dimensions';
import { categoryTag, tagValue } from './points';
import type { Amounts, Filters, RankingQuestion, Sums, SumsQuestion } from './time-series';

/** A question for sums in the terms of points, whichever database holds them. */
export interface SumsOfPoints {
  readonly measurement: 'sales' | 'items';
  /** Fields that are added up. */
  readonly fields: readonly string[];
  /** Count the points for transactions, where a sale has several of them; else add up their `transactions`. */
  readonly countsPoints: boolean;
  /** Tags that must have one of these values. */
  readonly where: Readonly<Record<string, readonly string[]>>;
  /** Tags that sums are told apart by. */
  readonly by: readonly string[];
  /** Which of them holds the value that was asked for. */
  readonly valueTag: string | undefined;
}

/** Sums of the points with the same tags, in one window: what a database answers of them. */
export interface PointSums {
  readonly currency: string;
  /** Of sales only: what sold and what was returned lie in two series. */
  readonly type?: string;
  readonly value?: string;
  readonly at?: number;
  /** The fields by their names, and `transactions`. */
  readonly sums: Readonly<Record<string, number>>;
}

const amountFields = ['net', 'units', 'discount'];
/** In items, the fields of which have the returns taken off already. */
const returnedFields = ['returned_net', 'returned_units', 'returned_discount', 'returns'];

export function sumsOfPoints({ where, by, of }: Pick<SumsQuestion, 'where' | 'by' | 'of'>): SumsOfPoints {
  const asked: (Dimension | 'currency')[] = [...(Object.keys(where) as (Dimension | 'currency')[])];
  if (by !== undefined) asked.push(by);
  if (of === 'items') asked.push('item');
  const { measurement, tagOf } = measurementFor(asked);
  const isOfItems = measurement === 'items';
  const valueTag = by === undefined ? undefined : knownTag(by, tagOf);
  const countsPoints = countsBaskets(asked);
  return {
    measurement,
    fields: [...amountFields, ...(countsPoints ? [] : ['transactions']), ...(isOfItems ? returnedFields : [])],
    countsPoints,
    where: tagsOf(where, tagOf),
    by: ['currency', ...(isOfItems ? [] : ['type']), ...(valueTag === undefined ? [] : [valueTag])],
    valueTag,
  };
}

/** The conditions of a ranking, which is always of items. */
export function rankedItems({ where }: Pick<RankingQuestion, 'where'>): Pick<SumsOfPoints, 'measurement' | 'where'> {
  const { measurement, tagOf } = measurementFor(['item']);
  return { measurement, where: tagsOf(where, tagOf) };
}

/** Puts the sums of sales and of returns together: they lie in two series, or in two fields of one. */
export function gathered(rows: Iterable<PointSums>): Sums[] {
  const found = new Map<string, Sums>();
  for (const { currency, type, value, at, sums } of rows) {
    const id = JSON.stringify([currency, value, at]);
    const known = found.get(id) ?? { sold: nothing, returned: nothing };
    const { sold, returned } = amountsOf(sums, type);
    found.set(id, {
      currency,
      ...(value === undefined ? {} : { value }),
      ...(at === undefined ? {} : { at }),
      sold: added(known.sold, sold),
      returned: added(known.returned, returned),
    });
  }
  return [...found.values()];
}

function tagsOf(where: Filters, tagOf: TagOf): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(where).map(([dimension, values]) => [
      knownTag(dimension as Dimension, tagOf),
      values.map(dimension === 'category' ? categoryTag : tagValue),
    ]),
  );
}

type TagOf = ReturnType<typeof measurementFor>['tagOf'];

function knownTag(dimension: Dimension, tagOf: TagOf): string {
  const found = tagOf(dimension);
  if (found === undefined) throw new Error(`items are not kept by ${dimension}`);
  return found;
}

const nothing: Amounts = { net: 0, units: 0, discount: 0, transactions: 0 };

function amountsOf(sums: PointSums['sums'], type: string | undefined): Pick<Sums, 'sold' | 'returned'> {
  const { net = 0, units = 0, discount = 0, transactions = 0 } = sums;
  if (type === 'sale') return { sold: { net, units, discount, transactions }, returned: nothing };
  if (type === 'return')
    return { sold: nothing, returned: { net: -net, units: -units, discount: -discount, transactions } };
  const returned = {
    net: sums.returned_net ?? 0,
    units: sums.returned_units ?? 0,
    discount: sums.returned_discount ?? 0,
    transactions: sums.returns ?? 0,
  };
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
