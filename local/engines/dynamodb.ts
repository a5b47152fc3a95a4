import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Context, Tables } from './dynamodb/context';
import { Journal } from './dynamodb/journal';
import { plainItem } from './dynamodb/plain-values';
import { batchGetItem, getItem, query, scan } from './dynamodb/reads';
import { batchExecuteStatement } from './dynamodb/statements';
import { describeStream, getRecords, getShardIterator, listStreams } from './dynamodb/stream-operations';
import { itemPrefix, settingsPrefix } from './dynamodb/table';
import {
  createTable,
  deleteTable,
  describeContinuousBackups,
  describeTable,
  describeTimeToLive,
  listTables,
  listTagsOfResource,
  tagResource,
  untagResource,
  updateContinuousBackups,
  updateTable,
  updateTimeToLive,
} from './dynamodb/table-operations';
import { streamPrefix, timeToLiveIdentity } from './dynamodb/table-stream';
import { Transactions } from './dynamodb/transactions';
import { batchWriteItem, deleteItem, putItem, updateItem } from './dynamodb/writes';
import { AwsError, type Engine } from './engine';
import type { RecordsListener, StreamTips } from './stream-tips';

export interface DynamoDbOptions {
  /** Where the tables lie on disk; in memory only when absent. */
  readonly directory?: string;
  /** Milliseconds since 1970; the clock by default. */
  readonly now?: () => number;
  /** Whether partitions throttle as AWS's do: 1,000 write units a second for each partition key. */
  readonly limits?: boolean;
}

/** Opens the local DynamoDB with the tables that it finds on disk. */
export async function openDynamoDb({
  directory,
  now = Date.now,
  limits = false,
}: DynamoDbOptions = {}): Promise<DynamoDbEngine> {
  if (directory !== undefined) mkdirSync(dirname(directory), { recursive: true });
  const journal = directory === undefined ? undefined : await Journal.open(directory);
  const tables = new Tables(journal, now, limits);
  if (journal !== undefined) {
    for await (const [, settings] of journal.entries(settingsPrefix)) {
      const table = tables.add(settings);
      for await (const [key, item] of journal.entries(itemPrefix(table.name))) table.load(key, item);
      for await (const [key, record] of journal.entries(streamPrefix(table.name))) table.stream?.load(key, record);
    }
  }
  return new DynamoDbEngine(tables, journal, now);
}

type Operation = (context: Context, input: any) => any;

/**
 * DynamoDB in this process, on dynalite's expressions and validation, with what that lacks and the platform uses: the item
 * on a failed condition, PartiQL INSERT and UPDATE in batches, transactions, TTL, streams and billed units. A write is answered
 * once it is on disk, where there is one; an operation or a parameter that is not modelled is refused by name.
 */
export class DynamoDbEngine implements Engine, StreamTips {
  readonly service = 'dynamodb';
  /** Told what AWS would bill, for every item operation; indexes count with their table. */
  onConsumed: ((tableName: string, kind: 'read' | 'write', units: number) => void) | undefined;
  /**
   * Throttles the item operations for which it answers true. `index` counts the statements, keys of a table, requests or
   * actions of a batch, each of which then fails for itself in the way of its operation.
   */
  throttle: ((tableName: string, operation: string, index: number | undefined) => boolean) | undefined;

  readonly #context: Context;
  readonly #operations: Readonly<Record<string, Operation>>;

