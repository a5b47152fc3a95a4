import type { Item } from './dynalite';
import type { Journal } from './journal';

export type StreamViewType = 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';

/** A record of a table's stream, as GetRecords answers it. Readers share these objects: never change one. */
export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  readonly eventVersion: string;
  readonly eventSource: 'aws:dynamodb';
  readonly awsRegion: string;
  readonly dynamodb: {
    /** Epoch seconds. */
    readonly ApproximateCreationDateTime: number;
    readonly Keys: Item;
    readonly NewImage?: Item;
    readonly OldImage?: Item;
    readonly SequenceNumber: string;
    readonly SizeBytes: number;
    readonly StreamViewType: StreamViewType;
  };
  /** Of what the service itself did: deletions by TTL. */
  readonly userIdentity?: { readonly PrincipalId: string; readonly Type: string };
}

/** Records that lie together: in memory while they are new, on disk alone afterwards, and dropped together. */
interface Chunk {
  /** Index of its first record. */
  readonly first: number;
  records: StreamRecord[] | undefined;
  /** When its newest record was made, in epoch seconds. */
  newest: number;
}

const chunkRecords = 500;
// Readers are almost always near the tip, and a day of images of a busy table would not fit into memory.
const chunksInMemory = 20;
const retentionSeconds = 24 * 60 * 60;
const indexDigits = 24;

/** Most that one GetRecords answers. */
const callRecords = 1_000;
const callBytes = 1024 * 1024;

/**
 * One shard of a table's stream: the changes of some of its items, in their order, for 24 hours. As at AWS older records
 * may stay a while: they are dropped by the hundred, and the newest ones never, so that numbers go on after a restart.
 */
export class StreamShard {
  readonly #chunks: Chunk[] = [];
  #newest = 0;

  constructor(
    readonly id: string,
    /** Which shard of its stream, from 0. */
    private readonly index: number,
    /** What the keys of its records on disk begin with. */
    private readonly prefix: string,
    private readonly journal: Journal | undefined,
  ) {}

  /** Takes a record as it was found on disk, in order. */
  load(record: StreamRecord): void {
    const at = this.indexOf(record.dynamodb.SequenceNumber)!;
    this.#newest = at;
    this.#add(at, record);
  }

  /** Index of the newest record, counted from 1; 0 when there has been none. */
  get newest(): number {
    return this.#newest;
  }

  /** Index of the oldest record that is left. */
  get oldest(): number {
    return this.#chunks[0]?.first ?? 1;
  }

  /** Sequence number of the newest record. */
  get last(): string | undefined {
    return this.#newest === 0 ? undefined : this.#sequenceNumber(this.#newest);
  }

  /**
   * The number of the record `index`. Each shard's begin with another digit: comparing numbers of two shards says
   * nothing about time, here as little as at AWS.
   */
  #sequenceNumber(index: number): string {
    return `${this.index + 1}${String(index).padStart(indexDigits, '0')}`;
  }

  get firstSequenceNumber(): string {
    return this.#sequenceNumber(1);
  }

  /** The index in a sequence number, or undefined if it is not one of this shard. */
  indexOf(sequenceNumber: unknown): number | undefined {
    if (typeof sequenceNumber !== 'string' || !/^\d+$/.test(sequenceNumber)) return undefined;
    const shard = sequenceNumber.slice(0, -indexDigits);
    return shard === String(this.index + 1) ? Number(sequenceNumber.slice(-indexDigits)) : undefined;
  }

  /** Adds what `make` builds around the next sequence number, to be written with the change that it tells of. */
  append(make: (sequenceNumber: string) => StreamRecord): void {
    this.#newest += 1;
    const record = make(this.#sequenceNumber(this.#newest));
    this.journal?.record({
      type: 'put',
      key: `${this.prefix}${record.dynamodb.SequenceNumber}`,
      value: record,
    });
    this.#add(this.#newest, record);
    this.#trim(record.dynamodb.ApproximateCreationDateTime - retentionSeconds);
  }

  /** Records from this index on, as many as one call answers. Index and limit must be within bounds. */
  async read(from: number, limit: number = callRecords): Promise<StreamRecord[]> {
    const records: StreamRecord[] = [];
    let bytes = 0;
    for await (const record of this.#from(from)) {
      bytes += record.dynamodb.SizeBytes;
      if (records.length === limit || (bytes > callBytes && records.length > 0)) break;
      records.push(record);
    }
    return records;
  }

  /** All that is left, oldest first. */
  all(): AsyncGenerator<StreamRecord> {
    return this.#from(this.oldest);
  }

  /** Deletes all of it from disk. */
  drop(): void {
    for (const chunk of this.#chunks) this.#delete(chunk);
  }

  async *#from(index: number): AsyncGenerator<StreamRecord> {
    let next = index;
    while (next <= this.#newest) {
      // Chunks but the last are full, so a record's place follows from its index.
      const chunk = this.#chunks[Math.floor((next - this.oldest) / chunkRecords)];
      if (chunk === undefined) return;
      const inMemory = chunk.records?.slice();
      yield* (inMemory ?? (await this.#stored(chunk))).slice(next - chunk.first);
      next = chunk.first + (inMemory?.length ?? chunkRecords);
    }
  }

  async #stored(chunk: Chunk): Promise<StreamRecord[]> {
    const records: StreamRecord[] = [];
    const [first, last] = [chunk.first, chunk.first + chunkRecords - 1].map((at) => this.#sequenceNumber(at));
    for await (const [, record] of this.journal!.entries(this.prefix, first, last)) records.push(record);
    return records;
  }

  #add(index: number, record: StreamRecord): void {
    const newest = record.dynamodb.ApproximateCreationDateTime;
    const last = this.#chunks.at(-1);
    if (last !== undefined && index < last.first + chunkRecords) {
      last.records!.push(record);
      last.newest = newest;
      return;
    }
    this.#chunks.push({ first: index, records: [record], newest });
    const old = this.journal && this.#chunks.at(-1 - chunksInMemory);
    if (old) old.records = undefined;
  }

  #trim(before: number): void {
    while (this.#chunks.length > 1 && this.#chunks[0]!.newest < before) this.#delete(this.#chunks.shift()!);
  }

  #delete({ first }: Chunk): void {
    const last = Math.min(this.#newest, first + chunkRecords - 1);
    for (let index = first; index <= last; index++)
      this.journal?.record({ type: 'del', key: `${this.prefix}${this.#sequenceNumber(index)}` });
  }
}
