import { createHash } from 'node:crypto';
import { Aws, CustomResource, Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnEndpoint, CfnReplicationConfig, type CfnReplicationSubnetGroup } from 'aws-cdk-lib/aws-dms';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct, type IDependable } from 'constructs';
import type { SourceName } from '../../lambdas/base/domain/source-tables';
import type { NodeFunction } from '../base/node-function';
import type { Signal } from '../base/signal';
import type { Stage } from '../stages';
import { kinesisSettings, replicationSettings } from './replication-settings';
import type { SourceDatabaseAccess } from './source-database';
import { tableMappings } from './table-mappings';

export interface ReplicationProps {
  readonly stage: Stage;
  readonly name: SourceName;
  readonly source: SourceDatabaseAccess;
  readonly changes: Stream;
  readonly key: Key;
  /** By which DMS writes to the stream. */
  readonly streamRole: Role;
  readonly subnetGroup: CfnReplicationSubnetGroup;
  readonly securityGroups: readonly ISecurityGroup[];
  /** The function lambdas/cdc/control-replication. */
  readonly control: NodeFunction;
  /** What must be done before anything is read from the database. */
  readonly after: readonly IDependable[];
}

const impact = 'badges and stock go stale and say so';

/**
 * One database's log into the changes stream: DMS Serverless, first a load of all rows, then every change. It starts,
 * stops for changes of its own configuration and starts again by two deploy steps around that configuration, since DMS
 * takes a change only while it is stopped, and CloudFormation starts nothing.
 */
export class Replication extends Construct {
  readonly arn: string;
  /** What control-replication must know of it. */
  readonly controlled: { readonly arn: string; readonly database: SourceName; readonly load: string };
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: ReplicationProps) {
    super(scope, id);
    const { stage, name, source, changes, key, streamRole, subnetGroup, securityGroups, control, after } = props;
    const names = stage.databases[name];
    const identifier = `tillstream-${stage.name}-${name}`;
    const mappings = tableMappings(name, names);
    const { minimumCapacityUnits, maximumCapacityUnits } = stage.replication;
    // Fixed, so that the steps can name it before it exists.
    this.arn = `arn:${Aws.PARTITION}:dms:${Stack.of(this).region}:${Aws.ACCOUNT_ID}:replication-config:${identifier}`;
    // All that is loaded depends on these alone: another one of them means to load anew.
    const load = `${hashOf([mappings, names.load])} ${source.identity}`;
    this.controlled = { arn: this.arn, database: name, load };
    const revision = hashOf([mappings, replicationSettings, kinesisSettings, stage.replication, source.engineName]);

    const quiesced = new CustomResource(this, 'Quiesced', {
      resourceType: 'Custom::ReplicationQuiesced',
      serviceToken: control.function.functionArn,
      properties: { action: 'quiesce', arn: this.arn, revision },
    });
    quiesced.node.addDependency(control, ...after);

    const secretRole = this.secretRole(source);
    const from = new CfnEndpoint(this, 'Source', {
      endpointType: 'source',
      engineName: source.engineName,
      endpointIdentifier: `${identifier}-source`,
      resourceIdentifier: `${identifier}-source`,
      databaseName: source.databaseName,
      sslMode: source.tls ? 'require' : 'none',
      kmsKeyId: key.keyArn,
      postgreSqlSettings: {
        secretsManagerSecretId: source.secretArn,
        secretsManagerAccessRoleArn: secretRole.roleArn,
        // Comes with every PostgreSQL; pglogical is an extension that the owner would have to install.
        pluginName: 'test-decoding',
        // Would put triggers and a table of DMS's own into the database; the heartbeat rows keep its slot moving.
        captureDdls: false,
        heartbeatEnable: false,
        failTasksOnLobTruncation: true,
      },
    });
    from.node.addDependency(quiesced, secretRole);
    const to = new CfnEndpoint(this, 'Target', {
      endpointType: 'target',
      engineName: 'kinesis',
      endpointIdentifier: `${identifier}-target`,
      resourceIdentifier: `${identifier}-target`,
      kmsKeyId: key.keyArn,
      kinesisSettings: { ...kinesisSettings, streamArn: changes.streamArn, serviceAccessRoleArn: streamRole.roleArn },
    });
    to.node.addDependency(quiesced, streamRole);

    const config = new CfnReplicationConfig(this, 'Config', {
      replicationConfigIdentifier: identifier,
      resourceIdentifier: identifier,
      replicationType: 'full-load-and-cdc',
      sourceEndpointArn: from.ref,
      targetEndpointArn: to.ref,
      tableMappings: mappings,
      replicationSettings,
      computeConfig: {
        minCapacityUnits: minimumCapacityUnits,
        maxCapacityUnits: maximumCapacityUnits,
        kmsKeyId: key.keyArn,
        multiAz: stage.keepData,
        replicationSubnetGroupId: subnetGroup.ref,
        vpcSecurityGroupIds: securityGroups.map(({ securityGroupId }) => securityGroupId),
      },
    });
    config.node.addDependency(quiesced);

    const running = new CustomResource(this, 'Running', {
      resourceType: 'Custom::ReplicationRunning',
      serviceToken: control.function.functionArn,
      properties: { action: 'run', ...this.controlled, revision },
    });
    running.node.addDependency(config, control, ...after);

    const latency = (metricName: string) =>
      new Metric({
        namespace: 'AWS/DMS',
        metricName,
        dimensionsMap: { ReplicationConfigIdentifier: identifier },
        statistic: Stats.MAXIMUM,
      });
    const title = name[0]!.toUpperCase() + name.slice(1);
    // Latencies of whole seconds that grow with a long transaction too: a minute, for a quarter of an hour. DMS reports
    // them whenever it runs.
    this.signals = [
      {
        name: `${title}SourceLatency`,
        metric: latency('CDCLatencySource'),
        threshold: 60,
        periods: 3,
        missing: 'bad',
        impact,
      },
      {
        name: `${title}TargetLatency`,
        metric: latency('CDCLatencyTarget'),
        threshold: 60,
        periods: 3,
        missing: 'bad',
        impact,
      },
    ];
  }

  private secretRole({ secretArn, secretKeyArn }: SourceDatabaseAccess): Role {
    const { region } = Stack.of(this);
    const role = new Role(this, 'SecretRole', { assumedBy: new ServicePrincipal(`dms.${region}.amazonaws.com`) });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
        resources: [secretArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kms:Decrypt'],
        resources: [secretKeyArn],
        conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` } },
      }),
    );
    return role;
  }
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
