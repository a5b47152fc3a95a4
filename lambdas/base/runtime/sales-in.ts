import { type MarkRecord, parseMarkRecord } from '../domain/completeness-mark';
import { parseSale, type Sale, saleKey } from '../domain/sale';
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

/** The sales of a batch, the marks among them, and the records that are neither, which are to be held. */
export function salesIn(batch: readonly StreamRecord[]): {
  sales: SaleRecord[];
  marks: ArrivedMarks[];
  unreadable: HeldRecord[];
} {
  const sales: SaleRecord[] = [];
  const marks: ArrivedMarks[] = [];
  const unreadable: HeldRecord[] = [];
  for (const record of batch) {
    const mark = parseMarkRecord(record.text);
    if (mark !== undefined) {
      marks.push({ record, marks: mark });
      continue;
    }
    const sale = parseSale(record.text);
    if ('reason' in sale) unreadable.push({ record, reason: sale.reason });
    else sales.push({ record, key: saleKey(sale), sale });
  }
  return { sales, marks, unreadable };
}
