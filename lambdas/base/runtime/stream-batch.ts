import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';

/** One record of a Kinesis batch, decoded. */
export interface StreamRecord {
  /** `<shard>:<sequence number>`: the record's place in its stream, which redelivery and redrive keep. */
  readonly position: string;
  readonly sequenceNumber: string;
  readonly text: string;
  /** As Lambda gave it: what is held when the record cannot be processed, and what redrive sends again. */
  readonly original: KinesisStreamRecord;
}

/** The records of a batch, in the order of their shard. */
export function readBatch(event: KinesisStreamEvent): StreamRecord[] {
  return event.Records.map((original) => ({
    position: original.eventID,
    sequenceNumber: original.kinesis.sequenceNumber,
    text: Buffer.from(original.kinesis.data, 'base64').toString('utf8'),
    original,
  }));
}

/** The shard that a batch was read from: a batch never spans two. */
export function shardOf(event: KinesisStreamEvent): string {
  return event.Records[0]?.eventID.split(':', 1)[0] ?? 'empty';
}

/**
 * The answer that has Lambda deliver again from the first of these records on. Lambda goes back to the lowest number it
 * is given, so one is enough; records after it that were done already must bear a repeat.
 */
export function failFrom(failed: readonly StreamRecord[], batch: readonly StreamRecord[]): KinesisStreamBatchResponse {
  const again = new Set(failed);
  const first = batch.find((record) => again.has(record));
  return { batchItemFailures: first === undefined ? [] : [{ itemIdentifier: first.sequenceNumber }] };
}
