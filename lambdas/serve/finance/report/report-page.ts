import type { Day } from '../business-day';
import type { Row } from './csv';
import { type DayReports, lateSection, lateTotals, reportedSection } from './day-reports';
import type { Finding } from './findings';
import { type Html, html } from './html';
import { count, money } from './money';
import { stylesheet } from './stylesheet';

export interface ReportData extends DayReports {
  readonly from: Day;
  readonly to: Day;
  readonly writtenAt: Date;
  /** Rows of days.sql, totals.sql and classes.sql. */
  readonly days: readonly Row[];
  readonly totals: readonly Row[];
  readonly classes: readonly Row[];
  /** As many as a report can hold, like the sales in late-sales.csv. */
  readonly findings: readonly Finding[];
  readonly lateSales: number;
  readonly unexplained: boolean;
  readonly explainedPercent: number;
}

/** So many of each class are shown; all of them are in the CSV file beside the page. */
const shownPerClass = 100;

/** In the order in which somebody looks at them. */
const meanings: Readonly<Record<string, string>> = {
  unexplained: 'No rule explains it: look at it first',
  'missing-in-gateway': 'Sold, and never settled by the gateway',
  'missing-in-ledger': 'Settled by the gateway, and no sale of ours',
  amount: 'Both sides have it, with different amounts',
  currency: 'Both sides have it, in different currencies',
  duplicate: 'The same payment a second time',
  'refund-or-chargeback': 'Money that went back without a return in the ledger',
  fee: 'What the gateway took for itself',
  timing: 'Settled or taken later than agreed, or still awaited past its date',
  'day-cut-off': "The two sides' days end at different moments; it cancels on the other day",
  rounding: 'Different by no more than rounding',
};
const ages = ['0-1', '2-3', '4-7', '8-30', '31+'];

