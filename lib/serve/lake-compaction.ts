import { Aws, Duration, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { compactedName } from '../../lambdas/base/domain/lake-views';
import { lakeViews, partitionColumn } from '../../lambdas/base/domain/sale-rows';
import { NodeFunction } from '../base/node-function';
import type { QueryWorkgroup } from '../base/query-workgroup';
import { everyDay } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import { dateProjection, type LakePlace } from './lake-table';
import { namedTable } from './named-table';

export interface LakeCompactionProps extends LakePlace {
  readonly stage: Stage;
  readonly workgroup: QueryWorkgroup;
  readonly fileDelayDays: number;
}

const impact = 'queries of old dates read many small files: slower and dearer, never wrong';

/** Writes the small files of old dates together, beside them, and has the views read what it wrote. */
export class LakeCompaction extends Construct {
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: LakeCompactionProps) {
    super(scope, id);
    const { stage, key, bucket, databaseName, workgroup, fileDelayDays } = props;
    const tables = lakeViews.map(({ table }) =>
      namedTable(this, props, {
        name: compactedName(table),
        description: `${table.name} of old dates, one row per key: read it through the view`,
        columns: table.columns,
        partition: partitionColumn,
        projection: dateProjection,
        location: bucket.s3UrlForObject(`compacted/lists/${table.name}/`),
        isListed: true,
      }),
    );
    const compact = new NodeFunction(this, 'Compact', {
      stage,
      directory: 'serve/lake/compact',
      description: "Writes the lake's small files of old dates together",
      key,
      // Athena works; this one waits.
      timeout: Duration.minutes(15),
      memoryMebibytes: 512,
    });
    const names = lakeViews.flatMap(({ view, table }) => [view, table.name, compactedName(table)]);
    const catalog = `arn:${Aws.PARTITION}:glue:${Stack.of(this).region}:${Aws.ACCOUNT_ID}`;
    compact
      .queries(workgroup, 'WORKGROUP_NAME')
      .readsTables(databaseName, names, 'DATABASE_NAME')
      .allow(
        ['glue:UpdateTable'],
        [
          `${catalog}:catalog`,
          `${catalog}:database/${databaseName}`,
          ...lakeViews.map(({ view }) => `${catalog}:table/${databaseName}/${view}`),
        ],
      )
      .readsObjects(bucket, [...lakeViews.map(({ table }) => table.name), 'compacted'], 'LAKE_BUCKET_NAME')
      .allow(
        ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
        [bucket.arnForObjects('compacted/*')],
      )
      .environment('FILE_DELAY_DAYS', String(fileDelayDays));
    everyDay(this, 'Schedule', {
      description: 'Compacts the dates that are old enough',
      target: compact,
      after: tables,
    });

    this.signals = [
      {
        name: 'CompactionFailed',
        metric: businessMetric(compact, 'CompactionFailed'),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'CompactionErrors',
        metric: compact.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 1,
        impact,
      },
    ];
  }
}
