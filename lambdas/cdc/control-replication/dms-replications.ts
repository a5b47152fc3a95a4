import {
  type DatabaseMigrationServiceClient,
  DescribeReplicationsCommand,
  StartReplicationCommand,
  StopReplicationCommand,
} from '@aws-sdk/client-database-migration-service';
import type { Replications } from './replication-control';

/** The replications of DMS Serverless. */
export function dmsReplications(dms: DatabaseMigrationServiceClient): Replications {
  return {
    async describe(arn) {
      try {
        const { Replications } = await dms.send(
          new DescribeReplicationsCommand({ Filters: [{ Name: 'replication-config-arn', Values: [arn] }] }),
        );
        const found = Replications?.[0];
        if (found === undefined) return undefined;
        return {
          status: found.Status?.toLowerCase() ?? 'unknown',
          startType: found.StartReplicationType,
          loadedPercent: found.ReplicationStats?.FullLoadProgressPercent,
          failures: found.FailureMessages ?? [],
        };
      } catch (error) {
        if ((error as Error).name === 'ResourceNotFoundFault') return undefined;
        throw error;
      }
    },
    async start(ReplicationConfigArn, StartReplicationType) {
      await dms.send(new StartReplicationCommand({ ReplicationConfigArn, StartReplicationType }));
    },
    async stop(ReplicationConfigArn) {
      await dms.send(new StopReplicationCommand({ ReplicationConfigArn }));
    },
  };
}
