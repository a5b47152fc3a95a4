import { type Completeness, completenessOf } from '../completeness';
import type { Dimension } from '../dimensions';
import type { PartMarks, SourceArrival, Sums, TimeSeriesReader, Unreadable } from '../time-series';
import { changeOf, type Figures, figuresOf } from './figures';
import { type SalesQuestion, weekBefore } from './request';

export interface SalesAnswer {
  readonly from: string;
  readonly to: string;
  readonly asOf: string;
  readonly by?: Dimension;
  readonly everyMinutes?: number;
  /** A week before, and for how long: no longer than has passed of what is asked for. */
  readonly comparedWith?: { readonly from: string; readonly to: string };
  readonly completeness: Completeness;
  /** In order; each is of one currency. */
  readonly rows: readonly AnswerRow[];
  /** How many rows there are beyond the limit, which holds for each currency. */
  readonly leftOut: number;
}

export type AnswerRow = Figures & {
  readonly currency: string;
  readonly value?: string;
  readonly at?: string;
  readonly lastWeek?: Figures;
  readonly change?: ReturnType<typeof changeOf>;
};

const minuteMs = 60_000;
/** A part of a source that has not been heard of for so long no longer counts: it is taken to be gone. */
const marksKeptMs = 7 * 86_400_000;
/** So often all marks and arrivals of that time are looked at, which may be hundreds of millions; in between the newest. */
const lookBackEveryMs = 10 * 60_000;
const newestMs = 30 * 60_000;
/** The door takes sales that are a day ahead, and they are there some hours after their time. */
const unreadableMs = 2 * 86_400_000;

interface Heard {
  readonly marks: readonly PartMarks[];
  readonly arrivals: readonly SourceArrival[];
}

/** The typed client: what merchants ask, in one round of queries that run at once. */
export class SalesClient {
  /** What was heard up to then. */
  #lookedBack: (Heard & { readonly at: number }) | undefined;

  constructor(
    private readonly reader: TimeSeriesReader,
    private readonly now: () => number = Date.now,
  ) {}

  async completeness(deadline?: AbortSignal): Promise<Completeness> {
    const { marks, arrivals } = await this.#heard(deadline);
    return completenessOf(marks, arrivals, await this.#unreadable(deadline));
  }

  /**
   * What was heard earlier only makes an answer claim less: a part's newest mark counts, and one that is missing here
   * (written more than half an hour after the door took it) is found within ten minutes.
   */
  async #heard(deadline: AbortSignal | undefined): Promise<Heard> {
    const now = Math.floor(this.now() / minuteMs) * minuteMs;
    const before = this.#lookedBack;
    if (before !== undefined && now - before.at < lookBackEveryMs) {
      const { marks, arrivals } = await this.#heardSince(now - newestMs, deadline);
      return { marks: [...before.marks, ...marks], arrivals: [...before.arrivals, ...arrivals] };
    }
    const heard = await this.#heardSince(now - marksKeptMs, deadline);
    this.#lookedBack = { at: now, ...heard };
    return heard;
  }

