import { type KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import type { Lane } from '../domain/completeness-mark';

/** An open shard, and a hash key that leads into it. */
export interface StreamLane extends Lane {
  readonly hashKey: string;
}

/**
 * The open shards of a stream, in the order of their hash keys, as they are now. What was written before this call lies in
 * one of them or in a parent, which is read before its children: so a record that is then written into each of them comes
 * behind all that, also when a shard is split in between.
 */
export async function lanesOf(kinesis: KinesisClient, streamName: string): Promise<StreamLane[]> {
  const hashKeys: string[] = [];
  let NextToken: string | undefined;
  do {
    const answer = await kinesis.send(
      new ListShardsCommand(NextToken === undefined ? { StreamName: streamName } : { NextToken }),
    );
    // A shard that has an end takes nothing any more.
    for (const { SequenceNumberRange, HashKeyRange } of answer.Shards ?? [])
      if (SequenceNumberRange?.EndingSequenceNumber === undefined) hashKeys.push(HashKeyRange!.StartingHashKey!);
    NextToken = answer.NextToken;
  } while (NextToken !== undefined);
  hashKeys.sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  return hashKeys.map((hashKey, number) => ({ number, of: hashKeys.length, hashKey }));
}
