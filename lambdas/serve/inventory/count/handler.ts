import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { readStockPolicy } from '../../../base/domain/stock-policy';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { salesIn } from '../../../base/runtime/sales-in';
import { readBatch, shardOf } from '../../../base/runtime/stream-batch';
import { BeatsTable } from '../../badges/beats-table';
import { HeldRegistry } from '../../badges/held-registry';
import { OnlineTable } from '../../badges/online-table';
import { PositionsTable } from '../positions-table';
import { ClaimsTable } from './claims-table';
import { Counter } from './counter';
import { LanesTable } from './lanes-table';
import { SalesFeed } from './sales-feed';

const dynamoDb = dynamoDbClient();
const claimsTableName = requireEnv('CLAIMS_TABLE_NAME');
const tableName = requireEnv('POSITIONS_TABLE_NAME');
const claimDays = Number(requireEnv('CLAIM_DAYS'));
const online = new OnlineTable(dynamoDb, tableName);
const feed = new SalesFeed({
  beats: new BeatsTable(online),
  registry: new HeldRegistry(online, requireEnv('STATE_TABLE_NAME')),
  s3: s3Client(),
  heldBucket: requireEnv('HELD_BUCKET_NAME'),
  retentionHours: Number(requireEnv('RETENTION_HOURS')),
});
const counter = new Counter(
  new LanesTable(dynamoDb, { tableName: claimsTableName, packDays: claimDays }),
  new ClaimsTable(dynamoDb, claimsTableName, claimDays),
  new PositionsTable(dynamoDb, {
    tableName,
    outboxTableName: requireEnv('OUTBOX_TABLE_NAME'),
    policy: readStockPolicy(requireEnv('STOCK_POLICY')),
    horizonDays: Number(requireEnv('HORIZON_DAYS')),
  }),
);

/**
 * Counts the units of each sale at its position, an SKU at a location, exactly once, and commits a trigger with the version
 * that is a crossing.
 *
 * Repeated, cut differently, or under another sequence number: the sale is another pack's, nothing is counted. Reordered or
 * late: it is counted at the time at which it was sold. Bad data: a record that is no sale is held, and stock is no
 * fresher than it until it is redriven. Crash between any two calls: the pack was written down, and is counted to its end
 * by the next batch of the shard. Throttled: what DynamoDB refuses is tried again, then the batch is.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  const { sales, beats, unreadable } = salesIn(readBatch(event));
  const known = await feed.read();
  await feed.hold(unreadable, known);
  const { counted, duplicates, versions, crossings } =
    sales.length === 0
      ? { counted: 0, duplicates: 0, versions: 0, crossings: 0 }
      : await counter.count(laneOf(event), sales);
  await feed.release(sales, known);
  await feed.note(beats, known);
  countMetrics({
    Counted: counted,
    Duplicates: duplicates,
    Versions: versions,
    Crossings: crossings,
    Held: unreadable.length,
    SalesAgeSeconds: await feed.ageSeconds(),
  });
  return { batchItemFailures: [] };
}

/** The number of the shard: it stands in positions, where every byte counts. */
function laneOf(event: KinesisStreamEvent): string {
  return shardOf(event).replace(/^shardId-0*(?=\d)/, '');
}
