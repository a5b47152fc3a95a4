import { WriteAheadLog } from './write-ahead-log';

/** A change of a database that keeps JSON by key. */
export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'del'; readonly key: string };

/** The same with its value as JSON text: made once, for the log and for the database, as a batch of LevelDB takes it. */
export type WrittenChange =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly valueEncoding: 'utf8' }
  | { readonly type: 'del'; readonly key: string };

export interface WriteBehindOptions {
  /** The beginning of the log's file names; without it, nothing outlives the process before it is in the database. */
  readonly file: string | undefined;
  /** Writes changes of different keys into the database, all or none. */
  readonly write: (changes: readonly WrittenChange[]) => Promise<unknown>;
}

// Long enough that keys which change all the time are written once, short enough that a batch takes no time to speak of.
const restMs = 100;

/**
 * Changes on their way into a database: in a log on disk before anyone is told of them, in the database a moment later,
 * each key with its last value. The log costs a write into the operating system's memory, the database a hand-over to
 * another thread and back, for which whoever waits for an answer would wait on a busy machine (docs/decisions.md). What is
 * in the log when the process is killed comes into the database when that is opened again.
 */
export class WriteBehind {
  readonly #log: WriteAheadLog | undefined;
  readonly #write: WriteBehindOptions['write'];
  /** Recorded, and not yet in the log. */
  #recorded: WrittenChange[] = [];
  /** In the log, and not yet on their way into the database: the last of each key. */
  #waiting = new Map<string, WrittenChange>();
  #writing: Promise<void> | undefined;
  #rest: NodeJS.Timeout | undefined;
  #failure: unknown;

  private constructor({ file, write }: WriteBehindOptions) {
    this.#log = file === undefined ? undefined : new WriteAheadLog(file);
    this.#write = write;
  }

  /** Brings into the database what a process left in the log. */
  static async open(options: WriteBehindOptions): Promise<WriteBehind> {
    const opened = new WriteBehind(options);
    for (const changes of opened.#log?.entries<Change[]>() ?? [])
      for (const change of changes) opened.#waiting.set(change.key, inJson(change));
    await opened.settled();
    return opened;
  }

  record(change: Change): void {
    this.#recorded.push(inJson(change));
  }

  /**
   * Puts all that was recorded into the log, as one entry: when the process is killed, all of it is there or nothing.
   * Throws from the first failure on, of the log or of the database: what is built on a change that is lost would be, too.
   */
  written(): void {
    if (this.#failure !== undefined) {
      this.#recorded = [];
      throw this.#failure;
    }
    if (this.#recorded.length === 0) return;
    const changes = this.#recorded;
    this.#recorded = [];
    try {
      this.#log?.appendJson(`[${changes.map(textOf).join(',')}]`);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    for (const change of changes) this.#waiting.set(change.key, change);
    this.#restThenWrite();
  }

  /** Resolves once the database has all that is in the log by now, whatever comes meanwhile: for whoever reads there. */
  async settled(): Promise<void> {
    // A batch that is under way may be older than what is waiting; one that begins after it has all of that.
    if (this.#writing !== undefined) await this.#writing;
    if (this.#writing !== undefined || this.#waiting.size > 0) await this.#writeOn();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Forgets what the database does not have yet. */
  discard(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#recorded = [];
    this.#waiting = new Map();
    this.#log?.cut()();
  }

  async close(): Promise<void> {
    this.written();
    await this.settled();
    this.#log?.close();
  }

  #restThenWrite(): void {
    // A failure is told to whoever writes next.
    this.#rest ??= setTimeout(() => this.#writeOn().catch(() => {}), restMs).unref();
  }

  #writeOn(): Promise<void> {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#writing ??= this.#writeOnce().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.size > 0 && this.#failure === undefined) this.#restThenWrite();
    });
    return this.#writing;
  }

  async #writeOnce(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const forget = this.#log?.cut();
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    try {
      await this.#write(changes);
    } catch (error) {
      // They stay in the log, with all that came after them, for the next process.
      this.#failure = error;
      throw error;
    }
    forget?.();
  }
}

function inJson(change: Change): WrittenChange {
  return change.type === 'put' ? { ...change, value: JSON.stringify(change.value), valueEncoding: 'utf8' } : change;
}

function textOf(change: WrittenChange): string {
  const key = JSON.stringify(change.key);
  return change.type === 'put' ? `{"type":"put","key":${key},"value":${change.value}}` : `{"type":"del","key":${key}}`;
}
