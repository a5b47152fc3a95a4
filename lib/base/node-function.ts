import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Aws, type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Stage } from '../stages';
import type { QueryWorkgroup } from './query-workgroup';

export interface NodeFunctionProps {
  readonly stage: Stage;
  /** Directory under lambdas/, for example `refine/dedup`: bundled by build.mjs. */
  readonly directory: string;
  readonly description: string;
  /** The room's key: encrypts the log group and the environment. */
  readonly key: Key;
  readonly timeout: Duration;
  readonly memoryMebibytes: number;
  /** Most containers at once; unreserved when absent. */
  readonly reservedConcurrency?: number;
  readonly network?: { readonly vpc: IVpc; readonly securityGroups: ISecurityGroup[] };
}

/**
 * A function on Node 24, arm64, with its own log group and a role that starts with nothing: each method below gives one
 * permission and the environment variable that goes with it, in one call, so that neither can be had without the other.
 */
export class NodeFunction extends Construct {
  readonly function: LambdaFunction;
  /** Under lambdas/. */
  readonly directory: string;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    const { stage, directory, description, key, timeout, memoryMebibytes, reservedConcurrency, network } = props;
    this.directory = directory;
    const logGroup = new LogGroup(this, 'Logs', {
      retention: stage.logRetentionDays as RetentionDays,
      encryptionKey: key,
      removalPolicy: stage.keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [`${logGroup.logGroupArn}`]);
    if (network !== undefined)
      // EC2 knows no resource for these before the interface exists.
      this.allow(
        [
          'ec2:CreateNetworkInterface',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DescribeSubnets',
          'ec2:DeleteNetworkInterface',
          'ec2:AssignPrivateIpAddresses',
          'ec2:UnassignPrivateIpAddresses',
        ],
        ['*'],
      );
    this.function = new LambdaFunction(this, 'Function', {
      description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: Code.fromAsset(bundleOf(directory)),
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      environmentEncryption: key,
      timeout,
      memorySize: memoryMebibytes,
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: reservedConcurrency }),
      ...(network === undefined
        ? {}
        : {
            vpc: network.vpc,
            securityGroups: network.securityGroups,
            vpcSubnets: { subnets: network.vpc.isolatedSubnets },
          }),
    });
  }

  /** A statement of the role, written by hand: actions without wildcards on named resources. */
  allow(actions: string[], resources: string[], conditions: Record<string, Record<string, unknown>> = {}): this {
    this.role.addToPolicy(new PolicyStatement({ effect: Effect.ALLOW, actions, resources, conditions }));
    return this;
  }

  environment(name: string, value: string): this {
    this.function.addEnvironment(name, value);
    return this;
  }

  /** Uses a table by the given DynamoDB actions, for example `['PartiQLInsert', 'BatchGetItem']`. */
  uses(table: TableV2, variable: string, actions: readonly string[]): this {
    this.allow(
      actions.map((action) => `dynamodb:${action}`),
      [table.tableArn],
    );
    if (table.encryptionKey !== undefined)
      this.usesKeyThrough('dynamodb', table.encryptionKey, ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey']);
    return this.environment(variable, table.tableName);
  }

  writes(stream: Stream, variable: string): this {
    this.allow(['kinesis:PutRecords'], [stream.streamArn]);
    if (stream.encryptionKey !== undefined)
      this.usesKeyThrough('kinesis', stream.encryptionKey, ['kms:GenerateDataKey']);
    return this.environment(variable, stream.streamName);
  }

  /** Puts objects under one folder of a bucket: the only place where this function may hold what it cannot process. */
  holdsIn(bucket: Bucket, folder: string, variable: string): this {
    this.allow(['s3:PutObject'], [bucket.arnForObjects(`${folder}/*`)]);
    if (bucket.encryptionKey !== undefined) this.usesKeyThrough('s3', bucket.encryptionKey, ['kms:GenerateDataKey']);
    return this.environment(variable, bucket.bucketName);
  }

  /** Lists and reads the batches that Lambda gave up. */
  readsGivenUp(bucket: Bucket): this {
    this.allow(['s3:ListBucket'], [bucket.bucketArn], { StringEquals: { 's3:prefix': 'aws/lambda/' } });
    this.allow(['s3:GetObject'], [bucket.arnForObjects('aws/lambda/*')]);
    return bucket.encryptionKey === undefined ? this : this.usesKeyThrough('s3', bucket.encryptionKey, ['kms:Decrypt']);
  }

  readsSecret(secret: Secret, variable: string): this {
    this.allow(['secretsmanager:GetSecretValue'], [secret.secretArn]);
    if (secret.encryptionKey !== undefined)
      this.usesKeyThrough('secretsmanager', secret.encryptionKey, ['kms:Decrypt']);
    return this.environment(variable, secret.secretArn);
  }

  /**
   * Runs queries in a workgroup. Athena reads the catalog and the files in the name of its caller: `readsTables` and
   * `readsObjects` say which.
   */
  queries({ name, arn, results, key }: QueryWorkgroup, variable: string): this {
    return this.allow(
      ['athena:StartQueryExecution', 'athena:GetQueryExecution', 'athena:GetQueryResults', 'athena:StopQueryExecution'],
      [arn],
    )
      .allow(['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], [results.bucketArn])
      .allow(
        ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
        [results.arnForObjects('results/*')],
      )
      .usesKeyThrough('s3', key, ['kms:Decrypt', 'kms:GenerateDataKey'])
      .environment(variable, name);
  }

  /** Reads tables and views of a Glue database, by the given name. */
  readsTables(database: string, tables: readonly string[], variable: string): this {
    const catalog = `arn:${Aws.PARTITION}:glue:${Stack.of(this).region}:${Aws.ACCOUNT_ID}`;
    return this.allow(
      ['glue:GetDatabase', 'glue:GetTable', 'glue:GetPartitions'],
      [
        `${catalog}:catalog`,
        `${catalog}:database/${database}`,
        ...tables.map((table) => `${catalog}:table/${database}/${table}`),
      ],
    ).environment(variable, database);
  }

  /** Reads and lists objects under folders of a bucket; no variable: only Athena does, in its caller's name. */
  readsObjects(bucket: Bucket, folders: readonly string[], variable?: string): this {
    this.allow(
      ['s3:GetObject'],
      folders.map((folder) => bucket.arnForObjects(`${folder}/*`)),
    ).allow(['s3:GetBucketLocation', 's3:ListBucket'], [bucket.bucketArn]);
    if (bucket.encryptionKey !== undefined) this.usesKeyThrough('s3', bucket.encryptionKey, ['kms:Decrypt']);
    return variable === undefined ? this : this.environment(variable, bucket.bucketName);
  }

  /** Uses a key only on behalf of one service, never directly. */
  usesKeyThrough(service: string, key: Pick<Key, 'keyArn'>, actions: string[]): this {
    const { region } = Stack.of(this);
    return this.allow(actions, [key.keyArn], {
      StringEquals: { 'kms:ViaService': `${service}.${region}.amazonaws.com` },
    });
  }
}

/** Where build.mjs put the function; a folder that is missing is named, since synth needs it. */
function bundleOf(directory: string): string {
  const bundle = join(process.cwd(), 'build', 'lambdas', directory);
  if (!existsSync(bundle)) throw new Error(`no bundle for lambdas/${directory}: run 'npm run build' first`);
  return bundle;
}
