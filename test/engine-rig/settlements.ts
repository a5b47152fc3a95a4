import { minorUnitDigits } from '../../lambdas/base/domain/currencies';
import { adyen } from '../../lambdas/serve/finance/settlement/gateways/adyen';
import { braintree } from '../../lambdas/serve/finance/settlement/gateways/braintree';
import type { SettlementKind } from '../../lambdas/serve/finance/settlement/gateways/mapping';
import { stripe } from '../../lambdas/serve/finance/settlement/gateways/stripe';

/** What a gateway settles, before it is written the gateway's way. Amounts as in the ledger: signed minor units. */
export interface Settled {
  readonly kind: Exclude<SettlementKind, 'payout' | 'adjustment'>;
  /** A chargeback has none of its own: it goes by that of its payment. */
  readonly reference: string;
  /** Of refunds and chargebacks. */
  readonly payment?: string;
  readonly merchantReference?: string;
  /** UTC, to the second. */
  readonly occurredAt: string;
  readonly gross: number;
  readonly fee: number;
}

export interface SettledBatch {
  readonly batch: string;
  readonly currency: string;
  /** yyyy-MM-dd */
  readonly settledDate: string;
  readonly settled: readonly Settled[];
}

type Cells = Readonly<Record<string, string>>;

/** What each gateway's report can say. */
export const settledKinds: Readonly<Record<'adyen' | 'stripe' | 'braintree', readonly Settled['kind'][]>> = {
  adyen: ['payment', 'refund', 'chargeback', 'chargeback-reversed', 'fee'],
  stripe: ['payment', 'refund', 'chargeback', 'chargeback-reversed', 'fee'],
  braintree: ['payment', 'refund'],
};

/** What a gateway's file says of a batch's name: Braintree's has no number, but an account and a day. */
export const batchName = (gateway: keyof typeof settledKinds, { batch, settledDate }: SettledBatch): string =>
  gateway === 'braintree' ? `${batch} ${settledDate}` : batch;

/** A file of the gateway with these batches, as it would write it. */
export const settlementFile: Readonly<
  Record<'adyen' | 'stripe' | 'braintree', (...batches: SettledBatch[]) => string>
> = {
  adyen: (...batches) => csv(adyen.header, batches.flatMap(adyenRows)),
  stripe: (...batches) => csv(stripe.header, batches.flatMap(stripeRows)),
  braintree: (...batches) => csv(braintree.header, batches.flatMap(braintreeRows)),
};

/** A batch of payments, every seventh given back, every eleventh charged back, and a monthly fee, if there are such kinds. */
export function someSettled(
  batch: string,
  count: number,
  currency = 'EUR',
  settledDate = '2026-11-24',
  kinds = settledKinds.adyen,
): SettledBatch {
  const settled = Array.from({ length: count }, (_, index): Settled => {
    const kind =
      index % 7 === 6 ? 'refund' : index % 11 === 10 && kinds.includes('chargeback') ? 'chargeback' : 'payment';
    const amount = 100 + ((index * 7_919) % 90_000);
    const at = new Date(Date.parse('2026-11-22T00:00:00Z') + index * 37_000);
    return {
      kind,
      reference: kind === 'chargeback' ? `pay-${batch}-${index}` : `ref-${batch}-${index}`,
      ...(kind === 'payment' ? {} : { payment: `pay-${batch}-${index}` }),
      merchantReference: `S042-T3-${batch}-${index}`,
      occurredAt: `${at.toISOString().slice(0, 19)}Z`,
      gross: kind === 'payment' ? amount : -amount,
      fee: kind === 'payment' ? 10 + (amount % 97) : 0,
    };
  });
  const monthly = { kind: 'fee', reference: '', occurredAt: `${settledDate}T00:00:00Z`, gross: 0, fee: 250 } as const;
  return { batch, currency, settledDate, settled: kinds.includes('fee') ? [...settled, monthly] : settled };
}

