import { Aws, Duration, Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, LogStream, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { LakeRowTable } from '../../lambdas/base/domain/lake-rows';
import { removalOf } from '../base/encryption-key';
import type { NodeFunction } from '../base/node-function';
import type { Signal } from '../base/signal';
import type { Stage } from '../stages';

/** Where tables of the lake lie, and where they are described. */
export interface LakePlace {
  readonly key: Key;
  readonly bucket: Bucket;
  readonly database: CfnDatabase;
  readonly databaseName: string;
}

export interface LakeTableProps extends LakePlace {
  readonly stage: Stage;
  /** The key of the room that writes the table: for rows on their way, and for the log of their delivery. */
  readonly roomKey: Key;
  readonly table: LakeRowTable;
}

/** Athena works dates out from the query, so that nobody has to register them. */
export const dateProjection = {
  type: 'date',
  format: 'yyyy-MM-dd',
  // A day ahead, for a query that runs while midnight passes.
  range: '2026-01-01,NOW+1DAYS',
};

const parquet = 'org.apache.hadoop.hive.ql.io.parquet';

/**
 * A table of the lake: its definition in Glue and the Firehose delivery stream that turns rows into its files. Firehose
 * delivers at least once, so files can repeat rows.
 */
export class LakeTable extends Construct {
  readonly deliveryStream: CfnDeliveryStream;
  private readonly stage: Stage;

  constructor(scope: Construct, id: string, props: LakeTableProps) {
    super(scope, id);
    const { stage, key, roomKey, bucket, database, databaseName, table } = props;
    this.stage = stage;
    const {
      name,
      partition: { column: partition },
    } = table;
    const glueTable = this.defineTable(props);
    glueTable.addResourceDependency(database);

    const logGroup = new LogGroup(this, 'Logs', {
      encryptionKey: roomKey,
      retention: stage.logRetentionDays as RetentionDays,
      removalPolicy: removalOf(stage),
    });
    const logStream = new LogStream(this, 'LogStream', { logGroup, removalPolicy: removalOf(stage) });
    const role = this.deliveryRole(props, logGroup);

    this.deliveryStream = new CfnDeliveryStream(this, 'DeliveryStream', {
      deliveryStreamType: 'DirectPut',
      deliveryStreamEncryptionConfigurationInput: { keyType: 'CUSTOMER_MANAGED_CMK', keyArn: roomKey.keyArn },
      extendedS3DestinationConfiguration: {
        bucketArn: bucket.bucketArn,
        roleArn: role.roleArn,
        bufferingHints: { intervalInSeconds: stage.lake.bufferSeconds, sizeInMBs: stage.lake.bufferMebibytes },
        // Parquet compresses its pages itself.
        compressionFormat: 'UNCOMPRESSED',
        encryptionConfiguration: { kmsEncryptionConfig: { awskmsKeyArn: key.keyArn } },
        prefix: `${name}/${partition}=!{partitionKeyFromQuery:${partition}}/`,
        errorOutputPrefix: `errors/${name}/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/`,
        dynamicPartitioningConfiguration: { enabled: true, retryOptions: { durationInSeconds: 300 } },
        processingConfiguration: {
          enabled: true,
          processors: [
            // The writer packs up to 500 rows, as many as this takes out of a record.
            {
              type: 'RecordDeAggregation',
              parameters: [{ parameterName: 'SubRecordType', parameterValue: 'JSON' }],
            },
            {
              type: 'MetadataExtraction',
              parameters: [
                {
                  parameterName: 'MetadataExtractionQuery',
                  parameterValue: `{${partition}:.${partition}}`,
                },
                { parameterName: 'JsonParsingEngine', parameterValue: 'JQ-1.6' },
              ],
            },
          ],
        },
        dataFormatConversionConfiguration: {
          enabled: true,
          // Its timestamps include ISO 8601 with a Z, as the events have them.
          inputFormatConfiguration: { deserializer: { openXJsonSerDe: { caseInsensitive: true } } },
          outputFormatConfiguration: { serializer: { parquetSerDe: { compression: 'SNAPPY' } } },
          schemaConfiguration: {
            catalogId: Aws.ACCOUNT_ID,
            databaseName,
            tableName: name,
            region: Stack.of(this).region,
            roleArn: role.roleArn,
            versionId: 'LATEST',
          },
        },
        cloudWatchLoggingOptions: {
          enabled: true,
          logGroupName: logGroup.logGroupName,
          logStreamName: logStream.logStreamName,
        },
      },
    });
    // Firehose tries its role and reads the table when it is created.
    this.deliveryStream.node.addDependency(role, glueTable);
  }

  /** Lets a function put rows. */
  writableBy(writer: NodeFunction, variable: string): void {
    writer
      .allow(['firehose:PutRecordBatch'], [this.deliveryStream.attrArn])
      .environment(variable, this.deliveryStream.ref);
  }

  /** `name` begins the names of its alarms; `impact` is what the business loses while its rows do not come. */
  signals(name: string, impact: string): Signal[] {
    const metric = (metricName: string, statistic: string) =>
      new Metric({
        namespace: 'AWS/Firehose',
        metricName,
        dimensionsMap: { DeliveryStreamName: this.deliveryStream.ref },
        statistic,
        period: Duration.minutes(5),
      });
    return [
      {
        name: `${name}Stale`,
        metric: metric('DeliveryToS3.DataFreshness', Stats.MAXIMUM),
        threshold: 3 * this.stage.lake.bufferSeconds,
        periods: 3,
        impact,
      },
      {
        name: `${name}Unconverted`,
        metric: metric('FailedConversion.Records', Stats.SUM),
        threshold: 0,
        periods: 1,
        impact: `${impact}; rows that fit no column wait under errors/ in the lake's bucket`,
      },
    ];
  }

  private defineTable({ bucket, databaseName, table }: LakeTableProps): CfnTable {
    const { column: partition, comment } = table.partition;
    const location = bucket.s3UrlForObject(`${table.name}/`);
    return new CfnTable(this, 'Table', {
      catalogId: Aws.ACCOUNT_ID,
      databaseName,
      tableInput: {
        name: table.name,
        description: table.comment,
        tableType: 'EXTERNAL_TABLE',
        parameters: {
          classification: 'parquet',
          'projection.enabled': 'true',
          ...Object.fromEntries(
            Object.entries(dateProjection).map(([property, value]) => [`projection.${partition}.${property}`, value]),
          ),
          'storage.location.template': `${location}${partition}=\${${partition}}/`,
        },
        partitionKeys: [{ name: partition, type: 'string', comment }],
        storageDescriptor: {
          columns: table.columns.map(({ name, type, comment }) => ({ name, type, comment })),
          location,
          inputFormat: `${parquet}.MapredParquetInputFormat`,
          outputFormat: `${parquet}.MapredParquetOutputFormat`,
          serdeInfo: { serializationLibrary: `${parquet}.serde.ParquetHiveSerDe` },
        },
      },
    });
  }

  private deliveryRole({ key, bucket, databaseName, table }: LakeTableProps, logGroup: LogGroup): Role {
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('firehose.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    const { region } = Stack.of(this);
    const catalog = `arn:${Aws.PARTITION}:glue:${region}:${Aws.ACCOUNT_ID}`;
    const allow = (actions: string[], resources: string[], conditions: Record<string, Record<string, string>> = {}) =>
      role.addToPolicy(new PolicyStatement({ actions, resources, conditions }));
    allow(
      ['s3:PutObject', 's3:AbortMultipartUpload'],
      [bucket.arnForObjects(`${table.name}/*`), bucket.arnForObjects(`errors/${table.name}/*`)],
    );
    allow(['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], [bucket.bucketArn]);
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn], {
      StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
    });
    allow(
      ['glue:GetTable', 'glue:GetTableVersion', 'glue:GetTableVersions'],
      [`${catalog}:catalog`, `${catalog}:database/${databaseName}`, `${catalog}:table/${databaseName}/${table.name}`],
    );
    allow(['logs:PutLogEvents'], [`${logGroup.logGroupArn}`]);
    return role;
  }
}
