import uPlot from 'uplot';

/*
 * The dashboard: asks the API that serves it every few seconds, and shows what it says. It holds no credentials: whoever
 * opened the page signs its requests (docs/decisions.md). Every text goes in as text, never as markup.
 */

interface Figures {
  readonly netSales: number;
  readonly units: number;
  readonly transactions: number;
  readonly averageBasket: number | null;
  readonly unitsPerBasket: number | null;
  readonly returnsRate: number | null;
  readonly discountShare: number | null;
}
type Row = Figures & {
  readonly currency: string;
  readonly value?: string;
  readonly at?: string;
  readonly lastWeek?: Figures;
  readonly change?: Readonly<Record<'netSales' | 'units' | 'transactions', number | null>>;
};
interface Completeness {
  readonly completeThrough: string | null;
  readonly sources: readonly {
    readonly source: string;
    readonly completeThrough: string | null;
    readonly slowestPart?: string;
    readonly unreadableUntil?: string;
    readonly lastSaleAt: string | null;
  }[];
}
interface Answer {
  readonly asOf: string;
  readonly completeness: Completeness;
  readonly rows: readonly Row[];
  readonly leftOut: number;
}
interface Window {
  readonly at: number;
  readonly now: number | null;
  readonly before: number;
}
type Parameters = Readonly<Record<string, string>>;

const refreshMs = 15_000;
/** Marks come every minute, and take some seconds. */
const lateMs = 5 * 60_000;
const silentMs = 15 * 60_000;
const slowMs = 3_000;
const quarterMs = 15 * 60_000;
const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [region, channel, currency] = ['region', 'channel', 'currency'].map((id) => element<HTMLSelectElement>(id)) as [
  HTMLSelectElement,
  HTMLSelectElement,
  HTMLSelectElement,
];
const day = element<HTMLInputElement>('day');
/** The day that someone chose; else it is today, or the day of the newest sale. */
let chosenDay: string | undefined;
let lastAnswerAt: number | undefined;
let failure: string | undefined;
let asking = 0;
let timer: number | undefined;
let chart: uPlot | undefined;
let shown: readonly Window[] = [];

async function ask(question: string, parameters: Parameters): Promise<Answer> {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
  const response = await fetch(`${question}?${query}`, { signal: AbortSignal.timeout(20_000) });
  const answer = await response.json().catch(() => ({ message: `HTTP ${response.status}` }));
  if (!response.ok) throw new Error(answer.message ?? `HTTP ${response.status}`);
  return answer;
}

