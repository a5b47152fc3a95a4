import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { parseSale } from '../../../base/domain/sale';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { type HeldRecord, holdRecords } from '../../../base/runtime/held-records';
import { countMetrics } from '../../../base/runtime/log';
import { failFrom, readBatch, type StreamRecord, shardOf } from '../../../base/runtime/stream-batch';
import { CountersTable } from './counters-table';
import { type Portion, packsOf, portionsOf } from './packing';

const counters = new CountersTable(dynamoDbClient(), {
  claimsTableName: requireEnv('CLAIMS_TABLE_NAME'),
  countersTableName: requireEnv('COUNTERS_TABLE_NAME'),
  claimDays: Number(requireEnv('CLAIM_DAYS')),
});
const s3 = s3Client();
const heldBucket = requireEnv('HELD_BUCKET_NAME');

/**
 * Counts the units of each sale, by SKU, location and ten minutes, exactly once: a transaction claims the sale for this
 * reader and adds to its counters, or does neither.
 *
 * Repeated, under whatever position: the claim stands, nothing is counted. Bad data: a record that is no sale is held.
 * Failure: what could not be counted for conflicts or throttles is delivered again; any other error is thrown and the batch
 * comes again. Each shard adds to counters of its own (its lane), so shards never wait for each other.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  const batch = readBatch(event);
  const { portions, held } = portionsIn(batch);
  await holdRecords(s3, heldBucket, 'held', held);

  const lane = shardOf(event);
  const uncounted = new Set(portions.map(({ claim }) => claim));
  let counted = 0;
  // One after the other: two transactions of one batch that meet in a counter would cancel each other.
  for (const pack of packsOf(portions)) {
    const { alreadyCounted, done } = await counters.count(pack, lane);
    // What is throttled for long will not be helped by more calls: the rest comes again.
    if (!done) break;
    counted += pack.portions.length - alreadyCounted;
    for (const { claim } of pack.portions) uncounted.delete(claim);
  }

  const again = portions.filter(({ claim }) => uncounted.has(claim));
  countMetrics({
    Counted: counted,
    Duplicates: portions.length - again.length - counted,
    Delayed: again.length,
    Held: held.length,
  });
  return failFrom(
    again.map(({ record }) => record),
    batch,
  );
}

interface PortionOfRecord extends Portion {
  readonly record: StreamRecord;
}

function portionsIn(batch: readonly StreamRecord[]): { portions: PortionOfRecord[]; held: HeldRecord[] } {
  const portions: PortionOfRecord[] = [];
  const held: HeldRecord[] = [];
  for (const record of batch) {
    const sale = parseSale(record.text);
    if ('reason' in sale) held.push({ record, reason: sale.reason });
    else for (const portion of portionsOf(sale)) portions.push({ ...portion, record });
  }
  return { portions, held };
}
