import { CustomResource, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnInfluxDBInstance } from 'aws-cdk-lib/aws-timestream';
import type { Construct } from 'constructs';
import { EncryptionKey, removalOf } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { heldBucket } from '../base/private-bucket';
import type { Signal } from '../base/signal';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import type { Stage } from '../stages';
import type { LakeStack } from './lake-stack';
import { MerchandisingApi } from './merchandising-api';
import { MerchandisingComparison } from './merchandising-comparison';

export interface MerchandisingStackProps extends StackProps {
  readonly stage: Stage;
  readonly vpc: IVpc;
  readonly functions: ISecurityGroup;
  readonly sales: Stream;
  /** What the time series are compared with. */
  readonly lake: LakeStack;
}

const organization = 'tillstream';
const salesDatabase = 'merchandising';
const itemsDatabase = 'merchandising_items';

/** Sales by region, channel, place, category and item, minutes old: an InfluxDB instance and the function that fills it. */
export class MerchandisingStack extends Stack {
  readonly signals: readonly Signal[];
  readonly endpoint: string;
  readonly readTokenSecret: Secret;

  constructor(scope: Construct, id: string, { stage, vpc, functions, sales, lake, ...props }: MerchandisingStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream merchandising' });
    // By its ARN, since CDK would write grants with wildcards into the policy of a key that it knows.
    const secretsKey = Key.fromKeyArn(this, 'SecretsKey', key.keyArn);
    const secret = (name: string, description: string, template: object, generateStringKey: string) =>
      new Secret(this, name, {
        description,
        encryptionKey: secretsKey,
        removalPolicy: removalOf(stage),
        generateSecretString: {
          secretStringTemplate: JSON.stringify(template),
          generateStringKey,
          excludePunctuation: true,
          passwordLength: 40,
        },
      });
    const firstUser = secret(
      'FirstUser',
      'First user of the InfluxDB instance',
      { username: 'tillstream' },
      'password',
    );
    // Until the deploy step has minted the token, the secret holds only a placeholder under another name.
    const writeToken = secret('WriteToken', 'InfluxDB token that only writes', {}, 'unset');
    const readToken = secret('ReadToken', 'InfluxDB token that only reads', {}, 'unset');
    this.readTokenSecret = readToken;

    const database = new SecurityGroup(this, 'Database', {
      vpc,
      description: 'InfluxDB: from the functions only',
      allowAllOutbound: false,
    });
    const caller = new SecurityGroup(this, 'Caller', {
      vpc,
      description: 'Functions that call InfluxDB',
      allowAllOutbound: false,
    });
    database.addIngressRule(caller, Port.tcp(8086), 'writers and readers');
    caller.addEgressRule(database, Port.tcp(8086), 'InfluxDB');

    const { instanceType, storageGibibytes, multipleZones, salesRetentionDays, itemsRetentionDays } =
      stage.merchandising;
    const instance = new CfnInfluxDBInstance(this, 'Instance', {
      name: `tillstream-${stage.name}`,
      dbInstanceType: instanceType,
      dbStorageType: 'InfluxIOIncludedT1',
      allocatedStorage: storageGibibytes,
      deploymentType: multipleZones ? 'WITH_MULTIAZ_STANDBY' : 'SINGLE_AZ',
      username: 'tillstream',
      password: firstUser.secretValueFromJson('password').unsafeUnwrap(),
      organization,
      bucket: salesDatabase,
      // Can be said at creation only.
      kmsKeyId: key.keyArn,
      publiclyAccessible: false,
      vpcSubnetIds: vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
      vpcSecurityGroupIds: [database.securityGroupId],
    });
    instance.applyRemovalPolicy(removalOf(stage));
    this.endpoint = instance.attrEndpoint;

    const mintTokens = new NodeFunction(this, 'MintTokens', {
      stage,
      directory: 'serve/merchandising/influxdb/mint-tokens',
      description: 'Creates the time series databases and their tokens at deploy',
      key,
      timeout: Duration.minutes(5),
      memoryMebibytes: 256,
      network: { vpc, securityGroups: [functions, caller] },
    })
      .environment('INFLUXDB_ENDPOINT', instance.attrEndpoint)
      .environment('ORGANIZATION', organization)
      .environment('SALES_DATABASE', salesDatabase)
      .environment('ITEMS_DATABASE', itemsDatabase)
      .readsSecret(firstUser, 'FIRST_USER_SECRET_ARN')
      .readsSecret(writeToken, 'WRITE_TOKEN_SECRET_ARN')
      .readsSecret(readToken, 'READ_TOKEN_SECRET_ARN')
      .allow(['secretsmanager:PutSecretValue'], [writeToken.secretArn, readToken.secretArn])
      .usesKeyThrough('secretsmanager', key, ['kms:GenerateDataKey']);
    const minted = new CustomResource(this, 'Tokens', {
      resourceType: 'Custom::InfluxDbTokens',
      serviceToken: mintTokens.function.functionArn,
      // Another instance knows no token of ours: the step must run again.
      properties: { revision: '1', endpoint: instance.attrEndpoint, salesRetentionDays, itemsRetentionDays },
    });
    minted.node.addDependency(instance, mintTokens);

    const held = heldBucket(this, 'Held', { stage, key });
    const writer = new StreamConsumer(this, 'Writer', {
      stage,
      directory: 'serve/merchandising/influxdb/write',
      description: 'Writes sales into the time series of merchandising',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      network: { vpc, securityGroups: [functions, caller] },
      stream: sales,
      heldBucket: held,
      batchSize: 500,
      batchingWindow: Duration.seconds(5),
      enhancedFanOut: stage.streams.enhancedFanOut,
      reader: 'Merchandising',
      impact: 'merchandising sees old sales figures',
    });
    writer.consumer
      .environment('INFLUXDB_ENDPOINT', instance.attrEndpoint)
      .environment('SALES_DATABASE', salesDatabase)
      .environment('ITEMS_DATABASE', itemsDatabase)
      .readsSecret(writeToken, 'WRITE_TOKEN_SECRET_ARN')
      .holdsIn(held, 'held', 'HELD_BUCKET_NAME');
    writer.node.addDependency(minted);

    const { query, signals } = new MerchandisingApi(this, 'Answers', {
      stage,
      key,
      network: { vpc, securityGroups: [functions, caller] },
    });
    query
      .environment('INFLUXDB_ENDPOINT', instance.attrEndpoint)
      .environment('SALES_DATABASE', salesDatabase)
      .environment('ITEMS_DATABASE', itemsDatabase)
      .readsSecret(readToken, 'READ_TOKEN_SECRET_ARN');
    query.node.addDependency(minted);

    const comparison = new MerchandisingComparison(this, 'Comparison', {
      stage,
      key,
      directory: 'serve/merchandising/influxdb/compare',
      network: { vpc, securityGroups: [functions, caller] },
      lake,
    });
    comparison.compare
      .environment('INFLUXDB_ENDPOINT', instance.attrEndpoint)
      .environment('SALES_DATABASE', salesDatabase)
      .environment('ITEMS_DATABASE', itemsDatabase)
      .readsSecret(readToken, 'READ_TOKEN_SECRET_ARN')
      .readsSecret(writeToken, 'WRITE_TOKEN_SECRET_ARN');
    comparison.node.addDependency(minted);

    this.signals = [
      ...writer.signals,
      ...signals,
      ...comparison.signals,
      {
        name: 'MerchandisingBeyondRetention',
        metric: businessMetric(writer.consumer, 'PointsBeyondRetention'),
        threshold: 0,
        periods: 1,
        impact: 'sales older than the retention are missing from the time series; the lake has them',
      },
      {
        name: 'MerchandisingCrowdedMinute',
        metric: businessMetric(writer.consumer, 'PointsPerSeriesMinute').with({ statistic: Stats.MAXIMUM }),
        // 346 sales in a series and minute meet with a chance of one in a million.
        threshold: 346,
        periods: 1,
        impact: 'two sales of one minute may share a point, and one of them is not counted by merchandising',
      },
    ];
  }
}
