import { crashPoints, kinesisEvent, type Rig, startRig } from './engine-rig';

const environment = { STREAM_NAME: 'copies', BUCKET_NAME: 'held' };
const copyFunction = './engine-rig/copy-function';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
});
beforeEach(async () => {
  await rig.engines.kinesis.call('CreateStream', { StreamName: 'copies', ShardCount: 1 });
  rig.forget();
});
afterEach(() => rig.engines.kinesis.call('DeleteStream', { StreamName: 'copies' }));
afterAll(() => rig.close());

async function copies(): Promise<string[]> {
  const { Shards } = await rig.engines.kinesis.call('ListShards', { StreamName: 'copies' });
  const { ShardIterator } = await rig.engines.kinesis.call('GetShardIterator', {
    StreamName: 'copies',
    ShardId: Shards[0].ShardId,
    ShardIteratorType: 'TRIM_HORIZON',
  });
  const { Records } = await rig.engines.kinesis.call('GetRecords', { ShardIterator });
  return Records.map(({ Data }: { Data: string }) => Buffer.from(Data, 'base64').toString());
}

test('a handler runs against the engines, and its calls, lines and metrics are seen', async () => {
  const container = rig.container(copyFunction, environment);

  const answer = await container.invoke(kinesisEvent(['a', 'bad', 'b']));

  expect(answer).toEqual({ batchItemFailures: [] });
  expect(await copies()).toEqual(['a', 'b']);
  expect(rig.calls()).toEqual({ 's3:PutObject': 1, 'kinesis:PutRecords': 1 });
  expect(container.metric('Copied')).toBe(2);
  const { Contents } = await rig.engines.s3.call('ListObjectsV2', { Bucket: 'held' });
  expect(Contents).toHaveLength(1);
});

test('each container has module state of its own, and keeps it between invocations', async () => {
  const first = rig.container(copyFunction, environment);
  const second = rig.container(copyFunction, environment);

  await first.invoke(kinesisEvent(['a']));
  await first.invoke(kinesisEvent(['b']));
  await second.invoke(kinesisEvent(['c']));

  expect(first.metric('Invocations')).toBe(1 + 2);
  expect(second.metric('Invocations')).toBe(1);
});

test('a missing variable stops the first invocation', async () => {
  const container = rig.container(copyFunction, { STREAM_NAME: 'copies' });

  await expect(container.invoke(kinesisEvent(['a']))).rejects.toThrow('environment variable BUCKET_NAME is missing');
});

test.each([
  { when: 'before' as const, copied: [] },
  { when: 'after' as const, copied: ['a'] },
])('a container killed $when its call leaves what was executed, and no retry', async ({ when, copied }) => {
  rig.crash({ operation: 'kinesis:PutRecords', when });
  const container = rig.container(copyFunction, environment);

  await expect(container.invoke(kinesisEvent(['a']))).rejects.toThrow(`killed ${when} call 1 of kinesis:PutRecords`);

  await rig.container(copyFunction, environment).invoke(kinesisEvent(['b']));
  await expect(container.invoke(kinesisEvent(['c']))).rejects.toThrow('the container has crashed');
  expect(await copies()).toEqual([...copied, 'b']);
  expect(rig.calls()).toEqual({ 'kinesis:PutRecords': 2 });
});

test('a call that is throttled once is retried by the client', async () => {
  rig.throttle({ operation: 'kinesis:PutRecords' });
  const container = rig.container(copyFunction, environment);

  const answer = await container.invoke(kinesisEvent(['a']));

  expect(answer).toEqual({ batchItemFailures: [] });
  expect(await copies()).toEqual(['a']);
  expect(rig.calls()).toEqual({ 'kinesis:PutRecords': 2 });
});

test('one record of a call is throttled while the rest goes through', async () => {
  rig.throttle({ operation: 'kinesis:PutRecords', statement: 1 });
  const container = rig.container(copyFunction, environment);

  await container.invoke(kinesisEvent(['a', 'b', 'c']));

  expect(await copies()).toEqual(['a', 'c', 'b']);
});

test('code can stand between a call and its engine', async () => {
  rig.intercept({ operation: 'kinesis:PutRecords' }, async (input, proceed) =>
    proceed({ ...input, Records: [...input.Records, ...input.Records] }),
  );

  await rig.container(copyFunction, environment).invoke(kinesisEvent(['a']));

  expect(await copies()).toEqual(['a', 'a']);
});

test('the crash points of a run are before and after each of its calls', () => {
  const points = crashPoints({ 'kinesis:PutRecords': 2 });

  expect(points).toHaveLength(4);
  expect(points).toContainEqual({ operation: 'kinesis:PutRecords', call: 2, when: 'after' });
});

test('records of an event keep their positions, longer than a number can hold', () => {
  const [first, second] = kinesisEvent(['a', { b: 1 }], { shard: 3, firstSequence: 7 }).Records;

  expect(first!.eventID).toBe(`shardId-000000000003:${first!.kinesis.sequenceNumber}`);
  expect(BigInt(second!.kinesis.sequenceNumber) - BigInt(first!.kinesis.sequenceNumber)).toBe(1n);
  expect(Buffer.from(second!.kinesis.data, 'base64').toString()).toBe('{"b":1}');
});
