import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { heldBucket } from '../base/private-bucket';
import { everyMinute } from '../base/schedules';
import type { Signal } from '../base/signal';
import { stream } from '../base/stream';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import { table } from '../base/table';
import { claimDays, type Stage } from '../stages';

export interface RefineStackProps extends StackProps {
  readonly stage: Stage;
  /** Tokenized sales as the door took them: may hold repeats. */
  readonly salesIngest: Stream;
}

/** Each sale once: claims it for the record that came first, and hands that record over to the `sales` stream. */
export class RefineStack extends Stack {
  /** Every sale, at least once: readers go by the sale's key. */
  readonly sales: Stream;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, salesIngest, ...props }: RefineStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream refine' });
    this.sales = stream(this, 'Sales', { stage, key });
    const claims = table(this, 'Claims', { stage, key, partitionKey: 'id', expiry: 'expiresAt' });
    const held = heldBucket(this, 'Held', { stage, key });

    const { consumer, signals } = new StreamConsumer(this, 'Dedup', {
      stage,
      directory: 'refine/dedup',
      description: 'Hands each sale over once',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      stream: salesIngest,
      heldBucket: held,
      // Twenty calls of 25 claims: more would make a batch that fails costly, fewer would leave calls half full.
      batchSize: 500,
      batchingWindow: Duration.seconds(1),
      // The only reader of its stream has the shards' whole 2 MB/s.
      enhancedFanOut: false,
      reader: 'Dedup',
      impact: 'sales that were accepted are in no store yet',
    });
    consumer
      .uses(claims, 'CLAIMS_TABLE_NAME', ['PartiQLInsert', 'BatchGetItem'])
      .environment('CLAIM_DAYS', String(claimDays(stage)))
      .writes(this.sales, 'SALES_STREAM_NAME')
      .allow(['kinesis:ListShards'], [this.sales.streamArn])
      .holdsIn(held, 'held', 'HELD_BUCKET_NAME')
      .holdsIn(held, 'conflicts', 'HELD_BUCKET_NAME');

    const beat = new NodeFunction(this, 'Beat', {
      stage,
      directory: 'refine/beat',
      description: 'Marks the streams of sales, so that a reader knows how far it has come',
      key,
      timeout: Duration.seconds(50),
      memoryMebibytes: 256,
    }).writes(salesIngest, 'SALES_INGEST_STREAM_NAME');
    everyMinute(this, 'BeatSchedule', {
      description: 'Marks the streams of sales',
      target: beat,
      input: '{}',
      after: [],
    });

    this.signals = [
      ...signals,
      {
        name: 'SalesBeatErrors',
        metric: beat.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 3,
        impact: 'stock is taken to be older than it is',
      },
      {
        name: 'DedupConflicts',
        metric: businessMetric(consumer, 'Conflicts'),
        threshold: 0,
        periods: 1,
        impact: 'a till sent two different sales under one transaction id; the second waits in the held bucket',
      },
    ];
  }
}