/** The report as one page that needs nothing else: no script, no font, no image. Every value in it is escaped. */
export function reportPage(data: ReportData): string {
  const { from, to, writtenAt, unexplained, explainedPercent } = data;
  const period = from === to ? to : `${from} to ${to}`;
  const asOf = data.days
    .map(([, , day]) => day ?? '')
    .sort()
    .at(-1);
  const breaks = sum(data.classes.map((row) => row[4]));
  const unresolved = sum(data.classes.map((row) => row[5]));
  const late = lateTotals(data);
  const matches = sum(data.days.map((row) => row[4]));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Reconciliation ${period}</title>
<style>${stylesheet}</style>
</head>
<body>
<header>
<p class="eyebrow">Ledger and payment gateways</p>
<h1>Reconciliation <span class="period">${period}</span></h1>
<p class="status ${unexplained ? 'bad' : 'good'}"><strong>${
    unexplained ? 'Unexplained differences remain' : 'Every difference is explained'
  }</strong> ${explainedPercent}\u00a0% explained</p>
<dl class="facts">
<div><dt>pairs</dt><dd>${count(matches)}</dd></div>
<div><dt>breaks</dt><dd>${count(breaks)}</dd></div>
<div><dt>unresolved</dt><dd>${count(unresolved)}</dd></div>
<div><dt>late sales</dt><dd>${count(late.sales)}${late.days === 0 ? '' : html` <small>on ${late.days} day${late.days === 1 ? '' : 's'}</small>`}</dd></div>
<div><dt>as of</dt><dd>${asOf ?? 'never reconciled'}</dd></div>
</dl>
</header>
<main>
${proofSection(data)}
${lateSection(data, from, to)}
${classSection(data)}
${drillDown(data)}
${reportedSection(data, from, to)}
${daySection(data.days)}
</main>
<footer>Written ${writtenAt.toISOString().slice(0, 19).replace('T', ' ')} UTC. ${upTo(data.findings.length, breaks, 'breaks')} with their evidence: <a href="breaks.csv">breaks.csv</a>; ${upTo(data.lateSales, late.sales, 'late sales')}, one by one: <a href="late-sales.csv">late-sales.csv</a>. Nothing is adjusted by this report; a break is resolved by <code>resolve-break --break ID --difference=N --by NAME --reason TEXT</code>.</footer>
</body>
</html>
`.text;
}

/** A file that does not hold all says so. */
function upTo(held: number, all: bigint, what: string): string {
  return BigInt(held) < all ? `The first ${count(BigInt(held))} of ${count(all)} ${what}` : `All ${what}`;
}

function proofSection({ totals, unexplained: isOpen }: ReportData): Html {
  const rows = totals.map((row) => {
    const [gateway, currency, tenders, ledger, differences, unexplained, lines, settled, , transit, fees, net] =
      row.map((value) => value ?? '0') as string[];
    const cell = (label: string, amount: string | undefined, note?: string) =>
      html`<td class="number" data-label="${label}">${money(amount ?? '0', currency!)}${
        note === undefined ? '' : html`<small>${note}</small>`
      }</td>`;
    return html`<tr>
<th scope="row">${gateway} <span class="currency">${currency}</span></th>
${cell('Ledger', ledger, `${count(tenders!)} tenders`)}
${cell('Explained differences', differences)}
<td class="number ${isOpen && unexplained !== '0' ? 'bad' : ''}" data-label="Unexplained">${money(unexplained!, currency!)}</td>
${cell('Settled gross', settled, `${count(lines!)} lines`)}
${cell('In transit', transit)}
${cell('Fees', fees)}
${cell('Net', net)}
</tr>`;
  });
  return html`<section>
<h2>Totals</h2>
<p>Ledger + explained differences + unexplained = settled gross + in transit, to the cent. Fees and net are what the gateway kept and pays out.</p>
${
  totals.length === 0
    ? html`<p class="empty">Nothing was sold through a gateway, and nothing was settled.</p>`
    : html`<table class="stacks"><thead><tr><th scope="col">Gateway</th><th scope="col" class="number">Ledger</th><th scope="col" class="number">Explained</th><th scope="col" class="number">Unexplained</th><th scope="col" class="number">Settled gross</th><th scope="col" class="number">In transit</th><th scope="col" class="number">Fees</th><th scope="col" class="number">Net</th></tr></thead>
<tbody>${rows}</tbody></table>`
}
</section>`;
}

function classSection({ classes }: ReportData): Html {
  const rows = classNames(classes).map((name) => {
    const own = classes.filter(([each]) => each === name);
    const cells = ages.map((age) => {
      const breaks = sum(own.filter((row) => row[3] === age).map((row) => row[4]));
      return html`<td class="number ${breaks === 0n ? 'none' : ''}" data-label="${age} days">${count(breaks)}</td>`;
    });
    return html`<tr>
<th scope="row"><a href="#${name}">${name}</a><small>${meanings[name]}</small></th>
<td class="number" data-label="Breaks">${count(sum(own.map((row) => row[4])))}</td>
<td class="number" data-label="Unresolved">${count(sum(own.map((row) => row[5])))}</td>
<td class="number amounts" data-label="Difference">${differencesOf(own)}</td>
${cells}
</tr>`;
  });
  return html`<section>
<h2>Breaks by class and age</h2>
${
  rows.length === 0
    ? html`<p class="empty">There are none.</p>`
    : html`<table class="stacks"><thead><tr><th scope="col">Class</th><th scope="col" class="number">Breaks</th><th scope="col" class="number">Unresolved</th><th scope="col" class="number">Difference</th>${ages.map(
        (age) => html`<th scope="col" class="number">${age} d</th>`,
      )}</tr></thead><tbody>${rows}</tbody></table>`
}
</section>`;
}

/** By currency: amounts of two currencies cannot be added. */
function differencesOf(rows: readonly Row[]): Html[] {
  const currencies = [...new Set(rows.map((row) => row[2] ?? ''))].sort();
  return currencies.map(
    (currency) =>
      html`<span>${money(sum(rows.filter((row) => row[2] === currency).map((row) => row[6])), currency)} <span class="currency">${currency}</span></span>`,
  );
}

function drillDown({ classes, findings }: ReportData): Html {
  const groups = classNames(classes).map((name) => {
    const own = findings.filter((finding) => finding.class === name);
    const all = sum(classes.filter(([each]) => each === name).map((row) => row[4]));
    const shown = own.slice(0, shownPerClass);
    const more =
      all > BigInt(shown.length)
        ? html`<p>The largest ${shown.length} of ${count(all)}; more are in breaks.csv.</p>`
        : '';
    return html`<details${name === 'unexplained' ? html` open` : ''}>
<summary>${name} <span class="badge">${count(all)}</span></summary>
<p id="${name}">${meanings[name]}.</p>${more}
${shown.map(card)}
</details>`;
  });
  return html`<section>
<h2>Evidence</h2>
${groups.length === 0 ? html`<p class="empty">There is nothing to look at.</p>` : groups}
</section>`;
}

/** One break: both sides, next to each other where there is room. */
function card(finding: Finding): Html {
  const { currency, difference, resolved_at } = finding;
  return html`<article>
<h3><span class="difference">${money(difference ?? '0', currency ?? '')} ${currency}</span> <span>${finding.gateway}, ${finding.business_date}</span> <span class="age">${
    finding.age_days
  } days old</span></h3>
<div class="sides">
${side('Ledger', ledgerFacts(finding), 'Not in the ledger')}
${side('Gateway', gatewayFacts(finding), finding.due_date === null ? 'Not at the gateway' : `Not at the gateway, due ${finding.due_date}`)}
</div>
<p class="foot">${finding.rule === null ? '' : html`Matched by ${finding.rule}. `}${
    finding.related === null ? '' : html`See also <code>${finding.related}</code>. `
  }${
    resolved_at === null
      ? html`<span class="open">Open</span>`
      : html`<span class="resolved">Resolved by ${finding.resolved_by}, ${resolved_at}: ${finding.reason}</span>`
  } <code class="id">--break ${finding.break_id} --difference=${difference}</code></p>
</article>`;
}

type Fact = readonly [name: string, value: string | null];

function side(title: string, facts: readonly Fact[], absent: string): Html {
  const known = facts.filter(([, value]) => value !== null && value !== '');
  return html`<div><h4>${title}</h4>${
    known.length === 0
      ? html`<p class="absent">${absent}</p>`
      : html`<dl>${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
  }</div>`;
}

function ledgerFacts(finding: Finding): Fact[] {
  if (finding.transaction_id === null) return [];
  const card = [finding.card_brand, finding.card_last4 && `ending ${finding.card_last4}`].filter(Boolean).join(' ');
  return [
    ['amount', `${money(finding.ledger_amount ?? '0', finding.ledger_currency ?? '')} ${finding.ledger_currency}`],
    ['sale', `${finding.source} ${finding.transaction_id}, tender ${finding.tender}`],
    ['business day', finding.ledger_business_date],
    ['time', finding.ledger_occurred_at && `${finding.ledger_occurred_at} UTC`],
    ['reference', finding.ledger_reference],
    ['card', card],
  ];
}

function gatewayFacts(finding: Finding): Fact[] {
  if (finding.settlement_line_id === null) return [];
  const inCurrency = (amount: string | null) =>
    `${money(amount ?? '0', finding.gateway_currency ?? '')} ${finding.gateway_currency}`;
  return [
    ['amount', `${inCurrency(finding.gateway_amount)}, ${finding.kind}`],
    ['fee', finding.gateway_fee === '0' ? null : inCurrency(finding.gateway_fee)],
    ['batch', `${finding.batch}, row ${finding.row_number}`],
    ["gateway's day", finding.gateway_day],
    ['time', finding.gateway_occurred_at && `${finding.gateway_occurred_at} UTC`],
    ['settled', finding.due_date === null ? finding.settled_date : `${finding.settled_date}, due ${finding.due_date}`],
    ['reference', finding.gateway_reference],
    ['our reference', finding.merchant_reference],
  ];
}

function daySection(days: readonly Row[]): Html {
  const rows = days.map(
    ([day, revision, asOf, ranAt, matches, breaks]) =>
      html`<tr><th scope="row">${day}</th><td class="number" data-label="Revision">${revision}</td><td class="number" data-label="Pairs">${count(
        matches ?? '0',
      )}</td><td class="number" data-label="Breaks">${count(breaks ?? '0')}</td><td data-label="As of">${asOf}</td><td data-label="Reconciled">${ranAt} UTC</td></tr>`,
  );
  return html`<section>
<h2>Days reconciled</h2>
${
  rows.length === 0
    ? html`<p class="empty">None of these days has been reconciled.</p>`
    : html`<table class="stacks"><thead><tr><th scope="col">Business day</th><th scope="col" class="number">Revision</th><th scope="col" class="number">Pairs</th><th scope="col" class="number">Breaks</th><th scope="col">As of</th><th scope="col">Reconciled</th></tr></thead><tbody>${rows}</tbody></table>`
}
</section>`;
}

function classNames(classes: readonly Row[]): string[] {
  const present = new Set(classes.map(([name]) => name));
  return Object.keys(meanings).filter((name) => present.has(name));
}

function sum(values: readonly (string | null | undefined)[]): bigint {
  return values.reduce((total, value) => total + BigInt(value ?? '0'), 0n);
}
