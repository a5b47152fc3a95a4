import type { Sale } from '../../lambdas/base/domain/sale';

/** A tokenized sale as it lies in the streams; say only what matters to the test. */
export function aSale(change: Partial<Sale> = {}): Sale {
  return {
    source: 'pos-eu',
    transactionId: 'T-1',
    type: 'sale',
    channel: 'store',
    region: 'eu-west',
    location: 'store-042',
    occurredAt: '2026-11-22T10:15:30.123Z',
    currency: 'EUR',
    lines: [{ line: 1, sku: 'SKU-1', quantity: 2, unitPrice: 255, category: 'kitchen' }],
    tenders: [
      {
        type: 'card',
        amount: 510,
        gateway: 'adyen',
        card: { token: 'tok_abcdefghijklmnopqrstuvwxyz', brand: 'visa', bin: '411111', last4: '1111' },
      },
    ],
    acceptedAt: '2026-11-22T10:15:31.000Z',
    ...change,
  };
}

/** Many sales, each its own transaction. */
export function someSales(count: number, change: (index: number) => Partial<Sale> = () => ({})): Sale[] {
  return Array.from({ length: count }, (_, index) => aSale({ transactionId: `T-${index + 1}`, ...change(index) }));
}
