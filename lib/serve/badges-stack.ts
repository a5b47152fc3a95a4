import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { badgeHistory } from '../../lambdas/base/domain/badge-history';
import { EncryptionKey } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { heldBucket } from '../base/private-bucket';
import { everyMinute } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import { table } from '../base/table';
import type { Stage } from '../stages';
import { BadgesApi } from './badges-api';
import { type LakePlace, LakeTable } from './lake-table';
import { LakeView } from './lake-views';

export interface BadgesStackProps extends StackProps {
  readonly stage: Stage;
  /** Rows and changes of the source databases. */
  readonly changes: Stream;
  /** `database`, `epoch`, `startedAt`, and `loadedAt` once a load is complete. */
  readonly epochs: TableV2;
  /** Where the history of what was served is to lie: beside the sales. */
  readonly lake: LakePlace;
}

const impact = 'badges are older than they could be, and say so';

/** Same-day badges: features from the databases' logs, minutes old at worst, and answers that state their age. */
export class BadgesStack extends Stack {
  /** What lookups read: `sku#`, `stock#`, `centre#` and `beats#` items under `pk`. */
  readonly online: TableV2;
  /** The last image of each source row, with its position. */
  readonly state: TableV2;
  readonly api: BadgesApi;
  /** What was served and when, in the lake: for training sets, and to explain answers. */
  readonly history: LakeTable;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, changes, epochs, lake, ...props }: BadgesStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream badges' });
    this.state = table(this, 'State', { stage, key, partitionKey: 'pk', sortKey: 'sk', expiry: 'expiresAt' });
    this.online = table(this, 'Online', { stage, key, partitionKey: 'pk', expiry: 'expiresAt' });
    const held = heldBucket(this, 'Held', { stage, key });
    this.history = new LakeTable(this, 'History', { stage, roomKey: key, ...lake, table: badgeHistory });
    // People type this name in Athena.
    new LakeView(this, 'HistoryView', { ...lake, name: 'badges', table: badgeHistory });

    const apply = new StreamConsumer(this, 'Apply', {
      stage,
      directory: 'serve/badges/apply',
      description: "Brings badges' features to what the source databases' changes say",
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 1_024,
      stream: changes,
      heldBucket: held,
      batchSize: 500,
      // Nothing gathers: a change waits for the batch before it, and for nothing else.
      batchingWindow: Duration.seconds(0),
      // It shares the shards' 2 MB/s with the reader of stock positions: changes are small.
      enhancedFanOut: false,
      reader: 'Badges',
      impact,
    });
    apply.consumer.holdsIn(held, 'held', 'HELD_BUCKET_NAME').readsGivenUp(held);
    // The lake keeps each policy that was ever in force: what was answered under it can be explained for as long.
    apply.consumer.environment('BADGE_POLICY', JSON.stringify(stage.badges.policy));
    const sweep = this.#sweep(stage, key, held);
    for (const fn of [apply.consumer, sweep]) {
      this.history.writableBy(fn, 'HISTORY_STREAM_NAME');
      fn.uses(this.state, 'STATE_TABLE_NAME', [
        ...['BatchGetItem', 'Query', 'PartiQLInsert', 'PartiQLUpdate', 'PutItem', 'DeleteItem', 'ConditionCheckItem'],
        ...(fn === sweep ? ['GetItem', 'Scan'] : []),
      ])
        .uses(this.online, 'ONLINE_TABLE_NAME', [
          ...['BatchGetItem', 'GetItem', 'PartiQLInsert', 'PartiQLUpdate', 'UpdateItem'],
        ])
        .uses(epochs, 'EPOCHS_TABLE_NAME', fn === sweep ? ['Query'] : ['Query', 'BatchGetItem'])
        .environment('TOMBSTONE_DAYS', String(tombstoneDays(stage)));
    }
    this.api = new BadgesApi(this, 'Api', { stage, key, online: this.online });

    this.signals = [
      ...apply.signals,
      {
        name: 'FeatureAge',
        metric: businessMetric(apply.consumer, 'FeatureAgeSeconds').with({
          statistic: Stats.MAXIMUM,
          period: Duration.minutes(1),
        }),
        threshold: stage.badges.policy.maximumAgeSeconds / 2,
        periods: 3,
        // Beats never pause: a function that has nothing to do is cut off.
        missing: 'bad',
        impact: 'soon no item has a badge, since what is known of all of them is too old',
      },
      {
        name: 'PositionWentBack',
        metric: businessMetric(apply.consumer, 'PositionWentBack'),
        threshold: 0,
        periods: 1,
        impact: "a source database's log was exchanged without a new load: its changes pass for old ones",
      },
      {
        name: 'BadgesSweepErrors',
        metric: sweep.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 3,
        impact: 'after a load, its database stays stale, and rows that are no more stay in the online table',
      },
      ...this.api.signals,
      ...this.history.signals(
        'BadgeHistory',
        'answers about badges cannot be explained, and training sets lack the newest features',
      ),
    ];
  }

  #sweep(stage: Stage, key: Key, held: Bucket): NodeFunction {
    const sweep = new NodeFunction(this, 'Sweep', {
      stage,
      directory: 'serve/badges/sweep',
      description: 'Sweeps rows that a load did not touch, and says what is vouched for',
      key,
      timeout: Duration.minutes(5),
      memoryMebibytes: 512,
    })
      .readsGivenUp(held)
      .environment('HELD_BUCKET_NAME', held.bucketName);
    everyMinute(this, 'SweepSchedule', {
      description: 'Sweeps after loads',
      target: sweep,
      input: '{}',
      after: [],
    });
    return sweep;
  }
}

/** How long a tombstone must live: as long as a record can be delivered, and then be redriven, and a day more. */
export function tombstoneDays(stage: Stage): number {
  return Math.ceil(stage.streams.retentionHours / 24) + stage.redriveDays + 1;
}
