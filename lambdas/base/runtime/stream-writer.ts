import { setTimeout as delay } from 'node:timers/promises';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';

// PutRecords takes 500 records and 10 MiB; half of that keeps a retried call short.
const maximumRecords = 500;
const maximumBytes = 5 * 1024 * 1024;
const attempts = 4;

export interface OutgoingRecord {
  readonly partitionKey: string;
  readonly text: string;
}

/**
 * Writes records to a Kinesis stream and returns the indexes of those that were not taken, after a few tries: a call
 * that succeeds can still refuse single records when a shard is full. Order is not kept, and a record whose answer was
 * lost can be written twice: readers go by the sale's key. Throws when a call fails as a whole; calls before it may have
 * written their records.
 */
export async function writeRecords(
  kinesis: KinesisClient,
  streamName: string,
  records: readonly OutgoingRecord[],
): Promise<ReadonlySet<number>> {
  const refused = new Set<number>();
  for (const chunk of chunksOf(records)) for (const index of await writeChunk(chunk)) refused.add(index);
  return refused;

  async function writeChunk(indexes: number[]): Promise<number[]> {
    let left = indexes;
    for (let attempt = 1; ; attempt++) {
      const answer = await kinesis.send(
        new PutRecordsCommand({
          StreamName: streamName,
          Records: left.map((index) => ({
            PartitionKey: records[index]!.partitionKey,
            Data: Buffer.from(records[index]!.text),
          })),
        }),
      );
      if (!answer.FailedRecordCount) return [];
      left = left.filter((_, place) => answer.Records?.[place]?.ErrorCode !== undefined);
      if (attempt === attempts) return left;
      await delay(25 * 2 ** attempt * (0.5 + Math.random() / 2));
    }
  }
}

function chunksOf(records: readonly OutgoingRecord[]): number[][] {
  const chunks: number[][] = [];
  let bytes = 0;
  records.forEach(({ partitionKey, text }, index) => {
    const size = Buffer.byteLength(text) + partitionKey.length;
    const last = chunks.at(-1);
    if (last === undefined || last.length === maximumRecords || bytes + size > maximumBytes) {
      chunks.push([index]);
      bytes = size;
    } else {
      last.push(index);
      bytes += size;
    }
  });
  return chunks;
}