function adyenRows({ batch, currency, settledDate, settled }: SettledBatch): Cells[] {
  const digits = minorUnitDigits(currency);
  const common = {
    'Company Account': 'Retailer',
    'Merchant Account': 'RetailerPOS',
    'Gross Currency': currency,
    'Exchange Rate': '1',
    'Net Currency': currency,
    'Batch Number': batch,
  };
  const types = {
    payment: 'Settled',
    refund: 'Refunded',
    chargeback: 'Chargeback',
    'chargeback-reversed': 'ChargebackReversed',
    fee: 'Fee',
  };
  const rows = settled.map(({ kind, reference, payment, merchantReference, occurredAt, gross, fee }) => ({
    ...common,
    'Psp Reference': kind === 'refund' ? (payment ?? reference) : reference,
    'Modification Reference': kind === 'refund' ? reference : '',
    'Merchant Reference': merchantReference ?? '',
    'Payment Method': 'visa',
    ...localTime(occurredAt, 1, 'CET'),
    Type: types[kind],
    ...(kind === 'fee' ? { 'Gross Currency': '' } : sides('Gross', 'GC', gross, digits)),
    ...sides('Net', 'NC', gross - fee, digits),
    // Costs come in two parts.
    'Commission (NC)': kind === 'fee' ? '' : decimal(fee - Math.trunc(fee / 3), digits),
    'Interchange (NC)': kind === 'fee' ? '' : decimal(Math.trunc(fee / 3), digits),
  }));
  const net = settled.reduce((sum, { gross, fee }) => sum + gross - fee, 0);
  const payout = {
    ...common,
    'Creation Date': `${settledDate} 03:12:45`,
    TimeZone: 'CET',
    Type: 'MerchantPayout',
    'Gross Currency': '',
    ...sides('Net', 'NC', -net, digits),
  };
  return [...rows, payout];
}

function stripeRows({ batch, currency, settledDate, settled }: SettledBatch): Cells[] {
  const digits = minorUnitDigits(currency);
  const categories = {
    payment: 'charge',
    refund: 'refund',
    chargeback: 'dispute',
    'chargeback-reversed': 'dispute_reversal',
    fee: 'fee',
  };
  return settled.map(({ kind, reference, payment, merchantReference, occurredAt, gross, fee }, index) => ({
    automatic_payout_id: batch,
    automatic_payout_effective_at_utc: `${settledDate} 00:00:00`,
    balance_transaction_id: `txn_${batch}_${index}`,
    created_utc: occurredAt.replace('T', ' ').replace('Z', ''),
    currency: currency.toLowerCase(),
    // A row that is all fee is written as a gross of its own.
    gross: decimal(kind === 'fee' ? -fee : gross, digits),
    fee: decimal(kind === 'fee' ? 0 : fee, digits),
    net: decimal(gross - fee, digits),
    reporting_category: categories[kind],
    source_id: reference,
    description: 'a "quoted", text',
    charge_id: kind === 'payment' || kind === 'fee' ? reference : (payment ?? reference),
    'payment_metadata[transaction_id]': merchantReference ?? '',
  }));
}

function braintreeRows({ batch, currency, settledDate, settled }: SettledBatch): Cells[] {
  const digits = minorUnitDigits(currency);
  const types = { payment: 'sale', refund: 'credit' } as const;
  return settled.map(({ kind, reference, payment, merchantReference, gross, fee }) => {
    if (kind !== 'payment' && kind !== 'refund') throw new Error(`Braintree's report has no ${kind}`);
    return {
      'Merchant Account ID': batch,
      'Transaction ID': reference,
      'Original Transaction ID': payment ?? '',
      'Transaction Type': types[kind],
      'Presentment Currency': currency,
      'Settlement Currency': currency,
      'Settlement Amount': decimal(Math.abs(gross), digits),
      'Settlement Date': settledDate,
      'Disbursement Date': settledDate,
      'Payment Instrument': 'credit_card',
      'Card Brand': 'Visa',
      'Card Type': 'Debit',
      'First 6 of CC': '411111',
      'Issuing Bank': 'Bank of Examples, National Association',
      'Refunded Amount': '0.00',
      'Exchange Rate': '1.00',
      'Order ID': merchantReference ?? '',
      'Acquirer Reference Number': '33389508073715855327822',
      'Card Issuing Country': 'USA',
      'Total Fee Amount': decimal(fee, digits),
    };
  });
}

const sides = (name: string, currency: string, amount: number, digits: number): Cells =>
  amount < 0
    ? { [`${name} Debit (${currency})`]: decimal(-amount, digits) }
    : { [`${name} Credit (${currency})`]: decimal(amount, digits) };

function localTime(utc: string, hours: number, zone: string): Cells {
  const local = new Date(Date.parse(utc) + hours * 3_600_000).toISOString();
  return { 'Creation Date': local.slice(0, 19).replace('T', ' '), TimeZone: zone };
}

// Not the counterpart that comes with the parser: what is tested must not test itself.
function decimal(amount: number, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const whole = BigInt(Math.abs(amount));
  const fraction = digits === 0 ? '' : `.${String(whole % unit).padStart(digits, '0')}`;
  return `${amount < 0 ? '-' : ''}${whole / unit}${fraction}`;
}

export function csv(header: readonly string[], rows: readonly Cells[]): string {
  const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return [header, ...rows.map((row) => header.map((name) => row[name] ?? ''))]
    .map((cells) => `${cells.map(quoted).join(',')}\n`)
    .join('');
}
