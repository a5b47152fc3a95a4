import { isReal } from './times';

/** A sale as every room behind the door sees it: card numbers are tokens. Money is in minor units of `currency`. */
export interface Sale {
  readonly source: string;
  readonly transactionId: string;
  readonly type: 'sale' | 'return';
  readonly channel: 'store' | 'online';
  readonly region: string;
  readonly location: string;
  /** UTC, ISO 8601, by the source's clock. */
  readonly occurredAt: string;
  readonly businessDate?: string;
  readonly currency: string;
  readonly originalTransactionId?: string;
  readonly customerId?: string;
  readonly note?: string;
  readonly lines: readonly SaleLine[];
  readonly tenders: readonly Tender[];
  /** UTC, ISO 8601, stamped once at the door: a sale's rows lie under this date for ever. */
  readonly acceptedAt: string;
}

export interface SaleLine {
  readonly line: number;
  readonly sku: string;
  readonly quantity: number;
  readonly unitPrice: number;
  readonly discount?: number;
  readonly tax?: number;
  readonly category?: string;
}

export interface Tender {
  readonly type: 'card' | 'cash' | 'gift-card' | 'other';
  readonly amount: number;
  readonly gateway?: string;
  readonly gatewayReference?: string;
  readonly card?: TokenizedCard;
}

export interface TokenizedCard {
  readonly token: string;
  readonly brand: string;
  readonly bin: string;
  readonly last4: string;
  readonly country?: string;
  readonly funding?: string;
}

/** A sale's identity on its way through the platform. Neither part can hold a `#`. */
export function saleKey(sale: Pick<Sale, 'source' | 'transactionId'>): string {
  return `${sale.source}#${sale.transactionId}`;
}

/** Returns count negative in net and units, positively in lines and transactions. */
export function signOf(sale: Pick<Sale, 'type'>): 1 | -1 {
  return sale.type === 'return' ? -1 : 1;
}

/** Quantity x unit price - discount, unsigned, tax apart. */
export function netOf(line: SaleLine): number {
  return line.quantity * line.unitPrice - (line.discount ?? 0);
}

/** What was tendered beyond (or short of) the lines and their tax. Kept and counted, never corrected. */
export function tenderDifferenceOf(sale: Pick<Sale, 'lines' | 'tenders'>): number {
  const due = sale.lines.reduce((sum, line) => sum + netOf(line) + (line.tax ?? 0), 0);
  return sale.tenders.reduce((sum, tender) => sum + tender.amount, 0) - due;
}

/** The trading day that finance books the sale on. */
export function businessDateOf(sale: Pick<Sale, 'businessDate' | 'occurredAt'>): string {
  return sale.businessDate ?? sale.occurredAt.slice(0, 10);
}

const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;
const dayForm = /^\d{4}-\d\d-\d\d$/;

/**
 * Reads a sale from a stream record. The door has checked every field, so this asks only whether the record is a sale at
 * all; a reason is returned for one that is not, since no retry will mend it.
 */
export function parseSale(text: string): Sale | { readonly reason: string } {
  let sale: Partial<Sale> | null;
  try {
    sale = JSON.parse(text);
  } catch {
    return { reason: 'the record is not JSON' };
  }
  if (typeof sale !== 'object' || sale === null) return { reason: 'the record is not an object' };
  for (const field of ['source', 'transactionId', 'region', 'location', 'channel', 'currency'] as const)
    if (typeof sale[field] !== 'string' || sale[field] === '') return { reason: `${field} is missing` };
  if (sale.type !== 'sale' && sale.type !== 'return') return { reason: 'type is neither sale nor return' };
  for (const field of ['occurredAt', 'acceptedAt'] as const)
    if (!isOf(timeForm, sale[field])) return { reason: `${field} is not a time` };
  for (const field of ['originalTransactionId', 'customerId', 'note'] as const)
    if (!isOptional('string', sale[field])) return { reason: `${field} is not text` };
  // A day that is none would stop the ledger's loads, and with them every sale behind it.
  if (sale.businessDate !== undefined && !isOf(dayForm, sale.businessDate))
    return { reason: 'businessDate is not a day' };
  if (!Array.isArray(sale.lines) || sale.lines.length === 0) return { reason: 'lines are missing' };
  for (const line of sale.lines as Partial<SaleLine>[]) {
    if (
      typeof line?.sku !== 'string' ||
      line.sku === '' ||
      ![line.line, line.quantity, line.unitPrice].every(Number.isSafeInteger)
    )
      return { reason: 'a line lacks its number, sku, quantity or unitPrice' };
    if (!isOptional('integer', line.discount) || !isOptional('integer', line.tax))
      return { reason: 'discount or tax of a line is not an integer' };
    if (!isOptional('string', line.category)) return { reason: 'category of a line is not text' };
  }
  if (!Array.isArray(sale.tenders)) return { reason: 'tenders are missing' };
  for (const tender of sale.tenders as Partial<Tender>[]) {
    if (typeof tender?.type !== 'string' || !Number.isSafeInteger(tender.amount))
      return { reason: 'a tender lacks its type or amount' };
    if (!isOptional('string', tender.gateway) || !isOptional('string', tender.gatewayReference))
      return { reason: 'gateway or gatewayReference of a tender is not text' };
    if (tender.card !== undefined && !isCard(tender.card))
      return { reason: 'a card lacks its token, brand, bin or last4, or has an issuer that is not text' };
  }
  return sale as Sale;
}

function isOf(form: RegExp, value: unknown): boolean {
  return typeof value === 'string' && form.test(value) && isReal(value);
}

function isCard(card: Partial<TokenizedCard> | null): boolean {
  return (
    [card?.token, card?.brand, card?.bin, card?.last4].every((part) => typeof part === 'string') &&
    isOptional('string', card?.country) &&
    isOptional('string', card?.funding)
  );
}

function isOptional(kind: 'string' | 'integer', value: unknown): boolean {
  return value === undefined || (kind === 'string' ? typeof value === 'string' : Number.isSafeInteger(value));
}
