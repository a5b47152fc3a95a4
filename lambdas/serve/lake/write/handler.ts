import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import type { Sale } from '../../../base/domain/sale';
import { lineRowsOf, partitionColumn, tenderRowsOf } from '../../../base/domain/sale-rows';
import { firehoseClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { holdRecords } from '../../../base/runtime/held-records';
import { countMetrics } from '../../../base/runtime/log';
import { salesIn } from '../../../base/runtime/sales-in';
import { failFrom, readBatch } from '../../../base/runtime/stream-batch';
import { deliver } from '../delivery-stream';
import { type PackableRow, packRows } from '../packed-rows';

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
  const { sales, unreadable } = salesIn(batch);
  await holdRecords(s3, heldBucketName, 'held', unreadable);

  const seen = new Set<string>();
  const once = sales.filter(({ key }) => seen.size < seen.add(key).size);
  const [lines, tenders] = await Promise.all([
    deliver(firehose, linesStreamName, packRows(rowsOf(lineRowsOf))),
    deliver(firehose, tendersStreamName, packRows(rowsOf(tenderRowsOf))),
  ]);

  countMetrics({
    LinesWritten: lines.rowsTaken,
    TendersWritten: tenders.rowsTaken,
    RecordsRefused: lines.recordsRefused + tenders.recordsRefused,
    Held: unreadable.length,
  });
  return failFrom(
    [...lines.originsRefused, ...tenders.originsRefused].map((index) => once[index]!.record),
    batch,
  );

  /** Made one by one, as they are packed. */
  function* rowsOf(make: (sale: Sale) => readonly { readonly [partitionColumn]: string }[]): Generator<PackableRow> {
    for (const [index, { sale }] of once.entries())
      for (const row of make(sale)) yield { date: row[partitionColumn], json: JSON.stringify(row), origin: index };
  }
}
