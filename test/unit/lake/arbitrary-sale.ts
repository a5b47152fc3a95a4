import fc from 'fast-check';
import type { Sale, SaleLine, Tender } from '../../../lambdas/base/domain/sale';

const amount = fc.integer({ min: 0, max: 1_000_000 });
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
/** Leaves out what is undefined, as JSON does. */
const compact = <Value extends object>(value: Value): Value =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;

const lines: fc.Arbitrary<SaleLine[]> = fc
  .array(
    fc.record({
      sku: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
      quantity: fc.integer({ min: 1, max: 1_000 }),
      unitPrice: amount,
      discount: maybe(amount),
      tax: maybe(amount),
      category: maybe(fc.string({ maxLength: 20, unit: 'grapheme' })),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((some) => some.map((line, index) => compact({ line: index + 1, ...line }) as SaleLine));

const tenders: fc.Arbitrary<Tender[]> = fc.array(
  fc
    .record({
      type: fc.constantFrom('card' as const, 'cash' as const, 'gift-card' as const, 'other' as const),
      amount,
      gateway: maybe(fc.constantFrom('adyen', 'stripe')),
      gatewayReference: maybe(fc.stringMatching(/^[0-9]{16}$/)),
    })
    .map((tender) => compact(tender) as Tender),
  { minLength: 1, maxLength: 4 },
);

/** Any sale that the door lets through, in what matters to its rows. */
export const arbitrarySale: fc.Arbitrary<Sale> = fc
  .record({
    source: fc.constantFrom('pos-eu', 'web'),
    transactionId: fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/),
    type: fc.constantFrom('sale' as const, 'return' as const),
    channel: fc.constantFrom('store' as const, 'online' as const),
    region: fc.constantFrom('eu-west', 'us-east'),
    location: fc.constantFrom('store-001', 'store-042'),
    occurredAt: fc
      .date({ min: new Date('2010-01-01'), max: new Date('2026-11-22'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    businessDate: maybe(fc.constantFrom('2026-11-20', '2010-01-01')),
    currency: fc.constantFrom('EUR', 'USD'),
    originalTransactionId: maybe(fc.constant('T-0')),
    customerId: maybe(fc.constant('c-123')),
    note: maybe(fc.string({ maxLength: 500, unit: 'grapheme' })),
    lines,
    tenders,
    acceptedAt: fc
      .date({ min: new Date('2026-11-20'), max: new Date('2026-11-22'), noInvalidDate: true })
      .map((date) => date.toISOString()),
  })
  .map((sale) => compact(sale) as Sale);
