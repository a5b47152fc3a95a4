import type { DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { StreamRecord } from '../../local/engines/dynamodb/stream-shard';
import type { Rig } from '../engine-rig';

/** The stream of a table, read from its start on; each record once. */
export class TableChanges {
  readonly #iterators = new Map<string, string>();
  #streamArn: string | undefined;

  constructor(
    private readonly rig: Rig,
    private readonly tableName: string,
  ) {}

  /** What has come since the last time; the changes of one item in their order. */
  async take(): Promise<StreamRecord[]> {
    const { dynamodb } = this.rig.engines;
    const records: StreamRecord[] = [];
    for (const ShardId of await this.#shards()) {
      for (;;) {
        const ShardIterator = this.#iterators.get(ShardId)!;
        const { Records, NextShardIterator } = await dynamodb.call('GetRecords', { ShardIterator });
        this.#iterators.set(ShardId, NextShardIterator);
        if (Records.length === 0) break;
        records.push(...Records);
      }
    }
    return records;
  }

  async #shards(): Promise<Iterable<string>> {
    const { dynamodb } = this.rig.engines;
    if (this.#streamArn === undefined) {
      const { Table } = await dynamodb.call('DescribeTable', { TableName: this.tableName });
      this.#streamArn = Table.LatestStreamArn as string;
      const start = { StreamArn: this.#streamArn, ShardIteratorType: 'TRIM_HORIZON' };
      const { StreamDescription } = await dynamodb.call('DescribeStream', { StreamArn: this.#streamArn });
      for (const { ShardId } of StreamDescription.Shards)
        this.#iterators.set(ShardId, (await dynamodb.call('GetShardIterator', { ...start, ShardId })).ShardIterator);
    }
    return this.#iterators.keys();
  }
}

/** The event that Lambda makes of them. */
export function tableEvent(records: readonly StreamRecord[]): DynamoDBStreamEvent {
  return { Records: records.map((record) => record as unknown as DynamoDBRecord) };
}
