import type { AllGatewayTerms } from '../../lambdas/base/domain/gateway-terms';
import { addDays, addWeekdays, type Day, daysBetween } from '../../lambdas/serve/finance/business-day';
import { type Random, randomOf } from './random';

/** A tender as the ledger holds it, as far as it matters here. */
export interface TenderRow {
  source: string;
  transaction_id: string;
  tender: number;
  type: 'sale' | 'return';
  business_date: Day;
  occurred_at: string;
  currency: string;
  signed_amount: number;
  gateway: string;
  gateway_reference: string | null;
}

export interface LineRow {
  settlement_line_id: string;
  gateway: string;
  batch: string;
  row_number: number;
  kind: string;
  gateway_reference: string | null;
  merchant_reference: string | null;
  occurred_at: string | null;
  settled_date: Day;
  currency: string;
  gross: number;
  fee: number;
  net: number;
  original_currency: string;
  original_gross: number;
}

export const breakClasses = [
  'missing-in-gateway',
  'missing-in-ledger',
  'amount',
  'currency',
  'duplicate',
  'refund-or-chargeback',
  'fee',
  'timing',
  'day-cut-off',
  'rounding',
] as const;
export type BreakClass = (typeof breakClasses)[number];

/** What reconciliation must find: a class, and the tender or else the line that it must be found on. */
export interface Planted {
  readonly class: BreakClass;
  readonly on: string;
}

export interface PlantedMonth {
  readonly tenders: readonly TenderRow[];
  readonly lines: readonly LineRow[];
  readonly planted: readonly Planted[];
  readonly asOf: Day;
}

