import { setTimeout as delay } from 'node:timers/promises';
import type { OutgoingRecord } from './dms-records';
import { AwsError } from './engine';

export interface WriterOptions {
  /** PutRecords on the stream. */
  put(input: object): Promise<any>;
  /** Whether it is still worth trying. */
  goesOn(): boolean;
}

const recordsPerCall = 500;
const bytesPerCall = 4 * 1024 * 1024;
const retried = [
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'InternalFailure',
  'KMSThrottlingException',
];

/**
 * Puts all records, however often the stream refuses some: those that were refused come after those that were taken, so
 * their order is not kept, as DMS does not keep it. Throws what no retry would mend.
 */
export async function putAll(records: readonly OutgoingRecord[], options: WriterOptions): Promise<void> {
  for (const batch of batchesOf(records)) {
    let left = batch;
    for (let pause = 20; ; pause = Math.min(1_000, pause * 2)) {
      const refused = await attempt(left, options);
      if (refused !== undefined) left = left.filter((_, index) => refused[index]);
      if (left.length === 0) break;
      if (!options.goesOn()) throw new Error('stopped while records were waiting for the stream');
      await delay(pause);
    }
  }
}

/** For each record whether it was refused; undefined when the whole call was. */
async function attempt(
  records: readonly OutgoingRecord[],
  { put }: WriterOptions,
): Promise<readonly boolean[] | undefined> {
  try {
    const { Records } = await put({
      Records: records.map(({ partitionKey, text }) => ({
        PartitionKey: partitionKey,
        Data: Buffer.from(text).toString('base64'),
      })),
    });
    return Records.map(({ ErrorCode }: any) => ErrorCode !== undefined);
  } catch (error) {
    if (error instanceof AwsError && !retried.includes(error.code) && error.statusCode < 500) throw error;
    return undefined;
  }
}

function* batchesOf(records: readonly OutgoingRecord[]): Generator<readonly OutgoingRecord[]> {
  let batch: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.text) + record.partitionKey.length;
    if (batch.length === recordsPerCall || (batch.length > 0 && bytes + size > bytesPerCall)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
