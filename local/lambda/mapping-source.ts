import type { Entry } from './mapping-batch';

/** Where a mapping reads, and in whose name. */
export interface Origin {
  readonly streamArn: string;
  readonly roleArn: string;
  readonly region: string;
  readonly call: (operation: string, input: any) => Promise<any>;
}

export interface SourceShard {
  readonly id: string;
  /** Shards that must be read to their end before this one. */
  readonly parents: readonly string[];
  /** Whether nothing is added to it any more. */
  readonly closed: boolean;
}

/** A record that was read, and the key within which order counts. */
export interface SourceRecord {
  readonly key: string;
  readonly entry: Entry;
}

/** What differs between the streams that a mapping can read: the calls, the records in events, and some names. */
export interface StreamSource {
  /** Most records of one read. */
  readonly mostRecords: number;
  /** The member of a failure destination's object that says which records it is about, and the form of times there. */
  readonly batchInfo: { readonly member: string; readonly time: (epochSeconds: number) => string };
  shards(): Promise<readonly SourceShard[]>;
  /** Behind this sequence number, or from the oldest record there is. */
  iterator(shardId: string, after: string | undefined): Promise<string>;
  /** `next` is absent at the end of a shard. */
  read(
    shardId: string,
    iterator: string,
    limit: number,
  ): Promise<{ readonly records: readonly SourceRecord[]; readonly next: string | undefined }>;
}

/** A record on its way, as it stands in an event. */
export function entryOf(sequenceNumber: string, arrival: number, text: string): Entry {
  return { sequenceNumber, arrival, text, bytes: Buffer.byteLength(text), done: false };
}
