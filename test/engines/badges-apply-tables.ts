import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import type { Rig } from '../engine-rig';
import { type HistoryLake, historyStreamName, openHistoryLake } from './badge-history-lake';
import { changesEvent, epochStart, type Source } from './badges-apply-source';

const environment = {
  STATE_TABLE_NAME: 'state',
  ONLINE_TABLE_NAME: 'online',
  EPOCHS_TABLE_NAME: 'epochs',
  HELD_BUCKET_NAME: 'held',
  TOMBSTONE_DAYS: '30',
  HISTORY_STREAM_NAME: historyStreamName,
};
export const policy = { version: '1', maximumAgeSeconds: 300, safetyStock: 0, capacityShare: 1 };

export const apply = (rig: Rig) =>
  rig.container('../lambdas/serve/badges/apply/handler', { ...environment, BADGE_POLICY: JSON.stringify(policy) });
export const sweep = (rig: Rig) => rig.container('../lambdas/serve/badges/sweep/handler', environment);

/** Tables, bucket and lake, empty, with epoch 1 of both databases. */
export async function prepare(rig: Rig): Promise<HistoryLake> {
  const { engines } = rig;
  const lake = await openHistoryLake(rig);
  const tables: [string, [string, string][]][] = [
    [
      'state',
      [
        ['pk', 'S'],
        ['sk', 'S'],
      ],
    ],
    ['online', [['pk', 'S']]],
    [
      'epochs',
      [
        ['database', 'S'],
        ['epoch', 'N'],
      ],
    ],
  ];
  for (const [TableName, keys] of tables)
    await engines.dynamodb.call('CreateTable', {
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
      KeySchema: keys.map(([AttributeName], index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
    });
  await engines.s3.call('CreateBucket', { Bucket: 'held' });
  await startEpoch(rig, 1);
  return lake;
}

export async function startEpoch({ engines }: Rig, epoch: number, { isLoaded = false } = {}): Promise<void> {
  for (const database of ['inventory', 'orders'])
    await engines.dynamodb.call('PutItem', {
      TableName: 'epochs',
      Item: {
        database: { S: database },
        epoch: { N: String(epoch) },
        startedAt: { S: new Date(epochStart(epoch)).toISOString() },
        ...(isLoaded ? { loadedAt: { S: new Date(epochStart(epoch) + 5_000).toISOString() } } : {}),
      },
    });
}

/** Has DMS say that the load is complete, beats all slots after it, applies the beats and sweeps. */
export async function finishLoad(rig: Rig, source: Source, epoch: number): Promise<void> {
  await startEpoch(rig, epoch, { isLoaded: true });
  source.take();
  source.beat(heartbeatSlots);
  await apply(rig).invoke(
    changesEvent(
      source.take().map((record) => ({ ...record, arrivedAt: Date.now() })),
      { firstSequence: 900_000 },
    ),
  );
  await sweep(rig).invoke({});
}

const plain = (attribute: any): any =>
  attribute?.N !== undefined
    ? Number(attribute.N)
    : attribute?.M !== undefined
      ? Object.fromEntries(Object.entries(attribute.M).map(([name, value]) => [name, plain(value)]))
      : (attribute?.S ?? attribute?.BOOL ?? null);

/** An online item without what is null. */
export async function item({ engines }: Rig, pk: string): Promise<Record<string, any> | undefined> {
  const { Item } = await engines.dynamodb.call('GetItem', { TableName: 'online', Key: { pk: { S: pk } } });
  return Item && withoutNull(plain({ M: Item }));
}

const withoutNull = (values: Record<string, any>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

type Served = Record<string, Record<string, unknown>>;

/** What lookups would see: features and counts, without items that say nothing, or no more. */
export async function served({ engines }: Rig): Promise<Served> {
  const { Items } = await engines.dynamodb.call('Scan', { TableName: 'online' });
  const found: Served = {};
  for (const attributes of Items) {
    const {
      pk,
      position: _,
      committedAt: __,
      stockEnds: ___,
      stockEndsAt: ____,
      countsVersion: _____,
      expiresAt,
      promised = {},
      ...features
    } = withoutNull(plain({ M: attributes }));
    if (pk.startsWith('beats#')) continue;
    const counts = Object.entries(promised).filter(([, count]) => count !== 0);
    const all = { ...features, ...(counts.length > 0 ? { promised: Object.fromEntries(counts) } : {}) };
    if (Object.keys(all).length > 0) found[pk] = expiresAt === undefined ? all : { ...all, expires: true };
  }
  return found;
}

/** What they should see, computed from the sources' rows alone. Stock of discontinued SKUs may be there or not. */
export function expected(source: Source): Served {
  const found: Served = {};
  for (const row of source.of('inventory', 'skus'))
    found[`sku#${row.sku}`] = withoutNull({
      status: row.status,
      category: row.category,
      safetyStock: row.safety_stock,
      reorderPoint: row.reorder_point,
    });
  for (const row of source.of('inventory', 'stock'))
    found[`stock#${row.sku}#${row.location}`] = { onHand: row.on_hand, reserved: row.reserved };
  for (const row of source.of('inventory', 'fulfillment_centers'))
    found[`centre#${row.fc_id}`] = {
      dailyCapacity: row.daily_capacity,
      cutoff: String(row.cutoff).slice(0, 5),
      timeZone: row.time_zone,
    };
  for (const { fc_id, promised_date, status } of source.of('orders', 'orders')) {
    if (status === 'cancelled') continue;
    const centre: Record<string, any> = found[`centre#${fc_id}`] ?? {};
    found[`centre#${fc_id}`] = {
      ...centre,
      promised: { ...centre.promised, [promised_date!]: (centre.promised?.[promised_date!] ?? 0) + 1 },
    };
  }
  return found;
}

/** Leaves open whether stock of SKUs that are not sold has an end. What is sold has none. */
export function comparable(found: Served, source: Source): Served {
  const sold = new Set(
    source
      .of('inventory', 'skus')
      .filter(({ status }) => status !== 'discontinued')
      .map(({ sku }) => sku),
  );
  return Object.fromEntries(
    Object.entries(found).map(([pk, { expires, ...features }]) => [
      pk,
      expires === true && sold.has(pk.split('#')[1]!) ? { ...features, expires } : features,
    ]),
  );
}

export const day = (ahead: number): string => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);
