import { setTimeout as delay } from 'node:timers/promises';
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { databaseMigrationServiceClient, dynamoDbClient } from '../../base/runtime/clients';
import { deployStep } from '../../base/runtime/deploy-step';
import { requireEnv } from '../../base/runtime/env';
import { countMetrics, log } from '../../base/runtime/log';
import { dmsReplications } from './dms-replications';
import { epochsTable } from './epochs-table';
import { type Controlled, ReplicationControl, stoppedAtTruncate } from './replication-control';

const replications = dmsReplications(databaseMigrationServiceClient());
const epochs = epochsTable(dynamoDbClient(), requireEnv('EPOCHS_TABLE_NAME'));

// Below the function's 15 minutes, so that the outcome still reaches CloudFormation.
const deployPatienceMs = 13 * 60_000;
const watchPatienceMs = 30_000;

interface WatchEvent {
  readonly watch: readonly Controlled[];
}

/**
 * As a deploy step: stops a replication before its configuration changes (`quiesce`) and has it run afterwards (`run`);
 * when the replication is deleted, stops it, since DMS deletes none that runs. Every minute: notes which loads are through,
 * counts the replications that do not run, and has a database loaded anew whose replication stopped at a TRUNCATE.
 *
 * On repeat: it looks where things stand and does the rest; a load that may not have been ordered is ordered again under
 * another epoch. On failure: the deployment stops with DMS's reason; the next one, or the next minute, goes on.
 */
export function handler(event: CloudFormationCustomResourceEvent | WatchEvent): Promise<void> {
  return 'watch' in event ? watch(event.watch) : step(event);
}

const step = deployStep(
  async ({ action, arn, database, load }) => {
    if (action === 'quiesce') await controlFor(deployPatienceMs).quiesce(arn!);
    else {
      const done = await controlFor(deployPatienceMs).run({ arn: arn!, database: database!, load: load! });
      log.info('replication runs', { database, done });
    }
    return {};
  },
  async ({ action, arn }) => {
    if (action === 'run') await controlFor(deployPatienceMs).quiesce(arn!);
  },
);

async function watch(watched: readonly Controlled[]): Promise<void> {
  let down = 0;
  let reloaded = 0;
  for (const controlled of watched) {
    const state = await controlFor(watchPatienceMs).look(controlled);
    if (state?.status === 'running') continue;
    down++;
    log.warn('replication does not run', { database: controlled.database, status: state?.status ?? 'never started' });
    if (!stoppedAtTruncate(state)) continue;
    reloaded++;
    await controlFor(watchPatienceMs).load(controlled);
  }
  countMetrics({ ReplicationsDown: down, ReplicationsReloaded: reloaded });
}

function controlFor(patienceMs: number): ReplicationControl {
  const clock = { now: Date.now, wait: (milliseconds: number) => delay(milliseconds) };
  return new ReplicationControl({ replications, epochs, clock, patienceMs });
}
