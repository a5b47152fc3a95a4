import { type MarkRecord, parseMarkRecord } from '../domain/completeness-mark';
import { parseSale, type Sale, saleKey } from '../domain/sale';
import { parseBeat, type SalesBeat } from '../domain/sales-beat';
import type { HeldRecord } from './held-records';
import type { StreamRecord } from './stream-batch';

/** A sale as it arrived: in a record of a stream, under its key. */
export interface SaleRecord {
  readonly record: StreamRecord;
  readonly key: string;
  readonly sale: Sale;
}

/** Marks as they arrived, behind the sales that they vouch for. */
export interface ArrivedMarks {
  readonly record: StreamRecord;
  readonly marks: MarkRecord;
}

/** A beat as it arrived, which says how far the stream has come. */
export interface BeatRecord {
  readonly record: StreamRecord;
  readonly beat: SalesBeat;
}

/** What a batch holds: sales, marks, beats, and the records that are none of these, which are to be held. */
export function salesIn(batch: readonly StreamRecord[]): {
  sales: SaleRecord[];
  marks: ArrivedMarks[];
  beats: BeatRecord[];
  unreadable: HeldRecord[];
} {
  const sales: SaleRecord[] = [];
  const marks: ArrivedMarks[] = [];
  const beats: BeatRecord[] = [];
  const unreadable: HeldRecord[] = [];
  for (const record of batch) {
    const mark = parseMarkRecord(record.text);
    const beat = parseBeat(record.text);
    if (mark !== undefined) marks.push({ record, marks: mark });
    else if (beat !== undefined) beats.push({ record, beat });
    else {
      const sale = parseSale(record.text);
      if ('reason' in sale) unreadable.push({ record, reason: sale.reason });
      else sales.push({ record, key: saleKey(sale), sale });
    }
  }
  return { sales, marks, beats, unreadable };
}
