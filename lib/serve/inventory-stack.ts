import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import { heldBucket } from '../base/private-bucket';
import type { Signal } from '../base/signal';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import { table } from '../base/table';
import type { Stage } from '../stages';

export interface InventoryStackProps extends StackProps {
  readonly stage: Stage;
  readonly sales: Stream;
}

const impact = 'units sold are not yet taken off the stock';

/** Units sold by item, place and ten minutes, each sale counted once. */
export class InventoryStack extends Stack {
  /** `item` (`<sku>#<location>`), `bucket` (`<ten minutes>#<lane>`), `units`, `lines`: sum the lanes. */
  readonly counters: TableV2;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, sales, ...props }: InventoryStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream inventory' });
    const claims = table(this, 'Claims', { stage, key, partitionKey: 'id', expiry: 'expiresAt' });
    // Without expiry: a bucket may go only once a stock count covers it.
    this.counters = table(this, 'Counters', { stage, key, partitionKey: 'item', sortKey: 'bucket' });
    const held = heldBucket(this, 'Held', { stage, key });

    const { consumer, signals } = new StreamConsumer(this, 'Count', {
      stage,
      directory: 'serve/inventory/count',
      description: 'Counts units sold by item, place and ten minutes',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      stream: sales,
      heldBucket: held,
      batchSize: 500,
      batchingWindow: Duration.seconds(1),
      enhancedFanOut: stage.streams.enhancedFanOut,
      reader: 'Inventory',
      impact,
    });
    consumer
      .uses(claims, 'CLAIMS_TABLE_NAME', ['PutItem'])
      .uses(this.counters, 'COUNTERS_TABLE_NAME', ['UpdateItem'])
      .environment('CLAIM_DAYS', String(readerClaimDays(stage)))
      .holdsIn(held, 'held', 'HELD_BUCKET_NAME');

    this.signals = [
      ...signals,
      {
        name: 'InventoryDelayed',
        metric: businessMetric(consumer, 'Delayed'),
        threshold: 0,
        periods: 3,
        impact: `${impact}: its tables are throttled or contended`,
      },
    ];
  }
}

/**
 * How long this reader's claim must live: a sale can come again as long as dedup can hand its record over again, and then
 * wait here as long, each time to the end of a stream's retention and of the time in which what is held may be redriven.
 */
function readerClaimDays(stage: Stage): number {
  return 2 * (Math.ceil(stage.streams.retentionHours / 24) + stage.redriveDays) + 1;
}
