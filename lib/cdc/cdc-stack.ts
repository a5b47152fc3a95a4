import { CfnOutput, CustomResource, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnReplicationSubnetGroup } from 'aws-cdk-lib/aws-dms';
import { AttributeType, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { type ISecurityGroup, type IVpc, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { SourceName } from '../../lambdas/base/domain/source-tables';
import { EncryptionKey } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { everyMinute } from '../base/schedules';
import type { Signal } from '../base/signal';
import { stream } from '../base/stream';
import { businessMetric } from '../base/stream-consumer';
import { table } from '../base/table';
import type { Stage } from '../stages';
import { Replication } from './replication';
import { ServiceRoles } from './service-roles';
import { openPortsAnywhere, SourceDatabaseAccess } from './source-database';
import { heartbeatNames } from './table-mappings';

export interface CdcStackProps extends StackProps {
  readonly stage: Stage;
  readonly vpc: IVpc;
  readonly functions: ISecurityGroup;
}

const sourceNames: readonly SourceName[] = ['inventory', 'orders'];
const impact = 'badges and stock go stale and say so';

/** The logs of the inventory and the orders database into one stream, without a query that a customer could cause. */
export class CdcStack extends Stack {
  /** Every row and every change of both databases, at least once, in no order: records of DMS with canonical names. */
  readonly changes: Stream;
  /**
   * `database`, `epoch` (number), `startedAt`: what arrives from then on belongs to that load; `loadedAt`
   * once all its rows have been sent.
   */
  readonly epochs: TableV2;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, vpc, functions, ...props }: CdcStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream change data capture' });
    this.changes = stream(this, 'Changes', { stage, key });
    this.epochs = table(this, 'Epochs', {
      stage,
      key,
      partitionKey: 'database',
      sortKey: 'epoch',
      sortKeyType: AttributeType.NUMBER,
    });

    const clients = new SecurityGroup(this, 'Clients', {
      vpc,
      description: 'Clients of the source databases: DMS, heartbeat',
      allowAllOutbound: false,
    });
    new CfnOutput(this, 'ClientsSecurityGroup', {
      description: 'Let this group into the source databases',
      value: clients.securityGroupId,
    });
    const subnetGroup = new CfnReplicationSubnetGroup(this, 'SubnetGroup', {
      replicationSubnetGroupDescription: 'Tillstream: private subnets',
      subnetIds: vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
    });
    const serviceRoles = stage.replication.createServiceRoles ? [new ServiceRoles(this, 'ServiceRoles')] : [];
    subnetGroup.node.addDependency(...serviceRoles);

    const inNetwork = { stage, key, network: { vpc, securityGroups: [functions, clients] } };
    const prepare = new NodeFunction(this, 'PrepareSource', {
      ...inNetwork,
      directory: 'cdc/prepare-source',
      description: 'Checks a source database before it is replicated; makes the tables of one that is ours',
      timeout: Duration.minutes(5),
      memoryMebibytes: 256,
    });
    const beat = new NodeFunction(this, 'Beat', {
      ...inNetwork,
      directory: 'cdc/beat',
      description: 'Writes the heartbeat rows of the source databases',
      timeout: Duration.seconds(55),
      memoryMebibytes: 256,
    });
    const control = new NodeFunction(this, 'ControlReplication', {
      stage,
      key,
      directory: 'cdc/control-replication',
      description: 'Starts, stops and watches the replications of the source databases',
      timeout: Duration.minutes(15),
      memoryMebibytes: 256,
    })
      .uses(this.epochs, 'EPOCHS_TABLE_NAME', ['Query', 'PutItem', 'UpdateItem'])
      // Names no resource: it is a list.
      .allow(['dms:DescribeReplications'], ['*']);

    const streamRole = this.streamRole(key);
    const replications: Replication[] = [];
    const beats: object[] = [];
    const sources: SourceDatabaseAccess[] = [];
    for (const name of sourceNames) {
      const names = stage.databases[name];
      const title = name[0]!.toUpperCase() + name.slice(1);
      const source = new SourceDatabaseAccess(this, `${title}Database`, { stage, name, vpc, key, clients });
      sources.push(source);
      const { secretArn, secretKeyArn, databaseName, tls } = source;
      const connection = { database: name, secretArn, databaseName, tls };
      for (const fn of names.heartbeat === 'ours' ? [prepare, beat] : [prepare])
        fn.allow(['secretsmanager:GetSecretValue'], [secretArn]).usesKeyThrough(
          'secretsmanager',
          { keyArn: secretKeyArn },
          ['kms:Decrypt'],
        );
      if (names.heartbeat === 'ours') beats.push({ ...connection, heartbeat: heartbeatNames(names) });

      const prepared = new CustomResource(this, `${title}Prepared`, {
        resourceType: 'Custom::SourceDatabase',
        serviceToken: prepare.function.functionArn,
        properties: {
          source: this.toJsonString({
            ...connection,
            schema: names.schema,
            tables: names.tables,
            create: names.kind === 'created',
            heartbeat: names.heartbeat,
          }),
          identity: source.identity,
          revision: '1',
        },
      });
      // The group with its rules: without a way out, the step would only time out.
      prepared.node.addDependency(prepare, clients, ...source.ready);
      const replication = new Replication(this, `${title}Replication`, {
        stage,
        name,
        source,
        changes: this.changes,
        key,
        streamRole,
        subnetGroup,
        securityGroups: [functions, clients],
        control,
        after: [prepared, ...serviceRoles],
      });
      control.allow(['dms:StartReplication', 'dms:StopReplication'], [replication.arn]);
      replications.push(replication);
    }

    openPortsAnywhere(clients, sources);

    everyMinute(this, 'Watch', {
      description: 'Counts replications that do not run, and loads anew after a TRUNCATE',
      target: control,
      input: this.toJsonString({ watch: replications.map(({ controlled }) => controlled) }),
      after: replications,
    });
    if (beats.length > 0)
      everyMinute(this, 'Heartbeat', {
        description: 'Writes the heartbeat rows of the source databases',
        target: beat,
        // Every 30 seconds; a schedule comes every minute at most.
        input: this.toJsonString({ beats: 2, sources: beats }),
        after: replications,
      });

    this.signals = [
      {
        name: 'ReplicationDown',
        metric: businessMetric(control, 'ReplicationsDown').with({ statistic: Stats.MAXIMUM }),
        threshold: 0,
        // A deployment stops it for some minutes.
        periods: 3,
        missing: 'bad',
        impact,
      },
      {
        name: 'ReplicationReloaded',
        metric: businessMetric(control, 'ReplicationsReloaded'),
        threshold: 0,
        periods: 1,
        impact: 'a source table was truncated: its database is loaded anew, and badges are stale meanwhile',
      },
      ...replications.flatMap(({ signals }) => signals),
      ...(beats.length > 0 ? this.heartbeatSignals(beat) : []),
    ];
  }

  private heartbeatSignals(beat: NodeFunction): Signal[] {
    return [
      {
        name: 'HeartbeatFailed',
        metric: businessMetric(beat, 'BeatsFailed'),
        threshold: 0,
        periods: 1,
        missing: 'bad',
        impact,
      },
      {
        name: 'ReplicationSlotSize',
        // What a slot holds back lies on the disk of the source database.
        metric: businessMetric(beat, 'SlotBytes').with({ statistic: Stats.MAXIMUM }),
        threshold: 5 * 1024 ** 3,
        periods: 1,
        impact: 'the disk of a source database fills with its log, and sales stop when it is full',
      },
    ];
  }

  private streamRole(key: Key): Role {
    const role = new Role(this, 'StreamRole', { assumedBy: new ServicePrincipal('dms.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kinesis:DescribeStream', 'kinesis:PutRecord', 'kinesis:PutRecords'],
        resources: [this.changes.streamArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kms:GenerateDataKey'],
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `kinesis.${this.region}.amazonaws.com` } },
      }),
    );
    return role;
  }
}
