import { AwsError } from '../engine';
import { type Context, onlyMembers } from './context';
import { validationException } from './dynalite';
import type { StreamShard } from './stream-shard';
import type { TableStream } from './table-stream';

const iteratorLifetimeMs = 15 * 60_000;

export function listStreams(context: Context, input: any): any {
  onlyMembers('ListStreams', input, new Set(['TableName']));
  const streams = context.tables
    .all()
    .filter(({ name }) => input.TableName == null || name === input.TableName)
    .flatMap(({ name, stream }) =>
      stream === undefined ? [] : [{ StreamArn: stream.arn, TableName: name, StreamLabel: stream.label }],
    );
  return { Streams: streams };
}

export function describeStream(context: Context, input: any): any {
  onlyMembers('DescribeStream', input, new Set(['StreamArn']));
  const stream = context.tables.stream(input.StreamArn);
  const { TableName, KeySchema, StreamSpecification } = stream.table;
  return {
    StreamDescription: {
      StreamArn: stream.arn,
      StreamLabel: stream.label,
      StreamStatus: 'ENABLED',
      StreamViewType: StreamSpecification.StreamViewType,
      CreationRequestDateTime: Math.floor(Date.parse(`${stream.label}Z`) / 1000),
      TableName,
      KeySchema,
      Shards: stream.shards.map(({ id, firstSequenceNumber }) => ({
        ShardId: id,
        SequenceNumberRange: { StartingSequenceNumber: firstSequenceNumber },
      })),
    },
  };
}

export function getShardIterator(context: Context, input: any): any {
  onlyMembers('GetShardIterator', input, new Set(['StreamArn', 'ShardId', 'ShardIteratorType', 'SequenceNumber']));
  const stream = context.tables.stream(input.StreamArn);
  const shard = shardOf(stream, input.ShardId);
  const next = startIndex(shard, input);
  return { ShardIterator: writeIterator(stream, shard, next, context.now()) };
}

export async function getRecords(context: Context, input: any): Promise<any> {
  onlyMembers('GetRecords', input, new Set(['ShardIterator', 'Limit']));
  const { Limit = 1_000 } = input;
  if (!Number.isInteger(Limit) || Limit < 1 || Limit > 1_000)
    throw validationException(
      `1 validation error detected: Value '${Limit}' at 'limit' failed to satisfy constraint: Member must have value ${Limit < 1 ? 'greater than or equal to 1' : 'less than or equal to 1000'}`,
    );
  const { streamArn, shardId, next, made } = readIterator(input.ShardIterator);
  if (context.now() - made > iteratorLifetimeMs)
    throw new AwsError('ExpiredIteratorException', 'The provided iterator exceeds the maximum age allowed.');
  const stream = context.tables.stream(streamArn);
  const shard = shardOf(stream, shardId);
  refuseTrimmed(shard, next);
  // A reader must not act on a change that a crash could still take back.
  await context.tables.written();
  const Records = await shard.read(next, Limit);
  return { Records, NextShardIterator: writeIterator(stream, shard, next + Records.length, context.now()) };
}

function startIndex(shard: StreamShard, { ShardIteratorType: type, SequenceNumber: given }: any): number {
  switch (type) {
    case 'TRIM_HORIZON':
      return shard.oldest;
    case 'LATEST':
      return shard.newest + 1;
    case 'AT_SEQUENCE_NUMBER':
    case 'AFTER_SEQUENCE_NUMBER': {
      const index = shard.indexOf(given);
      if (index === undefined || index < 1 || index > shard.newest)
        throw validationException(`Invalid SequenceNumber: ${given} is not one of shard ${shard.id}`);
      const next = type === 'AFTER_SEQUENCE_NUMBER' ? index + 1 : index;
      refuseTrimmed(shard, next);
      return next;
    }
    default:
      throw validationException(
        `1 validation error detected: Value '${type}' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER, LATEST, TRIM_HORIZON]`,
      );
  }
}

function refuseTrimmed(shard: StreamShard, next: number): void {
  if (next < shard.oldest)
    throw new AwsError(
      'TrimmedDataAccessException',
      'The operation attempted to read past the oldest stream record in a shard.',
    );
}

/** An iterator begins with the stream's ARN, as AWS's do: who may read it is found from it. */
function writeIterator(stream: TableStream, shard: StreamShard, next: number, made: number): string {
  return `${stream.arn}|1|${Buffer.from(JSON.stringify([shard.id, next, made])).toString('base64')}`;
}

function readIterator(text: unknown): { streamArn: string; shardId: string; next: number; made: number } {
  try {
    const [streamArn, , place] = (text as string).split('|');
    const [shardId, next, made] = JSON.parse(Buffer.from(place!, 'base64').toString());
    if (typeof shardId !== 'string' || !Number.isInteger(next) || typeof made !== 'number') throw new Error();
    return { streamArn: streamArn!, shardId, next, made };
  } catch {
    throw validationException('Invalid ShardIterator');
  }
}

function shardOf(stream: TableStream, id: unknown): StreamShard {
  const shard = stream.shard(id);
  if (shard === undefined)
    throw new AwsError(
      'ResourceNotFoundException',
      `Requested resource not found: Shard: ${id} in Stream ${stream.arn} not found`,
    );
  return shard;
}