export const terms: AllGatewayTerms = {
  '*': { settlementDays: 2, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
  adyen: { settlementDays: 2, graceDays: 5, timeZone: 'Europe/Amsterdam', roundingMinorUnits: 1 },
  stripe: { settlementDays: 3, graceDays: 5, timeZone: 'UTC', roundingMinorUnits: 1 },
};

export interface MonthOptions {
  readonly seed: number;
  readonly first: Day;
  readonly days: number;
  readonly sales: number;
  /** How many of each class. */
  readonly plant: Readonly<Partial<Record<BreakClass, number>>>;
}

const gateways = ['adyen', 'stripe', 'braintree'];
/** Its reports name no time of day. */
const timeless = 'braintree';
const currencies = ['EUR', 'GBP', 'SEK'];

/**
 * Sales of some days, settled as agreed but for what is planted. As of the day after the last, so the last days are in
 * transit; breaks are planted where the gateway has had its time. References are missing here and there, on either side, as
 * much as the rules must bear.
 */
export function plantedMonth({ seed, first, days, sales, plant }: MonthOptions): PlantedMonth {
  const random = randomOf(seed);
  const last = addDays(first, days - 1);
  const asOf = addDays(last, 1);
  // A late payment is settled by then, and one that is missing is no longer waited for.
  const settledLongAgo = addDays(last, -16);
  const calendar = daysBetween(first, last);
  const tenders: TenderRow[] = [];
  const lines: LineRow[] = [];
  const planted: Planted[] = [];
  const queue = breakClasses.flatMap((name) => Array.from({ length: plant[name] ?? 0 }, () => name));
  const eligible = Math.floor(sales * (daysBetween(first, settledLongAgo).length / days));
  if (queue.length > eligible / 2) throw new Error(`${queue.length} breaks are too many for ${sales} sales`);
  const places = new Map<number, BreakClass>();
  for (const name of queue) {
    let at = random.whole(eligible);
    while (places.has(at)) at = (at + 1) % eligible;
    places.set(at, name);
  }
  for (let number = 0; number < sales; number++) {
    const day = calendar[Math.floor((number / sales) * days)]!;
    const sale = saleOf(random, number, day);
    const name = places.get(number);
    const made = name === undefined ? sale : plantOn(random, name, sale, number, planted);
    tenders.push(...made.tenders);
    lines.push(...made.lines.filter(({ settled_date }) => settled_date <= asOf));
  }
  return { tenders, lines, planted, asOf };
}

interface Sale {
  readonly tenders: TenderRow[];
  readonly lines: LineRow[];
}

function saleOf(random: Random, number: number, day: Day): Sale {
  const gateway = random.one(gateways);
  const isReturn = random.whole(20) === 0;
  const currency = random.one(currencies);
  const transaction = `S${String(random.whole(1_000)).padStart(3, '0')}-${number}`;
  const seconds = 8 * 3_600 + random.whole(11 * 3_600);
  const occurred = new Date(Date.parse(`${day}T00:00:00Z`) + seconds * 1_000);
  const parts = random.whole(25) === 0 ? 2 : 1;
  // How the two sides know each other.
  const knows = random.whole(100);
  const tenders: TenderRow[] = [];
  const lines: LineRow[] = [];
  for (let tender = 1; tender <= parts; tender++) {
    const amount = (300 + random.whole(30_000)) * (isReturn ? -1 : 1);
    const reference = `${gateway.slice(0, 3).toUpperCase()}${number}x${tender}`;
    const withoutReference = knows < 3;
    // Neither side has a reference in common: amount and time alone. Odd amounts keep them apart from all others.
    const byTime = knows === 3 && parts === 1 && gateway !== timeless;
    const own = byTime ? Math.sign(amount) * (3_000_000 + number) : amount;
    tenders.push({
      source: 'pos-eu',
      transaction_id: transaction,
      tender,
      type: isReturn ? 'return' : 'sale',
      business_date: day,
      occurred_at: occurred.toISOString(),
      currency,
      signed_amount: own,
      gateway,
      gateway_reference: withoutReference || byTime ? null : reference,
    });
    const fee = isReturn ? 0 : Math.round(Math.abs(own) * 0.014) + 10;
    const settled = addWeekdays(day, terms[gateway]?.settlementDays ?? terms['*'].settlementDays);
    lines.push({
      settlement_line_id: `line-${number}-${tender}`,
      gateway,
      batch: `${gateway}-${settled}`,
      row_number: number,
      kind: isReturn ? 'refund' : 'payment',
      gateway_reference: reference,
      merchant_reference: byTime ? null : transaction,
      occurred_at: gateway === timeless ? null : new Date(occurred.getTime() + random.whole(90) * 1_000).toISOString(),
      settled_date: settled,
      currency,
      gross: own,
      fee,
      net: own - fee,
      original_currency: currency,
      original_gross: own,
    });
  }
  return { tenders, lines };
}

/** Makes this break of the first payment of a sale. */
function plantOn(random: Random, name: BreakClass, sale: Sale, number: number, planted: Planted[]): Sale {
  const tenders = [...sale.tenders];
  const lines = [...sale.lines];
  const tender = tenders[0]!;
  const line = lines[0]!;
  const on = tenderIdOf(tender);
  const way = random.whole(3);
  const extra = (changes: Partial<LineRow>): LineRow => ({
    ...line,
    settlement_line_id: `planted-${number}`,
    row_number: 1_000_000 + number,
    ...changes,
  });
  const found = (id: string) => planted.push({ class: name, on: id });
  const amountOf = (gross: number): Partial<LineRow> => ({ gross, original_gross: gross, net: gross - line.fee });

  switch (name) {
    case 'missing-in-gateway':
      lines.shift();
      found(on);
      break;
    case 'missing-in-ledger':
      // A refund without its return would be another class.
      if (line.kind === 'refund') Object.assign(line, { kind: 'payment', ...amountOf(-line.gross) });
      tenders.shift();
      found(line.settlement_line_id);
      break;
    case 'amount': {
      identify(tender, line);
      const off = (line.fee === 7 ? 11 : 7) * (way === 0 ? -1 : 1) * (1 + random.whole(20));
      Object.assign(line, amountOf(line.gross + (-off === line.fee ? off - 1 : off)));
      found(on);
      break;
    }
    case 'currency':
      identify(tender, line);
      Object.assign(line, { currency: 'USD', original_currency: 'USD' });
      found(on);
      break;
    case 'duplicate':
      identify(tender, line);
      if (way === 0) {
        lines.push(extra({}));
        found(`planted-${number}`);
      } else if (way === 1) {
        lines.push(extra({ gateway_reference: `AGAIN${number}`, merchant_reference: tender.transaction_id }));
        found(`planted-${number}`);
      } else {
        const again = { ...tender, transaction_id: `${tender.transaction_id}-again` };
        tenders.push(again);
        found(tenderIdOf(again));
      }
      break;
    case 'refund-or-chargeback': {
      identify(tender, line);
      const back = -Math.abs(line.gross);
      const kind = way === 0 ? 'refund' : 'chargeback';
      lines.push(
        extra({ kind, gateway_reference: `BACK${number}`, merchant_reference: `B${number}`, ...amountOf(back) }),
      );
      found(`planted-${number}`);
      break;
    }
    case 'fee':
      if (way === 0 && line.kind === 'payment') {
        identify(tender, line);
        Object.assign(line, amountOf(line.gross - line.fee));
        found(on);
      } else {
        lines.push(
          extra({
            kind: 'fee',
            gateway_reference: null,
            merchant_reference: null,
            gross: -90,
            original_gross: -90,
            fee: 0,
            net: -90,
          }),
        );
        found(`planted-${number}`);
      }
      break;
    case 'timing': {
      identify(tender, line);
      if (way === 0 && line.occurred_at !== null)
        Object.assign(line, {
          occurred_at: `${addDays(tender.business_date, 3)}T12:00:00Z`,
          settled_date: addDays(line.settled_date, 5),
        });
      // A line without a time has its settlement alone, which may be more than a week after the sale.
      else line.settled_date = addDays(line.settled_date, 4 + random.whole(4));
      found(on);
      break;
    }
    case 'day-cut-off':
      identify(tender, line);
      if (line.gateway === timeless) Object.assign(line, { gateway: 'stripe' });
      tender.gateway = line.gateway;
      tender.occurred_at = `${tender.business_date}T23:59:50Z`;
      line.occurred_at = `${addDays(tender.business_date, 1)}T00:00:20Z`;
      found(on);
      break;
    case 'rounding':
      identify(tender, line);
      Object.assign(line, amountOf(line.gross + (way === 0 ? -1 : 1)));
      found(on);
      break;
  }
  return { tenders, lines };
}

/** The pair is known by a reference, whatever else is wrong with it. */
function identify(tender: TenderRow, line: LineRow): void {
  tender.gateway_reference = line.gateway_reference;
}

export function tenderIdOf({ source, transaction_id, tender }: TenderRow): string {
  return `${source}#${transaction_id}#${tender}`;
}
