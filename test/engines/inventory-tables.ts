import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { beatText } from '../../lambdas/base/domain/sales-beat';
import type { StockPolicy } from '../../lambdas/base/domain/stock-policy';
import type { Position } from '../../lambdas/serve/inventory/position';
import { positionOfItem } from '../../lambdas/serve/inventory/position-item';
import type { StockTrigger } from '../../lambdas/serve/inventory/stock-trigger';
import { type EventBridgeEngine, openEventBridge } from '../../local/engines/eventbridge';
import type { Rig } from '../engine-rig';

export const policy: StockPolicy = {
  locationKinds: [
    { name: 'store', locations: 'store-.*', onHand: 'without-sales', lagSeconds: 0 },
    { name: 'centre', locations: '.*', onHand: 'with-sales', lagSeconds: 300 },
  ],
  rearmShare: 0.1,
  maximumAgeSeconds: 300,
};

export const environment = {
  CLAIMS_TABLE_NAME: 'claims',
  POSITIONS_TABLE_NAME: 'positions',
  OUTBOX_TABLE_NAME: 'outbox',
  STATE_TABLE_NAME: 'state',
  EPOCHS_TABLE_NAME: 'epochs',
  EVENT_BUS_NAME: 'stock',
  OVERDUE_SECONDS: '0',
  HELD_BUCKET_NAME: 'held',
  STOCK_POLICY: JSON.stringify(policy),
  CLAIM_DAYS: '60',
  HORIZON_DAYS: '60',
  TOMBSTONE_DAYS: '30',
  RETENTION_HOURS: '24',
};

const inventoryFunction = (name: string) => (rig: Rig) =>
  rig.container(`../lambdas/serve/inventory/${name}/handler`, environment);
export const countContainer = inventoryFunction('count');
export const applyContainer = inventoryFunction('apply');
export const sweepContainer = inventoryFunction('sweep');
export const lookupContainer = inventoryFunction('lookup');
export const publishContainer = inventoryFunction('publish');
export const republishContainer = inventoryFunction('republish');

const tables: Readonly<Record<string, readonly (readonly [string, 'S' | 'N'])[]>> = {
  claims: [['id', 'S']],
  positions: [['pk', 'S']],
  outbox: [['crossingId', 'S']],
  state: [
    ['pk', 'S'],
    ['sk', 'S'],
  ],
  epochs: [
    ['database', 'S'],
    ['epoch', 'N'],
  ],
};

/** Tables and bucket, empty; those that are named have a stream. */
export async function prepareInventory({ engines }: Rig, streamed: readonly string[] = []): Promise<void> {
  for (const [TableName, keys] of Object.entries(tables))
    await engines.dynamodb.call('CreateTable', {
      TableName,
      ...(streamed.includes(TableName) && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
      }),
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
      KeySchema: keys.map(([AttributeName], index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
    });
  await engines.s3.call('CreateBucket', { Bucket: 'held' });
}

/** The bus, and an archive `all` of what arrives there. */
export async function stockBus(rig: Rig): Promise<EventBridgeEngine> {
  const bus = openEventBridge({ deliver: async () => {}, bury: async () => {} });
  rig.attach('events', bus);
  const { EventBusArn } = await bus.call('CreateEventBus', { Name: 'stock' });
  await bus.call('CreateArchive', { ArchiveName: 'all', EventSourceArn: EventBusArn, RetentionDays: 1 });
  return bus;
}

/** All positions, by the key of their item. */
export async function positionsOf({ engines }: Rig): Promise<Record<string, Position>> {
  const { Items } = await engines.dynamodb.call('Scan', { TableName: 'positions' });
  const found: Record<string, Position> = {};
  for (const item of Items) {
    // The engine speaks JSON, where bytes are text.
    const sold = item.sold === undefined ? {} : { sold: { B: Buffer.from(item.sold.B, 'base64') } };
    const position = positionOfItem({ ...item, ...sold });
    if (item.pk.S.startsWith('stock#') && position !== undefined) found[item.pk.S] = position;
  }
  return found;
}

/** What waits to be published. */
export async function triggersOf({ engines }: Rig): Promise<StockTrigger[]> {
  const { Items } = await engines.dynamodb.call('Scan', { TableName: 'outbox' });
  return Items.map(({ trigger }: any) => JSON.parse(trigger.S));
}

/** The records of a beat of the sales. */
export function salesBeats(at = Date.now()): string[] {
  return heartbeatSlots.map((slot) => beatText({ slot, beatAt: new Date(at).toISOString() }));
}
