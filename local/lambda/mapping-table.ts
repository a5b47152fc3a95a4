import type { StreamRecord } from '../engines/dynamodb/stream-shard';
import { entryOf, type Origin, type SourceShard, type StreamSource } from './mapping-source';

/** The stream of a DynamoDB table as a mapping reads it. */
export class TableSource implements StreamSource {
  readonly mostRecords = 1_000;
  readonly batchInfo = {
    member: 'DDBStreamBatchInfo',
    time: (epochSeconds: number) => new Date(epochSeconds * 1000).toISOString().replace('.000Z', 'Z'),
  };

  constructor(private readonly origin: Origin) {}

  async shards(): Promise<readonly SourceShard[]> {
    const { StreamDescription } = await this.origin.call('DescribeStream', { StreamArn: this.origin.streamArn });
    return StreamDescription.Shards.map(({ ShardId, ParentShardId, SequenceNumberRange }: any) => ({
      id: ShardId,
      parents: [ParentShardId].filter(Boolean),
      closed: SequenceNumberRange.EndingSequenceNumber !== undefined,
    }));
  }

  async iterator(ShardId: string, after: string | undefined): Promise<string> {
    const from =
      after === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: after };
    const start = { StreamArn: this.origin.streamArn, ShardId, ...from };
    return (await this.origin.call('GetShardIterator', start)).ShardIterator;
  }

  async read(_shardId: string, ShardIterator: string, Limit: number) {
    const { Records, NextShardIterator } = await this.origin.call('GetRecords', { ShardIterator, Limit });
    const records = (Records as readonly StreamRecord[]).map((record) => {
      const { userIdentity, ...others } = record;
      const { SequenceNumber, ApproximateCreationDateTime, Keys } = record.dynamodb;
      const text = JSON.stringify({
        ...others,
        // The API's members begin with capitals, those of the event do not.
        ...(userIdentity && { userIdentity: { principalId: userIdentity.PrincipalId, type: userIdentity.Type } }),
        eventSourceARN: this.origin.streamArn,
      });
      return { key: JSON.stringify(Keys), entry: entryOf(SequenceNumber, ApproximateCreationDateTime, text) };
    });
    return { records, next: NextShardIterator };
  }
}