  /** Asked for after the marks: what they vouch for and cannot be read was written before them. */
  async #unreadable(deadline: AbortSignal | undefined): Promise<Unreadable[]> {
    const now = this.now();
    const written = await this.reader.unreadable?.(Math.floor(now / minuteMs) * minuteMs - unreadableMs, deadline);
    return (written ?? []).filter(({ occurredAt, until }) => occurredAt < now && until > now);
  }

  async #heardSince(since: number, deadline: AbortSignal | undefined): Promise<Heard> {
    const [marks, arrivals] = await Promise.all([
      this.reader.marks(since, deadline),
      this.reader.arrivals(since, deadline),
    ]);
    return { marks, arrivals };
  }

  async ask(question: SalesQuestion, deadline?: AbortSignal): Promise<SalesAnswer> {
    const { from, to, by, everyMinutes, compare } = question;
    // Before the figures: what they hold may be newer than what is claimed, never older.
    const { marks, arrivals } = await this.#heard(deadline);
    const before = compare ? this.#weekBefore(question) : undefined;
    const figures = by === 'item' ? this.#items(question, before, deadline) : this.#rows(question, before, deadline);
    const [[rows, leftOut], unreadable] = await Promise.all([figures, this.#unreadable(deadline)]);
    return {
      from: iso(from),
      to: iso(to),
      asOf: iso(this.now()),
      ...(by === undefined ? {} : { by }),
      ...(everyMinutes === undefined ? {} : { everyMinutes }),
      ...(before === undefined ? {} : { comparedWith: { from: iso(before.from), to: iso(before.to) } }),
      completeness: completenessOf(marks, arrivals, unreadable),
      rows,
      leftOut,
    };
  }

  /** As much of that day as has passed of this one. */
  #weekBefore({ from, to, timeZone }: SalesQuestion): { from: number; to: number } {
    const passed = Math.floor(this.now() / minuteMs) * minuteMs;
    const start = weekBefore(from, timeZone);
    const elapsed = Math.max(Math.min(to, passed), from + minuteMs) - from;
    return { from: start, to: start + elapsed };
  }

  async #rows(
    { kind, from, to, where, by, everyMinutes, measure, order, limit }: SalesQuestion,
    before: { from: number; to: number } | undefined,
    deadline: AbortSignal | undefined,
  ): Promise<[AnswerRow[], number]> {
    const shape = { where, ...(by && { by }), ...(everyMinutes && { everyMinutes }) };
    const [sums, earlier] = await Promise.all([
      this.reader.sums({ from, to, ...shape }, deadline),
      before === undefined ? undefined : this.reader.sums({ ...before, ...shape }, deadline),
    ]);
    const rows = joined(sums, earlier, before === undefined ? 0 : from - before.from);
    if (kind !== 'groups') {
      rows.sort((a, b) => compareText(a.at ?? '', b.at ?? '') || compareText(a.currency, b.currency));
      return [rows, 0];
    }
    rows.sort(byMeasure(measure, order));
    const shown = new Map<string, number>();
    const first = rows.filter(({ currency }) => {
      const place = (shown.get(currency) ?? 0) + 1;
      shown.set(currency, place);
      return place <= limit;
    });
    return [first, rows.length - first.length];
  }

  /** There may be a million items: the database ranks them, and only the first are looked at closer. */
  async #items(
    { from, to, where, measure, order, limit }: SalesQuestion,
    before: { from: number; to: number } | undefined,
    deadline: AbortSignal | undefined,
  ): Promise<[AnswerRow[], number]> {
    const { item, ...others } = where;
    const ranked =
      item === undefined
        ? await this.reader.ranking(
            {
              ...{ from, to, where: others, order, limit },
              measure: measure === 'units' ? 'units' : 'net',
            },
            deadline,
          )
        : new Map([[undefined, item]]);
    const rows = await Promise.all(
      [...ranked].map(async ([currency, skus]) => {
        const chosen = currency === undefined ? {} : { currency: [currency] };
        const shape = { where: { ...others, ...chosen, item: skus }, by: 'item' as const };
        const [sums, earlier] = await Promise.all([
          this.reader.sums({ from, to, ...shape }, deadline),
          before === undefined ? undefined : this.reader.sums({ ...before, ...shape }, deadline),
        ]);
        return joined(sums, earlier, 0);
      }),
    );
    return [rows.flat().sort(byMeasure(measure, order)), 0];
  }
}

/** Each row beside the one of a week before; one that was sold only then is a row too. */
function joined(sums: readonly Sums[], earlier: readonly Sums[] | undefined, shiftMs: number): AnswerRow[] {
  const idOf = ({ currency, value, at }: Sums, shift: number) =>
    JSON.stringify([currency, value, at === undefined ? undefined : at + shift]);
  const before = new Map(earlier?.map((row) => [idOf(row, shiftMs), row]));
  const rows = sums.map((row) => {
    const id = idOf(row, 0);
    const last = before.get(id);
    before.delete(id);
    return rowOf(row, earlier === undefined ? undefined : (last ?? nothing));
  });
  for (const row of before.values())
    rows.push(rowOf({ ...row, ...nothing, ...(row.at === undefined ? {} : { at: row.at + shiftMs }) }, row));
  return rows;
}

const none = { net: 0, units: 0, discount: 0, transactions: 0 };
const nothing = { sold: none, returned: none };

function rowOf(row: Sums, last: Pick<Sums, 'sold' | 'returned'> | undefined): AnswerRow {
  const figures = figuresOf(row);
  const lastWeek = last && figuresOf(last);
  return {
    currency: row.currency,
    ...(row.value === undefined ? {} : { value: row.value }),
    ...(row.at === undefined ? {} : { at: iso(row.at) }),
    ...figures,
    ...(lastWeek === undefined ? {} : { lastWeek, change: changeOf(figures, lastWeek) }),
  };
}

function byMeasure(measure: 'netSales' | 'units', order: 'top' | 'bottom') {
  const direction = order === 'top' ? -1 : 1;
  return (a: AnswerRow, b: AnswerRow) =>
    compareText(a.currency, b.currency) ||
    direction * (a[measure] - b[measure]) ||
    compareText(a.value ?? '', b.value ?? '');
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function iso(time: number): string {
  return new Date(time).toISOString();
}
