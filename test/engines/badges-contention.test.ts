import { BatchExecuteStatementCommand, DynamoDBClient, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { ChangeApplier } from '../../lambdas/serve/badges/change-applier';
import { OnlineTable } from '../../lambdas/serve/badges/online-table';
import type { RowChanges } from '../../lambdas/serve/badges/row-applier';
import { StateTable } from '../../lambdas/serve/badges/state-table';
import { eventually } from '../contract/endpoint';
import { type Rig, startRig } from '../engine-rig';
import { aroundCalls } from '../engine-rig/around-calls';
import { day, item, prepare } from './badges-apply-tables';

/*
 * Two containers that are at work on the same items at once, as two shards are: what one of them read has been passed by
 * the other when it writes.
 */

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await prepare(rig);
});
afterEach(() => rig.close());

function container(dynamoDb = new DynamoDBClient(rig.client)) {
  const state = new StateTable(dynamoDb, { tableName: 'state', tombstoneDays: 30 });
  const online = new OnlineTable(dynamoDb, 'online');
  return { state, online, applier: new ChangeApplier(state, online) };
}

const positionAt = (place: number) => `000001:${String(place).padStart(16, '0')}:0000000001`;
const replaced = (table: string, key: readonly string[], place: number, row: RowChanges['changes'][0]['row']) => ({
  table,
  key,
  changes: [{ position: positionAt(place), effect: 'replace' as const, row }],
});
const order = (order_id: string) =>
  replaced('orders.orders', [order_id], 1, { order_id, fc_id: 'fc-1', status: 'open', promised_date: day(1) });
const stock = replaced('inventory.stock', ['A', 'fc-1'], 1, {
  ...{ sku: 'A', location: 'fc-1', on_hand: 10, reserved: 0, updated_at: null },
});
const sku = (status: string, place: number) =>
  replaced('inventory.skus', ['A'], place, {
    sku: 'A',
    ...{ status, category: 'kitchen', reorder_point: 5, safety_stock: 2 },
  });

test('whoever loses the counts of a centre again and again still gets its turn', async () => {
  const other = container();
  let others = 0;
  let refused = 0;
  // The other commits right after each refusal, so what the refusal told is outdated when it arrives.
  const dynamoDb = aroundCalls(rig.client, async (commandName, send) => {
    try {
      return await send();
    } catch (error) {
      if (commandName === TransactWriteItemsCommand.name) {
        refused += 1;
        await other.applier.apply([order(`other-${others++}`)]);
      }
      throw error;
    }
  });
  const loser = container(dynamoDb);
  await loser.applier.apply([order('own-1')]);
  await other.applier.apply([order(`other-${others++}`)]);

  await loser.applier.apply([order('own-2')]);

  // Not at once, and not never.
  expect(refused).toBeGreaterThan(2);
  expect(refused).toBeLessThan(8);
  expect((await item(rig, 'centre#fc-1'))!.promised).toEqual({ [day(1)]: 2 + others });
});

test('stock of a batch is served while the counts of its orders are still contended', async () => {
  const shown = () => item(rig, 'stock#A#fc-1');
  let isServed = false;
  const dynamoDb = aroundCalls(rig.client, async (commandName, send) => {
    if (commandName !== TransactWriteItemsCommand.name) return send();
    // It would never be, if it waited for the counts.
    await eventually(async () => expect(await shown()).toBeDefined(), 5);
    isServed = true;
    return send();
  });

  await container(dynamoDb).applier.apply([order('o-1'), stock]);

  expect(isServed).toBe(true);
  expect((await item(rig, 'centre#fc-1'))!.promised).toEqual({ [day(1)]: 1 });
});

