import type { Sale, Tender } from '../../base/domain/sale';
import { maskCardNumbers } from '../../base/runtime/card-number-search';
import { CardNumber } from '../card-number';
import type { SaleEvent } from '../sale-event';
import { removeSecurityData } from '../security-data';
import { DroppedFields } from './dropped-fields';
import { Rejection } from './rejection';

/** A sale that may come in: what is stored of it, but for its tokens and its time of acceptance. */
export interface CheckedSale {
  readonly sale: Omit<Sale, 'acceptedAt' | 'tenders'> & { readonly tenders: readonly CheckedTender[] };
  readonly warnings: readonly string[];
  readonly securityCodesRemoved: number;
  readonly cardNumbersMasked: number;
}

export type CheckedTender = Omit<Tender, 'card'> & { readonly card?: CardNumber };

const saleFields = [
  'source',
  'transactionId',
  'type',
  'channel',
  'region',
  'location',
  'occurredAt',
  'businessDate',
  'currency',
  'originalTransactionId',
  'customerId',
  'note',
  'lines',
  'tenders',
] as const;
const lineFields = ['line', 'sku', 'quantity', 'unitPrice', 'discount', 'tax', 'category'] as const;
const tenderFields = ['type', 'amount', 'gateway', 'gatewayReference', 'card'] as const;
const cardFields = ['number', 'expiryMonth', 'expiryYear'] as const;

/**
 * Takes over of an event what is known, field by field and in one order, so that the same sale sent with its fields in
 * another order is the same. What is not known is dropped and named; card data in the note is masked.
 */
export function admit(event: SaleEvent): CheckedSale | Rejection {
  const dropped = new DroppedFields();
  const known = dropped.keep('', event, saleFields);
  const lines = event.lines.map((line) => dropped.keep('lines[].', line, lineFields));
  const tenders: CheckedTender[] = [];
  for (let index = 0; index < event.tenders.length; index++) {
    const { card, ...tender } = dropped.keep('tenders[].', event.tenders[index]!, tenderFields);
    if (card === undefined) {
      tenders.push(tender);
      continue;
    }
    const path = `tenders[${index}].card`;
    if (tender.type !== 'card')
      return Rejection.of(path, `a card on a tender of type ${tender.type}`, 'on tenders of type card only');
    const number = CardNumber.read(dropped.keep('tenders[].card.', card, cardFields).number);
    if (number === undefined) return new Rejection('invalid', `${path}.number: not a valid card number`);
    tenders.push({ ...tender, card: number });
  }
  const note = event.note === undefined ? undefined : cleanNote(event.note);
  return {
    sale: { ...known, ...(note === undefined ? undefined : { note: note.text }), lines, tenders },
    warnings: note === undefined ? dropped.warnings() : [...dropped.warnings(), ...note.warnings],
    securityCodesRemoved: dropped.securityFields + (note?.removed ?? 0),
    cardNumbersMasked: note?.masked ?? 0,
  };
}

function cleanNote(note: string) {
  // Track data first: it starts with a card number.
  const { text, removed } = removeSecurityData(note);
  const masking = maskCardNumbers(text);
  const warnings: string[] = [];
  if (removed > 0) warnings.push('note: security code or track data, removed');
  if (masking.masked > 0) warnings.push('note: card number, masked');
  return { text: masking.text, removed, masked: masking.masked, warnings };
}
