import { createHash } from 'node:crypto';
import { currencies, minorUnitDigits } from '../../../base/domain/currencies';
import { holdsCardNumber } from '../../../base/runtime/card-number-search';
import type { AmountColumns, GatewayMapping, SettlementKind } from './gateways/mapping';
import type { Issue } from './issue';
import { minorUnitsOf } from './money';
import { dayOf, instantOf } from './report-time';

/** A row of a gateway's file in the form that all gateways have in common; see create-schema/settlement.sql. */
export interface SettlementLine {
  readonly id: string;
  readonly gateway: string;
  readonly batch: string;
  readonly rowNumber: number;
  readonly kind: SettlementKind;
  readonly gatewayReference: string | undefined;
  readonly paymentReference: string | undefined;
  readonly merchantReference: string | undefined;
  readonly occurredAt: Date | undefined;
  /** Undefined where the batch's payout row tells it: then by the day on which that one was written. */
  readonly settledDate: string | undefined;
  readonly writtenDay: string | undefined;
  readonly currency: string;
  readonly gross: number;
  readonly fee: number;
  readonly net: number;
  readonly originalCurrency: string;
  readonly originalGross: number;
}

/** The kinds that move a payment's money: without the gateway's reference nobody could say whose. */
const aboutPayments: ReadonlySet<SettlementKind> = new Set([
  'payment',
  'refund',
  'chargeback',
  'chargeback-reversed',
] as const);
const takesAway: ReadonlySet<SettlementKind> = new Set(['refund', 'chargeback', 'fee', 'payout'] as const);
const knownCurrencies = new Set(currencies);

const longest = { batch: 64, reference: 128 } as const;
/** A backslash or a control character in a name is no name, and means something else in each place it comes to. */
const unfit = /[\p{Cc}\\\uFFFD]/u;

/** Reads the rows of one gateway's files. */
export class RowReader {
  readonly #places: ReadonlyMap<string, number>;

  constructor(
    private readonly mapping: GatewayMapping,
    /** Of the file, which may have more than the mapping reads. */
    private readonly columns: readonly string[],
  ) {
    this.#places = new Map(columns.map((name, place) => [name, place]));
  }

