import { readFileSync } from 'node:fs';
import {
  DatabaseMigrationServiceClient,
  DescribeReplicationsCommand,
  StartReplicationCommand,
  StopReplicationCommand,
} from '@aws-sdk/client-database-migration-service';
import { localAccount, localRegion } from '../../local/engines/engine';
import { type DmsRig, startDms, stopServer } from '../unit/local/dms-rig';
import { type Endpoint, eventually, given, startEndpoint, uniqueName, whereGiven } from './endpoint';

const { describe, test } = whereGiven('REPLICATION_ARN');
/** DMS provides its machines in minutes. */
const seconds = given('REPLICATION_ARN') === undefined ? 20 : 1_800;

let endpoint: Endpoint;
let client: DatabaseMigrationServiceClient;
let rig: DmsRig | undefined;
let replication: string;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => {
    const tables = readFileSync('lambdas/cdc/prepare-source/inventory.sql', 'utf8');
    rig = await startDms({ tables: `${tables}; insert into skus values ('A', 'active', 'kitchen', 5, null)` });
    return [rig.dms];
  });
  client = new DatabaseMigrationServiceClient(endpoint.client);
  replication = rig?.arn ?? given('REPLICATION_ARN')!;
});

afterAll(async () => {
  await endpoint.close();
  await rig?.close();
  await stopServer();
  client.destroy();
});

async function describeOf(arn: string) {
  const Filters = [{ Name: 'replication-config-arn', Values: [arn] }];
  const { Replications } = await client.send(new DescribeReplicationsCommand({ Filters }));
  return Replications!;
}

const statusOf = async () => (await describeOf(replication))[0]!.Status!.toLowerCase();
const reaches = (status: string) =>
  eventually(async () => {
    const reached = await statusOf();
    expect(reached).toBe(status);
  }, seconds);
const start = (StartReplicationType: string, ReplicationConfigArn = replication) =>
  client.send(new StartReplicationCommand({ ReplicationConfigArn, StartReplicationType }));
const stop = (ReplicationConfigArn = replication) => client.send(new StopReplicationCommand({ ReplicationConfigArn }));

describe('a replication', () => {
  test(
    'is made, started, stopped and resumed, and says all the while how it is',
    async () => {
      const [made] = await describeOf(replication);
      expect(made).toMatchObject({ ReplicationConfigArn: replication, ReplicationType: 'full-load-and-cdc' });
      expect(await statusOf()).toBe('created');
      await expect(stop()).rejects.toMatchObject({ name: 'InvalidResourceStateFault' });

      const { Replication: started } = await start('start-replication');
      expect(started).toMatchObject({ ReplicationConfigArn: replication });
      await reaches('running');
      await eventually(async () => {
        const [loaded] = await describeOf(replication);
        expect(loaded).toMatchObject({
          StartReplicationType: 'start-replication',
          ReplicationStats: { FullLoadProgressPercent: 100 },
        });
        expect(loaded!.FailureMessages ?? []).toEqual([]);
      }, seconds);
      await expect(start('resume-processing')).rejects.toMatchObject({ name: 'InvalidResourceStateFault' });

      await stop();
      await reaches('stopped');
      await expect(stop()).rejects.toMatchObject({ name: 'InvalidResourceStateFault' });

      await start('resume-processing');
      await reaches('running');
      expect((await describeOf(replication))[0]).toMatchObject({ StartReplicationType: 'resume-processing' });
      await stop();
      await reaches('stopped');
    },
    seconds * 4_000,
  );

  test('that does not exist is neither started nor stopped, nor found', async () => {
    const [, , , region = localRegion, account = localAccount] = replication.split(':');
    const unknown = `arn:aws:dms:${region}:${account}:replication-config:${uniqueName()}`;

    await expect(start('start-replication', unknown)).rejects.toMatchObject({ name: 'ResourceNotFoundFault' });
    await expect(stop(unknown)).rejects.toMatchObject({ name: 'ResourceNotFoundFault' });
    // Callers take either answer for the same.
    const found = await describeOf(unknown).catch((error) => error.name);
    expect([[], 'ResourceNotFoundFault']).toContainEqual(found);
  });
});
