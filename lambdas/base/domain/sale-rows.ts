import type { Column, LakeRowTable } from './lake-rows';
import { businessDateOf, netOf, type Sale, signOf, tenderDifferenceOf } from './sale';

/**
 * The rows that a sale becomes in the lake's files, defined once: the lake's writer, its Glue tables and what the ledger
 * copies are made from this file. Parquet files are loaded by the position of their columns, so a new column is optional
 * and goes to the end, and an old one never moves. What of it is booked is finance's to say
 * (lambdas/serve/finance/booked-columns.ts).
 */

export type { Column } from './lake-rows';

export interface RowTable extends LakeRowTable {
  readonly name: 'sale_lines' | 'sale_tenders';
}

/** Directory under which a row lies: the UTC date of its sale's `acceptedAt`, so that repeats meet in one partition. */
export const partitionColumn = 'accepted_date';
const partition = { column: partitionColumn, comment: 'UTC date of accepted_at, yyyy-MM-dd' };

const identity = [
  { name: 'source', type: 'string', bytes: 32, comment: 'sending system' },
  { name: 'transaction_id', type: 'string', bytes: 64, comment: 'unique within source' },
] as const satisfies readonly Column[];

const circumstances = [
  { name: 'type', type: 'string', bytes: 8, comment: 'sale or return' },
  { name: 'channel', type: 'string', bytes: 8, comment: 'store or online' },
  { name: 'region', type: 'string', bytes: 64, comment: 'selling region' },
  { name: 'location', type: 'string', bytes: 64, comment: 'store or shop' },
  { name: 'occurred_at', type: 'timestamp', comment: "UTC, by the source's clock" },
  { name: 'business_date', type: 'string', bytes: 10, comment: 'trading day, yyyy-MM-dd' },
  { name: 'accepted_at', type: 'timestamp', comment: 'UTC, stamped once at the door' },
  { name: 'currency', type: 'string', bytes: 3, comment: 'ISO 4217; amounts are in its minor unit' },
  { name: 'original_transaction_id', type: 'string', bytes: 64, optional: true, comment: 'what a return refers to' },
] as const satisfies readonly Column[];

const lineColumns = [
  ...identity,
  { name: 'line', type: 'bigint', comment: 'number of the line, unique within the sale' },
  ...circumstances,
  { name: 'customer_id', type: 'string', bytes: 64, optional: true, comment: 'as the source knows the customer' },
  { name: 'note', type: 'string', bytes: 2_000, optional: true, comment: "the sale's note, on each of its lines" },
  { name: 'sku', type: 'string', bytes: 64, comment: 'item' },
  { name: 'category', type: 'string', bytes: 400, optional: true, comment: 'category of the item' },
  { name: 'quantity', type: 'bigint', comment: 'as sent, never negative' },
  { name: 'unit_price', type: 'bigint', comment: 'as sent, never negative' },
  { name: 'discount', type: 'bigint', optional: true, comment: 'as sent, never negative' },
  { name: 'tax', type: 'bigint', optional: true, comment: 'as sent, never negative' },
  { name: 'units', type: 'bigint', comment: 'quantity, negative on a return' },
  { name: 'net', type: 'bigint', comment: 'quantity x unit price - discount, negative on a return; tax apart' },
] as const satisfies readonly Column[];

const tenderColumns = [
  ...identity,
  { name: 'tender', type: 'bigint', comment: 'place of the tender in its sale, from 1' },
  ...circumstances,
  { name: 'tender_type', type: 'string', bytes: 16, comment: 'card, cash, gift-card or other' },
  { name: 'amount', type: 'bigint', comment: 'as sent, never negative' },
  { name: 'signed_amount', type: 'bigint', comment: 'amount, negative on a return' },
  { name: 'gateway', type: 'string', bytes: 64, optional: true, comment: 'payment gateway' },
  { name: 'gateway_reference', type: 'string', bytes: 128, optional: true, comment: "the gateway's reference" },
  { name: 'card_token', type: 'string', bytes: 32, optional: true, comment: 'stands for the card' },
  { name: 'card_brand', type: 'string', bytes: 64, optional: true, comment: 'card scheme' },
  { name: 'card_bin', type: 'string', bytes: 8, optional: true, comment: 'issuer identification' },
  { name: 'card_last4', type: 'string', bytes: 4, optional: true, comment: 'last four digits' },
  { name: 'card_country', type: 'string', bytes: 64, optional: true, comment: 'country of the issuer' },
  { name: 'card_funding', type: 'string', bytes: 64, optional: true, comment: 'credit, debit or prepaid' },
  {
    name: 'tender_difference',
    type: 'bigint',
    comment: "all tenders - lines and tax, unsigned; the sale's, on each of its tenders: do not sum",
  },
] as const satisfies readonly Column[];

