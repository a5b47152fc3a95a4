import { S3Client } from '@aws-sdk/client-s3';
import { type HeldRecord, holdRecords } from '../../../lambdas/base/runtime/held-records';
import { readBatch } from '../../../lambdas/base/runtime/stream-batch';
import { kinesisEvent, type Rig, startRig } from '../../engine-rig';
import { objectsOf } from '../../engine-rig/shard';

let rig: Rig;
let s3: S3Client;
beforeEach(async () => {
  rig = await startRig();
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
  s3 = new S3Client({ ...rig.client, forcePathStyle: true, maxAttempts: 1 });
});
afterEach(() => rig.close());

const held = (texts: readonly string[], details?: HeldRecord['details']): HeldRecord[] =>
  readBatch(kinesisEvent(texts)).map((record) => ({
    record,
    reason: 'it is bad',
    ...(details === undefined ? {} : { details }),
  }));

test('a record lies under its position, with its reason and the event to send again', async () => {
  const [record] = held(['bad'], { conflictsWith: 'shardId-000000000001:7' });

  await holdRecords(s3, 'held', 'conflicts', [record!]);

  const { position, original } = record!.record;
  const objects = await objectsOf(rig, 'held', '');
  expect(Object.keys(objects)).toEqual([`conflicts/${position.replace(':', '/')}.json`]);
  const { payload, ...rest } = Object.values(objects)[0];
  expect(rest).toEqual({ reason: 'it is bad', conflictsWith: 'shardId-000000000001:7' });
  expect(JSON.parse(payload)).toEqual({ Records: [original] });
});

test('held twice, it is one object', async () => {
  await holdRecords(s3, 'held', 'held', held(['bad', 'worse']));
  await holdRecords(s3, 'held', 'held', held(['bad', 'worse']));

  expect(Object.keys(await objectsOf(rig, 'held', ''))).toHaveLength(2);
});

test('details do not stand in for the event or its reason', async () => {
  await holdRecords(s3, 'held', 'held', held(['bad'], { payload: 'another' }));

  const [object] = Object.values(await objectsOf(rig, 'held', ''));
  expect(JSON.parse(object.payload).Records).toHaveLength(1);
});

test('nothing to hold is no call', async () => {
  await holdRecords(s3, 'held', 'held', []);

  expect(rig.calls()).toEqual({});
});

test('each of many is held once', async () => {
  const texts = Array.from({ length: 50 }, (_, index) => `bad ${index}`);

  await holdRecords(s3, 'held', 'held', held(texts));

  expect(rig.calls()).toEqual({ 's3:PutObject': 50 });
  expect(Object.keys(await objectsOf(rig, 'held', ''))).toHaveLength(50);
});

test('one that could not be held fails them all, so that the batch comes again', async () => {
  rig.throttle({ operation: 's3:PutObject', call: 3 });

  await expect(holdRecords(s3, 'held', 'held', held(['a', 'b', 'c', 'd']))).rejects.toThrow();
});
