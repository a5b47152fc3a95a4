import type { EventBridgeEngine } from '../../local/engines/eventbridge';
import { crashPoints, type Rig, startRig } from '../engine-rig';
import { TableChanges, tableEvent } from '../engine-rig/table-changes';
import {
  environment,
  prepareInventory,
  publishContainer,
  republishContainer,
  stockBus,
  triggersOf,
} from './inventory-tables';

// From the outbox to the bus, on engines.
let rig: Rig;
let bus: EventBridgeEngine;
let outbox: TableChanges;
let due: string[];
beforeEach(async () => {
  rig = await startRig();
  await prepareInventory(rig, ['outbox']);
  bus = await stockBus(rig);
  outbox = new TableChanges(rig, 'outbox');
  due = Array.from({ length: 12 }, (_, index) => `SKU-${index}#store-1#2#reorder-point-reached`).sort();
  for (const crossingId of due) await put(crossingId, { crossingId, decidedAt: new Date().toISOString() });
  rig.forget();
});
afterEach(() => rig.close());

/** Puts a trigger down as the commit of a version does; of what it says, only the name and the time matter here. */
const put = (crossingId: string, trigger: object) =>
  rig.engines.dynamodb.call('PutItem', {
    TableName: 'outbox',
    Item: { crossingId: { S: crossingId }, trigger: { S: JSON.stringify(trigger) } },
  });

const arrived = () => bus.archived('all').map(({ detail }) => (detail as { crossingId: string }).crossingId);
const committed = async () => tableEvent(await outbox.take());
const waiting = async () => (await triggersOf(rig)).map(({ crossingId }) => crossingId).sort();

test('what is committed is published, once each, and taken out', async () => {
  const container = publishContainer(rig);

  expect(await container.invoke(await committed())).toEqual({ batchItemFailures: [] });

  expect(arrived().sort()).toEqual(due);
  expect(await waiting()).toEqual([]);
  expect(container.metric('Published')).toBe(12);
  expect(rig.calls()).toEqual({ 'events:PutEvents': 2, 'dynamodb:BatchWriteItem': 2 });
});

test('that something was taken out is no news', async () => {
  await publishContainer(rig).invoke(await committed());
  const removed = await committed();
  rig.forget();

  await publishContainer(rig).invoke(removed);

  expect(removed.Records.map(({ eventName }) => eventName)).toEqual(due.map(() => 'REMOVE'));
  expect(rig.calls()).toEqual({});
});

test.each(crashPoints({ 'events:PutEvents': 2, 'dynamodb:BatchWriteItem': 2 }))(
  'the publisher is killed $when call $call of $operation: the batch comes again, and all arrive under their ids',
  async (point) => {
    const event = await committed();
    rig.crash(point);

    await expect(publishContainer(rig).invoke(event)).rejects.toThrow('killed');
    await publishContainer(rig).invoke(event);

    expect([...new Set(arrived())].sort()).toEqual(due);
    expect(await waiting()).toEqual([]);
  },
);

test.each(crashPoints({ 'dynamodb:Scan': 1, 'events:PutEvents': 2, 'dynamodb:BatchWriteItem': 2 }))(
  'what the stream has lost is found beneath it, though that is killed $when call $call of $operation',
  async (point) => {
    rig.crash(point);

    await expect(republishContainer(rig).invoke({})).rejects.toThrow('killed');
    await republishContainer(rig).invoke({});

    expect([...new Set(arrived())].sort()).toEqual(due);
    expect(await waiting()).toEqual([]);
  },
);

test('one that the bus refuses holds up no other, and waits for the net', async () => {
  const event = await committed();
  rig.throttle({ operation: 'events:PutEvents', statement: 3 });
  const container = publishContainer(rig);

  await container.invoke(event);

  const [refused, ...others] = await waiting();
  expect(others).toEqual([]);
  expect(arrived().sort()).toEqual(due.filter((id) => id !== refused));
  expect(container.metric('Refused')).toBe(1);
  await republishContainer(rig).invoke({});
  expect(arrived().sort()).toEqual(due);
});

test('the net leaves to the publisher what is not overdue', async () => {
  const container = rig.container('../lambdas/serve/inventory/republish/handler', {
    ...environment,
    OVERDUE_SECONDS: '60',
  });

  await container.invoke({});

  expect(arrived()).toEqual([]);
  expect(await waiting()).toEqual(due);
  expect(container.metric('WaitedSeconds')).toBeLessThan(60);
});

test.each([
  ['no trigger', { decidedAt: { S: 'now' } }],
  ['no JSON', { trigger: { S: '{' } }],
  ['the trigger of another', { trigger: { S: '{"crossingId":"other","decidedAt":"2026-11-28T00:00:00Z"}' } }],
])('an item that holds %s stops nothing, stays, and is told of', async (_, attributes) => {
  const Item = { crossingId: { S: 'stranger' }, ...attributes };
  await rig.engines.dynamodb.call('PutItem', { TableName: 'outbox', Item });
  const [publisher, net] = [publishContainer(rig), republishContainer(rig)];

  await publisher.invoke(await committed());
  await net.invoke({});

  expect(arrived().sort()).toEqual(due);
  const { Items } = await rig.engines.dynamodb.call('Scan', { TableName: 'outbox' });
  expect(Items).toEqual([Item]);
  expect(publisher.metric('Unreadable')).toBe(1);
  // Longer than any alarm waits.
  expect(net.metric('WaitedSeconds')).toBeGreaterThan(300);
});