  /** The row as a line, or what is wrong with it: everything at once, so that a file is mended once. */
  read(cells: readonly string[], rowNumber: number): SettlementLine | readonly Issue[] {
    const { mapping, columns } = this;
    const issues: Issue[] = [];
    const add = (field: string, problem: string, got?: string, allowed?: string) => {
      const said = { ...(got === undefined ? {} : { got }), ...(allowed === undefined ? {} : { allowed }) };
      issues.push({ row: rowNumber, field, problem, ...said });
    };
    if (cells.length !== columns.length)
      return [
        {
          row: rowNumber,
          problem: 'the row has another number of columns than the header',
          got: String(cells.length),
          allowed: String(columns.length),
        },
      ];
    // Before all else: nothing of such a row is looked at, let alone shown.
    const withCard = columns.filter((_, place) => holdsCardNumber(cells[place]!));
    if (withCard.length > 0)
      return withCard.map((field) => ({
        row: rowNumber,
        field,
        problem: 'the cell holds a card number',
        allowed: 'no card number anywhere in the file',
      }));

    const cell = (column: string) => cells[this.#places.get(column)!]!.trim();
    const named = (columns: readonly string[], most: number, required: boolean): string | undefined => {
      const column = columns.find((name) => cell(name) !== '');
      if (column === undefined) {
        if (required) add(columns[0]!, 'the cell is empty', '', `1 to ${most} characters`);
        return undefined;
      }
      const text = cell(column);
      if (Buffer.byteLength(text) <= most && !unfit.test(text)) return text;
      add(column, 'the cell is not a name', text, `1 to ${most} bytes without control characters and backslashes`);
      return undefined;
    };
    const currencyIn = (column: string): string | undefined => {
      const code = cell(column).toUpperCase();
      if (knownCurrencies.has(code)) return code;
      add(column, 'the currency is unknown', cell(column), 'a code of ISO 4217');
      return undefined;
    };

    const kindText = cell(mapping.kind.column);
    const kind = Object.hasOwn(mapping.kind.kinds, kindText) ? mapping.kind.kinds[kindText] : undefined;
    if (kind === undefined)
      add(mapping.kind.column, 'the kind is unknown', kindText, Object.keys(mapping.kind.kinds).join(', '));
    const isAboutPayment = kind !== undefined && aboutPayments.has(kind);

    const sum = (columns: AmountColumns, currency: string | undefined, required: boolean): number | undefined => {
      if (currency === undefined) return undefined;
      const digits = minorUnitDigits(currency);
      const isTaken = kind !== undefined && takesAway.has(kind);
      const positive = columns.signOfKind === true && !isTaken;
      if (required && [...columns.plus, ...(columns.minus ?? [])].every((column) => cell(column) === '')) {
        add(columns.plus[0]!, 'the amount is missing', '', `a number in ${currency}`);
        return undefined;
      }
      let total = 0;
      const parts = [
        ...columns.plus.map((column) => [column, 1] as const),
        ...(columns.minus ?? []).map((column) => [column, -1] as const),
      ];
      for (const [column, sign] of parts) {
        if (cell(column) === '') continue;
        const amount = minorUnitsOf(cell(column), digits);
        if (amount === undefined || (positive && amount < 0)) {
          const allowed = `a ${positive ? 'positive ' : ''}number with at most ${digits} decimals in ${currency}`;
          add(column, 'the cell is no amount', cell(column), allowed);
          return undefined;
        }
        total += sign * amount;
      }
      if (!Number.isSafeInteger(total)) {
        add(parts[0]![0], 'the amounts of the row are too large', undefined, 'at most 2^53 - 1 minor units');
        return undefined;
      }
      return columns.signOfKind === true && isTaken ? 0 - Math.abs(total) : total;
    };

    const batch = mapping.batch.map((column) => named([column], longest.batch, true)).join(' ');
    if (Buffer.byteLength(batch) > longest.batch)
      add(mapping.batch[0]!, 'the batch has too long a name', batch, `at most ${longest.batch} bytes in all`);
    const currency = currencyIn(mapping.currency);
    const amounts = this.#amounts(kind, (columns, required) => sum(columns, currency, required), add);
    // Rows that are about no payment leave these empty.
    const originalCurrency =
      mapping.original === undefined || cell(mapping.original.currency) === ''
        ? currency
        : currencyIn(mapping.original.currency);
    const originalGross =
      mapping.original === undefined || !isAboutPayment || cell(mapping.original.currency) === ''
        ? amounts?.gross
        : sum(mapping.original.gross, originalCurrency, true);
    if (
      mapping.original !== undefined &&
      currency === originalCurrency &&
      amounts !== undefined &&
      originalGross !== undefined &&
      originalGross !== amounts.gross
    )
      add(
        mapping.original.gross.plus[0]!,
        'net and costs do not add up to gross',
        String(originalGross),
        `${amounts.gross} in minor units`,
      );

    const reference = kind === 'refund' ? (mapping.refundReference ?? mapping.reference) : mapping.reference;
    const gatewayReference = named(reference, longest.reference, isAboutPayment);
    const takesBack = isAboutPayment && kind !== 'payment';
    const paymentReference = takesBack ? named(mapping.paymentReference ?? [], longest.reference, false) : undefined;
    const merchantReference = named(mapping.merchantReference, longest.reference, false);

    const time = mapping.occurredAt;
    const occurred = time === undefined ? '' : cell(time.column);
    const zone = time?.zone === undefined ? 'UTC' : cell(time.zone);
    const occurredAt = occurred === '' ? undefined : instantOf(occurred, zone);
    if (occurred !== '' && occurredAt === undefined)
      add(time!.column, 'the cell is no time', `${occurred} ${zone}`, 'yyyy-MM-dd HH:mm:ss in a known zone');
    let settledDate: string | undefined;
    if (mapping.settledDate !== undefined) {
      settledDate = dayOf(cell(mapping.settledDate));
      if (settledDate === undefined)
        add(mapping.settledDate, 'the cell is no day', cell(mapping.settledDate), 'yyyy-MM-dd');
    } else if (occurred === '') add(time!.column, 'the cell is empty', '', 'yyyy-MM-dd HH:mm:ss in a known zone');

    if (issues.length > 0) return issues;
    return {
      id: createHash('sha256')
        .update(JSON.stringify([mapping.gateway, batch, rowNumber, ...cells]))
        .digest('hex'),
      gateway: mapping.gateway,
      batch,
      rowNumber,
      kind: kind!,
      gatewayReference,
      paymentReference,
      merchantReference,
      occurredAt,
      settledDate,
      writtenDay: dayOf(occurred),
      currency: currency!,
      ...amounts!,
      originalCurrency: originalCurrency!,
      originalGross: kind === 'fee' ? 0 : originalGross!,
    };
  }

  /** Gross, fee and net from those that the mapping names. A row that is all fee has no gross, however it is written. */
  #amounts(
    kind: SettlementKind | undefined,
    sum: (columns: AmountColumns, required: boolean) => number | undefined,
    add: (field: string, problem: string, got?: string, allowed?: string) => void,
  ): { gross: number; fee: number; net: number } | undefined {
    const { gross: grossColumns, fee: feeColumns, net: netColumns } = this.mapping;
    const gross = grossColumns && sum(grossColumns, true);
    // A row that costs nothing may say nothing.
    const fee = feeColumns && sum(feeColumns, false);
    const net = netColumns && sum(netColumns, true);
    const isWhole =
      (grossColumns === undefined || gross !== undefined) &&
      (feeColumns === undefined || fee !== undefined) &&
      (netColumns === undefined || net !== undefined);
    if (!isWhole) return undefined;
    const whole = { gross: gross ?? net! + fee!, fee: fee ?? gross! - net!, net: net ?? gross! - fee! };
    if (whole.gross - whole.fee !== whole.net) {
      add(
        netColumns!.plus[0]!,
        'net is not gross - fee',
        String(whole.net),
        `${whole.gross - whole.fee} in minor units`,
      );
      return undefined;
    }
    return kind === 'fee' ? { gross: 0, fee: 0 - whole.net, net: whole.net } : whole;
  }
}

/** Whether the row could be read. */
export function isLine(read: SettlementLine | readonly Issue[]): read is SettlementLine {
  return !Array.isArray(read);
}
