import { randomUUID } from 'node:crypto';
import type { Batch, Entry } from './mapping-batch';
import type { StreamSource } from './mapping-source';

/** The event for a batch, as JSON text. */
export function eventOf(entries: readonly Entry[]): string {
  return `{"Records":[${entries.map(({ text }) => text).join(',')}]}`;
}

/** Where records come from that are given up, and how their source names that. */
export interface FailurePlace {
  /** The mapping's. */
  readonly id: string;
  readonly shardId: string;
  readonly streamArn: string;
  readonly functionArn: string;
  readonly batchInfo: StreamSource['batchInfo'];
}

export type Condition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

/** The object in the failure destination for a batch that is given up: where, and what it holds. */
export function failureObject(
  { id, shardId, streamArn, functionArn, batchInfo }: FailurePlace,
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
    [batchInfo.member]: {
      shardId,
      startSequenceNumber: first.sequenceNumber,
      endSequenceNumber: last.sequenceNumber,
      approximateArrivalOfFirstRecord: batchInfo.time(first.arrival),
      approximateArrivalOfLastRecord: batchInfo.time(last.arrival),
      batchSize: entries.length,
      streamArn,
    },
    payload: eventOf(entries),
  };
  return {
    Key: `aws/lambda/${id}/${shardId}/${day}/${second}-${randomUUID()}`,
    Body: Buffer.from(JSON.stringify(body)),
  };
}
