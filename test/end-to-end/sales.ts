import type { StoreTotals } from '../../local/store-totals';

/** A sale event as a till sends it. */
export interface SaleEvent {
  readonly source: string;
  readonly transactionId: string;
  readonly type: 'sale' | 'return';
  readonly currency: string;
  readonly lines: readonly {
    readonly line: number;
    readonly sku: string;
    readonly quantity: number;
    readonly unitPrice: number;
    readonly discount?: number;
  }[];
  readonly [field: string]: unknown;
}

const cards = ['4111111111111111', '5555555555554444', '378282246310005', '6011111111111117', '3530111333300000'];

/** Sales that differ in all that the stores count by; the same number gives the same sale. */
export function makeSale(number: number, changes: Partial<SaleEvent> = {}): SaleEvent {
  const lines = Array.from({ length: 1 + (number % 4) }, (_, index) => ({
    line: index + 1,
    sku: `SKU-${(number * 7 + index * 13) % 50}`,
    quantity: 1 + ((number + index) % 5),
    unitPrice: (number * 37 + index * 101) % 5_000,
    ...(index % 2 === 0 ? { discount: number % 3 } : {}),
    ...(index % 3 === 2 ? {} : { category: `category ${index % 2}, all "kinds"` }),
  }));
  const due = lines.reduce((sum, { quantity, unitPrice, discount = 0 }) => sum + quantity * unitPrice - discount, 0);
  return {
    source: number % 3 === 0 ? 'web-eu' : 'pos-eu',
    transactionId: `T-${number}`,
    type: number % 11 === 0 ? 'return' : 'sale',
    channel: number % 3 === 0 ? 'online' : 'store',
    region: `region-${number % 4}`,
    location: `store-${number % 9}`,
    occurredAt: new Date(
      Date.UTC(2010 + (number % 10), number % 12, 1 + (number % 28), number % 24, number % 60),
    ).toISOString(),
    currency: number % 5 === 0 ? 'EUR' : 'USD',
    lines,
    tenders: [
      number % 4 === 0
        ? { type: 'cash', amount: Math.max(0, due) }
        : {
            type: 'card',
            amount: Math.max(0, due),
            gateway: 'adyen',
            gatewayReference: `REF${number}`,
            card: { number: cards[number % cards.length], expiryMonth: 12, expiryYear: 2031 },
          },
    ],
    ...changes,
  };
}

/** What every store must answer: summed from the events themselves, each sale once. */
export function totalsOf(events: readonly SaleEvent[]): Required<StoreTotals> {
  const sales = new Map(events.map((event) => [`${event.source}#${event.transactionId}`, event]));
  const net: Record<string, number> = {};
  let lines = 0;
  let units = 0;
  for (const sale of sales.values()) {
    const sign = sale.type === 'return' ? -1 : 1;
    for (const { quantity, unitPrice, discount = 0 } of sale.lines) {
      lines += 1;
      units += sign * quantity;
      net[sale.currency] = (net[sale.currency] ?? 0) + sign * (quantity * unitPrice - discount);
    }
  }
  return { transactions: sales.size, lines, units, net: Object.fromEntries(Object.entries(net).sort()) };
}

/** The same for a store that counts neither transactions nor money. */
export function unitsOf(events: readonly SaleEvent[]): StoreTotals {
  const { lines, units } = totalsOf(events);
  return { lines, units };
}
