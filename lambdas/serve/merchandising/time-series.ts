import type { Dimension } from './dimensions';
import type { Point } from './points';

/** Where points go, and how many of them were too old for the database's retention. */
export interface TimeSeriesWriter {
  write(points: readonly Point[]): Promise<{ readonly beyondRetention: number }>;
  /** Points older than `afterMs` when they are written can be read within `withinMs` only; absent: all can at once. */
  readonly late?: { readonly afterMs: number; readonly withinMs: number };
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

/** A mark as it came through one lane: the source had sent all its sales up to then. */
export interface LaneMark {
  readonly source: string;
  readonly part: string;
  /** `<number>.<number>/<count>x<count>` of the shards it came through. */
  readonly lane: string;
  readonly completeThrough: number;
  /** When the door took it. */
  readonly markedAt: number;
}

/** What was last heard of a source, by a sale. */
export interface SourceArrival {
  readonly source: string;
  readonly occurredAt: number;
  readonly acceptedAt: number;
}

/** What merchants ask, of whichever database holds the points. Reads only. */
export interface TimeSeriesReader {
  sums(question: SumsQuestion): Promise<Sums[]>;
  /** Of each currency the items with the highest or lowest sums, in order. */
  ranking(question: RankingQuestion): Promise<ReadonlyMap<string, readonly string[]>>;
  /** The newest mark of each source, part and lane since then. */
  marks(since: number): Promise<LaneMark[]>;
  /** The newest sale of each source since then. */
  arrivals(since: number): Promise<SourceArrival[]>;
  /** What was accepted before this has been compared with the lake; undefined where nothing of the last weeks says so. */
  comparedThrough(): Promise<number | undefined>;
}
