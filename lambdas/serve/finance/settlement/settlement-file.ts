import { minorUnitDigits } from '../../../base/domain/currencies';
import type { GatewayMapping } from './gateways/mapping';
import { Issues } from './issue';
import { decimalOf } from './money';
import { isLine, RowReader, type SettlementLine } from './settlement-line';

export interface Totals {
  rows: number;
  gross: number;
  fee: number;
  net: number;
}

interface BatchTotals extends Totals {
  /** What the payout rows add up to; undefined where there is none. */
  payout: number | undefined;
}

interface Batch {
  /** By currency. */
  readonly totals: Map<string, BatchTotals>;
  payoutDay: string | undefined;
  lastDay: string | undefined;
}

/** Checks a file row by row and keeps its totals: what it takes in grows with the batches, not with the rows. */
export class SettlementFile {
  readonly issues = new Issues();
  readonly totals: Totals = { rows: 0, gross: 0, fee: 0, net: 0 };
  readonly #batches = new Map<string, Batch>();
  #reader: RowReader | undefined;

  constructor(private readonly mapping: GatewayMapping) {}

  get batches(): readonly string[] {
    return [...this.#batches.keys()];
  }

  /** Takes the next line of the file, the header first. Whether it makes sense to go on: below a wrong header it does not. */
  take(cells: readonly string[]): boolean {
    if (this.#reader === undefined) return this.#takeHeader(cells);
    this.totals.rows++;
    const read = this.#reader.read(cells, this.totals.rows);
    if (isLine(read)) this.#count(read);
    else for (const issue of read) this.issues.add(issue);
    return true;
  }

  /** What can be said only when all has been seen. */
  end(): void {
    if (this.#reader === undefined || (this.totals.rows === 0 && this.issues.count === 0))
      this.issues.add({ problem: 'the file has no rows', allowed: 'a header and at least one row' });
    if (this.issues.count > 0) return;
    for (const [batch, { totals }] of this.#batches)
      for (const [currency, { net, payout }] of totals) {
        const digits = minorUnitDigits(currency);
        if (payout !== undefined && net !== 0)
          this.issues.add({
            field: this.mapping.batch[0]!,
            problem: `the rows of batch ${batch} in ${currency} do not add up to its payout`,
            got: `paid out ${decimalOf(0 - payout, digits)}`,
            allowed: decimalOf(net - payout, digits),
          });
      }
    if (![this.totals.gross, this.totals.fee, this.totals.net].every(Number.isSafeInteger))
      this.issues.add({
        problem: 'the amounts of the file are too large',
        allowed: 'at most 2^53 - 1 minor units in all',
      });
  }

  /** A row of a file that was checked, as a line; throws where it is not the row that was checked. */
  lineOf(cells: readonly string[], rowNumber: number): SettlementLine & { readonly settledDate: string } {
    const line = this.#reader?.read(cells, rowNumber) ?? [];
    const batch = isLine(line) ? this.#batches.get(line.batch) : undefined;
    if (!isLine(line) || batch === undefined)
      throw new Error(`row ${rowNumber} is not what it was when it was checked`);
    return { ...line, settledDate: line.settledDate ?? batch.payoutDay ?? batch.lastDay! };
  }

  #takeHeader(cells: readonly string[]): boolean {
    const { header, alsoInHeader = [] } = this.mapping;
    const columns = cells.map((cell) => cell.trim());
    this.#reader = new RowReader(this.mapping, columns);
    const got = columns.filter((name) => !alsoInHeader.includes(name));
    const place = header.findIndex((name, index) => got[index] !== name);
    if (place === -1 && got.length === header.length) return true;
    const surplus = place === -1;
    this.issues.add({
      row: 0,
      field: surplus ? `column ${header.length + 1}` : header[place]!,
      problem: surplus ? 'the header has another column' : 'the header is another',
      got: got[surplus ? header.length : place] ?? '',
      allowed: surplus ? 'nothing' : header[place]!,
    });
    return false;
  }

  #count({ batch: name, kind, currency, gross, fee, net, writtenDay }: SettlementLine): void {
    const batch = this.#batches.get(name) ?? { totals: new Map(), payoutDay: undefined, lastDay: undefined };
    this.#batches.set(name, batch);
    const totals = batch.totals.get(currency) ?? { rows: 0, gross: 0, fee: 0, net: 0, payout: undefined };
    batch.totals.set(currency, totals);
    totals.rows++;
    for (const sums of [totals, this.totals]) {
      sums.gross += gross;
      sums.fee += fee;
      sums.net += net;
    }
    if (kind === 'payout') {
      totals.payout = (totals.payout ?? 0) + net;
      batch.payoutDay = later(batch.payoutDay, writtenDay);
    }
    batch.lastDay = later(batch.lastDay, writtenDay);
  }
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one > other ? one : other;
}
