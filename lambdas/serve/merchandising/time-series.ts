import type { Dimension } from './dimensions';
import type { Point } from './points';

/** Where points go, and how many of them were too old for the database's retention, or further ahead than it takes. */
export interface TimeSeriesWriter {
  write(points: readonly Point[]): Promise<{ readonly beyondRetention: number; readonly ahead?: number }>;
  /** Points older than `afterMs` when they are written can be read within `withinMs` only; absent: all can at once. */
  readonly late?: { readonly afterMs: number; readonly withinMs: number };
  /** Points further ahead than `afterMs` are not taken: from the lake they come within `withinMs` of their time. */
  readonly early?: { readonly afterMs: number; readonly withinMs: number };
}

/** What is asked of the sales between two whole minutes. */
export interface SumsQuestion {
  /** Milliseconds since 1970, on a whole minute. */
  readonly from: number;
  /** The first minute that is not asked for. */
  readonly to: number;
  /** Values of which a sale must have one, by dimension; absent: any. */
  readonly where: Filters;
  /** Sums for each value of it; absent: over all. */
  readonly by?: Dimension;
  /** Sums for each of these, from `from` on; absent: over all the time. */
  readonly everyMinutes?: number;
  /** From the points of items, even where those of sales could tell: then each sale and SKU counts as a transaction. */
  readonly of?: 'items';
}

export type Filters = Readonly<Partial<Record<Dimension | 'currency', readonly string[]>>>;

/** Amounts of one kind of transaction, none negative. Money is in minor units of the row's currency. */
export interface Amounts {
  readonly net: number;
  readonly units: number;
  readonly discount: number;
  readonly transactions: number;
}

/** The sums of one currency, value of the dimension, and window. Nothing ever adds up two currencies. */
export interface Sums {
  readonly currency: string;
  readonly value?: string;
  /** Start of the window. */
  readonly at?: number;
  readonly sold: Amounts;
  readonly returned: Amounts;
}

export interface RankingQuestion extends Pick<SumsQuestion, 'from' | 'to' | 'where'> {
  readonly measure: 'net' | 'units';
  readonly order: 'top' | 'bottom';
  readonly limit: number;
}

/** The newest marks of a part in the lanes of one set: the source had sent all its sales up to then. */
export interface PartMarks {
  readonly source: string;
  readonly part: string;
  /** `2x4`: the lanes that lead from two shards of the first stream into four of the second. */
  readonly set: string;
  /** In how many of them there is a mark. */
  readonly lanes: number;
  /** The earliest of the lanes. */
  readonly completeThrough: number;
  /** When the door took the oldest of them. */
  readonly markedAt: number;
}

/** What was last heard of a source, by a sale. */
export interface SourceArrival {
  readonly source: string;
  readonly occurredAt: number;
  readonly acceptedAt: number;
}

/** Sales of a source, since then, that were accepted and cannot be read yet. */
export interface Unreadable {
  readonly source: string;
  readonly occurredAt: number;
  readonly until: number;
}

/** There is more than is ever gathered for one answer; a part of it is never given for the whole. */
export class TooMuchError extends Error {
  constructor(what: string, most: number) {
    super(`${what}: there are more than ${most}, allowed: ${most}`);
    this.name = 'TooMuchError';
  }
}

/**
 * What merchants ask, of whichever database holds the points. Reads only, and all of it or throws: at `deadline` what is
 * under way is given up.
 */
export interface TimeSeriesReader {
  sums(question: SumsQuestion, deadline?: AbortSignal): Promise<Sums[]>;
  /** Of each currency the items with the highest or lowest sums, in order. */
  ranking(question: RankingQuestion, deadline?: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>>;
  /** The newest marks of each source, part and set of lanes since then. */
  marks(since: number, deadline?: AbortSignal): Promise<PartMarks[]>;
  /** The newest sale of each source since then. */
  arrivals(since: number, deadline?: AbortSignal): Promise<SourceArrival[]>;
  /** What cannot be read yet, of all that was written since then; absent: what is written can be read. */
  unreadable?(since: number, deadline?: AbortSignal): Promise<Unreadable[]>;
  /** What was accepted before this has been compared with the lake; undefined where nothing of the last weeks says so. */
  comparedThrough(): Promise<number | undefined>;
}
