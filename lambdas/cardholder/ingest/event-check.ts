import { currencies } from '../../base/domain/currencies';
import { isReal } from '../../base/domain/times';
import { holdsCardNumber } from '../../base/runtime/card-number-search';
import { allowedIn, firstFault, isSaleEvent, type SaleEvent } from '../sale-event';
import { admit, type CheckedSale } from './admission';
import { Rejection } from './rejection';
import { shown, shownKind } from './wording';

/** What this stage lets in, beyond the event's form. */
export interface DoorRules {
  /** Older sales are refused; undefined: any age. */
  readonly maximumAgeMs: number | undefined;
  /** `source.field` in which a source is known to use numbers that look like card numbers. */
  readonly cardLikeIdentifiers: ReadonlySet<string>;
}

const currencySet: ReadonlySet<string> = new Set(currencies);
const aheadMs = 24 * 3_600_000;
// Amounts of this size and beyond have the digits of a card number.
const thirteenDigits = 1_000_000_000_000;

/** Decides on one event: what of it is stored, or why it is refused. Never throws, whatever JSON it is given. */
export function checkEvent(event: unknown, rules: DoorRules, nowMs: number): CheckedSale | Rejection {
  if (!isSaleEvent(event)) return faultOf(event);
  return timeFault(event, rules, nowMs) ?? moneyFault(event) ?? identifierFault(event, rules) ?? admit(event);
}

function faultOf(event: unknown): Rejection {
  const fault = firstFault(event);
  if (fault === undefined) return new Rejection('invalid', 'event: not a sale event');
  const { path, got, allowed } = fault;
  if (path === '' || path === undefined) return Rejection.of('event', shown(got), allowed);
  if (path === 'note' && typeof got === 'string') return Rejection.of(path, `${[...got].length} characters`, allowed);
  // Nothing out of a card is ever shown, whatever is wrong with it.
  const secret = /^tenders\[\d+\]\.card\b/.test(path);
  return Rejection.of(path, secret ? shownKind(got) : shown(got), allowed);
}

function timeFault(event: SaleEvent, { maximumAgeMs }: DoorRules, nowMs: number): Rejection | undefined {
  const { occurredAt, businessDate } = event;
  if (!isReal(occurredAt)) return Rejection.of('occurredAt', shown(occurredAt), allowedIn('occurredAt'));
  const occurredMs = Date.parse(occurredAt);
  if (occurredMs > nowMs + aheadMs)
    return new Rejection('too-far-ahead', `occurredAt: got ${occurredAt}, allowed: at most 24 hours ahead`);
  if (maximumAgeMs !== undefined && occurredMs < nowMs - maximumAgeMs) {
    const days = maximumAgeMs / 86_400_000;
    return new Rejection('too-old', `occurredAt: got ${occurredAt}, allowed: at most ${days} days ago`);
  }
  if (businessDate !== undefined && !isReal(businessDate))
    return Rejection.of('businessDate', shown(businessDate), allowedIn('businessDate'));
  return undefined;
}

function moneyFault({ currency, note, lines, tenders }: SaleEvent): Rejection | undefined {
  if (!currencySet.has(currency)) return Rejection.of('currency', shown(currency), allowedIn('currency'));
  if (note !== undefined && note.length > 500) {
    const characters = [...note].length;
    if (characters > 500) return Rejection.of('note', `${characters} characters`, allowedIn('note'));
  }
  // One sum that bounds all others: whatever a reader adds up of one sale stays exact.
  let total = 0;
  const numbers = new Set<number>();
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (numbers.size === numbers.add(line.line).size)
      return Rejection.of(`lines[${index}].line`, `${shown(line.line)} a second time`, 'unique line numbers');
    const gross = line.quantity * line.unitPrice;
    total += line.quantity + gross + (line.discount ?? 0) + (line.tax ?? 0);
    if (total > Number.MAX_SAFE_INTEGER)
      return Rejection.of(`lines[${index}]`, 'amounts that add up beyond 2^53', 'sums of at most 2^53 - 1');
    if (total + line.line >= thirteenDigits) {
      const { line: number, quantity, unitPrice, discount = 0, tax = 0 } = line;
      for (const [field, value] of Object.entries({ line: number, quantity, unitPrice, discount, tax }))
        if (isCardLike(value)) return looksLikeCardNumber(`lines[${index}].${field}`);
    }
  }
  for (let index = 0; index < tenders.length; index++) {
    const { amount } = tenders[index]!;
    total += amount;
    if (total > Number.MAX_SAFE_INTEGER)
      return Rejection.of(`tenders[${index}].amount`, 'amounts that add up beyond 2^53', 'sums of at most 2^53 - 1');
    if (isCardLike(amount)) return looksLikeCardNumber(`tenders[${index}].amount`);
  }
  return undefined;
}

function isCardLike(value: number): boolean {
  return value >= thirteenDigits && holdsCardNumber(String(value));
}

function looksLikeCardNumber(path: string): Rejection {
  return new Rejection(
    'looks-like-card-number',
    `${path}: got what looks like a card number, allowed: card numbers in tenders[].card.number only`,
  );
}

function identifierFault(event: SaleEvent, { cardLikeIdentifiers }: DoorRules): Rejection | undefined {
  const { source, lines, tenders } = event;
  if (holdsCardNumber(source)) return looksLikeCardNumber('source');
  const suspect = (field: string, value: string | undefined) =>
    value !== undefined && holdsCardNumber(value) && !cardLikeIdentifiers.has(`${source}.${field}`);

  for (const field of ['transactionId', 'originalTransactionId', 'customerId', 'location', 'region'] as const)
    if (suspect(field, event[field])) return looksLikeCardNumber(field);
  for (let index = 0; index < lines.length; index++)
    for (const field of ['sku', 'category'] as const)
      if (suspect(field, lines[index]![field])) return looksLikeCardNumber(`lines[${index}].${field}`);
  for (let index = 0; index < tenders.length; index++)
    for (const field of ['gateway', 'gatewayReference'] as const)
      if (suspect(field, tenders[index]![field])) return looksLikeCardNumber(`tenders[${index}].${field}`);
  return undefined;
}
