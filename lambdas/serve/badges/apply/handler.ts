import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { dynamoDbClient, firehoseClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { BeatsTable } from '../beats-table';
import { ChangeApplier } from '../change-applier';
import { ChangeReader } from '../change-reader';
import { Epochs } from '../epochs';
import { HeldRegistry } from '../held-registry';
import { BadgeHistory, HistoryRecorder } from '../history';
import { OnlineTable } from '../online-table';
import { StateTable } from '../state-table';

const dynamoDb = dynamoDbClient();
const stateTableName = requireEnv('STATE_TABLE_NAME');
const state = new StateTable(dynamoDb, {
  tableName: stateTableName,
  tombstoneDays: Number(requireEnv('TOMBSTONE_DAYS')),
});
const online = new OnlineTable(dynamoDb, requireEnv('ONLINE_TABLE_NAME'));
const recorder = new HistoryRecorder(
  new ChangeApplier(state, online),
  new BadgeHistory(firehoseClient(), requireEnv('HISTORY_STREAM_NAME')),
  requireEnv('BADGE_POLICY'),
);
const reader = new ChangeReader({
  databases: ['inventory', 'orders'],
  applier: recorder,
  recorder,
  state,
  beats: new BeatsTable(online),
  registry: new HeldRegistry(online, stateTableName),
  epochs: new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME')),
  s3: s3Client(),
  heldBucket: requireEnv('HELD_BUCKET_NAME'),
});

/**
 * Brings state and the online table to what the source databases' changes say: rows, then what is held, then beats, so
 * that a beat never claims what is not yet to be read. At last one call takes what was served to the lake's history.
 *
 * Repeated, late, reordered or reloaded: a row goes by its position, never by arrival, and ends the same. Bad data: a
 * record that cannot be used is held, and its item, or else its database, is marked as stale from then on, until the
 * record is redriven. Failure: any error is thrown and the batch comes again; what was done bears a repeat, and what was
 * done by half is finished by it, the history included: its rows repeat, and the earliest time of a row counts. A lake
 * that takes nothing for long stops the features, which then grow stale and say so: what nobody could explain is not
 * promised. Without limit but the stream's retention: a change that is skipped is an over-promise.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  countMetrics(await reader.read(event));
  return { batchItemFailures: [] };
}
