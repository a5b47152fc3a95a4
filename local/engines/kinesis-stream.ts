import { createHash } from 'node:crypto';
import { ShardLimits } from './kinesis-limits';
import type { StreamRecords } from './kinesis-records';
import { type KinesisRecord, Shard } from './kinesis-shard';
import { type KinesisStore, recordKey } from './kinesis-store';
import type { RecordsListener } from './stream-tips';

/** A record on its way in, already checked. */
export interface NewRecord {
  readonly PartitionKey: string;
  readonly Data: string;
  readonly ExplicitHashKey?: string;
  readonly bytes: number;
}

/** What became of one: its place, or `throttled` by its shard. */
export type PutResult = { readonly shardId: string; readonly sequenceNumber?: string };

export interface StreamOptions {
  readonly now: () => number;
  readonly limits: boolean;
  readonly throttle: (stream: string, recordIndex: number) => boolean;
}

interface Range {
  readonly first: string;
  readonly last: string;
  readonly shard: Shard;
  readonly limits: ShardLimits;
}

/** The data path of one stream: routing by hash, limits, writing, and word to those who wait for records. */
export class Stream {
  readonly #shards = new Map<string, Shard>();
  readonly #listeners = new Set<RecordsListener>();
  #ranges: Range[] = [];
  #closed = new Set<string>();
  #encryption = 'NONE';

  constructor(
    readonly name: string,
    readonly store: KinesisStore,
    readonly records: StreamRecords,
    readonly options: StreamOptions,
  ) {}

  /** Takes over the shards as kinesalite has them. */
  async refresh(): Promise<void> {
    const { Shards, EncryptionType } = await this.store.stream(this.name);
    this.#encryption = EncryptionType;
    const known = new Map(this.#ranges.map(({ shard, limits }) => [shard, limits]));
    this.#ranges = [];
    for (const [index, shard] of Shards.entries()) {
      let log = this.#shards.get(shard.ShardId);
      if (log === undefined) {
        const { StartingSequenceNumber: sequenceNumber } = shard.SequenceNumberRange;
        const seconds = Number.parseInt(BigInt(sequenceNumber).toString(16).slice(1, 10), 16);
        const start = { sequenceNumber, milliseconds: seconds * 1000 };
        log = new Shard(shard.ShardId, index, start, this.records);
        await log.open();
        this.#shards.set(log.id, log);
      }
      if (shard.SequenceNumberRange.EndingSequenceNumber !== undefined) {
        this.#closed.add(log.id);
        continue;
      }
      this.#ranges.push({
        first: hexadecimal(shard.HashKeyRange.StartingHashKey),
        last: hexadecimal(shard.HashKeyRange.EndingHashKey),
        shard: log,
        limits: known.get(log) ?? new ShardLimits(this.options.now()),
      });
    }
  }

  /** Runs a split or merge. Puts go to the old shards until all of it is done, then to the new ones. */
  async reshard(run: () => Promise<void>): Promise<void> {
    await run();
    await this.store.settled(this.name);
    await this.store.inTurn(this.name, () => this.refresh());
    this.#tell(true);
  }

  /** Writes the records in their order, those aside that their shard has no room for. */
  put(records: readonly NewRecord[]): Promise<PutResult[]> {
    return this.store.inTurn(this.name, async () => {
      const now = this.options.now();
      const results: PutResult[] = [];
      const accepted: { shard: Shard; record: KinesisRecord }[] = [];
      const ahead = new Map<Shard, number>();
      for (const [index, record] of records.entries()) {
        const { shard, limits } = this.#route(record);
        if (this.options.throttle(this.name, index) || (this.options.limits && !limits.take(record.bytes, now))) {
          results.push({ shardId: shard.id });
          continue;
        }
        const place = (ahead.get(shard) ?? 0) + 1;
        ahead.set(shard, place);
        const written = shard.next(place, now, record.PartitionKey, record.Data);
        accepted.push({ shard, record: written });
        results.push({ shardId: shard.id, sequenceNumber: written.SequenceNumber });
      }
      if (accepted.length === 0) return results;
      this.records.add(
        accepted.map(({ shard, record: { SequenceNumber, ...value } }) => ({
          key: recordKey(shard.index, SequenceNumber),
          value,
        })),
      );
      // Readable only now: a reader must not act on a record that a crash could still take back.
      for (const { shard, record } of accepted) shard.append(record);
      this.#tell(false);
      return results;
    });
  }

  get encryption(): string {
    return this.#encryption;
  }

  shard(id: string): Shard | undefined {
    return this.#shards.get(id);
  }

  shards(): Iterable<Shard> {
    return this.#shards.values();
  }

  /** Whether nothing will be added to the shard any more. */
  isClosed(id: string): boolean {
    return this.#closed.has(id);
  }

  onRecords(listener: RecordsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(resharded: boolean): void {
    for (const listener of this.#listeners) listener(resharded);
  }

  #route({ PartitionKey, ExplicitHashKey }: NewRecord): Range {
    const hash =
      ExplicitHashKey === undefined
        ? createHash('md5').update(PartitionKey).digest('hex')
        : hexadecimal(ExplicitHashKey);
    return this.#ranges.find(({ first, last }) => hash >= first && hash <= last)!;
  }
}

/** A hash key as 32 hexadecimal digits: in that form, keys compare as strings. */
function hexadecimal(hashKey: string): string {
  return BigInt(hashKey).toString(16).padStart(32, '0');
}
