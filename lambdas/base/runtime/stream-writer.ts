import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { chunksOf } from './chunks';
import { retryPause } from './retry-pause';

// PutRecords takes 500 records and 10 MiB; half of that keeps a retried call short.
const maximumRecords = 500;
const maximumBytes = 5 * 1024 * 1024;

export interface OutgoingRecord {
  readonly partitionKey: string;
  /** Leads into a shard in place of the partition key. */
  readonly hashKey?: string;
  readonly text: string;
}

/**
 * Writes records to a Kinesis stream and returns the indexes of those that were not taken after so many attempts: a call
 * that succeeds can still refuse single records when a shard is full, which it is for the rest of a second. Order is not kept, and a record whose answer was
 * lost can be written twice: readers go by the sale's key. Throws when a call fails as a whole; calls before it may have
 * written their records.
 */
export async function writeRecords(
  kinesis: KinesisClient,
  streamName: string,
  records: readonly OutgoingRecord[],
  attempts: number,
): Promise<ReadonlySet<number>> {
  const refused = new Set<number>();
  const sizeOf = (index: number) => {
    const { partitionKey, text } = records[index]!;
    return Buffer.byteLength(text) + partitionKey.length;
  };
  for (const chunk of chunksOf(records.keys(), { most: maximumRecords, bytes: maximumBytes, sizeOf }))
    for (const index of await writeChunk(chunk)) refused.add(index);
  return refused;

  async function writeChunk(indexes: number[]): Promise<number[]> {
    let left = indexes;
    for (let attempt = 1; ; attempt++) {
      const answer = await kinesis.send(
        new PutRecordsCommand({
          StreamName: streamName,
          Records: left.map((index) => {
            const { partitionKey, hashKey, text } = records[index]!;
            return {
              PartitionKey: partitionKey,
              ...(hashKey === undefined ? {} : { ExplicitHashKey: hashKey }),
              Data: Buffer.from(text),
            };
          }),
        }),
      );
      if (!answer.FailedRecordCount) return [];
      left = left.filter((_, place) => answer.Records?.[place]?.ErrorCode !== undefined);
      if (attempt === attempts) return left;
      await retryPause(50, attempt, 1_000);
    }
  }
}
