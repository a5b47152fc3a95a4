import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { readStockPolicy } from '../../../base/domain/stock-policy';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { BeatsTable } from '../../badges/beats-table';
import { ChangeReader } from '../../badges/change-reader';
import { Epochs } from '../../badges/epochs';
import { HeldRegistry } from '../../badges/held-registry';
import { OnlineTable } from '../../badges/online-table';
import { RowApplier } from '../../badges/row-applier';
import { StateTable } from '../../badges/state-table';
import { PositionsTable } from '../positions-table';
import { PositionView } from './position-view';

const dynamoDb = dynamoDbClient();
const stateTableName = requireEnv('STATE_TABLE_NAME');
const tableName = requireEnv('POSITIONS_TABLE_NAME');
const state = new StateTable(dynamoDb, {
  tableName: stateTableName,
  tombstoneDays: Number(requireEnv('TOMBSTONE_DAYS')),
});
const online = new OnlineTable(dynamoDb, tableName);
const positions = new PositionsTable(dynamoDb, {
  tableName,
  outboxTableName: requireEnv('OUTBOX_TABLE_NAME'),
  policy: readStockPolicy(requireEnv('STOCK_POLICY')),
  horizonDays: Number(requireEnv('HORIZON_DAYS')),
});
const reader = new ChangeReader({
  databases: ['inventory'],
  applier: new RowApplier(state, new PositionView(state, online, positions)),
  state,
  beats: new BeatsTable(online),
  registry: new HeldRegistry(online, stateTableName),
  epochs: new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME')),
  s3: s3Client(),
  heldBucket: requireEnv('HELD_BUCKET_NAME'),
});

/**
 * Brings positions to what the inventory database's changes say: stock, and reorder points to every location of an SKU;
 * and commits a trigger with the version that is a crossing.
 *
 * Repeated, late, reordered or reloaded: a row goes by its position in the database's log, never by arrival, and a
 * position's version is committed once. Bad data: a record that cannot be used is held, and what it is about is no fresher
 * than it until it is redriven. Failure: any error is thrown and the batch comes again; what was done by half is finished
 * by it. Without limit but the stream's retention.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  countMetrics(await reader.read(event));
  return { batchItemFailures: [] };
}
