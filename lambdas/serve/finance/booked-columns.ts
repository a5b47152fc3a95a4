import type { RowTable } from '../../base/domain/sale-rows';

/**
 * What the ledger has of the files' columns: finance's own list, in the order in which its tables came to have them. A
 * column that comes to the files is copied and goes no further until it stands here, and a step of the schema has added it
 * (create-schema/migrations.ts). Free text is not bookkeeping: `note` is not here.
 */
export const bookedColumns: Readonly<Record<RowTable['name'], readonly string[]>> = {
  sale_lines: [
    'source',
    'transaction_id',
    'line',
    'type',
    'channel',
    'region',
    'location',
    'occurred_at',
    'business_date',
    'accepted_at',
    'currency',
    'original_transaction_id',
    'customer_id',
    'sku',
    'category',
    'quantity',
    'unit_price',
    'discount',
    'tax',
    'units',
    'net',
  ],
  sale_tenders: [
    'source',
    'transaction_id',
    'tender',
    'type',
    'channel',
    'region',
    'location',
    'occurred_at',
    'business_date',
    'accepted_at',
    'currency',
    'original_transaction_id',
    'tender_type',
    'amount',
    'signed_amount',
    'gateway',
    'gateway_reference',
    'card_token',
    'card_brand',
    'card_bin',
    'card_last4',
    'card_country',
    'card_funding',
    'tender_difference',
  ],
};
