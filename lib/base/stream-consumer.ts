import { Duration } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnStreamConsumer, type Stream } from 'aws-cdk-lib/aws-kinesis';
import { CfnEventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { NodeFunction, type NodeFunctionProps } from './node-function';
import type { Signal } from './signal';

/** How a function reads a stream, of whichever kind. */
export interface EventSourceProps {
  /** Keeps the records of batches that are given up. */
  readonly heldBucket: Bucket;
  readonly batchSize: number;
  /** How long records may gather before an invocation: fewer, fuller calls. */
  readonly batchingWindow: Duration;
  /** PascalCase name of the reader in signals, for example `Dedup`. */
  readonly reader: string;
  /** What the business loses while this consumer is behind. Printed on its alarms. */
  readonly impact: string;
}

export interface StreamConsumerProps extends NodeFunctionProps, EventSourceProps {
  /** The stream to read, from the oldest record it still holds: no reader misses the first sale. */
  readonly stream: Stream;
  /** A pipe of its own instead of the shard's shared 2 MB/s. */
  readonly enhancedFanOut: boolean;
}

/**
 * A function that reads a Kinesis stream in shard order, at least once, and says so when it lags or gives up. A batch that
 * fails is tried again, halved, until three quarters of the stream's retention are over; then it goes, records and all, to
 * the held bucket, from where `redrive` sends it again under its original positions.
 */
export class StreamConsumer extends Construct {
  readonly consumer: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: StreamConsumerProps) {
    super(scope, id);
    const { stage, stream, enhancedFanOut, reader } = props;
    this.consumer = new NodeFunction(this, 'Consumer', props);

    let source = stream.streamArn;
    if (enhancedFanOut) {
      const pipe = new CfnStreamConsumer(this, 'Pipe', { consumerName: reader, streamArn: stream.streamArn });
      source = pipe.attrConsumerArn;
      this.consumer.allow(['kinesis:SubscribeToShard', 'kinesis:DescribeStreamConsumer'], [source]);
    }
    this.consumer.allow(
      [
        'kinesis:DescribeStream',
        'kinesis:DescribeStreamSummary',
        'kinesis:GetRecords',
        'kinesis:GetShardIterator',
        'kinesis:ListShards',
      ],
      [stream.streamArn],
    );
    if (stream.encryptionKey !== undefined)
      this.consumer.usesKeyThrough('kinesis', stream.encryptionKey, ['kms:Decrypt']);
    this.signals = eventSource(this, this.consumer, source, stage.streams.retentionHours, props);
  }
}

/**
 * Has a function read a stream from its oldest record on, in the order of each shard, within `scope`; answers what to watch.
 * That the function's role may read the stream is for the caller to say.
 */
export function eventSource(
  scope: Construct,
  consumer: NodeFunction,
  eventSourceArn: string,
  retentionHours: number,
  { heldBucket, batchSize, batchingWindow, reader, impact }: EventSourceProps,
): Signal[] {
  consumer.allow(['s3:PutObject'], [heldBucket.arnForObjects('aws/lambda/*')]);
  consumer.allow(['s3:ListBucket'], [heldBucket.bucketArn]);
  if (heldBucket.encryptionKey !== undefined)
    consumer.usesKeyThrough('s3', heldBucket.encryptionKey, ['kms:GenerateDataKey']);

  const mapping = new CfnEventSourceMapping(scope, 'Source', {
    functionName: consumer.function.functionName,
    eventSourceArn,
    startingPosition: 'TRIM_HORIZON',
    batchSize,
    maximumBatchingWindowInSeconds: batchingWindow.toSeconds(),
    // One batch at a time per shard: a lane per shard, and order within it.
    parallelizationFactor: 1,
    bisectBatchOnFunctionError: true,
    functionResponseTypes: ['ReportBatchItemFailures'],
    // No retry limit: an outage delays records, it must not skip them. What is stuck until nearly the end of the
    // stream's retention is held aloud rather than expiring in silence.
    maximumRetryAttempts: -1,
    maximumRecordAgeInSeconds: retentionHours * 3_600 * 0.75,
    metricsConfig: { metrics: ['EventCount'] },
    destinationConfig: { onFailure: { destination: heldBucket.bucketArn } },
  });
  mapping.node.addDependency(consumer.role);

  return [
    {
      name: `${reader}Lag`,
      metric: consumer.function.metric('IteratorAge', { statistic: Stats.MAXIMUM, period: Duration.minutes(1) }),
      threshold: 60_000,
      periods: 3,
      impact,
    },
    {
      name: `${reader}Errors`,
      metric: consumer.function.metricErrors({ period: Duration.minutes(5) }),
      threshold: 0,
      periods: 3,
      impact,
    },
    {
      name: `${reader}Throttles`,
      metric: consumer.function.metricThrottles({ period: Duration.minutes(5) }),
      threshold: 0,
      periods: 3,
      impact,
    },
    {
      name: `${reader}GaveUp`,
      metric: new Metric({
        namespace: 'AWS/Lambda',
        metricName: 'OnFailureDestinationDeliveredEventCount',
        dimensionsMap: { EventSourceMappingUUID: mapping.ref },
        statistic: Stats.SUM,
        period: Duration.minutes(5),
      }),
      threshold: 0,
      periods: 1,
      impact: `${impact}; records wait in the held bucket for redrive`,
    },
    {
      name: `${reader}Held`,
      metric: businessMetric(consumer, 'Held'),
      threshold: 0,
      periods: 1,
      impact: `${impact}; records wait in the held bucket for redrive`,
    },
  ];
}

/** A metric that a function counts by `countMetrics`. */
export function businessMetric(source: NodeFunction, metricName: string): Metric {
  return new Metric({
    namespace: 'Tillstream',
    metricName,
    dimensionsMap: { FunctionName: source.function.functionName },
    statistic: Stats.SUM,
    period: Duration.minutes(5),
  });
}