type ValueOf<C> = C extends { type: 'bigint' } ? number : string;
type RowOf<C extends Column> = {
  readonly [K in C as K extends { optional: true } ? never : K['name']]: ValueOf<K>;
} & {
  readonly [K in C as K extends { optional: true } ? K['name'] : never]: ValueOf<K> | undefined;
} & { readonly [partitionColumn]: string };

export type SaleLineRow = RowOf<(typeof lineColumns)[number]>;
export type SaleTenderRow = RowOf<(typeof tenderColumns)[number]>;

export const saleLines: RowTable = {
  name: 'sale_lines',
  comment: 'One row per line of a sale or return. Files may repeat rows: count through a view that keeps one per key.',
  key: ['source', 'transaction_id', 'line'],
  earliest: 'accepted_at',
  columns: lineColumns,
  partition,
};

export const saleTenders: RowTable = {
  name: 'sale_tenders',
  comment:
    'One row per tender of a sale or return. Files may repeat rows: count through a view that keeps one per key.',
  key: ['source', 'transaction_id', 'tender'],
  earliest: 'accepted_at',
  columns: tenderColumns,
  partition,
};

export const rowTables: readonly RowTable[] = [saleLines, saleTenders];

/** The rows of a sale's lines, in the sale's order. */
export function lineRowsOf(sale: Sale): SaleLineRow[] {
  const sign = signOf(sale);
  const shared = sharedBy(sale);
  const note = storable(sale.note);
  return sale.lines.map((line) => ({
    ...shared,
    line: line.line,
    customer_id: sale.customerId,
    note,
    sku: line.sku,
    category: storable(line.category),
    quantity: line.quantity,
    unit_price: line.unitPrice,
    discount: line.discount,
    tax: line.tax,
    units: signed(sign, line.quantity),
    net: signed(sign, netOf(line)),
  }));
}

/** The rows of a sale's tenders, numbered by their order, which is all the identity that a tender has. */
export function tenderRowsOf(sale: Sale): SaleTenderRow[] {
  const sign = signOf(sale);
  const shared = sharedBy(sale);
  const difference = tenderDifferenceOf(sale);
  return sale.tenders.map(({ type, amount, gateway, gatewayReference, card }, index) => ({
    ...shared,
    tender: index + 1,
    tender_type: type,
    amount,
    signed_amount: signed(sign, amount),
    gateway,
    gateway_reference: gatewayReference,
    card_token: card?.token,
    card_brand: card?.brand,
    card_bin: card?.bin,
    card_last4: card?.last4,
    card_country: card?.country,
    card_funding: card?.funding,
    tender_difference: difference,
  }));
}

function sharedBy(sale: Sale) {
  return {
    source: sale.source,
    transaction_id: sale.transactionId,
    type: sale.type,
    channel: sale.channel,
    region: sale.region,
    location: sale.location,
    // In milliseconds, as the lake's readers have it: some round a finer time up, into another minute.
    occurred_at: new Date(Date.parse(sale.occurredAt)).toISOString(),
    business_date: businessDateOf(sale),
    accepted_at: sale.acceptedAt,
    [partitionColumn]: new Date(sale.acceptedAt).toISOString().slice(0, 10),
    currency: sale.currency,
    original_transaction_id: sale.originalTransactionId,
  } as const;
}

/** Free text without what is legal in JSON but in no database: the null character, half a surrogate pair. */
export function storable(text: string | undefined): string | undefined {
  return text?.replaceAll('\u0000', '').replace(/\p{Surrogate}/gu, '\uFFFD');
}

// Not -0, which JSON writes as 0 but tests and sums of keys tell apart.
function signed(sign: 1 | -1, amount: number): number {
  return sign === 1 || amount === 0 ? amount : -amount;
}

/** The views of the sales' tables, by the names that people type. */
export const lakeViews = [
  { view: 'sales', table: saleLines },
  { view: 'tenders', table: saleTenders },
] as const;
