import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import { heldBucket } from '../base/private-bucket';
import type { Signal } from '../base/signal';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import type { Stage } from '../stages';
import { influxDb } from './influxdb';
import type { LakeStack } from './lake-stack';
import { liveAnalytics } from './liveanalytics';
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

/**
 * Sales by region, channel, place, category and item, minutes old: a database of time series, the function that fills it
 * and the API that asks it.
 */
export class MerchandisingStack extends Stack {
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, vpc, functions, sales, lake, ...props }: MerchandisingStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream merchandising' });
    const held = heldBucket(this, 'Held', { stage, key });
    const database =
      stage.merchandising.engine === 'influxdb'
        ? influxDb(this, { stage, key, vpc, functions })
        : liveAnalytics(this, { stage, key, held });
    const network = database.network === undefined ? {} : { network: database.network };

    const writer = new StreamConsumer(this, 'Writer', {
      stage,
      directory: `serve/merchandising/${database.directory}/write`,
      description: 'Writes sales into the time series of merchandising',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      ...network,
      stream: sales,
      heldBucket: held,
      batchSize: 500,
      batchingWindow: Duration.seconds(5),
      enhancedFanOut: stage.streams.enhancedFanOut,
      reader: 'Merchandising',
      impact: 'merchandising sees old sales figures',
    });
    database.letWrite(writer.consumer);
    writer.consumer.holdsIn(held, 'held', 'HELD_BUCKET_NAME');
    writer.node.addDependency(database.ready);

    const { query, signals } = new MerchandisingApi(this, 'Answers', {
      stage,
      key,
      directory: `serve/merchandising/${database.directory}/query`,
      ...network,
    });
    database.letRead(query);
    query.node.addDependency(database.ready);

    const comparison = new MerchandisingComparison(this, 'Comparison', {
      stage,
      key,
      directory: `serve/merchandising/${database.directory}/compare`,
      ...network,
      lake,
    });
    database.letRead(comparison.compare);
    database.letWrite(comparison.compare);
    comparison.node.addDependency(database.ready);

    this.signals = [
      ...writer.signals,
      ...signals,
      ...comparison.signals,
      ...database.signals,
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
