import { AwsError } from './engine';
import type { NewRecord } from './kinesis-stream';

const recordBytes = 1024 * 1024;
const requestBytes = 10 * 1024 * 1024;
const hashKeys = 1n << 128n;

/** The stream that a call is about, by name or by ARN. */
export function streamName(input: { readonly StreamName?: string; readonly StreamARN?: string }): string {
  const name = input.StreamName ?? /^arn:aws:kinesis:[^:]+:\d{12}:stream\/([^/]+)$/.exec(input.StreamARN ?? '')?.[1];
  if (name === undefined)
    throw new AwsError('ValidationException', 'either StreamName or a StreamARN of a stream is needed');
  return name;
}

/** Checks the records of one call. No error shows a record's data. */
export function checkedRecords(records: unknown): NewRecord[] {
  if (!Array.isArray(records) || records.length < 1 || records.length > 500)
    throw constraint('records', 'Member must have length between 1 and 500');
  const checked = records.map((record, index) => checkedRecord(record, `records.${index + 1}.member.`));
  if (checked.reduce((sum, { bytes }) => sum + bytes, 0) > requestBytes)
    throw new AwsError('InvalidArgumentException', 'Records size exceeds 10 MB limit');
  return checked;
}

/** Checks one record. */
export function checkedRecord(record: any, at = ''): NewRecord {
  const { PartitionKey, Data, ExplicitHashKey } = record;
  if (typeof PartitionKey !== 'string' || PartitionKey.length < 1 || PartitionKey.length > 256)
    throw constraint(`${at}partitionKey`, 'Member must have length between 1 and 256');
  if (typeof Data !== 'string') throw constraint(`${at}data`, 'Member must not be null');
  if (Data.length % 4 !== 0) throw new AwsError('SerializationException', `${at}data is not base64`);
  const bytes = dataBytes(Data) + Buffer.byteLength(PartitionKey);
  if (bytes > recordBytes)
    throw constraint(`${at}data`, `Member must have length less than or equal to ${recordBytes}`);
  if (ExplicitHashKey === undefined || ExplicitHashKey === null) return { PartitionKey, Data, bytes };
  if (!/^(0|[1-9]\d{0,38})$/.test(ExplicitHashKey) || BigInt(ExplicitHashKey) >= hashKeys)
    throw new AwsError(
      'InvalidArgumentException',
      `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${ExplicitHashKey}`,
    );
  return { PartitionKey, Data, ExplicitHashKey, bytes };
}

/** The bytes that a base64 text stands for. */
export function dataBytes(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

function constraint(member: string, words: string): AwsError {
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${words}`,
  );
}
