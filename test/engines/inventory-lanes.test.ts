import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LanesTable } from '../../lambdas/serve/inventory/count/lanes-table';
import { kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { countContainer, positionsOf, prepareInventory } from './inventory-tables';

// A position that many shards sell from: which of their numbers it keeps, and that none is missed that it let go.
let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig);
  rig.forget();
});
afterEach(() => rig.close());

const sale = (name: string) =>
  aSale({ transactionId: name, lines: [{ line: 1, sku: 'HOT', quantity: 1, unitPrice: 1 }] });
const batch = (shard: number, ...names: string[]) => kinesisEvent(names.map(sale), { shard });
const position = async () => (await positionsOf(rig))['stock#HOT#store-042']!;
const lanes = async () => Object.keys((await position()).lanes).sort();
const all = ['0', '1', '2', '3', '4', '5', '6', '7', '8'];

/** A batch of each of nine shards. */
async function sellEverywhere(): Promise<void> {
  const container = countContainer(rig);
  for (const lane of all) await container.invoke(batch(Number(lane), `first-${lane}`));
}

/** Two hours go by for lanes: the clock that they note when they are done was earlier. */
async function twoHoursFor(...names: string[]): Promise<void> {
  for (const name of names)
    await rig.engines.dynamodb.call('UpdateItem', {
      TableName: 'claims',
      Key: { id: { S: `#lane#${name}` } },
      UpdateExpression: 'SET doneAt = doneAt - :hours',
      ExpressionAttributeValues: { ':hours': { N: '7200' } },
    });
}

test('as long as a lane may be counting, its number stays, however many there are', async () => {
  await sellEverywhere();
  const container = countContainer(rig);

  await container.invoke(batch(8, 'second'));
  await container.invoke(batch(8, 'third'));

  expect(await lanes()).toEqual(all);
  expect((await position()).units).toBe(11);
});

test('lanes that have rested for an hour go, and what they counted stays counted', async () => {
  await sellEverywhere();
  await twoHoursFor('0', '1', '2', '3', '4', '5');
  const container = countContainer(rig);

  // The first one asks, the next one knows.
  await container.invoke(batch(8, 'second'));
  await container.invoke(batch(8, 'third'));
  expect(await lanes()).toEqual(['6', '7', '8']);
  for (const lane of all) await countContainer(rig).invoke(batch(Number(lane), `first-${lane}`));

  expect((await position()).units).toBe(11);
});

test('a lane that wakes again counts on', async () => {
  await sellEverywhere();
  await twoHoursFor('0');
  const container = countContainer(rig);
  await container.invoke(batch(8, 'second'));
  await container.invoke(batch(8, 'third'));
  expect(await lanes()).toEqual(all.slice(1));

  await countContainer(rig).invoke(batch(0, 'first-0', 'new-0'));

  expect(await lanes()).toEqual(all);
  expect((await position()).units).toBe(12);
});

test('a lane whose pack was counted and not noted as done stays, and the pack is not counted again', async () => {
  await sellEverywhere();
  // Dies once the position has counted it.
  rig.crash({ operation: 'dynamodb:UpdateItem', call: 1, when: 'before' });
  await expect(countContainer(rig).invoke(batch(0, 'left'))).rejects.toThrow('killed');
  expect((await position()).units).toBe(10);
  await twoHoursFor('1');
  const container = countContainer(rig);
  await container.invoke(batch(8, 'second'));
  await container.invoke(batch(8, 'third'));
  expect(await lanes()).toEqual(['0', '2', '3', '4', '5', '6', '7', '8']);

  await countContainer(rig).invoke(batch(0, 'left', 'next'));

  expect((await position()).units).toBe(13);
});

test('of a lane that never rests, what was done an hour ago is settled, and no more', async () => {
  const table = new LanesTable(new DynamoDBClient(rig.client), { tableName: 'claims', packDays: 60 });
  const start = 1_795_000_000;
  const count = async (seconds: number) => {
    const begun = (await table.begin(await table.read('0'), [], start + seconds))!;
    expect((await table.settled(['0'], start + seconds)).get('0')!).toBeLessThan(begun.pack);
    await table.finish(begun, start + seconds);
    return begun.pack;
  };
  const settled = async (seconds: number) => (await table.settled(['0'], start + seconds)).get('0');

  const first = await count(0);
  const second = await count(1_800);
  expect(await settled(3_599)).toBe(0);
  const third = await count(3_601);
  expect(await settled(3_601)).toBe(0);
  await count(5_400);
  await count(7_203);

  // What had been done when the third began; the third itself was not.
  expect(await settled(7_203)).toBe(second);
  expect(second).toBeGreaterThan(first);
  expect(third).toBeGreaterThan(second);
});

test('a thousand sales of one position within a second, from two shards at once, cost it a few write units', async () => {
  const names = (shard: number) => Array.from({ length: 500 }, (_, index) => `${shard}-${index}`);

  await Promise.all([0, 1].map((shard) => countContainer(rig).invoke(batch(shard, ...names(shard)))));

  expect(await position()).toMatchObject({ version: 2, units: 1_000, lines: 1_000 });
  // Two versions, the attempt of whoever came second, and the location.
  expect(rig.billed()['positions:write']).toBeLessThanOrEqual(5);
});
