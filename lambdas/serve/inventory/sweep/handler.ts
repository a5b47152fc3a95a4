import type { Context } from 'aws-lambda';
import { readStockPolicy } from '../../../base/domain/stock-policy';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { BeatsTable } from '../../badges/beats-table';
import { Epochs } from '../../badges/epochs';
import { HeldRegistry } from '../../badges/held-registry';
import { OnlineTable } from '../../badges/online-table';
import { RowApplier } from '../../badges/row-applier';
import { StateTable } from '../../badges/state-table';
import { LoadSweep } from '../../badges/sweep/load-sweep';
import { SweepWalk } from '../../badges/sweep/sweep-walk';
import { ageSecondsOf } from '../../badges/watermark';
import { PositionView } from '../apply/position-view';
import { GivenUpSales } from '../given-up-sales';
import { PositionsTable } from '../positions-table';

const dynamoDb = dynamoDbClient();
const s3 = s3Client();
const heldBucket = requireEnv('HELD_BUCKET_NAME');
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
const applier = new RowApplier(state, new PositionView(state, online, positions));
const beats = new BeatsTable(online);
const registry = new HeldRegistry(online, stateTableName);
const givenUpSales = new GivenUpSales({
  ...{ beats, registry, s3, heldBucket },
  retentionHours: Number(requireEnv('RETENTION_HOURS')),
});
const load = new LoadSweep({
  epochs: new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME')),
  beats,
  registry,
  walk: new SweepWalk(dynamoDb, stateTableName, applier),
  s3,
  heldBucket,
});

// Enough to finish the page at hand and note where it ended.
const reservedMs = 20_000;
const feeds = ['inventory', 'sales'] as const;

/**
 * Every minute: takes stock away that a load of the inventory database did not touch, once the load is drained, and
 * vouches for the database again; has positions say that they are old while a batch that Lambda gave up lies aside; and
 * tells their age.
 *
 * Repeated, or two at once: rows go by their positions, and what is held by a version. Bad data: there is none of its own.
 * Failure: thrown; the next run goes on from the page that was noted last.
 */
export async function handler(_event: unknown, context?: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  // What of it is the database's, the sweep of its load reads for itself.
  await givenUpSales.check();
  const { swept, isDone } = await load.sweep(
    'inventory',
    () => (context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) > reservedMs,
  );
  countMetrics({
    Swept: swept,
    Loading: isDone ? 0 : 1,
    StockAgeSeconds: ageSecondsOf([...(await beats.read(feeds)).values()], Date.now()),
  });
}
