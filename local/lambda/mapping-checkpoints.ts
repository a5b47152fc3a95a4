import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How far a mapping has come in one shard. */
export interface Checkpoint {
  /** Everything up to this sequence number is done with. */
  after?: string;
  /** The shard is closed and all of it is done with: its children may begin. */
  drained?: boolean;
}

// Records since the last write are delivered again after a crash, which a mapping may do at any time.
const writeDelay = 200;

/** The checkpoints of one mapping, kept in a file of the run's state. */
export class Checkpoints {
  readonly #shards: Map<string, Checkpoint>;
  readonly #file: string | undefined;
  readonly #stream: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string | undefined, mappingId: string, stream: string) {
    this.#stream = stream;
    let kept: any;
    if (directory !== undefined) {
      const folder = join(directory, 'event-source-mappings');
      mkdirSync(folder, { recursive: true });
      this.#file = join(folder, `${mappingId}.json`);
      kept = readIfThere(this.#file);
    }
    if (kept !== undefined && kept.stream !== stream)
      throw new Error(`the checkpoints in '${this.#file}' are of '${kept.stream}', not of '${stream}'`);
    this.fresh = kept === undefined;
    this.#shards = new Map(Object.entries(kept?.shards ?? {}));
  }

  /** Whether the mapping begins now, rather than going on. */
  readonly fresh: boolean;

  of(shardId: string): Checkpoint {
    return this.#shards.get(shardId) ?? {};
  }

  set(shardId: string, checkpoint: Checkpoint): void {
    this.#shards.set(shardId, { ...this.of(shardId), ...checkpoint });
    if (this.#file !== undefined) this.#timer ??= setTimeout(() => this.save(), writeDelay);
  }

  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#file === undefined) return;
    const content = { stream: this.#stream, shards: Object.fromEntries(this.#shards) };
    writeFileSync(`${this.#file}.new`, JSON.stringify(content));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function readIfThere(file: string): any {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
