import { parseSale, type Sale, saleKey } from '../domain/sale';
import type { HeldRecord } from './held-records';
import type { StreamRecord } from './stream-batch';

/** A sale as it arrived: in a record of a stream, under its key. */
export interface SaleRecord {
  readonly record: StreamRecord;
  readonly key: string;
  readonly sale: Sale;
}

/** The sales of a batch, and the records that are none, which are to be held. */
export function salesIn(batch: readonly StreamRecord[]): { sales: SaleRecord[]; unreadable: HeldRecord[] } {
  const sales: SaleRecord[] = [];
  const unreadable: HeldRecord[] = [];
  for (const record of batch) {
    const sale = parseSale(record.text);
    if ('reason' in sale) unreadable.push({ record, reason: sale.reason });
    else sales.push({ record, key: saleKey(sale), sale });
  }
  return { sales, unreadable };
}
