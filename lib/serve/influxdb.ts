import { CustomResource, Duration, type Stack } from 'aws-cdk-lib';
import { type ISecurityGroup, type IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnInfluxDBInstance } from 'aws-cdk-lib/aws-timestream';
import { removalOf } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import type { Stage } from '../stages';
import type { TimeSeriesDatabase } from './time-series-database';

export interface InfluxDbProps {
  readonly stage: Stage;
  readonly key: Key;
  readonly vpc: IVpc;
  readonly functions: ISecurityGroup;
}

const organization = 'tillstream';
const salesDatabase = 'merchandising';
const itemsDatabase = 'merchandising_items';

/** Timestream for InfluxDB: an instance in the network, and a deploy step that mints a token for each of its callers. */
export function influxDb(scope: Stack, { stage, key, vpc, functions }: InfluxDbProps): TimeSeriesDatabase {
  // By its ARN, since CDK would write grants with wildcards into the policy of a key that it knows.
  const secretsKey = Key.fromKeyArn(scope, 'SecretsKey', key.keyArn);
  const secret = (name: string, description: string, template: object, generateStringKey: string) =>
    new Secret(scope, name, {
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
  const firstUser = secret('FirstUser', 'First user of the InfluxDB instance', { username: 'tillstream' }, 'password');
  // Until the deploy step has minted the token, the secret holds only a placeholder under another name.
  const writeToken = secret('WriteToken', 'InfluxDB token that only writes', {}, 'unset');
  const readToken = secret('ReadToken', 'InfluxDB token that only reads', {}, 'unset');

  const database = new SecurityGroup(scope, 'Database', {
    vpc,
    description: 'InfluxDB: from the functions only',
    allowAllOutbound: false,
  });
  const caller = new SecurityGroup(scope, 'Caller', {
    vpc,
    description: 'Functions that call InfluxDB',
    allowAllOutbound: false,
  });
  database.addIngressRule(caller, Port.tcp(8086), 'writers and readers');
  caller.addEgressRule(database, Port.tcp(8086), 'InfluxDB');

  const { instanceType, storageGibibytes, multipleZones, salesRetentionDays, itemsRetentionDays } = stage.merchandising;
  const instance = new CfnInfluxDBInstance(scope, 'Instance', {
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

  const network = { vpc, securityGroups: [functions, caller] };
  const mintTokens = new NodeFunction(scope, 'MintTokens', {
    stage,
    directory: 'serve/merchandising/influxdb/mint-tokens',
    description: 'Creates the time series databases and their tokens at deploy',
    key,
    timeout: Duration.minutes(5),
    memoryMebibytes: 256,
    network,
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
  const minted = new CustomResource(scope, 'Tokens', {
    resourceType: 'Custom::InfluxDbTokens',
    serviceToken: mintTokens.function.functionArn,
    // Another instance knows no token of ours: the step must run again.
    properties: { revision: '1', endpoint: instance.attrEndpoint, salesRetentionDays, itemsRetentionDays },
  });
  minted.node.addDependency(instance, mintTokens);

  const callsInstance = (fn: NodeFunction) =>
    fn
      .environment('INFLUXDB_ENDPOINT', instance.attrEndpoint)
      .environment('SALES_DATABASE', salesDatabase)
      .environment('ITEMS_DATABASE', itemsDatabase);
  return {
    directory: 'influxdb',
    network,
    letWrite: (fn) => callsInstance(fn).readsSecret(writeToken, 'WRITE_TOKEN_SECRET_ARN'),
    letRead: (fn) => callsInstance(fn).readsSecret(readToken, 'READ_TOKEN_SECRET_ARN'),
    ready: minted,
    signals: [],
  };
}
