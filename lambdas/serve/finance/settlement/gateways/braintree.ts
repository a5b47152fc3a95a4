import type { GatewayMapping } from './mapping';

/**
 * Braintree's settlement batch, exported per transaction with these columns. Amounts bear no sign: a credit takes money
 * away. There is no payout row.
 */
export const braintree: GatewayMapping = {
  gateway: 'braintree',
  report: 'settlement batch',
  header: [
    'Merchant Account',
    'Settlement Batch ID',
    'Transaction ID',
    'Original Transaction ID',
    'Order ID',
    'Transaction Type',
    'Card Type',
    'Created Datetime',
    'Created Timezone',
    'Settlement Date',
    'Presentment Currency',
    'Presentment Amount',
    'Settlement Currency',
    'Settlement Amount',
    'Total Fee Amount',
  ],
  batch: 'Settlement Batch ID',
  kind: {
    column: 'Transaction Type',
    kinds: {
      sale: 'payment',
      credit: 'refund',
      dispute: 'chargeback',
      'dispute won': 'chargeback-reversed',
      fee: 'fee',
    },
  },
  reference: ['Transaction ID'],
  paymentReference: ['Original Transaction ID'],
  merchantReference: ['Order ID'],
  occurredAt: { column: 'Created Datetime', zone: 'Created Timezone' },
  settledDate: 'Settlement Date',
  currency: 'Settlement Currency',
  gross: { plus: ['Settlement Amount'], unsigned: true },
  fee: { plus: ['Total Fee Amount'] },
  original: { currency: 'Presentment Currency', gross: { plus: ['Presentment Amount'], unsigned: true } },
};
