import type { Client } from 'pg';
import { outcomeOf, outcomeQuery } from '../lambdas/serve/finance/reconcile/outcome';
import { reconciliationStatements } from '../lambdas/serve/finance/reconcile/reconciliation';
import type { Warehouse } from '../lambdas/serve/finance/warehouse';
import { book, brokenProofs, findings } from '../test/reconciliation/books';
import { breakClasses, plantedMonth, terms } from '../test/reconciliation/planted-month';
import { openLedger } from './base/ledger';
import { shown, table } from './base/measured';

/*
 * A month of 100,000 sales with 1,000 breaks of ten classes among them, through the very statements that run on Redshift:
 * how many are found and rightly classed, how many are found that are none, what stays unexplained, and how long it takes.
 */

const first = '2026-10-01';
const days = 31;
const last = '2026-10-31';
const sales = 100_000;
const plantedPerClass = 100;

async function main(): Promise<void> {
  const { ledger, client, close } = await openLedger();
  try {
    await measure(ledger, client);
  } finally {
    await close();
  }
}

async function measure(ledger: Warehouse, client: Client): Promise<void> {
  const plant = Object.fromEntries(breakClasses.map((name) => [name, plantedPerClass]));
  const month = plantedMonth({ seed: 20_261_001, first, days, sales, plant });
  await book(client, month);
  await client.query('ANALYZE');

  const seconds: number[] = [];
  for (const runId of ['first', 'again']) {
    const started = performance.now();
    await ledger.run(
      reconciliationStatements({ runId, businessDate: last, days, asOf: month.asOf }, terms, new Date()),
    );
    seconds.push((performance.now() - started) / 1_000);
  }
  const started = performance.now();
  await ledger.run(
    reconciliationStatements(
      { runId: 'one-day', businessDate: '2026-10-15', days: 1, asOf: month.asOf },
      terms,
      new Date(),
    ),
  );
  const oneDay = (performance.now() - started) / 1_000;

  const planted = new Set(month.planted.map(({ class: name, on }) => `${name} ${on}`));
  const found = new Set(await findings(client));
  const missed = [...planted].filter((each) => !found.has(each));
  const wrong = [...found].filter((each) => !planted.has(each));
  const of = (all: Iterable<string>, name: string) => [...all].filter((each) => each.startsWith(`${name} `)).length;
  table(
    'breaks',
    ['planted', 'found', 'missed', 'false'],
    [...breakClasses, ''].map((name) => [
      name || 'all',
      ...[planted, found, missed, wrong].map((all) => shown(name ? of(all, name) : [...all].length)),
    ]),
  );
  const period = { from_date: `CAST('${first}' AS date)`, to_date: `CAST('${last}' AS date)` };
  const outcome = outcomeOf(await ledger.rows(outcomeQuery(period)));
  const { rows } = await client.query(
    `SELECT COUNT(*)::int AS proofs, SUM(ledger_tenders)::int AS tenders, SUM(settled_lines)::int AS lines,
       SUM(in_transit_tenders)::int AS in_transit, (SELECT COUNT(*)::int FROM finance.reconciliation_matches) AS matches
     FROM finance.reconciliation_totals`,
  );
  const broken = await brokenProofs(client);
  console.log(
    `${shown(rows[0].tenders)} tenders, ${shown(rows[0].lines)} lines, ${shown(rows[0].matches)} pairs, ${shown(rows[0].in_transit)} in transit`,
  );
  console.log(`${rows[0].proofs} proofs by day, gateway and currency, ${broken.length} of them do not add up`);
  console.log(
    `unexplained difference ${(outcome.unexplainedMinorUnits / 100).toFixed(2)}, explained ${outcome.explainedPercent} %`,
  );
  console.log(
    `the month ${seconds.map((each) => each.toFixed(1)).join(' s, again ')} s, one day of it ${oneDay.toFixed(1)} s`,
  );
  if (missed.length + wrong.length + broken.length + outcome.unexplainedMinorUnits > 0)
    throw new Error(`missed ${missed.slice(0, 5).join(', ')}; false ${wrong.slice(0, 5).join(', ')}`);
}

void main();
