/** By what sales can be told apart. */
export const dimensions = ['region', 'channel', 'location', 'category', 'item'] as const;
export type Dimension = (typeof dimensions)[number];

/** What items are kept by: channel, location and category would multiply a million items. */
const itemTags: Readonly<Record<string, string>> = { item: 'sku', region: 'region', currency: 'currency' };

/** Where the points of a question lie, and what tag each dimension is there; undefined for one that they lack. */
export function measurementFor(asked: Iterable<Dimension | 'currency'>) {
  const isOfItems = [...asked].includes('item');
  return {
    measurement: isOfItems ? ('items' as const) : ('sales' as const),
    tagOf: (dimension: Dimension | 'currency'): string | undefined => (isOfItems ? itemTags[dimension] : dimension),
  };
}

/**
 * Whether a sale can be in more than one of these points: then its transactions are counted by points (one per sale and
 * category or item), not by the one point that stands for the whole sale.
 */
export function countsBaskets(asked: Iterable<Dimension | 'currency'>): boolean {
  return [...asked].some((dimension) => dimension === 'category' || dimension === 'item');
}
