import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type OutgoingRecord, writeRecords } from '../../../lambdas/base/runtime/stream-writer';
import { type Rig, startRig } from '../../engine-rig';
import { recordsOf } from '../../engine-rig/shard';

let rig: Rig;
let kinesis: KinesisClient;
beforeAll(async () => {
  rig = await startRig();
  kinesis = new KinesisClient({ ...rig.client, maxAttempts: 1, requestHandler: new NodeHttpHandler() });
});
afterAll(() => rig.close());

let streamName: string;
let streams = 0;
beforeEach(async () => {
  streamName = `stream-${++streams}`;
  await rig.engines.kinesis.call('CreateStream', {
    StreamName: streamName,
    StreamModeDetails: { StreamMode: 'ON_DEMAND' },
  });
  rig.forget();
});

const records = (count: number, bytes = 5): OutgoingRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    partitionKey: `key-${index}`,
    text: `${index}`.padEnd(bytes, '.'),
  }));
const written = async () => (await recordsOf(rig, streamName)).sort();
const texts = (all: readonly OutgoingRecord[]) => all.map(({ text }) => text).sort();

test('no records are no call', async () => {
  expect(await writeRecords(kinesis, streamName, [], 4)).toEqual(new Set());

  expect(rig.calls()).toEqual({});
});

test('calls hold at most 500 records', async () => {
  const all = records(1_001);

  await writeRecords(kinesis, streamName, all, 4);

  expect(rig.calls()).toEqual({ 'kinesis:PutRecords': 3 });
  expect(await written()).toEqual(texts(all));
});

test('calls hold at most 5 MiB', async () => {
  const sizes: number[] = [];
  for (let call = 1; call <= 3; call++)
    rig.intercept({ operation: 'kinesis:PutRecords', call }, async (input) => {
      sizes.push(input.Records.reduce((sum: number, { Data }: any) => sum + Buffer.from(Data, 'base64').length, 0));
      return { FailedRecordCount: 0, Records: [] };
    });

  await writeRecords(kinesis, streamName, records(26, 500_000), 4);

  expect(sizes).toEqual([5_000_000, 5_000_000, 3_000_000]);
});

test('a record that was refused is tried again, alone', async () => {
  const all = records(20);
  rig.throttle({ operation: 'kinesis:PutRecords', statement: 7 });
  let second: any;
  rig.intercept({ operation: 'kinesis:PutRecords', call: 2 }, (input, proceed) => {
    second = input;
    return proceed(input);
  });

  expect(await writeRecords(kinesis, streamName, all, 4)).toEqual(new Set());

  expect(second.Records.map(({ PartitionKey }: any) => PartitionKey)).toEqual(['key-7']);
  expect(await written()).toEqual(texts(all));
});

test('what is refused four times is named by its place, and the rest is written', async () => {
  const all = records(20);
  // The record is the eighth of twenty first, and then the only one.
  for (let call = 1; call <= 4; call++)
    rig.throttle({ operation: 'kinesis:PutRecords', call, statement: call === 1 ? 7 : 0 });

  expect(await writeRecords(kinesis, streamName, all, 4)).toEqual(new Set([7]));

  expect(rig.calls()).toEqual({ 'kinesis:PutRecords': 4 });
  expect(await written()).toEqual(texts(all.filter((_, index) => index !== 7)));
});

test('a place is that in all records, not in its call', async () => {
  const all = records(600);
  for (let call = 2; call <= 5; call++)
    rig.throttle({ operation: 'kinesis:PutRecords', call, statement: call === 2 ? 99 : 0 });

  expect(await writeRecords(kinesis, streamName, all, 4)).toEqual(new Set([599]));
});

test('a call that fails as a whole is thrown', async () => {
  rig.throttle({ operation: 'kinesis:PutRecords' });

  await expect(writeRecords(kinesis, streamName, records(3), 4)).rejects.toThrow();

  expect(await written()).toEqual([]);
});
