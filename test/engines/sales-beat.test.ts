import { createHash } from 'node:crypto';
import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { beatPartitionKey, beatText, parseBeat } from '../../lambdas/base/domain/sales-beat';
import { type Container, type Rig, startRig } from '../engine-rig';

const shards = 4;
let rig: Rig;
let beat: Container;
beforeEach(async () => {
  rig = await startRig();
  await rig.engines.kinesis.call('CreateStream', { StreamName: 'sales-ingest', ShardCount: shards });
  beat = rig.container('../lambdas/refine/beat/handler', { SALES_INGEST_STREAM_NAME: 'sales-ingest' });
});
afterEach(() => rig.close());

/** What lies in each shard. */
async function textsByShard(): Promise<string[][]> {
  const { kinesis } = rig.engines;
  const { Shards } = await kinesis.call('ListShards', { StreamName: 'sales-ingest' });
  return Promise.all(
    Shards.map(async ({ ShardId }: { ShardId: string }) => {
      const start = { StreamName: 'sales-ingest', ShardId, ShardIteratorType: 'TRIM_HORIZON' };
      const { ShardIterator } = await kinesis.call('GetShardIterator', start);
      const { Records } = await kinesis.call('GetRecords', { ShardIterator });
      return Records.map(({ Data }: { Data: string }) => Buffer.from(Data, 'base64').toString());
    }),
  );
}

test('each slot falls into its own 64th of the hash range', () => {
  const met = heartbeatSlots.map((slot) => {
    const hash = createHash('md5').update(beatPartitionKey(slot)).digest('hex');
    return Number((BigInt(`0x${hash}`) * 64n) >> 128n);
  });

  expect(met).toEqual(heartbeatSlots.map((_, index) => index));
});

test('a beat is read as it was written, and nothing else is taken for one', () => {
  const written = { slot: 'beat-7', beatAt: '2026-11-28T10:00:00.000Z' };

  expect(parseBeat(beatText(written))).toEqual(written);
  for (const text of ['', '{"source":"pos-eu"}', '{"beat":', '{"beat":"beat-7"}', '{"beat":"beat-7","beatAt":"soon"}'])
    expect([text, parseBeat(text)]).toEqual([text, undefined]);
  expect(parseBeat('{"beat":"beat-7","beatAt":"2026-11-28T10:00:00.000Z","transactionId":"T-1"}')).toBeUndefined();
});

test('every shard gets the beats of its slots, all of one moment', async () => {
  const before = new Date().toISOString();

  await beat.invoke({});

  const texts = await textsByShard();
  expect(texts.map(({ length }) => length)).toEqual(Array(shards).fill(heartbeatSlots.length / shards));
  const beats = texts.flat().map((text) => parseBeat(text)!);
  expect(beats.map(({ slot }) => slot).sort()).toEqual([...heartbeatSlots].sort());
  const [moment, ...others] = new Set(beats.map(({ beatAt }) => beatAt));
  expect(others).toEqual([]);
  expect(moment! >= before && moment! <= new Date().toISOString()).toBe(true);
  expect([beat.metric('Beats'), beat.metric('BeatsRefused')]).toEqual([64, 0]);
});

test('a beat that a shard refuses is sent again', async () => {
  rig.throttle({ operation: 'kinesis:PutRecords', statement: 5 });

  await beat.invoke({});

  expect((await textsByShard()).flat()).toHaveLength(64);
  expect([beat.metric('Beats'), beat.metric('BeatsRefused')]).toEqual([64, 0]);
});

test('one that is refused to the end is counted, and holds up no other', async () => {
  // Of the second call on it is alone.
  rig.throttle({ operation: 'kinesis:PutRecords', call: 1, statement: 5 });
  for (const call of [2, 3]) rig.throttle({ operation: 'kinesis:PutRecords', call, statement: 0 });

  await beat.invoke({});

  expect((await textsByShard()).flat()).toHaveLength(63);
  expect([beat.metric('Beats'), beat.metric('BeatsRefused')]).toEqual([63, 1]);
});

test('a stream that takes nothing is an error, which has its alarm', async () => {
  await rig.engines.kinesis.call('DeleteStream', { StreamName: 'sales-ingest' });

  await expect(beat.invoke({})).rejects.toThrow();

  expect(beat.metric('Beats')).toBe(0);
});