/** One round of questions at once; an older round that comes back later is forgotten. */
async function refresh(): Promise<void> {
  window.clearTimeout(timer);
  const round = ++asking;
  // An answer that takes long is said to, over the figures that are there.
  const slow = window.setTimeout(showAge, slowMs);
  try {
    const waiting = { signal: AbortSignal.timeout(20_000) };
    const completeness = (await (await fetch('completeness', waiting)).json()) as Completeness;
    if (!Array.isArray(completeness.sources)) throw new Error('the time series did not answer');
    const today = dayOf(Date.now());
    const newest = newestSale(completeness);
    const showing = chosenDay ?? (newest === undefined || newest >= startOf(today) ? today : dayOf(newest));
    const from = startOf(showing);
    const to = Math.min(startOf(nextDay(showing)), Math.max(Date.now(), from) + 60_000);
    const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), timeZone };
    const chosen = { region: region.value, channel: channel.value };
    const beside = { ...range, compare: 'last-week' };
    const ofItems = { ...range, region: region.value, by: 'item', limit: '10' };
    const [totals, series, regions, channels, locations, categories, top, bottom] = (await Promise.all([
      ask('totals', { ...beside, ...chosen }),
      ask('series', { ...beside, ...chosen, every: '15m' }),
      ask('groups', { ...beside, channel: channel.value, by: 'region', limit: '50' }),
      ask('groups', { ...beside, region: region.value, by: 'channel' }),
      ask('groups', { ...beside, ...chosen, by: 'location', limit: '10' }),
      ask('groups', { ...beside, ...chosen, by: 'category', limit: '10' }),
      ask('groups', { ...ofItems, order: 'top' }),
      ask('groups', { ...ofItems, order: 'bottom' }),
    ])) as [Answer, Answer, Answer, Answer, Answer, Answer, Answer, Answer];
    if (round !== asking) return;

    failure = undefined;
    lastAnswerAt = Date.now();
    if (document.activeElement !== day) day.value = showing;
    element('range').textContent =
      `${new Date(from).toLocaleDateString(undefined, { dateStyle: 'full' })}, beside the same time of a week before`;
    offer(region, regions.rows);
    offer(channel, channels.rows);
    offer(currency, regions.rows.length > 0 ? regions.rows : totals.rows, (row) => row.currency);
    const mine = (answer: Answer) => answer.rows.filter((row) => row.currency === currency.value);
    showFigures(mine(totals)[0]);
    showChart(windowsOf(mine(series), from, to));
    for (const [id, answer] of [
      ['by-region', regions],
      ['by-channel', channels],
      ['by-location', locations],
      ['by-category', categories],
      ['top-items', top],
      ['bottom-items', bottom],
    ] as const)
      showBars(element(id), mine(answer), answer.leftOut);
    element('items-hint').textContent =
      channel.value === '' ? '' : 'Items are kept by region only: the channel does not choose among them.';
    showSources(totals.completeness);
    showFreshness(totals.completeness, showing === today);
    notice(
      chosenDay === undefined && showing !== today
        ? `No sales today. This is ${new Date(from).toLocaleDateString()}, the day of the newest sale.`
        : undefined,
    );
  } catch (error) {
    if (round !== asking) return;
    failure = error instanceof Error ? error.message : String(error);
    showFailure();
  } finally {
    window.clearTimeout(slow);
    if (round === asking) timer = window.setTimeout(refresh, refreshMs);
  }
}

function showFigures(row: Row | undefined): void {
  const money = (minor: number | null | undefined) => (minor === null || minor === undefined ? '–' : moneyOf(minor));
  const number = (value: number | null | undefined) => (value ?? '–').toLocaleString();
  const share = (value: number | null | undefined) =>
    value === null || value === undefined
      ? '–'
      : value.toLocaleString(undefined, { style: 'percent', maximumFractionDigits: 1 });
  const { lastWeek, change } = row ?? {};
  const cards: [string, string, number | null | undefined, string][] = [
    ['Net sales', money(row?.netSales ?? 0), change?.netSales, money(lastWeek?.netSales)],
    ['Transactions', number(row?.transactions ?? 0), change?.transactions, number(lastWeek?.transactions)],
    ['Units', number(row?.units ?? 0), change?.units, number(lastWeek?.units)],
    ['Average basket', money(row?.averageBasket), undefined, money(lastWeek?.averageBasket)],
    ['Units a basket', number(row?.unitsPerBasket), undefined, number(lastWeek?.unitsPerBasket)],
    ['Returned', share(row?.returnsRate), undefined, share(lastWeek?.returnsRate)],
    ['Discount', share(row?.discountShare), undefined, share(lastWeek?.discountShare)],
  ];
  element('figures').replaceChildren(
    ...cards.map(([name, value, moved, before]) => {
      const beside = node(
        'span',
        `${moved === null || moved === undefined ? '' : `${signed(moved)} · `}${before} before`,
      );
      if (moved !== null && moved !== undefined && moved !== 0) beside.className = moved > 0 ? 'up' : 'down';
      return node('div', '', 'figure', [node('span', name), node('b', value), beside]);
    }),
  );
}

