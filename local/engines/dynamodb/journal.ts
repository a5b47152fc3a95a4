import db from 'dynalite/db';
import { type Change, WriteBehind, type WrittenChange } from '../write-behind';

/** The LevelDB below the tables in memory. What one operation changed is never cut, so a transaction is whole on disk too. */
export class Journal {
  private constructor(
    private readonly level: any,
    private readonly changes: WriteBehind,
  ) {}

  static async open(directory: string): Promise<Journal> {
    const level = db.create({ path: directory }).db;
    const write = (changes: readonly WrittenChange[]) => level.batch(changes);
    return new Journal(level, await WriteBehind.open({ file: `${directory}.log`, write }));
  }

  record(change: Change): void {
    this.changes.record(change);
  }

  /** Once it has returned, everything recorded so far outlives this process. */
  written(): void {
    this.changes.written();
  }

  /** The entries under a prefix, without it; all, or those from one to another. */
  async *entries(prefix: string, first = '', last = '\uffff'): AsyncGenerator<[string, any]> {
    await this.changes.settled();
    for await (const [key, value] of this.level.iterator({ gte: `${prefix}${first}`, lte: `${prefix}${last}` })) {
      yield [key.slice(prefix.length), value];
    }
  }

  async close(): Promise<void> {
    await this.changes.close().finally(() => this.level.close());
  }
}
