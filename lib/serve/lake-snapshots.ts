import { Aws, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import {
  attemptColumn,
  snapshotColumn,
  snapshotColumns,
  snapshotTables,
} from '../../lambdas/base/domain/snapshot-tables';
import { NodeFunction } from '../base/node-function';
import { privateBucket } from '../base/private-bucket';
import type { QueryWorkgroup } from '../base/query-workgroup';
import { everyDay } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import type { LakePlace } from './lake-table';
import { askedByName, namedTable } from './named-table';

export interface LakeSnapshotsProps extends LakePlace {
  readonly stage: Stage;
  readonly workgroup: QueryWorkgroup;
  readonly fileDelayDays: number;
}

/** Of what is on its way, in the bucket of results (lambdas/serve/lake/snapshot/snapshot-files.ts). */
const underWay = 'snapshots';

/**
 * How long that is kept. A snapshot of which a part is stored can be ended only as it was decided, out of the files that
 * were unloaded for it: these outlive the lock under which the part lies.
 */
export function snapshotFolders({ lake }: Stage): Readonly<Record<`${string}/`, number>> {
  const days = (lake.snapshotLockDays ?? 0) + 90;
  return { [`${underWay}/inputs/`]: 7, [`${underWay}/decided/`]: days, [`${underWay}/unloaded/`]: days };
}

const impact = 'data science has no training set of the last week';

/**
 * What data science trains on: a snapshot of every week's sales that never changes, where it lies, and the function that
 * makes and proves it.
 */
export class LakeSnapshots extends Construct {
  readonly bucket: Bucket;
  readonly function: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: LakeSnapshotsProps) {
    super(scope, id);
    const { stage, key, bucket: lake, databaseName, workgroup, fileDelayDays } = props;
    this.bucket = privateBucket(this, 'Bucket', {
      stage,
      key,
      ...(stage.lake.snapshotLockDays === undefined ? {} : { lockDays: stage.lake.snapshotLockDays }),
    });
    const tables = snapshotTables.flatMap((table) => [
      namedTable(this, props, {
        name: table.name,
        description: table.comment,
        columns: snapshotColumns(table),
        partition: snapshotColumn,
        projection: askedByName,
        location: this.bucket.s3UrlForObject(`${table.source.name}/`),
        isListed: false,
      }),
      namedTable(this, props, {
        name: table.inputs,
        description: 'The exact files of one try to make a snapshot',
        columns: table.source.columns,
        partition: attemptColumn,
        projection: askedByName,
        location: workgroup.results.s3UrlForObject(`${underWay}/inputs/${table.inputs}/`),
        isListed: true,
      }),
    ]);

    this.function = new NodeFunction(this, 'Make', {
      stage,
      directory: 'serve/lake/snapshot',
      description: 'Makes the weekly snapshots of the lake, and proves them',
      key,
      // Athena works; this one waits.
      timeout: Duration.minutes(15),
      memoryMebibytes: 512,
    });
    const { results } = workgroup;
    const views = snapshotTables.map(({ view }) => view);
    const catalog = `arn:${Aws.PARTITION}:glue:${Stack.of(this).region}:${Aws.ACCOUNT_ID}`;
    this.function
      .queries(workgroup, 'WORKGROUP_NAME')
      .readsTables(
        databaseName,
        [...snapshotTables.flatMap(({ name, inputs }) => [name, inputs]), ...views],
        'DATABASE_NAME',
      )
      .allow(
        ['glue:CreateTable', 'glue:UpdateTable'],
        [
          `${catalog}:catalog`,
          `${catalog}:database/${databaseName}`,
          ...views.map((view) => `${catalog}:table/${databaseName}/${view}`),
        ],
      )
      .readsObjects(
        lake,
        snapshotTables.map(({ source }) => source.name),
        'LAKE_BUCKET_NAME',
      )
      .readsObjects(
        this.bucket,
        [...snapshotTables.map(({ source }) => source.name), 'manifests'],
        'SNAPSHOTS_BUCKET_NAME',
      )
      .allow(
        ['s3:PutObject'],
        [...snapshotTables.map(({ source }) => source.name), 'manifests'].map((folder) =>
          this.bucket.arnForObjects(`${folder}/*`),
        ),
      )
      .allow(
        ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
        [results.arnForObjects(`${underWay}/*`)],
      )
      .environment('RESULTS_BUCKET_NAME', results.bucketName)
      .environment('FILE_DELAY_DAYS', String(fileDelayDays))
      .environment('SETTLE_HOURS', String(stage.lake.snapshotAfterHours));
    everyDay(this, 'Schedule', {
      // So that a week that failed on Monday is there on Tuesday; a run without a due week costs three calls.
      description: 'Makes the snapshots of the weeks that have ended',
      target: this.function,
      after: tables,
    });
    new CfnOutput(this, 'SnapshotFunction', { value: this.function.function.functionName });

    this.signals = [
      {
        name: 'SnapshotFailed',
        metric: businessMetric(this.function, 'SnapshotFailed'),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'SnapshotErrors',
        metric: this.function.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'SnapshotMissing',
        // Every run reports. Two days, since a run that is a minute late may leave one of them without.
        metric: businessMetric(this.function, 'SnapshotsMissing').with({
          statistic: Stats.MINIMUM,
          period: Duration.days(1),
        }),
        threshold: 0,
        periods: 2,
        missing: 'bad',
        impact,
      },
    ];
  }
}
