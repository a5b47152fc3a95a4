import { type FirehoseClient, PutRecordBatchCommand } from '@aws-sdk/client-firehose';
import { chunksOf } from '../../base/runtime/chunks';
import { retryPause } from '../../base/runtime/retry-pause';
import type { PackedRecord } from './packed-rows';

// What PutRecordBatch takes.
const maximumRecords = 500;
const maximumBytes = 4 * 1_024 * 1_024;
// More than a second: Firehose counts by seconds.
const attempts = 5;

export interface Delivery {
  readonly rowsTaken: number;
  readonly recordsRefused: number;
  /** Origins of which rows were not taken. */
  readonly originsRefused: ReadonlySet<number>;
}

/**
 * Gives records to a Firehose delivery stream, a call at a time. A call that succeeds can still refuse single records:
 * those are tried again, and when some stay refused the stream is given nothing more, since all that follows would come
 * again with them. A record whose answer was lost may lie in the lake twice. Throws when a call fails as a whole; calls
 * before it may have delivered.
 */
export async function deliver(
  firehose: FirehoseClient,
  deliveryStreamName: string,
  records: Iterable<PackedRecord>,
): Promise<Delivery> {
  let rowsTaken = 0;
  let recordsRefused = 0;
  const originsRefused = new Set<number>();
  for (const call of callsFor(records)) {
    const refused = recordsRefused > 0 ? call : await put(call);
    rowsTaken += rowsIn(call) - rowsIn(refused);
    recordsRefused += refused.length;
    for (const { origins } of refused) for (const origin of origins) originsRefused.add(origin);
  }
  return { rowsTaken, recordsRefused, originsRefused };

  async function put(call: readonly PackedRecord[]): Promise<readonly PackedRecord[]> {
    let left = call;
    for (let attempt = 1; ; attempt++) {
      const { FailedPutCount, RequestResponses } = await firehose.send(
        new PutRecordBatchCommand({
          DeliveryStreamName: deliveryStreamName,
          Records: left.map(({ text }) => ({ Data: Buffer.from(text) })),
        }),
      );
      if (!FailedPutCount) return [];
      left = left.filter((_, place) => RequestResponses?.[place]?.ErrorCode !== undefined);
      if (attempt === attempts) return left;
      await retryPause(100, attempt);
    }
  }
}

/** Cuts records, in order, into calls within the limits of PutRecordBatch. */
export function callsFor(records: Iterable<PackedRecord>): Iterable<PackedRecord[]> {
  return chunksOf(records, { most: maximumRecords, bytes: maximumBytes, sizeOf: ({ bytes }) => bytes });
}

function rowsIn(records: readonly PackedRecord[]): number {
  return records.reduce((sum, { rows }) => sum + rows, 0);
}
