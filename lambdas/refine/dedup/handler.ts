import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { markRecordText } from '../../base/domain/completeness-mark';
import { beatPartitionKey } from '../../base/domain/sales-beat';
import { dynamoDbClient, kinesisClient, s3Client } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { type HeldRecord, holdRecords } from '../../base/runtime/held-records';
import { countMetrics, log } from '../../base/runtime/log';
import { type ArrivedMarks, type BeatRecord, type SaleRecord, salesIn } from '../../base/runtime/sales-in';
import { failFrom, readBatch, type StreamRecord } from '../../base/runtime/stream-batch';
import { lanesOf } from '../../base/runtime/stream-lanes';
import { writeRecords } from '../../base/runtime/stream-writer';
import { ClaimsTable } from './claims-table';
import { digestOf } from './digest';
import { type Contradiction, decide, firstOfEachKey } from './first-seen';

const claims = new ClaimsTable(dynamoDbClient(), requireEnv('CLAIMS_TABLE_NAME'), Number(requireEnv('CLAIM_DAYS')));
const kinesis = kinesisClient();
const salesStream = requireEnv('SALES_STREAM_NAME');
const s3 = s3Client();
const heldBucket = requireEnv('HELD_BUCKET_NAME');
// Longer than a second, in which a full shard has room again: what stays refused has all that follows written twice.
const writeAttempts = 7;

type Arrival = SaleRecord & { readonly position: string };

/**
 * Hands each sale of `sales-ingest` over to `sales` once: the record that claimed it, and no other.
 *
 * Repeated: the same record, however it is batched or redriven, is handed over again, since the claim names its position;
 * the same sale at another position is stopped. So a sale can be in `sales` more than once, and readers go by its key.
 * Bad data: a record that is no sale is held, and so is the same key with another body, which is also reported.
 * Marks of completeness go on behind the sales that came before them: into every shard of `sales`, once those are in there.
 * Beats likewise, into their 64th; one that is not taken is followed by the next.
 * Failure: what was not claimed or not taken by `sales` is delivered again from there on; a call that fails as a whole is
 * thrown, and the batch comes again. Nothing is lost, since claims are kept and held records are named by position.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  const batch = readBatch(event);
  const { sales, marks, beats, unreadable } = salesIn(batch);
  const arrivals = sales.map((arrival): Arrival => ({ ...arrival, position: arrival.record.position }));
  const holders = await claims.claim(
    firstOfEachKey(arrivals).map(({ key, position, sale }) => ({ key, position, digest: digestOf(sale) })),
  );
  const { handOver, repeats, conflicts, incomparable, undecided } = decide(arrivals, holders);

  await holdRecords(s3, heldBucket, 'conflicts', conflicts.map(conflictOf));
  const held = [...unreadable, ...incomparable.map(incomparableOf)];
  await holdRecords(s3, heldBucket, 'held', held);
  const outgoing = handOver.map(({ key, record }) => ({ partitionKey: key, text: record.text }));
  const refused = await writeRecords(kinesis, salesStream, outgoing, writeAttempts);

  for (const { arrival, claim } of conflicts)
    log.warn('conflict', { key: arrival.key, position: arrival.position, winner: claim.position });
  countMetrics({
    HandedOver: handOver.length - refused.size,
    Duplicates: repeats.length,
    Conflicts: conflicts.length,
    Held: held.length,
  });
  const again = [...undecided, ...[...refused].map((index) => handOver[index]!)].map(({ record }) => record);
  const left = await passMarks(withoutDebt(again, marks, batch));
  await passBeats(withoutDebt(again, beats, batch));
  return failFrom([...again, ...left], batch);
}

/** Those that have no sale before them that is to come again: the others come again with it. */
function withoutDebt<Arrived extends { readonly record: StreamRecord }>(
  again: readonly StreamRecord[],
  arrived: readonly Arrived[],
  batch: readonly StreamRecord[],
): Arrived[] {
  const first = Math.min(...again.map((record) => batch.indexOf(record)));
  return arrived.filter(({ record }) => batch.indexOf(record) < first);
}

async function passBeats(beats: readonly BeatRecord[]): Promise<void> {
  const outgoing = beats.map(({ beat, record }) => ({
    partitionKey: beatPartitionKey(beat.slot),
    text: record.text,
  }));
  if (outgoing.length > 0) await writeRecords(kinesis, salesStream, outgoing, 1);
}

/** Puts marks into every shard of `sales`; answers the records of those that were not taken by all. */
async function passMarks(marks: readonly ArrivedMarks[]): Promise<StreamRecord[]> {
  if (marks.length === 0) return [];
  const lanes = await lanesOf(kinesis, salesStream);
  const copies = marks.flatMap((arrived) => lanes.map((lane) => ({ arrived, lane })));
  const outgoing = copies.map(({ arrived, lane: { number, of, hashKey } }) => ({
    partitionKey: `mark#${number}`,
    hashKey,
    text: markRecordText({ ...arrived.marks, salesLane: { number, of } }),
  }));
  const refused = await writeRecords(kinesis, salesStream, outgoing, writeAttempts);
  return [...refused].map((index) => copies[index]!.arrived.record);
}

function conflictOf({ arrival, claim }: Contradiction<Arrival>): HeldRecord {
  return {
    record: arrival.record,
    reason: 'the same source and transactionId came with another body',
    details: { key: arrival.key, winner: claim.position, winnerDigest: claim.digest, digest: digestOf(arrival.sale) },
  };
}

function incomparableOf({ arrival, claim }: Contradiction<Arrival>): HeldRecord {
  const version = claim.digest.split(':', 1)[0];
  return {
    record: arrival.record,
    reason: `claimed under digest version ${version}, which this release does not know`,
    details: { key: arrival.key, winner: claim.position, winnerDigest: claim.digest },
  };
}