test.each(['active', 'discontinued'])(
  'a SKU that another brings on between state and item stays there (%s)',
  async (status) => {
    const other = container();
    let isFirst = true;
    const dynamoDb = aroundCalls(rig.client, async (commandName, send) => {
      const answer = await send();
      if (commandName === BatchExecuteStatementCommand.name && isFirst) {
        isFirst = false;
        await other.applier.apply([sku('paused', 3)]);
      }
      return answer;
    });
    await other.applier.apply([sku('active', 1)]);
    const { applier, state, online } = container(dynamoDb);
    const stored = await state.read([{ table: 'inventory.skus', key: ['A'] }]);

    const { history } = await applier.apply([sku(status, 2)], { stored, online: await online.read(['sku#A']) });

    expect(await item(rig, 'sku#A')).toMatchObject({ status: 'paused', position: positionAt(3) });
    // It may have been served, by whoever came between; nobody saw since when.
    expect(history).toMatchObject([{ position: positionAt(2) }]);
    expect(history[0]!.readable_at).toBeUndefined();
  },
);

test('an item that is ahead of what was read of its row is not set back', async () => {
  const [one, other] = [container(), container()];
  await one.applier.apply([sku('active', 2)]);
  const stored = await one.state.read([{ table: 'inventory.skus', key: ['A'] }]);
  await other.applier.apply([sku('paused', 3)]);

  await one.applier.apply([sku('active', 2)], { stored, online: await one.online.read(['sku#A']) });

  expect(await item(rig, 'sku#A')).toMatchObject({ status: 'paused', position: positionAt(3) });
});

test('a count that was read with the batch is right at once, whoever counted before', async () => {
  const [one, other] = [container(), container()];
  await one.applier.apply([order('o-1')]);
  await other.applier.apply([order('o-2')]);
  const online = await one.online.read(['centre#fc-1']);
  rig.forget();

  await one.applier.apply([order('o-3')], { stored: new Map(), online });

  expect(rig.calls()).toEqual({ 'dynamodb:TransactWriteItems': 1 });
  expect((await item(rig, 'centre#fc-1'))!.promised).toEqual({ [day(1)]: 3 });
});

test('whoever discontinues a SKU once more gives its stock the end that another was killed before', async () => {
  const dynamoDb = aroundCalls(rig.client, async (commandName, send) => {
    if (commandName === TransactWriteItemsCommand.name) throw new Error('killed');
    return send();
  });
  const other = container();
  await other.applier.apply([stock, sku('active', 1)]);
  await expect(container(dynamoDb).applier.apply([sku('discontinued', 2)])).rejects.toThrow('killed');
  const { stockEndsAt } = (await item(rig, 'sku#A'))!;

  await other.applier.apply([sku('discontinued', 3)]);

  expect(await item(rig, 'sku#A')).toMatchObject({ position: positionAt(3), stockEndsAt });
  expect((await item(rig, 'stock#A#fc-1'))!.expiresAt).toBe(stockEndsAt);
});

describe('a SKU comes back after what another has done to it since its item was read', () => {
  test.each([
    ['active', 'active'],
    ['discontinued', 'active'],
    ['paused', 'paused'],
  ])('from %s, read before, to %s', async (before, after) => {
    const [one, other] = [container(), container()];
    await one.applier.apply([stock, sku(before, 1)]);
    const online = await one.online.read(['sku#A']);
    await other.applier.apply([sku('active', 2)]);
    await other.applier.apply([sku('discontinued', 3)]);
    expect((await item(rig, 'stock#A#fc-1'))!.expiresAt).toEqual(expect.any(Number));
    // State was read after the other had written it, the item before: one call of two tables is no transaction.
    const stored = await one.state.read([{ table: 'inventory.skus', key: ['A'] }]);

    await one.applier.apply([sku(after, 4)], { stored, online });

    expect(await item(rig, 'sku#A')).toMatchObject({ status: after, position: positionAt(4) });
    expect((await item(rig, 'stock#A#fc-1'))!.expiresAt ?? null).toBeNull();
  });

  test('and a straggler that read before it changes nothing', async () => {
    const [one, other] = [container(), container()];
    await one.applier.apply([stock, sku('active', 1)]);
    const online = await one.online.read(['sku#A']);
    const stored = await one.state.read([{ table: 'inventory.skus', key: ['A'] }]);
    await other.applier.apply([sku('active', 3)]);

    await one.applier.apply([sku('discontinued', 2)], { stored, online });

    expect(await item(rig, 'sku#A')).toMatchObject({ status: 'active', position: positionAt(3) });
    expect((await item(rig, 'stock#A#fc-1'))!.expiresAt ?? null).toBeNull();
  });
});