  constructor(
    private readonly tables: Tables,
    private readonly journal: Journal | undefined,
    private readonly now: () => number,
  ) {
    this.#context = {
      tables,
      now,
      consumed: (tableName, kind, units) => this.onConsumed?.(tableName, kind, units),
      throttled: (tableName, operation, index) => this.throttle?.(tableName, operation, index) ?? false,
    };
    const transactions = new Transactions();
    this.#operations = {
      BatchExecuteStatement: batchExecuteStatement,
      BatchGetItem: batchGetItem,
      BatchWriteItem: batchWriteItem,
      CreateTable: createTable,
      DeleteItem: deleteItem,
      DeleteTable: deleteTable,
      DescribeContinuousBackups: describeContinuousBackups,
      DescribeStream: describeStream,
      DescribeTable: describeTable,
      DescribeTimeToLive: describeTimeToLive,
      GetItem: getItem,
      GetRecords: getRecords,
      GetShardIterator: getShardIterator,
      ListStreams: listStreams,
      ListTables: listTables,
      ListTagsOfResource: listTagsOfResource,
      PutItem: putItem,
      Query: query,
      Scan: scan,
      TagResource: tagResource,
      TransactWriteItems: (context, input) => transactions.write(context, input),
      UntagResource: untagResource,
      UpdateContinuousBackups: updateContinuousBackups,
      UpdateItem: updateItem,
      UpdateTable: updateTable,
      UpdateTimeToLive: updateTimeToLive,
    };
  }

  async call(operation: string, input: any): Promise<any> {
    const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
    if (run === undefined) {
      throw new AwsError('UnknownOperationException', `operation ${operation} is not modelled by the local DynamoDB`);
    }
    try {
      return await run(this.#context, input);
    } finally {
      // A refusal, too, tells of what is there.
      this.journal?.written();
    }
  }

  onRecords(stream: string, listener: RecordsListener): () => void {
    return this.tables.stream(stream).onRecords(listener);
  }

  shardIds(stream: string): readonly string[] {
    return this.tables.stream(stream).shards.map(({ id }) => id);
  }

  tip(stream: string, shardId: string): string | undefined {
    return this.tables.stream(stream).shard(shardId)?.last;
  }

  countAfter(stream: string, shardId: string, sequenceNumber?: string): number {
    const shard = this.tables.stream(stream).shard(shardId);
    if (shard === undefined) return 0;
    return shard.newest - (sequenceNumber === undefined ? shard.oldest - 1 : (shard.indexOf(sequenceNumber) ?? 0));
  }

  /** The names of a table's key attributes, the partition key first. */
  describeKeys(tableName: string): readonly string[] {
    return this.tables.get(tableName).keyAttributes();
  }

  /**
   * Deletes the items whose TTL has passed, which AWS does within days: until then they are read like any other.
   * It costs nothing. Answers how many were deleted.
   */
  async expire(now: number = this.now()): Promise<number> {
    const seconds = now / 1000;
    let deleted = 0;
    for (const table of this.tables.all()) {
      const attribute = table.settings.timeToLive;
      if (attribute === undefined) continue;
      for (const [key, item] of [...table.entries()]) {
        const expiry = Number(item[attribute]?.N ?? Number.NaN);
        // A time more than five years back is taken for a mistake and never expires (developer guide, TTL).
        if (!(expiry < seconds && expiry > seconds - fiveYearsSeconds) || table.held.has(key)) continue;
        table.write(key, item, undefined, timeToLiveIdentity);
        deleted += 1;
      }
    }
    this.journal?.written();
    return deleted;
  }

  async *contents(): AsyncGenerator<{ readonly where: string; readonly text: string }> {
    for (const table of this.tables.all()) {
      const where = `dynamodb ${table.name}`;
      yield { where, text: JSON.stringify(table.settings) };
      for (const [, item] of [...table.entries()]) yield { where, text: JSON.stringify(plainItem(item)) };
      for (const shard of table.stream?.shards ?? [])
        for await (const { dynamodb } of shard.all())
          for (const image of [dynamodb.Keys, dynamodb.OldImage, dynamodb.NewImage])
            if (image !== undefined)
              yield { where: `dynamodb stream ${table.name}`, text: JSON.stringify(plainItem(image)) };
    }
  }

  async close(): Promise<void> {
    await this.journal?.close();
  }
}

const fiveYearsSeconds = 5 * 365 * 24 * 60 * 60;
