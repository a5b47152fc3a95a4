import { type Day, daysBetween } from '../business-day';
import { csvOf, type Row } from './csv';
import { type Html, html } from './html';
import { count, money } from './money';

/** The columns of reported.sql, in its order: also those of the CSV file. */
export const reportedColumns = [
  ...(['business_date', 'revision', 'reported_at', 'load_number', 'currency', 'sales', 'returns', 'lines'] as const),
  ...(['units', 'net', 'tax', 'tenders', 'tendered', 'late_sales', 'late_lines', 'late_net', 'late_tax'] as const),
  ...(['late_tenders', 'late_tendered'] as const),
] as const;
/** The columns of late.sql, likewise. */
export const lateColumns = [
  ...(['business_date', 'revision', 'source', 'transaction_id', 'type', 'channel', 'region', 'location'] as const),
  ...(['currency', 'lines', 'units', 'net', 'tax', 'tenders', 'tendered', 'accepted_at', 'loaded_at'] as const),
] as const;
type Reported = Readonly<Record<(typeof reportedColumns)[number], string | null>>;

const texts = new Set<string>([
  ...['business_date', 'reported_at', 'currency', 'source', 'transaction_id', 'type', 'channel', 'region', 'location'],
  ...['accepted_at', 'loaded_at'],
]);
const numbersOf = <Name extends string>(columns: readonly Name[]) =>
  new Set(columns.filter((name) => !texts.has(name)));

/** Every revision of every day. */
export const daysCsv = (rows: readonly Row[]): string => csvOf(reportedColumns, rows, numbersOf(reportedColumns));
export const lateCsv = (rows: readonly Row[]): string => csvOf(lateColumns, rows, numbersOf(lateColumns));

/** How a day stands in one currency; without a currency, a day on which nothing was sold. */
interface Standing {
  readonly day: Day;
  readonly currency: string;
  readonly newest: Reported;
  /** Zero where the first revision did not have the currency. */
  readonly firstNet: string;
  /** Over all revisions but the first. */
  readonly late: Readonly<Record<'sales' | 'net' | 'tax' | 'tendered', bigint>>;
}

export interface DayReports {
  /** Rows of reported.sql and waiting.sql. */
  readonly reported: readonly Row[];
  readonly waiting: readonly Row[];
}

/** Sales that came late, on how many days: for the head of the page. */
export function lateTotals({ reported, waiting }: DayReports): { readonly sales: bigint; readonly days: number } {
  const late = standings(reported).filter(({ late: { sales } }) => sales > 0n);
  return {
    sales: [...late.map(({ late: { sales } }) => sales), ...waiting.map((row) => BigInt(row[2] ?? '0'))].reduce(
      (total, sales) => total + sales,
      0n,
    ),
    days: new Set([...late.map(({ day }) => day), ...waiting.map(([day]) => day)]).size,
  };
}

/** Days beside those of the report: reported.sql names them because nobody has reconciled them since. */
export function daysToReconcile({ reported }: Pick<DayReports, 'reported'>, from: Day, to: Day): Day[] {
  return [...new Set(reported.map(([day]) => day ?? ''))].filter((day) => day < from || day > to);
}

/** Days that were reported and have moved since: what came late, and what waits for the next close. */
export function lateSection({ reported, waiting }: DayReports, from: Day, to: Day): Html {
  // Of a restated day, the currencies that moved.
  const restated = standings(reported).filter(({ late }) => Object.values(late).some((amount) => amount !== 0n));
  const rows = restated.map(
    ({ day, currency, newest, firstNet, late }) => html`<tr>
<th scope="row">${day} <span class="currency">${currency}</span></th>
<td class="number" data-label="Revision">${newest.revision}</td>
<td class="number" data-label="Late sales">${count(late.sales)}</td>
<td class="number" data-label="Net first reported">${money(firstNet, currency)}</td>
<td class="number" data-label="Net restated">${money(newest.net ?? '0', currency)}</td>
<td class="number" data-label="Late net">${money(late.net, currency)}</td>
<td class="number" data-label="Late tax">${money(late.tax, currency)}</td>
<td class="number" data-label="Late tendered">${money(late.tendered, currency)}</td>
<td data-label="Restated">${newest.reported_at} UTC</td>
</tr>`,
  );
  const open = waiting.map(
    ([day, currency, sales, net, tax, tendered]) => html`<tr>
<th scope="row">${day} <span class="currency">${currency}</span></th>
<td class="number none" data-label="Revision"></td>
<td class="number" data-label="Late sales">${count(sales ?? '0')}</td>
<td class="number none" data-label="Net first reported"></td>
<td class="number none" data-label="Net restated"></td>
<td class="number" data-label="Late net">${money(net ?? '0', currency ?? '')}</td>
<td class="number" data-label="Late tax">${money(tax ?? '0', currency ?? '')}</td>
<td class="number" data-label="Late tendered">${money(tendered ?? '0', currency ?? '')}</td>
<td class="bad" data-label="Restated">with the next close</td>
</tr>`,
  );
  const toReconcile = daysToReconcile({ reported }, from, to);
  return html`<section>
<h2>Late sales</h2>
<p>What was booked on a day after the day was reported. The day is restated as another revision; what was reported stays.</p>
${
  toReconcile.length === 0
    ? ''
    : html`<p class="bad">Reported, and not reconciled since: ${toReconcile.join(', ')}. The daily run takes the open days anew; for a day before them, start the workflow.</p>`
}
${
  rows.length + open.length === 0
    ? html`<p class="empty">No sale came after its day was reported.</p>`
    : html`<table class="stacks"><thead><tr><th scope="col">Business day</th><th scope="col" class="number">Revision</th><th scope="col" class="number">Late sales</th><th scope="col" class="number">First net</th><th scope="col" class="number">Restated net</th><th scope="col" class="number">Late net</th><th scope="col" class="number">Late tax</th><th scope="col" class="number">Late tendered</th><th scope="col">Restated</th></tr></thead><tbody>${rows}${open}</tbody></table>`
}
</section>`;
}

