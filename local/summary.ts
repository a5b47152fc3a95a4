import type { Report } from './report';
import type { Run } from './run';
import type { IngestTotals } from './sender';

/** The live one-screen summary: redrawn in place on a terminal, now and then a line elsewhere. */
export class LiveSummary {
  #lines = 0;

  constructor(private readonly output: NodeJS.WriteStream) {}

  draw(lines: readonly string[]): void {
    if (!this.output.isTTY) {
      this.output.write(`${lines.join('\n')}\n`);
      return;
    }
    const width = this.output.columns ?? 100;
    const up = this.#lines === 0 ? '' : `\u001b[${this.#lines}A`;
    this.output.write(`${up}${lines.map((line) => `\u001b[2K${line.slice(0, width - 1)}`).join('\n')}\n`);
    this.#lines = lines.length;
  }
}

export function liveLines(run: Run, ingest: IngestTotals, stores: Report['stores'], seconds: number): string[] {
  const { merchandising, finance, lake, inventory } = stores;
  const row = (name: string, totals: Partial<(typeof stores)['finance']>) =>
    `  ${name.padEnd(14)}${number(totals.transactions)}${number(totals.lines)}${number(totals.units)}  ${moneyOf(totals.net)}`;
  const behind = [...run.mappings.values()].reduce((sum, mapping) => sum + mapping.state().behind, 0);
  const ringing = run.account.alarms.ringing().map(({ name }) => name.replace('Tillstream-local-', ''));
  return [
    `ingest        received ${ingest.received}  accepted ${ingest.accepted}  rejected ${ingest.rejected}  sent again ${ingest.retried}  warnings ${ingest.warnings}  (${seconds.toFixed(0)} s)`,
    `streams       ${behind} records on their way`,
    `  store         transactions       lines       units  net`,
    row('merchandising', merchandising),
    row('finance', finance),
    row('lake', lake),
    row('inventory', inventory),
    `alarms        ${ringing.length === 0 ? 'none' : ringing.join(', ')}`,
  ];
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
