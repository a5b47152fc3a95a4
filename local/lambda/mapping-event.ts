import { randomUUID } from 'node:crypto';
import type { KinesisRecord } from '../engines/kinesis-shard';
import type { Batch, Entry } from './mapping-batch';

/** What all records of one shard have in common in an event. */
export interface EventSource {
  readonly shardId: string;
  readonly streamArn: string;
  readonly functionArn: string;
  readonly roleArn: string;
  readonly region: string;
}

/** A record as it stands in an event. Put together by hand: base64 and numbers need no escaping, and most is data. */
export function entryOf(record: KinesisRecord, { shardId, streamArn, roleArn, region }: EventSource): Entry {
  const { SequenceNumber: sequenceNumber, PartitionKey, Data, ApproximateArrivalTimestamp: arrival } = record;
  const text =
    `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":${JSON.stringify(PartitionKey)},` +
    `"sequenceNumber":"${sequenceNumber}","data":"${Data}","approximateArrivalTimestamp":${arrival}},` +
    `"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"${shardId}:${sequenceNumber}",` +
    `"eventName":"aws:kinesis:record","invokeIdentityArn":"${roleArn}","awsRegion":"${region}",` +
    `"eventSourceARN":"${streamArn}"}`;
  return { sequenceNumber, arrival, text, bytes: Buffer.byteLength(text), done: false };
}

/** The event for a batch, as JSON text. */
export function eventOf(entries: readonly Entry[]): string {
  return `{"Records":[${entries.map(({ text }) => text).join(',')}]}`;
}

export type Condition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

/** The object in the failure destination for a batch that is given up: where, and what it holds. */
export function failureObject(
  mappingId: string,
  { shardId, streamArn, functionArn }: EventSource,
  { entries, attempts }: Batch,
  condition: Condition,
  /** Whether the last invocation failed, rather than reporting single records. */
  functionFailed: boolean,
  now: number,
): { readonly Key: string; readonly Body: Buffer } {
  const timestamp = new Date(now).toISOString();
  const day = timestamp.slice(0, 10).replaceAll('-', '/');
  const second = timestamp.slice(0, 19).replaceAll(':', '.');
  const first = entries[0]!;
  const last = entries.at(-1)!;
  const body = {
    requestContext: { requestId: randomUUID(), functionArn, condition, approximateInvokeCount: attempts },
    ...(condition === 'RetryAttemptsExhausted' && {
      responseContext: {
        statusCode: 200,
        executedVersion: '$LATEST',
        functionError: functionFailed ? 'Unhandled' : null,
      },
    }),
    version: '1.0',
    timestamp,
    KinesisBatchInfo: {
      shardId,
      startSequenceNumber: first.sequenceNumber,
      endSequenceNumber: last.sequenceNumber,
      approximateArrivalOfFirstRecord: new Date(first.arrival * 1000).toISOString(),
      approximateArrivalOfLastRecord: new Date(last.arrival * 1000).toISOString(),
      batchSize: entries.length,
      streamArn,
    },
    payload: eventOf(entries),
  };
  return {
    Key: `aws/lambda/${mappingId}/${shardId}/${day}/${second}-${randomUUID()}`,
    Body: Buffer.from(JSON.stringify(body)),
  };
}