/** The days of the report as they were last reported, and those that were not yet. */
export function reportedSection({ reported }: DayReports, from: Day, to: Day): Html {
  const all = standings(reported);
  const rows = daysBetween(from, to).flatMap((day) => {
    const own = all.filter((standing) => standing.day === day);
    if (own.length === 0)
      return [html`<tr><th scope="row">${day}</th><td colspan="7" data-label="Reported">not yet</td></tr>`];
    const sold = own.filter(({ currency }) => currency !== '');
    if (sold.length === 0)
      return [
        html`<tr><th scope="row">${day}</th><td class="number" data-label="Revision">${own[0]?.newest.revision}</td><td colspan="5" data-label="Sales">nothing was sold</td><td data-label="Reported">${own[0]?.newest.reported_at} UTC</td></tr>`,
      ];
    return sold.map(
      ({ currency, newest }) =>
        html`<tr><th scope="row">${day} <span class="currency">${currency}</span></th><td class="number" data-label="Revision">${newest.revision}</td><td class="number" data-label="Sales">${count(
          newest.sales ?? '0',
        )}</td><td class="number" data-label="Returns">${count(newest.returns ?? '0')}</td><td class="number" data-label="Net">${money(
          newest.net ?? '0',
          currency,
        )}</td><td class="number" data-label="Tax">${money(newest.tax ?? '0', currency)}</td><td class="number" data-label="Tendered">${money(
          newest.tendered ?? '0',
          currency,
        )}</td><td data-label="Reported">${newest.reported_at} UTC</td></tr>`,
    );
  });
  return html`<section>
<h2>Days reported</h2>
<p>As of each day's newest revision. All revisions: <a href="days.csv">days.csv</a>.</p>
<table class="stacks"><thead><tr><th scope="col">Business day</th><th scope="col" class="number">Revision</th><th scope="col" class="number">Sales</th><th scope="col" class="number">Returns</th><th scope="col" class="number">Net</th><th scope="col" class="number">Tax</th><th scope="col" class="number">Tendered</th><th scope="col">Reported</th></tr></thead><tbody>${rows}</tbody></table>
</section>`;
}

function standings(reported: readonly Row[]): Standing[] {
  const revisions = new Map<string, Reported[]>();
  for (const row of reported) {
    const one = Object.fromEntries(reportedColumns.map((column, at) => [column, row[at] ?? null])) as Reported;
    const key = `${one.business_date} ${one.currency ?? ''}`;
    revisions.set(key, [...(revisions.get(key) ?? []), one]);
  }
  return [...revisions.values()].map((own) => {
    const [first, newest] = [own[0]!, own.at(-1)!];
    const sum = (column: 'late_sales' | 'late_net' | 'late_tax' | 'late_tendered') =>
      own.reduce((total, one) => total + BigInt(one[column] ?? '0'), 0n);
    return {
      day: newest.business_date ?? '',
      currency: newest.currency ?? '',
      newest,
      firstNet: first.revision === '1' ? (first.net ?? '0') : '0',
      late: { sales: sum('late_sales'), net: sum('late_net'), tax: sum('late_tax'), tendered: sum('late_tendered') },
    };
  });
}
