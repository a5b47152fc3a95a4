import type { LineRow, TenderRow } from './planted-month';

/** A tender of a sale, settled in time but for what is said. */
export const aTender = (changes: Partial<TenderRow> = {}): TenderRow => ({
  source: 'pos-eu',
  transaction_id: 'T-1',
  tender: 1,
  type: 'sale',
  business_date: '2026-10-14',
  occurred_at: '2026-10-14T10:00:00Z',
  currency: 'EUR',
  signed_amount: 1_000,
  gateway: 'adyen',
  gateway_reference: 'R-1',
  ...changes,
});

export function aLine({
  original_gross: amount = 1_000,
  fee = 15,
  currency = 'EUR',
  ...changes
}: Partial<LineRow> = {}): LineRow {
  return {
    settlement_line_id: 'L-1',
    gateway: 'adyen',
    batch: 'B-1',
    row_number: 1,
    kind: 'payment',
    gateway_reference: 'R-1',
    merchant_reference: 'T-1',
    occurred_at: '2026-10-14T10:00:30Z',
    settled_date: '2026-10-16',
    currency,
    gross: amount,
    fee,
    net: amount - fee,
    original_currency: currency,
    original_gross: amount,
    ...changes,
  };
}
