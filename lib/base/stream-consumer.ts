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
  /** Keeps the records of batches that are given up. */
  readonly heldBucket: Bucket;
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
    const { batchSize, batchingWindow, impact, heldBucket } = props;
    this.signals = eventSource(this, this.consumer, source, {
      ...{ batchSize, batchingWindow, reader, impact, heldBucket },
      // What is stuck until nearly the end of the stream's retention is held aloud rather than expiring in silence.
      patience: Duration.hours(stage.streams.retentionHours * 0.75),
    });
  }
}

export interface EventSourceOptions extends EventSourceProps {
  /** How long a batch that fails is tried again. No retry limit: an outage delays records, it must not skip them. */
  readonly patience: Duration;
  /** Where the records of a batch go that is given up; without one they are gone, as far as the stream goes. */
  readonly heldBucket?: Bucket;
}

/**
 * Has a function read a stream from its oldest record on, in the order of each shard, within `scope`; answers what to watch.
 * That the function's role may read the stream is for the caller to say.
 */
export function eventSource(
  scope: Construct,
  consumer: NodeFunction,
  eventSourceArn: string,
  { batchSize, batchingWindow, patience, heldBucket, reader, impact }: EventSourceOptions,
): Signal[] {
  if (heldBucket !== undefined) {
    consumer.allow(['s3:PutObject'], [heldBucket.arnForObjects('aws/lambda/*')]);
    consumer.allow(['s3:ListBucket'], [heldBucket.bucketArn]);
    if (heldBucket.encryptionKey !== undefined)
      consumer.usesKeyThrough('s3', heldBucket.encryptionKey, ['kms:GenerateDataKey']);
  }

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
    maximumRetryAttempts: -1,
    maximumRecordAgeInSeconds: patience.toSeconds(),
    metricsConfig: { metrics: ['EventCount'] },
    ...(heldBucket === undefined ? {} : { destinationConfig: { onFailure: { destination: heldBucket.bucketArn } } }),
  });
  mapping.node.addDependency(consumer.role);

  const signals: Signal[] = [
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
  ];
  if (heldBucket === undefined) return signals;
  return [
    ...signals,
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
