import { tagValue } from '../points';
import type { Amounts, Sums, TimeSeriesReader } from '../time-series';
import { type LakeWindow, type Span, windowMinutes } from './lake-sales';

/** A window in which the time series say something else than the lake. */
export interface Difference {
  readonly window: LakeWindow;
  /** Sales that the lake has and the time series lack. */
  readonly salesMissing: number;
  /** The same of items, a sale and SKU each. */
  readonly itemsMissing: number;
  /** Whether the time series lack anything: where they only have more, the lake has not got it yet. */
  readonly isShort: boolean;
}

/** Asks for the sums of these windows. Those from before `itemsSince` are not kept by item any more. */
export async function differences(
  reader: TimeSeriesReader,
  spans: readonly Span[],
  windows: readonly LakeWindow[],
  itemsSince: number,
): Promise<Difference[]> {
  const ofSales = new Map<string, Sums>();
  const ofItems = new Map<string, Sums>();
  for (const span of spans) {
    const question = { ...span, where: {}, by: 'region', everyMinutes: windowMinutes } as const;
    for (const sums of await reader.sums(question)) ofSales.set(idOf(sums.value!, sums.currency, sums.at!), sums);
    for (const sums of await reader.sums({ ...question, of: 'items' }))
      ofItems.set(idOf(sums.value!, sums.currency, sums.at!), sums);
  }
  return windows.flatMap((window): Difference[] => {
    const { sold, returned, soldItems, returnedItems, from } = window;
    const id = idOf(tagValue(window.region), window.currency, from);
    const sales = ofSales.get(id);
    const items = ofItems.get(id);
    const pairsOfSales = [[sold, sales?.sold] as const, [returned, sales?.returned] as const];
    const pairsOfItems =
      from < itemsSince
        ? []
        : [
            [{ ...sold, transactions: soldItems }, items?.sold] as const,
            [{ ...returned, transactions: returnedItems }, items?.returned] as const,
          ];
    const pairs = [...pairsOfSales, ...pairsOfItems].map(([lake, series = nothing]) => ({ lake, series }));
    if (pairs.every(({ lake, series }) => areEqual(lake, series))) return [];
    return [
      {
        window,
        salesMissing: missing(pairs.slice(0, 2)),
        itemsMissing: missing(pairs.slice(2)),
        // As many transactions and other amounts: one of them is not the one that should be there.
        isShort: pairs.some(
          ({ lake, series }) =>
            series.transactions < lake.transactions ||
            (series.transactions === lake.transactions && !areEqual(lake, series)),
        ),
      },
    ];
  });
}

interface Pair {
  readonly lake: Amounts;
  readonly series: Amounts;
}

const nothing: Amounts = { net: 0, units: 0, discount: 0, transactions: 0 };

const idOf = (region: string, currency: string, from: number) => JSON.stringify([region, currency, from]);

function missing(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, { lake, series }) => sum + Math.max(0, lake.transactions - series.transactions), 0);
}

function areEqual(lake: Amounts, series: Amounts): boolean {
  return (['net', 'units', 'discount', 'transactions'] as const).every((name) => lake[name] === series[name]);
}
