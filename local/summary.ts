import type { BadgeSummary } from './demonstration/badge-watch';
import type { Report } from './report';
import type { Run } from './run';
import type { IngestTotals } from './sender';
import { type StockSummary, stockLines } from './stock-summary';

/** What a terminal is asked of. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const clearLine = '\u001b[2K';
const clearBelow = '\u001b[J';

/** The live one-screen summary: redrawn in place on a terminal, now and then a few lines elsewhere. */
export class LiveSummary {
  /** Lengths of the lines that were drawn last. */
  #drawn: readonly number[] = [];

  constructor(private readonly screen: Screen) {}

  draw(lines: readonly string[]): void {
    if (!this.screen.isTTY) {
      this.screen.write(`${lines.join('\n')}\n`);
      return;
    }
    const { columns = 100, rows = 24 } = this.screen;
    // A line that is as wide as the screen may wrap, and what is above its top cannot be redrawn.
    const shown = lines
      .slice(0, Math.max(1, rows - 1))
      .map((line) => printable(line).slice(0, Math.max(1, columns - 1)));
    // In one piece, each line cleared as it is written: nothing flickers.
    this.screen.write(`${this.#toTop()}${shown.map((line) => `${clearLine}${line}\n`).join('')}${clearBelow}`);
    this.#drawn = shown.map(({ length }) => length);
  }

  /** Writes something above the summary, which is drawn below it again the next time. */
  print(message: string): void {
    this.screen.write(this.screen.isTTY ? `${this.#toTop()}${clearBelow}${message}\n` : `${message}\n`);
    this.#drawn = [];
  }

  #toTop(): string {
    const { columns = 100, rows = 24 } = this.screen;
    // What was drawn on a wider screen has wrapped since.
    const height = this.#drawn.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / columns)), 0);
    return height === 0 ? '' : `\r\u001b[${Math.min(height, rows - 1)}A`;
  }
}

/** Control characters in an error would move the cursor. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

export function liveLines(
  run: Run,
  ingest: IngestTotals,
  stores: Report['stores'],
  seconds: number,
  stock: StockSummary,
  badges?: BadgeSummary,
): string[] {
  const { merchandising, finance, lake, inventory } = stores;
  const row = (name: string, totals: Partial<(typeof stores)['finance']>) =>
    `  ${name.padEnd(14)}${number(totals.transactions)}${number(totals.lines)}${number(totals.units)}  ${moneyOf(totals.net)}`;
  const behind = run.mappings.reduce((sum, { mapping }) => sum + mapping.state().behind, 0);
  const ringing = run.account.alarms.ringing().map(({ name }) => shortOf(name));
  const problems = [...run.problems()].map(([name, problem]) => `problem       ${shortOf(name)}: ${problem}`);
  return [
    `ingest        received ${ingest.received}  accepted ${ingest.accepted}  rejected ${ingest.rejected}  sent again ${ingest.retried}  warnings ${ingest.warnings}  (${seconds.toFixed(0)} s)`,
    `streams       ${behind} records on their way`,
    `  store         transactions       lines       units  net`,
    row('merchandising', merchandising),
    row('finance', finance),
    row('lake', lake),
    row('inventory', inventory),
    ...(badges === undefined ? [] : badgeLines(badges)),
    ...stockLines(stock),
    `alarms        ${ringing.length === 0 ? 'none' : ringing.join(', ')}`,
    ...problems,
  ];
}

/** How many badges show, why the others do not, how old that is, and what changed last. */
export function badgeLines({ on, all, off, ageSeconds, changes }: BadgeSummary): string[] {
  const reasons = off.map(([reason, count]) => `${count} ${reason}`).join(', ');
  const age = ageSeconds === undefined ? 'of unknown age' : `${ageSeconds} s old`;
  return [
    `badges        ${on} of ${all} on, ${age}${reasons === '' ? '' : `; off: ${reasons}`}`,
    `  changed     ${changes.length === 0 ? 'nothing yet' : changes.slice(0, 4).join(' | ')}`,
  ];
}

/** Without what all physical names begin with. */
function shortOf(name: string): string {
  return name.replace('Tillstream-local-', '');
}

/** The report in a few lines, for people. */
export function reportLines(report: Report): string[] {
  const { ingest, dedup, stores, vault, seconds } = report;
  const lines = [
    `accepted ${ingest.accepted} of ${ingest.received} events: ${dedup.unique} sales, ${dedup.duplicates} repeats, ${dedup.conflicts} conflicts`,
    ...Object.entries(stores).map(
      ([name, { transactions, lines: count, units, net }]) =>
        `  ${name.padEnd(14)}${number(transactions)}${number(count)}${number(units)}  ${moneyOf(net)}`,
    ),
    stockLines(report.stock)[0]!,
    `cards in the vault: ${vault.cards}; card numbers found anywhere else: ${report.cardNumbersOutsideVault}`,
    `${report.salesPerSecond} sales a second (boot ${seconds.boot} s, ingest ${seconds.ingest} s, drain ${seconds.drain} s)`,
  ];
  if (report.held > 0) lines.push(`held: ${report.held}, see the buckets under s3/`);
  for (const [code, { count, example }] of Object.entries(ingest.rejections))
    lines.push(`rejected ${count} x ${code}, for example: ${example}`);
  for (const place of ingest.malformed) lines.push(`not JSON: ${place}`);
  return lines;
}

function number(value: number | undefined): string {
  return (value === undefined ? '-' : value.toLocaleString('en')).padStart(12);
}

function moneyOf(net: Readonly<Record<string, number>> = {}): string {
  return Object.entries(net)
    .map(([currency, minor]) => {
      const digits =
        new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
      return `${(minor / 10 ** digits).toLocaleString('en', { minimumFractionDigits: digits })} ${currency}`;
    })
    .join(', ');
}
