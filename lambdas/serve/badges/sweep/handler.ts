import type { Context } from 'aws-lambda';
import { dynamoDbClient, firehoseClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { BeatsTable } from '../beats-table';
import { ChangeApplier } from '../change-applier';
import { Epochs } from '../epochs';
import { HeldRegistry } from '../held-registry';
import { BadgeHistory } from '../history';
import { OnlineTable } from '../online-table';
import { StateTable } from '../state-table';
import { LoadSweep } from './load-sweep';
import { SweepWalk } from './sweep-walk';

const dynamoDb = dynamoDbClient();
const stateTableName = requireEnv('STATE_TABLE_NAME');
const state = new StateTable(dynamoDb, {
  tableName: stateTableName,
  tombstoneDays: Number(requireEnv('TOMBSTONE_DAYS')),
});
const online = new OnlineTable(dynamoDb, requireEnv('ONLINE_TABLE_NAME'));
const applier = new ChangeApplier(state, online);
const history = new BadgeHistory(firehoseClient(), requireEnv('HISTORY_STREAM_NAME'));
const load = new LoadSweep({
  epochs: new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME')),
  beats: new BeatsTable(online),
  registry: new HeldRegistry(online, stateTableName),
  walk: new SweepWalk(dynamoDb, stateTableName, {
    async apply(rows) {
      const applied = await applier.apply(rows);
      await history.write(applied.history, Date.now());
      return applied;
    },
  }),
  s3: s3Client(),
  heldBucket: requireEnv('HELD_BUCKET_NAME'),
});

// Enough to finish the page at hand and note where it ended.
const reservedMs = 20_000;

/**
 * Sweeps what a load did not touch, once the load is drained: rows that were deleted while nobody looked get a tombstone
 * at the start of the load's epoch, and go from the online table and from the counts. Then, and only then, the database
 * is vouched for again.
 *
 * Repeated, or two at once: a row goes by its position, so one that the load or a later change touched is left alone. Bad
 * data: there is none of its own. Failure: thrown; the next run goes on from the page that was noted last. A run ends
 * when its time does, and the next goes on.
 */
export async function handler(_event: unknown, context?: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const hasTime = () => (context?.getRemainingTimeInMillis() ?? Infinity) > reservedMs;
  let swept = 0;
  let loading = 0;
  for (const database of ['inventory', 'orders'] as const) {
    const result = await load.sweep(database, hasTime);
    swept += result.swept;
    if (!result.isDone) loading += 1;
  }
  countMetrics({ Swept: swept, DatabasesLoading: loading });
}
