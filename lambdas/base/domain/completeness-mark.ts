import { isReal } from './times';

/** A source says: all my sales that occurred before then, I have sent and you have accepted. */
export interface CompletenessMark {
  readonly source: string;
  /** Which of the source's tills or stores says so; `*`: the source as a whole. */
  readonly part: string;
  /** UTC, ISO 8601, by the source's clock. */
  readonly completeThrough: string;
}

/**
 * Marks on their way behind the sales that they vouch for: a record of its own in every shard of a stream. Whoever has
 * met it in every lane has met all sales that were accepted before it, wherever they lay.
 */
export interface MarkRecord {
  readonly marks: readonly CompletenessMark[];
  /** UTC, ISO 8601, when the door took them. */
  readonly acceptedAt: string;
  /** The shard of `sales-ingest` that this copy came through, and of how many. */
  readonly ingestLane: Lane;
  /** The same of `sales`, once it is in there. */
  readonly salesLane?: Lane;
}

export interface Lane {
  readonly number: number;
  readonly of: number;
}

/** Stands for a source that speaks as a whole. */
export const wholeSource = '*';

const recordStart = '{"marks":[';

export function markRecordText({ marks, acceptedAt, ingestLane, salesLane }: MarkRecord): string {
  return JSON.stringify({ marks, acceptedAt, ingestLane, salesLane });
}

/** Reads a record of marks; undefined for any other record, which is then a sale or nothing. */
export function parseMarkRecord(text: string): MarkRecord | undefined {
  // Every sale passes here: most are told apart without a parser.
  if (!text.startsWith(recordStart)) return undefined;
  let record: Partial<MarkRecord>;
  try {
    record = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { marks, acceptedAt, ingestLane, salesLane } = record;
  const isWhole =
    Array.isArray(marks) &&
    marks.every(isMark) &&
    typeof acceptedAt === 'string' &&
    isReal(acceptedAt) &&
    isLane(ingestLane) &&
    (salesLane === undefined || isLane(salesLane));
  return isWhole ? (record as MarkRecord) : undefined;
}

function isMark(mark: Partial<CompletenessMark> | null): boolean {
  const { source, part, completeThrough } = mark ?? {};
  return (
    typeof source === 'string' &&
    typeof part === 'string' &&
    part !== '' &&
    typeof completeThrough === 'string' &&
    isReal(completeThrough)
  );
}

function isLane(lane: Partial<Lane> | undefined): lane is Lane {
  const { number, of } = lane ?? {};
  return Number.isSafeInteger(number) && Number.isSafeInteger(of) && number! >= 0 && number! < of!;
}
