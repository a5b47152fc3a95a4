import { setTimeout as delay } from 'node:timers/promises';
import { type FirehoseClient, PutRecordBatchCommand } from '@aws-sdk/client-firehose';
import type { PackedRecord } from './packed-rows';

// What PutRecordBatch takes.
const maximumRecords = 500;
const maximumBytes = 4 * 1_024 * 1_024;
const attempts = 4;

/**
 * Gives records to a Firehose delivery stream and returns those that were not taken after a few tries: a call that
 * succeeds can still refuse single records. A record whose answer was lost may lie in the lake twice. Throws when a call
 * fails as a whole; calls before it may have delivered.
 */
export async function deliver(
  firehose: FirehoseClient,
  deliveryStreamName: string,
  records: readonly PackedRecord[],
): Promise<PackedRecord[]> {
  const refused: PackedRecord[] = [];
  for (const call of callsFor(records)) refused.push(...(await put(call)));
  return refused;

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
      await delay(50 * 2 ** attempt * (0.5 + Math.random() / 2));
    }
  }
}

/** Cuts records, in order, into calls within the limits of PutRecordBatch. */
export function callsFor(records: readonly PackedRecord[]): PackedRecord[][] {
  const calls: PackedRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const last = calls.at(-1);
    if (last === undefined || last.length === maximumRecords || bytes + record.bytes > maximumBytes) {
      calls.push([record]);
      bytes = record.bytes;
    } else {
      last.push(record);
      bytes += record.bytes;
    }
  }
  return calls;
}
