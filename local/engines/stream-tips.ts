/** Hears of new records; with `resharded`, of new and of closed shards. */
export type RecordsListener = (resharded: boolean) => void;

/** What a reader in this process may know of a stream without asking. */
export interface StreamTips {
  /** Calls the listener whenever records or shards have been added. Returns how to stop that. */
  onRecords(stream: string, listener: RecordsListener): () => void;
  shardIds(stream: string): readonly string[];
  /** The newest sequence number of a shard, if it ever held a record: a reader that has it is at the tip. */
  tip(stream: string, shardId: string): string | undefined;
  /** How many records the shard holds after this one; all of them, if none is given. */
  countAfter(stream: string, shardId: string, sequenceNumber?: string): number;
}
