import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { holdRecords } from '../../../base/runtime/held-records';
import { countMetrics } from '../../../base/runtime/log';
import { salesIn } from '../../../base/runtime/sales-in';
import { failFrom, readBatch, shardOf } from '../../../base/runtime/stream-batch';
import { CountersTable } from './counters-table';
import { packsOf, portionsOf } from './packing';

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
  const { sales, unreadable } = salesIn(batch);
  await holdRecords(s3, heldBucket, 'held', unreadable);

  const portions = sales.flatMap(({ sale, record }) => portionsOf(sale).map((portion) => ({ ...portion, record })));
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
    Held: unreadable.length,
  });
  return failFrom(
    again.map(({ record }) => record),
    batch,
  );
}
