import type { KinesisStreamEvent } from 'aws-lambda';
import { kinesisClient, s3Client } from '../../lambdas/base/runtime/clients';
import { requireEnv } from '../../lambdas/base/runtime/env';
import { holdRecords } from '../../lambdas/base/runtime/held-records';
import { countMetrics } from '../../lambdas/base/runtime/log';
import { failFrom, readBatch } from '../../lambdas/base/runtime/stream-batch';
import { writeRecords } from '../../lambdas/base/runtime/stream-writer';

// The smallest function that shows what the rig does: holds what says `bad`, copies the rest.
const streamName = requireEnv('STREAM_NAME');
const bucketName = requireEnv('BUCKET_NAME');
const kinesis = kinesisClient();
const s3 = s3Client();
let invocations = 0;

export async function handler(event: KinesisStreamEvent) {
  const batch = readBatch(event);
  const good = batch.filter(({ text }) => text !== 'bad');
  const held = batch.filter(({ text }) => text === 'bad').map((record) => ({ record, reason: 'it is bad' }));
  await holdRecords(s3, bucketName, 'held', held);
  const outgoing = good.map(({ text }) => ({ partitionKey: text, text }));
  const refused = await writeRecords(kinesis, streamName, outgoing, 4);
  countMetrics({ Copied: good.length - refused.size, Invocations: ++invocations });
  return failFrom(
    [...refused].map((index) => good[index]!),
    batch,
  );
}
