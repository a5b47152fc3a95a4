import { CfnParameter, Duration } from 'aws-cdk-lib';
import { CfnSecurityGroupEgress, type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
} from 'aws-cdk-lib/aws-rds';
import { Construct, type IDependable } from 'constructs';
import type { SourceName } from '../../lambdas/base/domain/source-tables';
import { removalOf } from '../base/encryption-key';
import type { CreatedDatabase, ExistingConnection, Stage } from '../stages';

export interface SourceDatabaseProps {
  readonly stage: Stage;
  readonly name: SourceName;
  readonly vpc: IVpc;
  /** The room's key: of a database that is made here. */
  readonly key: Key;
  /** Of those who connect: DMS, and our functions. */
  readonly clients: ISecurityGroup;
}

/** A database that changes are taken from: the retailer's, or a small one of our own to try with. */
export class SourceDatabaseAccess extends Construct {
  readonly engineName: 'postgres' | 'aurora-postgresql';
  /** Username, password, host and port. */
  readonly secretArn: string;
  readonly secretKeyArn: string;
  readonly databaseName: string;
  readonly tls: boolean;
  /** Changes when it is another database than before. */
  readonly identity: string;
  /** What must be there before one can connect. */
  readonly ready: readonly IDependable[];
  /** The port at which clients must be let out to any address: of a database whose security group is unknown. */
  readonly portAnywhere?: number;

  constructor(scope: Construct, id: string, props: SourceDatabaseProps) {
    super(scope, id);
    const configuration = props.stage.databases[props.name];
    if (configuration.kind === 'created') {
      const cluster = this.created(props, configuration);
      this.engineName = 'aurora-postgresql';
      this.secretArn = cluster.secret!.secretArn;
      this.secretKeyArn = props.key.keyArn;
      this.databaseName = props.name;
      this.tls = configuration.tls;
      this.identity = cluster.clusterEndpoint.hostname;
      this.ready = [cluster];
      return;
    }
    this.ready = [];
    const { connection } = configuration;
    const known = connection === 'asked-at-deploy' ? this.asked(props.name) : connection;
    this.engineName = 'postgres';
    this.secretArn = known.secretArn;
    this.secretKeyArn = known.secretKeyArn;
    this.databaseName = known.databaseName;
    this.tls = true;
    this.identity = `${known.secretArn}/${known.databaseName}`;
    if (known.securityGroupId === undefined) this.portAnywhere = known.port;
    else {
      const group = SecurityGroup.fromSecurityGroupId(this, 'SecurityGroup', known.securityGroupId);
      group.addIngressRule(props.clients, Port.tcp(known.port), 'Tillstream: replication and heartbeat');
      props.clients.addEgressRule(group, Port.tcp(known.port), `the database ${props.name}`);
    }
  }

  /** Where the database is, as parameters of the stack: without values CloudFormation deploys nothing. */
  private asked(name: SourceName): ExistingConnection {
    const prefix = name[0]!.toUpperCase() + name.slice(1);
    const parameter = (suffix: string, description: string, allowedPattern: string) => {
      const made = new CfnParameter(this, suffix, {
        description: `The database ${name}: ${description}`,
        allowedPattern,
      });
      made.overrideLogicalId(`${prefix}${suffix}`);
      return made.valueAsString;
    };
    const port = new CfnParameter(this, 'Port', {
      description: `The database ${name}: port`,
      type: 'Number',
      default: 5432,
    });
    port.overrideLogicalId(`${prefix}Port`);
    return {
      port: port.valueAsNumber,
      databaseName: parameter('DatabaseName', 'its name on the server', '[A-Za-z0-9_-]{1,63}'),
      secretArn: parameter(
        'SecretArn',
        'secret with username, password, host and port',
        'arn:aws[a-z-]*:secretsmanager:.+-[A-Za-z0-9]{6}',
      ),
      secretKeyArn: parameter('SecretKeyArn', 'customer-managed key of that secret', 'arn:aws[a-z-]*:kms:.+:key/.+'),
    };
  }

  private created({ stage, name, vpc, key, clients }: SourceDatabaseProps, configuration: CreatedDatabase) {
    // By its ARN: else CDK would add wildcard actions for Secrets Manager to the key's policy.
    const secretsKey = Key.fromKeyArn(this, 'SecretsKey', key.keyArn);
    const cluster = new DatabaseCluster(this, 'Cluster', {
      engine: DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_17_6 }),
      writer: ClusterInstance.serverlessV2('Writer', { publiclyAccessible: false }),
      serverlessV2MinCapacity: configuration.minimumCapacityUnits,
      serverlessV2MaxCapacity: configuration.maximumCapacityUnits,
      defaultDatabaseName: name,
      credentials: Credentials.fromGeneratedSecret('tillstream', { encryptionKey: secretsKey }),
      parameters: {
        'rds.logical_replication': '1',
        // A transaction that stays open keeps all later ones from leaving: none may for long.
        idle_in_transaction_session_timeout: String(Duration.minutes(10).toMilliseconds()),
        ...(configuration.tls ? { 'rds.force_ssl': '1' } : {}),
      },
      vpc,
      vpcSubnets: { subnets: vpc.isolatedSubnets },
      storageEncrypted: true,
      storageEncryptionKey: key,
      deletionProtection: stage.keepData,
      removalPolicy: removalOf(stage),
    });
    cluster.connections.allowDefaultPortFrom(clients, 'replication and heartbeat');
    return cluster;
  }
}

/**
 * Lets clients out to databases whose security groups are unknown. Ports may be the same, which only the deployment knows,
 * and EC2 refuses a rule that is there already: each database says "anywhere" by other blocks.
 */
export function openPortsAnywhere(clients: ISecurityGroup, sources: readonly SourceDatabaseAccess[]): void {
  const anywhere = [['0.0.0.0/0'], ['0.0.0.0/1', '128.0.0.0/1']];
  sources.forEach(({ node, portAnywhere: port }, source) => {
    if (port === undefined) return;
    anywhere[source]!.forEach((cidrIp, block) => {
      new CfnSecurityGroupEgress(clients, `${node.id}Egress${block}`, {
        groupId: clients.securityGroupId,
        description: 'to a source database',
        ipProtocol: 'tcp',
        cidrIp,
        fromPort: port,
        toPort: port,
      });
    });
  });
}
