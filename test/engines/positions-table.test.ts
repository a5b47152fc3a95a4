import { DynamoDBClient, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { withImages } from '../../lambdas/serve/inventory/position';
import { type PositionChange, PositionsTable } from '../../lambdas/serve/inventory/positions-table';
import { type Rig, startRig } from '../engine-rig';
import { aroundCalls } from '../engine-rig/around-calls';
import { policy, positionsOf, prepareInventory, triggersOf } from './inventory-tables';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig);
});
afterEach(() => rig.close());

const positionsTable = (dynamoDb = new DynamoDBClient(rig.client)) =>
  new PositionsTable(dynamoDb, { tableName: 'positions', outboxTableName: 'outbox', policy, horizonDays: 60 });

const skus = Array.from({ length: 70 }, (_, index) => `SKU-${index}`);

/** The database says this of each SKU in `fc-1`, whose reorder point is 5. */
const counted = (onHand: number, place: number): PositionChange[] =>
  skus.map((sku) => ({
    sku,
    location: 'fc-1',
    cause: { change: 'database', records: [] },
    change: (before, at) =>
      withImages(
        before,
        {
          stock: {
            position: `000001:${String(place).padStart(16, '0')}:0000000001`,
            fills: 0,
            onHand,
            reserved: 0,
            countedAt: new Date(at.now).toISOString(),
            committedAt: new Date(at.now).toISOString(),
            deleted: false,
          },
          sku: { position: '000001:1', fills: 0, status: 'active', reorderPoint: 5, deleted: false },
        },
        at,
      ),
  }));
const crossed = async () => (await triggersOf(rig)).map(({ crossingId }) => crossingId).sort();
const crossings = (version: number) => skus.map((sku) => `${sku}#fc-1#${version}#reorder-point-reached`).sort();

test('versions that are crossings share transactions with their triggers', async () => {
  const table = positionsTable();
  await table.commit(counted(20, 1));
  rig.forget();

  expect(await table.commit(counted(4, 2))).toEqual({ versions: 70, crossings: 70 });

  expect(rig.calls()['dynamodb:TransactWriteItems']).toBe(3);
  expect(await crossed()).toEqual(crossings(2));
});

test('one that another has changed meanwhile holds up no other, and crosses by what it then is', async () => {
  const other = positionsTable();
  await other.commit(counted(20, 1));
  let passed = 0;
  const dynamoDb = aroundCalls(rig.client, async (commandName, send) => {
    // Before the first transaction: of the ten first, nothing is as it was read.
    if (commandName === TransactWriteItemsCommand.name && passed++ === 0)
      await other.commit(counted(19, 2).slice(0, 10));
    return send();
  });

  expect(await positionsTable(dynamoDb).commit(counted(4, 3))).toEqual({ versions: 70, crossings: 70 });

  const positions = await positionsOf(rig);
  const versions = skus.map((sku) => positions[`stock#${sku}#fc-1`]!.version);
  expect(versions).toEqual(skus.map((_, index) => (index < 10 ? 3 : 2)));
  const expected = skus.map((sku, index) => `${sku}#fc-1#${index < 10 ? 3 : 2}#reorder-point-reached`);
  expect(await crossed()).toEqual(expected.sort());
});
