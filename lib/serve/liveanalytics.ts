import { Aws, type Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-timestream';
import { DependencyGroup } from 'constructs';
import { removalOf } from '../base/encryption-key';
import type { NodeFunction } from '../base/node-function';
import type { Stage } from '../stages';
import type { TimeSeriesDatabase } from './time-series-database';

export interface LiveAnalyticsProps {
  readonly stage: Stage;
  readonly key: Key;
  /** Takes Timestream's reports of late records that it did not keep. */
  readonly held: Bucket;
}

/** What retention without an end is said by: the longest that there is, 200 years. */
const mostDays = 73_000;
const reportFolder = 'rejected';

/**
 * Timestream for LiveAnalytics: a database with a table for sales, one for items and one for what is known of sources. It
 * is reached from anywhere, under a role, so its functions are in no network.
 */
export function liveAnalytics(scope: Stack, { stage, key, held }: LiveAnalyticsProps): TimeSeriesDatabase {
  const { memoryHours, salesRetentionDays, itemsRetentionDays } = stage.merchandising;
  const daysKept = (days: number) => (days === 0 ? mostDays : days);
  takeReports(key, held);

  // Named, since people type these names in their queries.
  const database = new CfnDatabase(scope, 'Database', {
    databaseName: `tillstream_${stage.name}`,
    kmsKeyId: key.keyArn,
  });
  database.applyRemovalPolicy(removalOf(stage));
  const table = (id: string, tableName: string, days: number, partitionedBy?: string) => {
    const made = new CfnTable(scope, id, {
      databaseName: database.ref,
      tableName,
      retentionProperties: {
        MemoryStoreRetentionPeriodInHours: String(memoryHours),
        MagneticStoreRetentionPeriodInDays: String(daysKept(days)),
      },
      magneticStoreWriteProperties: {
        // Late sales: without it, what is older than the memory store would be refused.
        EnableMagneticStoreWrites: true,
        MagneticStoreRejectedDataLocation: {
          S3Configuration: {
            BucketName: held.bucketName,
            ObjectKeyPrefix: `${reportFolder}/`,
            EncryptionOption: 'SSE_KMS',
            KmsKeyId: key.keyArn,
          },
        },
      },
      // Can be said at creation only; the dimension with many values that is asked for most.
      ...(partitionedBy === undefined
        ? {}
        : {
            schema: {
              compositePartitionKey: [{ type: 'DIMENSION', name: partitionedBy, enforcementInRecord: 'REQUIRED' }],
            },
          }),
    });
    made.applyRemovalPolicy(removalOf(stage));
    if (held.policy !== undefined) made.node.addDependency(held.policy);
    return made;
  };
  const tables = {
    sales: table('Sales', 'sales', salesRetentionDays, 'location'),
    items: table('Items', 'items', itemsRetentionDays, 'sku'),
    sources: table('Sources', 'sources', salesRetentionDays),
  };
  const all = Object.values(tables);
  const ready = new DependencyGroup(...all);

  const on = (fn: NodeFunction, action: string) =>
    fn
      .allow(
        [action],
        all.map(({ attrArn }) => attrArn),
      )
      // A client asks for its own endpoint before anything else, and a list of endpoints is no resource.
      .allow(['timestream:DescribeEndpoints'], ['*'])
      .usesKeyThrough('timestream', key, ['kms:Decrypt'])
      .environment('TIMESTREAM_DATABASE', database.ref)
      .environment('SALES_TABLE', tables.sales.attrName)
      .environment('ITEMS_TABLE', tables.items.attrName)
      .environment('SOURCES_TABLE', tables.sources.attrName);
  const notKept = (name: string, { attrName }: CfnTable, impact: string) => ({
    name,
    metric: new Metric({
      namespace: 'AWS/Timestream',
      metricName: 'MagneticStoreRejectedRecordCount',
      dimensionsMap: { DatabaseName: database.ref, TableName: attrName },
      statistic: Stats.SUM,
    }),
    threshold: 0,
    periods: 1,
    impact,
  });
  const lakeHasThem = 'late sales are missing from the time series though they were taken; the lake has them';
  return {
    directory: 'liveanalytics',
    letWrite: (fn) =>
      on(fn, 'timestream:WriteRecords')
        .environment('SALES_RETENTION_DAYS', String(salesRetentionDays))
        .environment('ITEMS_RETENTION_DAYS', String(itemsRetentionDays))
        .environment('MEMORY_HOURS', String(memoryHours)),
    letRead: (fn) => on(fn, 'timestream:Select'),
    ready,
    signals: [
      notKept('MerchandisingLateSalesRejected', tables.sales, lakeHasThem),
      notKept('MerchandisingLateItemsRejected', tables.items, lakeHasThem),
      notKept(
        'MerchandisingLateMarksRejected',
        tables.sources,
        'what sources said late of their completeness is missing, so answers say that they are older than they are',
      ),
    ],
  };
}

/** Timestream writes its reports itself, for tables of this account only. */
function takeReports(key: Key, held: Bucket): void {
  const principals = [new ServicePrincipal('timestream.amazonaws.com')];
  const conditions = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };
  held.addToResourcePolicy(
    new PolicyStatement({
      principals,
      actions: ['s3:PutObject'],
      resources: [held.arnForObjects(`${reportFolder}/*`)],
      conditions,
    }),
  );
  held.addToResourcePolicy(
    new PolicyStatement({ principals, actions: ['s3:GetBucketAcl'], resources: [held.bucketArn], conditions }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      principals,
      actions: ['kms:GenerateDataKey'],
      resources: ['*'], // In a key's policy this is the key itself.
      conditions,
    }),
  );
}