function showBars(target: HTMLElement, rows: readonly Row[], leftOut: number): void {
  const most = Math.max(1, ...rows.map(({ netSales }) => Math.abs(netSales)));
  const bars = rows.map(({ value = '', netSales, change }) => {
    const fill = node('span', '', 'fill');
    fill.style.width = `${(100 * Math.max(0, netSales)) / most}%`;
    const name = node('span', value, 'name');
    name.title = value;
    const moved = change?.netSales;
    const amount = node('span', `${moneyOf(netSales)} `, 'amount');
    if (change !== undefined) {
      const small = node('small', moved === null || moved === undefined ? 'new' : signed(moved));
      if (moved) small.className = moved > 0 ? 'up' : 'down';
      amount.append(small);
    }
    return node('div', '', 'bar', [name, node('span', '', 'track', [fill]), amount]);
  });
  target.replaceChildren(...bars);
  if (rows.length === 0) target.append(node('p', 'nothing yet', 'hint'));
  if (leftOut > 0) target.append(node('p', `and ${leftOut.toLocaleString()} more`, 'hint'));
}

function showSources({ sources }: Completeness): void {
  const time = (text: string | null) => (text === null ? '–' : new Date(text).toLocaleString());
  const rows = sources.map(({ source, completeThrough, slowestPart, unreadableUntil, lastSaleAt }) => {
    const isLate = completeThrough !== null && Date.now() - Date.parse(completeThrough) > lateMs;
    const state = completeThrough === null ? 'does not say' : isLate ? 'silent' : 'complete';
    return node('tr', '', '', [
      node('td', source),
      node(
        'td',
        unreadableUntil === undefined ? state : `late sales, there by ${time(unreadableUntil)}`,
        isLate ? 'late' : '',
      ),
      node('td', time(completeThrough) + (slowestPart === undefined ? '' : ` (${slowestPart})`)),
      node('td', time(lastSaleAt)),
    ]);
  });
  const head = node(
    'tr',
    '',
    '',
    ['source', 'state', 'complete up to', 'last sale'].map((name) => node('th', name)),
  );
  element('sources').replaceChildren(node('div', '', 'scroll', [node('table', '', '', [head, ...rows])]));
}

function showFreshness(completeness: Completeness, isToday: boolean): void {
  const through = completeness.completeThrough;
  const newest = newestSale(completeness);
  const clock = (time: number) =>
    new Date(time).toLocaleString(
      undefined,
      isToday && Date.now() - time < 86_400_000 ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' },
    );
  const whoSays = completeness.sources.some((source) => source.completeThrough !== null)
    ? 'not every source'
    : 'no source';
  const late = through === null ? Date.now() - (newest ?? 0) > silentMs : Date.now() - Date.parse(through) > lateMs;
  const said =
    through !== null
      ? `complete up to ${clock(Date.parse(through))}`
      : newest === undefined
        ? 'no sales yet'
        : `newest sale ${clock(newest)}; ${whoSays} says up to when it is complete`;
  const target = element('freshness');
  target.textContent = late ? `Data is late: ${said}` : said;
  target.classList.toggle('late', late);
}

/** The last figures stay, and say how old they are. */
function showFailure(): void {
  showAge();
  notice(`The figures could not be read: ${failure}. Trying again.`);
}

function showAge(): void {
  const target = element('freshness');
  const age =
    lastAnswerAt === undefined
      ? 'nothing has come yet'
      : `these figures are of ${new Date(lastAnswerAt).toLocaleTimeString()}`;
  target.textContent = `Data is late: ${age}`;
  target.classList.add('late');
}

function notice(text: string | undefined): void {
  const target = element('notice');
  target.hidden = text === undefined;
  target.textContent = text ?? '';
}

/** A quarter of an hour without sales is a zero, not a gap; one that has not begun is nothing. */
function windowsOf(rows: readonly Row[], from: number, to: number): Window[] {
  const byTime = new Map(rows.map((row) => [Date.parse(row.at!), row]));
  const last = Math.max(to - 1, ...byTime.keys());
  const windows: Window[] = [];
  for (let at = from; at <= last; at += quarterMs) {
    const row = byTime.get(at);
    windows.push({ at, now: at < to ? (row?.netSales ?? 0) : null, before: row?.lastWeek?.netSales ?? 0 });
  }
  return rows.length === 0 ? [] : windows;
}

