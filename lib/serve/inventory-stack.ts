import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { StreamViewType, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import { eventBus } from '../base/event-bus';
import { NodeFunction } from '../base/node-function';
import { heldBucket } from '../base/private-bucket';
import { everyMinute } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric, StreamConsumer } from '../base/stream-consumer';
import { table } from '../base/table';
import { TableConsumer } from '../base/table-consumer';
import { claimDays, type Stage } from '../stages';
import { tombstoneDays } from './badges-stack';
import { StockApi } from './stock-api';

export interface InventoryStackProps extends StackProps {
  readonly stage: Stage;
  readonly sales: Stream;
  /** Rows and changes of the source databases. */
  readonly changes: Stream;
  /** `database`, `epoch`, `startedAt`, and `loadedAt` once a load is complete. */
  readonly epochs: TableV2;
}

const countImpact = 'units sold are not yet taken off the stock, and stock says that it is old';
const applyImpact = 'stock and reorder points are older than they could be, and say so';
const triggersImpact = 'supply chain hears late of reorder points that were reached; none is lost';

/**
 * The stock position of each item at each location, from the inventory database's log and from the sales, each sale
 * counted once; and a trigger for each crossing of a reorder point.
 */
export class InventoryStack extends Stack {
  /** Items by `pk`: `stock#<sku>#<location>`, `sku#<sku>`, `location#<location>`, `beats#<feed>`. */
  readonly positions: TableV2;
  /** Where triggers are published: source `tillstream.inventory`, detail type `Stock Trigger`. */
  readonly triggers: EventBus;
  readonly api: StockApi;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: InventoryStackProps) {
    super(scope, id, props);
    const { stage, sales, changes, epochs } = props;
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream inventory' });
    const claims = table(this, 'Claims', { stage, key, partitionKey: 'id', expiry: 'expiresAt' });
    const state = table(this, 'State', { stage, key, partitionKey: 'pk', sortKey: 'sk', expiry: 'expiresAt' });
    // Without expiry: a version is never used twice, so no position may begin anew.
    this.positions = table(this, 'Positions', { stage, key, partitionKey: 'pk' });
    const outbox = table(this, 'Outbox', {
      ...{ stage, key, partitionKey: 'crossingId' },
      changes: StreamViewType.NEW_IMAGE,
    });
    const held = heldBucket(this, 'Held', { stage, key });
    this.triggers = eventBus(this, 'Triggers', {
      stage,
      key,
      name: 'Stock',
      description: 'Reorder points that were reached, stock that ran out or came back',
      archive: Duration.days(stage.redriveDays),
    });
    new CfnOutput(this, 'TriggerBus', { value: this.triggers.eventBusArn });

    const count = new StreamConsumer(this, 'Count', {
      stage,
      directory: 'serve/inventory/count',
      description: 'Counts units sold at the position of each item and location',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 512,
      stream: sales,
      heldBucket: held,
      batchSize: 500,
      // What gathers shares write units: one for a position, however many sales of the batch change it.
      batchingWindow: Duration.seconds(1),
      enhancedFanOut: stage.streams.enhancedFanOut,
      reader: 'Inventory',
      impact: countImpact,
    });
    const apply = new StreamConsumer(this, 'Apply', {
      stage,
      directory: 'serve/inventory/apply',
      description: "Brings positions to what the inventory database's changes say",
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 1_024,
      stream: changes,
      heldBucket: held,
      batchSize: 500,
      batchingWindow: Duration.seconds(1),
      enhancedFanOut: false,
      reader: 'Stock',
      impact: applyImpact,
    });
    const sweep = this.#sweep(stage, key, held);
    const publish = this.#publish(stage, key, outbox);
    const republish = this.#republish(stage, key, outbox);
    for (const fn of [publish.consumer, republish])
      fn.allow(['events:PutEvents'], [this.triggers.eventBusArn], {
        // One call has an entry, and so a source, per trigger; with none at all, ForAllValues would hold.
        'ForAllValues:StringEquals': { 'events:source': 'tillstream.inventory' },
        Null: { 'events:source': 'false' },
      }).environment('EVENT_BUS_NAME', this.triggers.eventBusName);

    count.consumer
      .uses(claims, 'CLAIMS_TABLE_NAME', ['PartiQLInsert', 'BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'])
      .environment('CLAIM_DAYS', String(readerClaimDays(stage)));
    // They look for what Lambda gave up; a reader of a stream may list the bucket in any case.
    for (const fn of [count.consumer, sweep]) fn.environment('RETENTION_HOURS', String(stage.streams.retentionHours));
    for (const consumer of [count.consumer, apply.consumer]) consumer.holdsIn(held, 'held', 'HELD_BUCKET_NAME');
    apply.consumer.readsGivenUp(held);
    for (const fn of [count.consumer, apply.consumer, sweep])
      fn.uses(this.positions, 'POSITIONS_TABLE_NAME', [
        ...['BatchGetItem', 'GetItem', 'PartiQLInsert', 'PartiQLUpdate', 'UpdateItem'],
      ])
        .uses(outbox, 'OUTBOX_TABLE_NAME', ['PutItem'])
        .environment('STOCK_POLICY', JSON.stringify(stage.stock.policy))
        .environment('HORIZON_DAYS', String(claimDays(stage)));
    // What is held is registered there.
    count.consumer.uses(state, 'STATE_TABLE_NAME', ['Query', 'PutItem', 'DeleteItem']);
    for (const fn of [apply.consumer, sweep])
      fn.uses(state, 'STATE_TABLE_NAME', [
        ...['BatchGetItem', 'Query', 'PartiQLInsert', 'PartiQLUpdate', 'PutItem', 'DeleteItem'],
        ...(fn === sweep ? ['GetItem', 'Scan'] : []),
      ])
        .uses(epochs, 'EPOCHS_TABLE_NAME', fn === sweep ? ['Query'] : ['Query', 'BatchGetItem'])
        .environment('TOMBSTONE_DAYS', String(tombstoneDays(stage)));
    this.api = new StockApi(this, 'Api', { stage, key, positions: this.positions });

    this.signals = [
      ...count.signals,
      ...apply.signals,
      {
        name: 'StockAge',
        metric: businessMetric(sweep, 'StockAgeSeconds').with({
          statistic: Stats.MAXIMUM,
          period: Duration.minutes(1),
        }),
        threshold: stage.stock.policy.maximumAgeSeconds / 2,
        periods: 3,
        missing: 'bad',
        impact: 'soon every answer about stock is too old, and says so',
      },
      {
        name: 'StockSweepErrors',
        metric: sweep.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 3,
        impact: 'after a load, stock stays stale, and rows that are no more stay in it',
      },
      {
        name: 'TriggersLate',
        metric: businessMetric(republish, 'WaitedSeconds').with({
          statistic: Stats.MAXIMUM,
          period: Duration.minutes(1),
        }),
        threshold: 300,
        periods: 3,
        missing: 'bad',
        impact: triggersImpact,
      },
      ...publish.signals,
      ...this.api.signals,
    ];
  }

  #sweep(stage: Stage, key: Key, held: Bucket): NodeFunction {
    const sweep = new NodeFunction(this, 'Sweep', {
      stage,
      directory: 'serve/inventory/sweep',
      description: 'Sweeps stock that a load did not touch, and tells the age of positions',
      key,
      timeout: Duration.minutes(5),
      memoryMebibytes: 512,
    })
      .readsGivenUp(held)
      .environment('HELD_BUCKET_NAME', held.bucketName);
    everyMinute(this, 'SweepSchedule', {
      description: 'Sweeps after loads and tells the age of positions',
      target: sweep,
      input: '{}',
      after: [],
    });
    return sweep;
  }

  #publish(stage: Stage, key: Key, outbox: TableV2): TableConsumer {
    const publish = new TableConsumer(this, 'Publish', {
      stage,
      directory: 'serve/inventory/publish',
      description: 'Publishes triggers as they are committed to the outbox',
      key,
      timeout: Duration.minutes(1),
      memoryMebibytes: 512,
      table: outbox,
      batchSize: 100,
      batchingWindow: Duration.seconds(0),
      // What has not come through by then is published by the net beneath.
      patience: Duration.minutes(15),
      reader: 'Triggers',
      impact: triggersImpact,
    });
    publish.consumer.uses(outbox, 'OUTBOX_TABLE_NAME', ['BatchWriteItem']);
    return publish;
  }

  #republish(stage: Stage, key: Key, outbox: TableV2): NodeFunction {
    const republish = new NodeFunction(this, 'Republish', {
      stage,
      directory: 'serve/inventory/republish',
      description: 'Publishes triggers that have waited in the outbox for a minute',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 256,
    })
      .uses(outbox, 'OUTBOX_TABLE_NAME', ['Scan', 'BatchWriteItem'])
      .environment('OVERDUE_SECONDS', '60');
    everyMinute(this, 'RepublishSchedule', {
      description: 'Publishes triggers that have waited in the outbox for a minute',
      target: republish,
      input: '{}',
      after: [],
    });
    return republish;
  }
}

/**
 * How long this reader's claim must live: a sale can come again as long as dedup can hand its record over again, and then
 * wait here as long, each time to the end of a stream's retention and of the time in which what is held may be redriven.
 */
function readerClaimDays(stage: Stage): number {
  return 2 * (Math.ceil(stage.streams.retentionHours / 24) + stage.redriveDays) + 1;
}
