import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { parseSale, type Sale, saleKey } from '../../../base/domain/sale';
import { lineRowsOf, partitionColumn, tenderRowsOf } from '../../../base/domain/sale-rows';
import { firehoseClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { type HeldRecord, holdRecords } from '../../../base/runtime/held-records';
import { countMetrics } from '../../../base/runtime/log';
import { failFrom, readBatch, type StreamRecord } from '../../../base/runtime/stream-batch';
import { deliver } from './delivery-stream';
import { type PackableRow, type PackedRecord, packRows } from './packed-rows';

const linesStreamName = requireEnv('LINES_STREAM_NAME');
const tendersStreamName = requireEnv('TENDERS_STREAM_NAME');
const heldBucketName = requireEnv('HELD_BUCKET_NAME');
const firehose = firehoseClient();
const s3 = s3Client();

/**
 * Writes the sales of a batch into the lake: a row per line and a row per tender, under the date of their acceptance.
 *
 * On repeat: the rows are written again, equal, into the same partition; the lake's views and the ledger keep one per key.
 * On bad data: a record that is no sale is held, with its reason, and the rest goes on. On failure: the batch is delivered
 * again from the first sale of which any row was not taken, so no row is lost.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  const batch = readBatch(event);
  const seen = new Set<string>();
  const sales: { record: StreamRecord; sale: Sale }[] = [];
  const held: HeldRecord[] = [];
  for (const record of batch) {
    const sale = parseSale(record.text);
    if ('reason' in sale) held.push({ record, reason: sale.reason });
    else if (!seen.has(saleKey(sale))) {
      seen.add(saleKey(sale));
      sales.push({ record, sale });
    }
  }
  await holdRecords(s3, heldBucketName, 'held', held);

  const lines = sales.flatMap(({ sale }, index) => packable(lineRowsOf(sale), index));
  const tenders = sales.flatMap(({ sale }, index) => packable(tenderRowsOf(sale), index));
  const [refusedLines, refusedTenders] = await Promise.all([
    deliver(firehose, linesStreamName, packRows(lines)),
    deliver(firehose, tendersStreamName, packRows(tenders)),
  ]);

  const refused = [...refusedLines, ...refusedTenders];
  countMetrics({
    LinesWritten: lines.length - rowsIn(refusedLines),
    TendersWritten: tenders.length - rowsIn(refusedTenders),
    RecordsRefused: refused.length,
    Held: held.length,
  });
  const again = new Set(refused.flatMap(({ sales: indexes }) => indexes));
  return failFrom(
    [...again].map((index) => sales[index]!.record),
    batch,
  );
}

function packable(rows: readonly { readonly [partitionColumn]: string }[], sale: number): PackableRow[] {
  return rows.map((row) => ({ date: row[partitionColumn], json: JSON.stringify(row), sale }));
}

function rowsIn(records: readonly PackedRecord[]): number {
  return records.reduce((sum, { rows }) => sum + rows, 0);
}
