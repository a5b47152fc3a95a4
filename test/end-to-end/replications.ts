import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseMigrationServiceClient } from '@aws-sdk/client-database-migration-service';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dmsReplications } from '../../lambdas/cdc/control-replication/dms-replications';
import { epochsTable } from '../../lambdas/cdc/control-replication/epochs-table';
import { type Controlled, ReplicationControl } from '../../lambdas/cdc/control-replication/replication-control';
import type { Run } from '../../local/run';

const idleWithinMs = 3_000;

/** The replications of a run, moved as a deployment moves them. */
export class RunningReplications {
  readonly #replications: ReturnType<typeof dmsReplications>;
  readonly #epochs: ReturnType<typeof epochsTable>;

  constructor(private readonly run: Run) {
    const { region, endpoint, accessKeyId, secretAccessKey } = run.endpoints.aws;
    const client = { region, endpoint, credentials: { accessKeyId, secretAccessKey } };
    this.#replications = dmsReplications(new DatabaseMigrationServiceClient(client));
    this.#epochs = epochsTable(new DynamoDBClient(client), run.valueOf('Cdc', 'EPOCHS_TABLE_NAME'));
  }

  async stop(database: string): Promise<void> {
    await this.#control().quiesce(this.#controlled(database).arn);
  }

  /** Goes on from the place that was kept last: what came after it comes again. */
  async resume(database: string): Promise<void> {
    await this.#control().run(this.#controlled(database));
  }

  /** Loads the database anew under a new epoch, as with `load` raised in its configuration. */
  async reload(database: string): Promise<void> {
    await this.#control().load(this.#controlled(database));
  }

  /**
   * Has what the schedules do within two minutes after a load done at once: the load is found to be through, beats come
   * late enough after it to tell of that, and the sweep vouches for the databases.
   */
  async vouch(): Promise<void> {
    const { account } = this.run;
    const changes = this.run.mappings.find(({ functionName }) => functionName.includes('-Badges-Apply'))!.mapping;
    for (const { target, input, everyMinutes } of account.schedules) {
      // Others have minutes of their own, of which no badge knows.
      if (everyMinutes !== 1 || !('functionName' in target) || !/-(Cdc|Badges)-/.test(target.functionName)) continue;
      const event = JSON.parse(input);
      const { payload, functionError } = await account.invoke(target.functionName, { ...event, beats: 1 });
      if (functionError !== undefined) throw new Error(`${target.functionName}: ${payload}`);
      // More than the clocks of DMS and of the stream may differ by.
      if ('watch' in event) await delay(2_100);
      await this.run.account.engines.dms.settle();
      // While changes go on there may be no idle moment.
      for (const end = Date.now() + idleWithinMs; Date.now() < end; await delay(10)) if (changes.idle()) break;
    }
  }

  #control(): ReplicationControl {
    const clock = { now: Date.now, wait: (milliseconds: number) => delay(milliseconds) };
    return new ReplicationControl({
      replications: this.#replications,
      epochs: this.#epochs,
      clock,
      patienceMs: 60_000,
    });
  }

  /** As the watch knows it. */
  #controlled(database: string): Controlled {
    for (const { input } of this.run.account.schedules) {
      const { watch = [] } = JSON.parse(input) as { readonly watch?: readonly Controlled[] };
      const found = watch.find((each) => each.database === database);
      if (found !== undefined) return found;
    }
    throw new Error(`no replication of ${database} is watched`);
  }
}
