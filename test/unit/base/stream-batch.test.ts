import { failFrom, readBatch, shardOf } from '../../../lambdas/base/runtime/stream-batch';
import { kinesisEvent } from '../../engine-rig';

const event = kinesisEvent(['first', { second: 'é' }, 'third'], { shard: 3, firstSequence: 7 });
const [one, two, three] = readBatch(event) as [any, any, any];

test('records are decoded in the order of their shard', () => {
  expect(readBatch(event).map(({ text }) => text)).toEqual(['first', '{"second":"é"}', 'third']);
  expect(one.position).toBe(`shardId-000000000003:${one.sequenceNumber}`);
  expect(one.original).toBe(event.Records[0]);
});

test('the shard is that of the batch; an empty batch has none', () => {
  expect([shardOf(event), shardOf({ Records: [] })]).toEqual(['shardId-000000000003', 'empty']);
});

test('delivery goes on from the first record that failed, whatever the order in which they did', () => {
  expect(failFrom([three, two], [one, two, three])).toEqual({
    batchItemFailures: [{ itemIdentifier: two.sequenceNumber }],
  });
});

test('when nothing failed, nothing is delivered again', () => {
  expect(failFrom([], [one, two, three])).toEqual({ batchItemFailures: [] });
});
