import fc from 'fast-check';

/** Well-known test numbers, one per brand and length. */
export const testCards = {
  visa: '4111111111111111',
  mastercard: '5555555555554444',
  amex: '378282246310005',
  discover: '6011111111111117',
  diners: '30569309025904',
  jcb: '3530111333300000',
  unionPay: '6200000000000005',
} as const;

export const aTestCard = fc.constantFrom(...Object.values(testCards));

/** A sale event as a till sends it: two lines, a card and some cash. */
export function aSale(changes: object = {}): any {
  return {
    source: 'pos-eu',
    transactionId: 'S042-T3-20261122-000917',
    type: 'sale',
    channel: 'store',
    region: 'eu-west',
    location: 'store-042',
    occurredAt: '2026-11-22T10:15:30.123Z',
    businessDate: '2026-11-22',
    currency: 'EUR',
    customerId: 'c-123',
    note: 'gift wrap',
    lines: [
      { line: 1, sku: 'SKU-10442', quantity: 6, unitPrice: 255, discount: 0, tax: 122, category: 'kitchen' },
      { line: 2, sku: 'SKU-10443', quantity: 1, unitPrice: 0 },
    ],
    tenders: [
      {
        type: 'card',
        amount: 1652,
        gateway: 'adyen',
        gatewayReference: '8835-ABC',
        card: { number: testCards.visa, expiryMonth: 12, expiryYear: 2029 },
      },
      { type: 'cash', amount: 0 },
    ],
    ...changes,
  };
}

/** A sale paid by this card alone. */
export function aCardSale(transactionId: string, number: string): any {
  return aSale({ transactionId, tenders: [{ type: 'card', amount: 1652, card: { number } }] });
}

export const aMoment = Date.parse('2026-11-22T12:00:00Z');