function showChart(rows: readonly Window[]): void {
  shown = rows;
  const target = element('chart');
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const digits = 10 ** digitsOf(currency.value || 'EUR');
  const data: uPlot.AlignedData = [
    rows.map(({ at }) => at / 1_000),
    rows.map(({ now }) => (now === null ? null : now / digits)),
    rows.map(({ before }) => before / digits),
  ];
  chart?.destroy();
  chart = undefined;
  target.replaceChildren();
  if (rows.length === 0) {
    target.append(node('p', 'nothing yet', 'hint'));
    return;
  }
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  chart = new uPlot(
    {
      width: target.clientWidth,
      height: 220,
      legend: { show: false },
      cursor: { y: false },
      scales: { y: { range: (_, min, max) => [Math.min(0, min), Math.max(1, max * 1.05)] } },
      axes: [axis, { ...axis, size: 64, values: (_, values) => values.map((value) => value.toLocaleString()) }],
      series: [
        {},
        { label: 'this day', stroke: colour('--accent'), width: 2, points: { show: rows.length < 3 } },
        { label: 'a week before', stroke: colour('--before'), width: 2, dash: [5, 4], points: { show: false } },
      ],
    },
    data,
    target,
  );
}

/** What there is to choose; a choice stays one, also when nothing of it was sold. */
function offer(select: HTMLSelectElement, rows: readonly Row[], textOf = (row: Row) => row.value!): void {
  const before = select.value;
  const values = [...new Set([...rows.map(textOf), ...(before === '' ? [] : [before])])].sort();
  const all = select === currency ? [] : [''];
  const wanted = [...all, ...values];
  if (wanted.join('\n') === [...select.options].map((option) => option.value).join('\n')) return;
  select.replaceChildren(...wanted.map((value) => new Option(value === '' ? 'all' : value, value)));
  select.value = wanted.includes(before) ? before : (wanted[0] ?? '');
}

function newestSale({ sources }: Completeness): number | undefined {
  const times = sources.flatMap(({ lastSaleAt }) => (lastSaleAt === null ? [] : [Date.parse(lastSaleAt)]));
  return times.length === 0 ? undefined : Math.max(...times);
}

function node(tag: string, text: string, className = '', children: readonly Node[] = []): HTMLElement {
  const made = document.createElement(tag);
  if (text !== '') made.textContent = text;
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

function moneyOf(minor: number): string {
  const code = currency.value || 'EUR';
  const digits = digitsOf(code);
  return (minor / 10 ** digits).toLocaleString(undefined, {
    style: 'currency',
    currency: code,
    maximumFractionDigits: Math.abs(minor) >= 10 ** (digits + 5) ? 0 : digits,
    minimumFractionDigits: Math.abs(minor) >= 10 ** (digits + 5) ? 0 : digits,
  });
}

function digitsOf(code: string): number {
  return (
    new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions().maximumFractionDigits ?? 2
  );
}

function signed(change: number): string {
  return change.toLocaleString(undefined, { style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 1 });
}

/** `2026-11-22` by the clock of whoever looks. */
function dayOf(time: number): string {
  const date = new Date(time);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-');
}

function startOf(text: string): number {
  return new Date(`${text}T00:00`).getTime();
}

function nextDay(text: string): string {
  return dayOf(startOf(text) + 36 * 3_600_000);
}

element('choices').addEventListener('change', ({ target }) => {
  // Emptied, it follows the day again.
  if (target === day) chosenDay = day.value || undefined;
  void refresh();
});
element('choices').addEventListener('submit', (event) => event.preventDefault());
document.addEventListener('visibilitychange', () => {
  if (document.hidden) window.clearTimeout(timer);
  else void refresh();
});
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => showChart(shown));
new ResizeObserver(() => chart?.setSize({ width: element('chart').clientWidth, height: 220 })).observe(
  element('chart'),
);
void refresh();
