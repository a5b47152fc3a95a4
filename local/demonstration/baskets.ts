import { linesOf } from '../sender';
import type { SoldBasket } from './retailer';

/** The baskets of files of sales, each transaction once; what is none is passed over. */
export async function readBaskets(files: readonly string[]): Promise<SoldBasket[]> {
  const baskets = new Map<string, SoldBasket>();
  for (const file of files)
    for await (const line of linesOf(file)) {
      if (baskets.size === mostBaskets) return [...baskets.values()];
      const event = parsed(line);
      const lines = Array.isArray(event?.lines) ? event.lines.filter(isLine) : [];
      if (lines.length === 0) continue;
      const { source, transactionId, region, channel, type } = event;
      const key = `${source}#${transactionId}`;
      if (!baskets.has(key)) baskets.set(key, { region, channel, type: type === 'return' ? 'return' : 'sale', lines });
    }
  return [...baskets.values()];
}

// The demonstration has two thousand; of a file of millions the first ones will do.
const mostBaskets = 20_000;

/** The items that are in most baskets, most of all first. */
export function bestSellers(baskets: readonly SoldBasket[], count: number): string[] {
  const sold = new Map<string, number>();
  for (const { lines } of baskets) for (const { sku } of lines) sold.set(sku, (sold.get(sku) ?? 0) + 1);
  return [...sold]
    .sort(([one, times], [other, otherTimes]) => otherTimes - times || (one < other ? -1 : 1))
    .slice(0, count)
    .map(([sku]) => sku);
}

const isLine = (line: any): boolean =>
  /^[A-Za-z0-9._-]{1,64}$/.test(line?.sku) && Number.isInteger(line.quantity) && line.quantity > 0;

function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
