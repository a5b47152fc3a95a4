import { randomUUID } from 'node:crypto';
import { localAccount, localRegion } from '../engine';
import type { RecordsListener } from '../stream-tips';
import { itemBytes } from './capacity';
import type { Item, TableDescription } from './dynalite';
import type { Journal } from './journal';
import { type StreamRecord, StreamShard, type StreamViewType } from './stream-shard';

/** More than one, so that nobody comes to rely on an order across items. */
const shardCount = 2;

/** Who deletes what has expired, as records say. */
export const timeToLiveIdentity = { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' } as const;

export const viewTypes: readonly StreamViewType[] = ['KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES'];

/**
 * The stream of a table: one record for each change of an item, made in the same step as the change and written to disk with
 * it. Items of one partition key share a shard. AWS replaces shards about every four hours; these stay.
 */
export class TableStream {
  readonly shards: readonly StreamShard[];
  readonly #listeners = new Set<RecordsListener>();
  readonly #viewType: StreamViewType;
  #telling = false;

  constructor(
    readonly table: TableDescription,
    journal: Journal | undefined,
    private readonly now: () => number,
  ) {
    this.#viewType = table.StreamSpecification.StreamViewType;
    const made = String(Date.parse(`${this.label}Z`)).padStart(20, '0');
    this.shards = Array.from({ length: shardCount }, (_, index) => {
      const number = String(index).padStart(8, '0');
      return new StreamShard(`shardId-${made}-${number}`, index, `${streamPrefix(table.TableName)}${number}/`, journal);
    });
  }

  get arn(): string {
    return this.table.LatestStreamArn;
  }

  get label(): string {
    return this.table.LatestStreamLabel;
  }

  shard(id: unknown): StreamShard | undefined {
    return this.shards.find((shard) => shard.id === id);
  }

  /** Takes a record as it was found on disk, by its key without the stream's prefix. */
  load(key: string, record: StreamRecord): void {
    this.shards[Number.parseInt(key, 10)]!.load(record);
  }

  /** Records a change of the item under this storage key. */
  record(
    key: string,
    old: Item | undefined,
    next: Item | undefined,
    userIdentity: StreamRecord['userIdentity'] | undefined,
  ): void {
    const Keys: Item = {};
    for (const { AttributeName } of this.table.KeySchema) Keys[AttributeName] = (next ?? old)![AttributeName]!;
    const withNew = this.#viewType === 'NEW_IMAGE' || this.#viewType === 'NEW_AND_OLD_IMAGES';
    const withOld = this.#viewType === 'OLD_IMAGE' || this.#viewType === 'NEW_AND_OLD_IMAGES';
    const images = {
      ...(withNew && next !== undefined && { NewImage: next }),
      ...(withOld && old !== undefined && { OldImage: old }),
    };
    const SizeBytes = itemBytes(Keys) + Object.values(images).reduce((sum, image) => sum + itemBytes(image), 0);
    // A storage key begins with a hash of the partition key.
    const shard = this.shards[Number.parseInt(key.slice(0, 2), 16) % shardCount]!;
    shard.append((SequenceNumber) => ({
      eventID: randomUUID().replaceAll('-', ''),
      eventName: old === undefined ? 'INSERT' : next === undefined ? 'REMOVE' : 'MODIFY',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: localRegion,
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(this.now() / 1000),
        Keys,
        ...images,
        SequenceNumber,
        SizeBytes,
        StreamViewType: this.#viewType,
      },
      ...(userIdentity && { userIdentity }),
    }));
    this.#tell();
  }

  onRecords(listener: RecordsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Deletes all of it from disk. */
  drop(): void {
    for (const shard of this.shards) shard.drop();
  }

  /** Once for all that one turn of the event loop has changed. */
  #tell(): void {
    if (this.#telling || this.#listeners.size === 0) return;
    this.#telling = true;
    setImmediate(() => {
      this.#telling = false;
      for (const listener of this.#listeners) listener(false);
    });
  }
}

/** The members of a table's description that tell of a stream made now. */
export function streamDescription(tableName: string, viewType: StreamViewType, now: number): object {
  const label = new Date(now).toISOString().slice(0, -1);
  return {
    StreamSpecification: { StreamEnabled: true, StreamViewType: viewType },
    LatestStreamLabel: label,
    LatestStreamArn: `arn:aws:dynamodb:${localRegion}:${localAccount}:table/${tableName}/stream/${label}`,
  };
}

export function streamPrefix(tableName: string): string {
  return `stream-${tableName}~`;
}
