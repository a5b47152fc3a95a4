import type { KinesisRecord } from '../engines/kinesis-shard';
import type { Entry } from './mapping-batch';
import { entryOf, type Origin, type SourceShard, type StreamSource } from './mapping-source';

/** A Kinesis stream as a mapping reads it. */
export class KinesisSource implements StreamSource {
  readonly mostRecords = 10_000;
  readonly batchInfo = {
    member: 'KinesisBatchInfo',
    time: (epochSeconds: number) => new Date(epochSeconds * 1000).toISOString(),
  };

  constructor(private readonly origin: Origin) {}

  async shards(): Promise<readonly SourceShard[]> {
    const { Shards } = await this.origin.call('ListShards', { StreamARN: this.origin.streamArn });
    return Shards.map(({ ShardId, ParentShardId, AdjacentParentShardId, SequenceNumberRange }: any) => ({
      id: ShardId,
      parents: [ParentShardId, AdjacentParentShardId].filter(Boolean),
      closed: SequenceNumberRange.EndingSequenceNumber !== undefined,
    }));
  }

  async iterator(ShardId: string, after: string | undefined): Promise<string> {
    const from =
      after === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: after };
    const start = { StreamARN: this.origin.streamArn, ShardId, ...from };
    return (await this.origin.call('GetShardIterator', start)).ShardIterator;
  }

  async read(shardId: string, ShardIterator: string, Limit: number) {
    const { Records, NextShardIterator } = await this.origin.call('GetRecords', {
      StreamARN: this.origin.streamArn,
      ShardIterator,
      Limit,
    });
    const records = (Records as readonly KinesisRecord[]).map((record) => ({
      key: record.PartitionKey,
      entry: kinesisEntry(record, shardId, this.origin),
    }));
    return { records, next: NextShardIterator };
  }
}

/** A record as it stands in an event. Put together by hand: base64 and numbers need no escaping, and most is data. */
export function kinesisEntry(
  record: KinesisRecord,
  shardId: string,
  { roleArn, region, streamArn }: Omit<Origin, 'call'>,
): Entry {
  const { SequenceNumber: sequenceNumber, PartitionKey, Data, ApproximateArrivalTimestamp: arrival } = record;
  const text =
    `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":${JSON.stringify(PartitionKey)},` +
    `"sequenceNumber":"${sequenceNumber}","data":"${Data}","approximateArrivalTimestamp":${arrival}},` +
    `"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"${shardId}:${sequenceNumber}",` +
    `"eventName":"aws:kinesis:record","invokeIdentityArn":"${roleArn}","awsRegion":"${region}",` +
    `"eventSourceARN":"${streamArn}"}`;
  return entryOf(sequenceNumber, arrival, text);
}
