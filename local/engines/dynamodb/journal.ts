import db from 'dynalite/db';

export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'del'; readonly key: string };

/**
 * The LevelDB below the tables in memory. Changes are written in the order in which they were made, all that gathered
 * while the last batch was written as the next one: what one operation changed is never cut, so a transaction is whole on disk too.
 */
export class Journal {
  /** Counts the changes, so that an operation knows whether it has something to wait for. */
  recorded = 0;
  #changes: Change[] = [];
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  readonly #level: any;

  constructor(directory: string) {
    this.#level = db.create({ path: directory }).db;
  }

  record(change: Change): void {
    this.recorded += 1;
    this.#changes.push(change);
  }

  /** Resolves once everything recorded so far has been written. */
  written(): Promise<void> {
    if (this.#changes.length === 0) return this.#writing;
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      const changes = this.#changes;
      this.#changes = [];
      this.#writing = this.#level.batch(changes);
      return this.#writing;
    });
    return this.#next;
  }

  /** The entries under a prefix, without it; all, or those from one to another. */
  async *entries(prefix: string, first = '', last = '\uffff'): AsyncGenerator<[string, any]> {
    for await (const [key, value] of this.#level.iterator({ gte: `${prefix}${first}`, lte: `${prefix}${last}` })) {
      yield [key.slice(prefix.length), value];
    }
  }

  async close(): Promise<void> {
    await this.written();
    await this.#level.close();
  }
}
