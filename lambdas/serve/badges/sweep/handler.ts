import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import type { SourceName } from '../../../base/domain/source-tables';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { BeatsTable } from '../beats-table';
import { ChangeApplier } from '../change-applier';
import { Epochs } from '../epochs';
import { HeldRegistry } from '../held-registry';
import { afterSweep, isDrained } from '../load';
import { OnlineTable } from '../online-table';
import { StateTable } from '../state-table';
import { SweepWalk } from './sweep-walk';

const dynamoDb = dynamoDbClient();
const s3 = s3Client();
const heldBucket = requireEnv('HELD_BUCKET_NAME');
const stateTableName = requireEnv('STATE_TABLE_NAME');
const state = new StateTable(dynamoDb, {
  tableName: stateTableName,
  tombstoneDays: Number(requireEnv('TOMBSTONE_DAYS')),
});
const online = new OnlineTable(dynamoDb, requireEnv('ONLINE_TABLE_NAME'));
const epochs = new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME'));
const registry = new HeldRegistry(online, stateTableName);
const walk = new SweepWalk(dynamoDb, stateTableName, new ChangeApplier(state, online));
const beatsTable = new BeatsTable(online);

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
    const result = await sweep(database, hasTime);
    swept += result.swept;
    if (!result.isDone) loading += 1;
  }
  countMetrics({ Swept: swept, DatabasesLoading: loading });
}

async function sweep(
  database: SourceName,
  hasTime: () => boolean,
): Promise<{ readonly swept: number; readonly isDone: boolean }> {
  const epoch = await epochs.newest(database);
  if (epoch === undefined) return { swept: 0, isDone: false };
  const beats = (await beatsTable.read([database])).get(database)!;
  if (beats.sweptEpoch >= epoch.epoch) return { swept: 0, isDone: true };
  if (!isDrained(epoch, beats, await registry.marks(database))) return { swept: 0, isDone: false };
  if (await hasGivenUp(epoch.startedAt)) {
    log.warn('a load is not swept: given-up batches wait for redrive', { database });
    return { swept: 0, isDone: false };
  }
  const { swept, isDone } = await walk.sweep(database, epoch, hasTime);
  if (isDone) await registry.revise(database, (marks, now) => afterSweep(marks, now, epoch.epoch));
  return { swept, isDone };
}

/** Whether Lambda has put batches aside since the load began: rows of the load may be among them. */
async function hasGivenUp(since: number): Promise<boolean> {
  let ContinuationToken: string | undefined;
  do {
    const answer = await s3.send(
      new ListObjectsV2Command({
        Bucket: heldBucket,
        Prefix: 'aws/lambda/',
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      }),
    );
    if ((answer.Contents ?? []).some(({ LastModified }) => (LastModified?.getTime() ?? since) >= since)) return true;
    ContinuationToken = answer.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return false;
}
