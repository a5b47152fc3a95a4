import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { type Rig, startRig } from '../engine-rig';
import { changesEvent, Source } from './badges-apply-source';
import { apply, day, prepare } from './badges-apply-tables';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await prepare(rig);
});
afterEach(() => rig.close());

test('costs: a change of stock takes a write unit in each table, and 25 share a call', async () => {
  const source = new Source();
  const change = (on_hand: number) => {
    for (let index = 0; index < 500; index++)
      source.put('inventory', 'stock', { sku: `SKU-${index}`, location: 'fc-1', on_hand, reserved: 0 });
    return changesEvent(source.take());
  };
  const container = apply(rig);
  source.beat(heartbeatSlots);
  await container.invoke(changesEvent(source.take()));
  await container.invoke(change(1));
  const event = change(2);
  rig.forget();

  await container.invoke(event);

  expect(rig.calls()).toEqual({
    // States, beats and the epochs that may have begun, 100 a call: a batch without beats moves none.
    'dynamodb:BatchGetItem': 5 + 1,
    'dynamodb:BatchExecuteStatement': 2 * 20,
    // All of the batch's history.
    'firehose:PutRecordBatch': 1,
  });
  expect(rig.billed()['state:write']).toBe(500);
  expect(rig.billed()['online:write']).toBe(500);
});

test('costs: orders share transactions with the counts of their centres', async () => {
  const source = new Source();
  for (let index = 0; index < 500; index++)
    source.put('orders', 'orders', {
      order_id: `o-${index}`,
      fc_id: `fc-${index % 5}`,
      promised_date: day(1),
      status: 'open',
    });
  const container = apply(rig);
  await container.invoke(changesEvent([]));
  rig.forget();

  await container.invoke(changesEvent(source.take()));

  // The six that 95 orders and 5 centres make, one for the mark of the load; and a look at each centre, once a day.
  expect(rig.calls()['dynamodb:TransactWriteItems']).toBe(6 + 1);
  expect(rig.calls()['dynamodb:UpdateItem']).toBe(5);
  expect(rig.billed()['online:write']).toBeLessThan(2 * 5 * 6 + 5 + 10);
});
