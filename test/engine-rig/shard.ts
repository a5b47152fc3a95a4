import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import type { Container, Rig } from '../engine-rig';

/**
 * Delivers a shard's records as an event source mapping does: in order, again from the reported record on, and after a
 * failure of the whole batch again from its start, to a fresh container if the old one died. Batch sizes are taken in turn
 * from `sizes`, so a redelivery is cut differently. Answers the number of invocations.
 */
export async function deliver(
  { Records }: KinesisStreamEvent,
  open: () => Container,
  sizes: readonly number[],
): Promise<number> {
  let container = open();
  let checkpoint = 0;
  let invocations = 0;
  while (checkpoint < Records.length) {
    if (invocations > 50 + 10 * Records.length) throw new Error(`stuck at record ${checkpoint}`);
    const batch = Records.slice(checkpoint, checkpoint + sizes[invocations++ % sizes.length]!);
    try {
      // A function that answers nothing has done its whole batch.
      const answer = await container.invoke<KinesisStreamBatchResponse | undefined>({ Records: batch });
      const [failure] = answer?.batchItemFailures ?? [];
      const done = batch.findIndex(({ kinesis }) => kinesis.sequenceNumber === failure?.itemIdentifier);
      if (failure !== undefined && done === -1) throw new Error('the function named a record that is not in the batch');
      checkpoint += failure === undefined ? batch.length : done;
    } catch (error) {
      if (!container.crashed) throw error;
      container = open();
    }
  }
  return invocations;
}

/** The texts of a stream's records, shard by shard. */
export async function recordsOf({ engines }: Rig, StreamName: string): Promise<string[]> {
  const { Shards } = await engines.kinesis.call('ListShards', { StreamName });
  const texts: string[] = [];
  for (const { ShardId } of Shards) {
    const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let { ShardIterator } = await engines.kinesis.call('GetShardIterator', start);
    for (;;) {
      const { Records, NextShardIterator } = await engines.kinesis.call('GetRecords', { ShardIterator });
      if (Records.length === 0) break;
      for (const { Data } of Records) texts.push(Buffer.from(Data, 'base64').toString());
      ShardIterator = NextShardIterator;
    }
  }
  return texts;
}

/** The objects of a bucket under a prefix, parsed. */
export async function objectsOf({ engines }: Rig, Bucket: string, Prefix: string): Promise<Record<string, any>> {
  const { Contents = [] } = await engines.s3.call('ListObjectsV2', { Bucket, Prefix });
  const found: Record<string, any> = {};
  for (const { Key } of Contents) {
    const { Body } = await engines.s3.call('GetObject', { Bucket, Key });
    found[Key] = JSON.parse(String(Body));
  }
  return found;
}
