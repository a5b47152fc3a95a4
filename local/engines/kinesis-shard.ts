import type { StreamRecords } from './kinesis-records';
import { SequenceNumbers } from './kinesis-sequence';
import { recordKey } from './kinesis-store';

/** A record as GetRecords returns it. Readers share these objects: never change one. */
export interface KinesisRecord {
  readonly SequenceNumber: string;
  readonly ApproximateArrivalTimestamp: number;
  /** Base64, as it came and as it goes: nothing on the way looks inside. */
  readonly Data: string;
  readonly PartitionKey: string;
}

// Readers are almost always near the tip, and from memory a record costs them nothing (docs/decisions.md).
const tailBytes = 8 * 1024 * 1024;
const callBytes = 10 * 1024 * 1024;

/** One shard: the numbers of its records, the newest of them in memory, all of them in the stream's records. */
export class Shard {
  readonly #numbers: SequenceNumbers;
  /** Index of the newest record, counted from 1. */
  #newest = 0;
  #last: string | undefined;
  #tail: KinesisRecord[] = [];
  #tailSize = 0;

  constructor(
    readonly id: string,
    readonly index: number,
    readonly start: { readonly sequenceNumber: string; readonly milliseconds: number },
    readonly records: StreamRecords,
  ) {
    this.#numbers = new SequenceNumbers(start.sequenceNumber);
  }

  /** Finds the newest record of an earlier run. */
  async open(): Promise<void> {
    const prefix = recordKey(this.index);
    for await (const { key } of this.records.read({ gt: prefix, lt: `${prefix}~`, reverse: true, limit: 1 })) {
      this.#last = key.slice(prefix.length);
      this.#newest = this.#numbers.indexOf(this.#last)!;
    }
  }

  get newest(): number {
    return this.#newest;
  }

  /** Sequence number of the newest record. */
  get last(): string | undefined {
    return this.#last;
  }

  indexOf(sequenceNumber: string): number | undefined {
    return this.#numbers.indexOf(sequenceNumber);
  }

  /** The record that `ahead` - 1 unwritten ones precede. It counts only once `append` was told that it is written. */
  next(ahead: number, milliseconds: number, partitionKey: string, data: string): KinesisRecord {
    // A shard made by a split starts up to a second ahead of the clock: its numbers must not begin before its own.
    const arrival = Math.max(milliseconds, this.start.milliseconds);
    return {
      SequenceNumber: this.#numbers.of(this.#newest + ahead, arrival),
      ApproximateArrivalTimestamp: milliseconds / 1000,
      Data: data,
      PartitionKey: partitionKey,
    };
  }

  append(record: KinesisRecord): void {
    this.#newest += 1;
    this.#last = record.SequenceNumber;
    this.#tail.push(record);
    this.#tailSize += record.Data.length;
    if (this.#tailSize > tailBytes) {
      for (const gone of this.#tail.splice(0, Math.ceil(this.#tail.length / 2))) this.#tailSize -= gone.Data.length;
    }
  }

  /** Records from this index on: at most so many, at most 10 MiB. */
  async read(from: number, limit: number): Promise<KinesisRecord[]> {
    if (from > this.#newest) return [];
    const offset = from - (this.#newest - this.#tail.length + 1);
    if (offset < 0) return this.#stored(from, limit);
    const records: KinesisRecord[] = [];
    let bytes = 0;
    for (let at = offset; at < this.#tail.length && records.length < limit; at++) {
      const record = this.#tail[at]!;
      bytes += record.Data.length * 0.75;
      if (bytes > callBytes && records.length > 0) break;
      records.push(record);
    }
    return records;
  }

  async #stored(from: number, limit: number): Promise<KinesisRecord[]> {
    const prefix = recordKey(this.index);
    const last = `${prefix}${this.#last}`;
    const first = `${prefix}${this.#numbers.of(from, 0)}`;
    const records: KinesisRecord[] = [];
    let bytes = 0;
    for await (const { key, value } of this.records.read({ gte: first, lte: last, limit })) {
      bytes += value.Data.length * 0.75;
      if (bytes > callBytes && records.length > 0) break;
      records.push({ ...value, SequenceNumber: key.slice(prefix.length) });
    }
    return records;
  }
}
