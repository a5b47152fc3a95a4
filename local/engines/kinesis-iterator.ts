import { AwsError } from './engine';
import type { Shard } from './kinesis-shard';
import { recordKey } from './kinesis-store';

/**
 * A place in a shard, as the text that clients carry. Kinesalite's own iterators hold a time and move on while a shard
 * is empty, past a record that is being written at that moment; ours hold the index of the next record.
 */
export interface ShardPosition {
  readonly stream: string;
  readonly shard: string;
  readonly next: number;
  readonly made: number;
}

const lifetime = 300_000;

export function writeIterator({ stream, shard, next, made }: ShardPosition): string {
  return Buffer.from([stream, shard, next, made].join('/'), 'latin1').toString('base64');
}

export function readIterator(text: unknown, now: number): ShardPosition {
  const parts = typeof text === 'string' ? Buffer.from(text, 'base64').toString('latin1').split('/') : [];
  const [stream, shard, next, made] = parts;
  if (parts.length !== 4 || !/^\d+$/.test(next!) || !/^\d+(\.\d+)?$/.test(made!))
    throw new AwsError('InvalidArgumentException', 'Invalid ShardIterator.');
  if (now - Number(made) > lifetime)
    throw new AwsError(
      'ExpiredIteratorException',
      `Iterator expired. It was made ${Math.round((now - Number(made)) / 1000)} s ago, and lives 300 s.`,
    );
  return { stream: stream!, shard: shard!, next: Number(next), made: Number(made) };
}

/** The index of the first record that an iterator of this type gives. */
export async function startIndex(shard: Shard, stream: string, input: any): Promise<number> {
  const { ShardIteratorType: type, StartingSequenceNumber: given, Timestamp: timestamp } = input;
  switch (type) {
    case 'TRIM_HORIZON':
      return 1;
    case 'LATEST':
      return shard.newest + 1;
    case 'AT_TIMESTAMP':
      return indexAt(shard, timestamp);
    case 'AT_SEQUENCE_NUMBER':
    case 'AFTER_SEQUENCE_NUMBER': {
      const index = typeof given === 'string' ? shard.indexOf(given) : undefined;
      if (index === undefined)
        throw new AwsError(
          'InvalidArgumentException',
          `StartingSequenceNumber ${given} used in GetShardIterator on shard ${shard.id} in stream ${stream} is invalid.`,
        );
      const next = type === 'AFTER_SEQUENCE_NUMBER' ? index + 1 : index;
      return Math.max(1, Math.min(next, shard.newest + 1));
    }
    default:
      throw new AwsError(
        'InvalidArgumentException',
        `ShardIteratorType '${type}' is unknown: use TRIM_HORIZON, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER`,
      );
  }
}

async function indexAt(shard: Shard, timestamp: unknown): Promise<number> {
  if (typeof timestamp !== 'number')
    throw new AwsError('InvalidArgumentException', 'an iterator of type AT_TIMESTAMP needs a Timestamp');
  const prefix = recordKey(shard.index);
  // What comes while it is looked for is late enough.
  const end = shard.newest + 1;
  for await (const { key, value } of shard.records.read({ gt: prefix, lt: `${prefix}~` })) {
    if (value.ApproximateArrivalTimestamp >= timestamp) return shard.indexOf(key.slice(prefix.length))!;
  }
  return end;
}
