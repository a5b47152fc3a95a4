import type { Sums } from '../time-series';

/** What merchants look at. Money is in minor units of the currency it is given with; null: there is nothing to divide by. */
export interface Figures {
  /** Sales less discounts less returns, tax apart. */
  readonly netSales: number;
  /** Sold less returned. */
  readonly units: number;
  /** Sales and returns. */
  readonly transactions: number;
  readonly returns: number;
  /** Net of the sales, returns apart, for each of them. */
  readonly averageBasket: number | null;
  readonly unitsPerBasket: number | null;
  /** Net of what was returned for each unit of net that was sold. */
  readonly returnsRate: number | null;
  /** Discount for each unit of what the sales would have cost without. */
  readonly discountShare: number | null;
}

export function figuresOf({ sold, returned }: Pick<Sums, 'sold' | 'returned'>): Figures {
  return {
    netSales: sold.net - returned.net,
    units: sold.units - returned.units,
    transactions: sold.transactions + returned.transactions,
    returns: returned.transactions,
    averageBasket: ratio(sold.net, sold.transactions, 0),
    unitsPerBasket: ratio(sold.units, sold.transactions, 2),
    returnsRate: ratio(returned.net, sold.net, 4),
    discountShare: ratio(sold.discount, sold.net + sold.discount, 4),
  };
}

/** How much more each figure is than it was: 0.1 for a tenth more; null where it was nothing. */
export function changeOf(
  now: Figures,
  before: Figures,
): Readonly<Record<'netSales' | 'units' | 'transactions', number | null>> {
  const change = (figure: 'netSales' | 'units' | 'transactions') =>
    before[figure] > 0 ? ratio(now[figure] - before[figure], before[figure], 4) : null;
  return { netSales: change('netSales'), units: change('units'), transactions: change('transactions') };
}

function ratio(part: number, whole: number, digits: number): number | null {
  return whole === 0 ? null : Number((part / whole).toFixed(digits)) + 0;
}
