import { WriteBehind, type WrittenChange } from './write-behind';

/** A record as it is kept, without its sequence number: that is in its key. */
export interface KeptRecord {
  readonly PartitionKey: string;
  /** Base64. */
  readonly Data: string;
  readonly ApproximateArrivalTimestamp: number;
}

export interface KeyRange {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** All records of a stream, by `recordKey`, in kinesalite's database. */
export class StreamRecords {
  private constructor(
    private readonly database: any,
    private readonly changes: WriteBehind,
  ) {}

  /** `file`: the beginning of the names of a log's files; undefined: in memory. */
  static async open(database: any, file: string | undefined): Promise<StreamRecords> {
    const write = (changes: readonly WrittenChange[]) => database.batch(changes);
    return new StreamRecords(database, await WriteBehind.open({ file, write }));
  }

  /** Once it has returned, they outlive this process. */
  add(records: readonly { readonly key: string; readonly value: KeptRecord }[]): void {
    for (const { key, value } of records) this.changes.record({ type: 'put', key, value });
    this.changes.written();
  }

  async *read(range: KeyRange = {}): AsyncGenerator<{ readonly key: string; readonly value: KeptRecord }> {
    await this.changes.settled();
    yield* this.database.createReadStream(range);
  }

  settled(): Promise<void> {
    return this.changes.settled();
  }

  /** Forgets what the database does not have yet: its stream is deleted. */
  discard(): void {
    this.changes.discard();
  }

  close(): Promise<void> {
    return this.changes.close();
  }
}
