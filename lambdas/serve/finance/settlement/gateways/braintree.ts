import type { GatewayMapping } from './mapping';

/**
 * Braintree's transaction-level fee report, of a merchant account and a day on which money was sent to the bank: together
 * they name the batch. The settlement batch summary of the Control Panel has sums only, per card type; this is the report
 * that names transactions. Columns and formats are those of the sample in Braintree's own SDK (braintree_java,
 * transaction_level_fee_report.csv) and of developer.paypal.com/braintree, "Transaction Level Fee Report Row"; on
 * interchange-plus pricing the report has others, with estimated fees. It has no time of day, no disputes, and of what was
 * converted only what was settled.
 */
export const braintree: GatewayMapping = {
  gateway: 'braintree',
  report: 'transaction-level fee report',
  header: [
    'Merchant Account ID',
    'Transaction ID',
    'Original Transaction ID',
    'Transaction Type',
    'Presentment Currency',
    'Original Sale Amount',
    'Settlement Currency',
    'Settlement Amount',
    'Settlement Date',
    'Disbursement Date',
    'Payment Instrument',
    'Card Brand',
    'Card Type',
    'First 6 of CC',
    'Issuing Bank',
    'Refunded Amount',
    'Refund Type',
    'Exchange Rate',
    'Order ID',
    'Acquirer Reference Number',
    'Card Issuing Country',
    'Discount',
    'Discount Credit',
    'Per Transaction Fee',
    'Per Transaction Fee Credit',
    'Multicurrency Fee Amount',
    'Multicurrency Fee Credit',
    'Total Fee Amount',
  ],
  batch: ['Merchant Account ID', 'Disbursement Date'],
  kind: { column: 'Transaction Type', kinds: { sale: 'payment', credit: 'refund' } },
  reference: ['Transaction ID'],
  paymentReference: ['Original Transaction ID'],
  merchantReference: ['Order ID'],
  settledDate: 'Disbursement Date',
  currency: 'Settlement Currency',
  gross: { plus: ['Settlement Amount'], signOfKind: true },
  fee: { plus: ['Total Fee Amount'] },
};
