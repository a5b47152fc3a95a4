import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { localAccount, localRegion } from '../engines/engine';
import type { StreamTips } from '../engines/stream-tips';
import type { Invocation } from './function-host';
import { Checkpoints } from './mapping-checkpoints';
import { KinesisSource } from './mapping-kinesis';
import { type MappingProperties, mappingProperties } from './mapping-properties';
import { ShardReader } from './mapping-shard';
import type { SourceShard, StreamSource } from './mapping-source';
import { TableSource } from './mapping-table';

type Call = (operation: string, input: any) => Promise<any>;

export interface EventSourceMappingOptions {
  /** The mapping's UUID: names its checkpoints and its part of the failure destination. */
  readonly id: string;
  /** Resolved properties of an AWS::Lambda::EventSourceMapping. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** The function's role, in whose name the three calls below are made. */
  readonly roleArn: string;
  /** Calls the service whose stream is read: Kinesis or DynamoDB. */
  readonly stream: Call;
  readonly s3: Call;
  /** Invokes the function with an event that is JSON text. Rejects if it did not run: throttled, for one. */
  readonly invoke: (event: string) => Promise<Invocation>;
  /** Saves the poller its polling. */
  readonly tips: StreamTips;
  /** The folder of the run's state. Without it, checkpoints live as long as the mapping. */
  readonly directory?: string;
  readonly now?: () => number;
  /** Pauses between tries, doubling from the first to the longest, in milliseconds. */
  readonly backoff?: { readonly first: number; readonly longest: number };
  /** Hears of every call that failed, in the service's words: missing permissions show here. */
  readonly onProblem?: (message: string) => void;
}

export interface MappingState {
  /** Records that the function has processed. */
  readonly delivered: number;
  /** Records in the stream that are not done with. */
  readonly behind: number;
  /** Records put into the failure destination. */
  readonly held: number;
  /** Records given up without a failure destination: lost. */
  readonly dropped: number;
  readonly retries: number;
  /** Age of the oldest record that was read and is not done with. */
  readonly iteratorAgeMs: number;
  /** Invocations that are running. */
  readonly inFlight: number;
  /** What went wrong last, as long as nothing has gone well since. */
  readonly problem: string | undefined;
}

/** A running mapping of a stream, Kinesis's or a DynamoDB table's, to a function. */
export interface EventSourceMapping {
  state(): MappingState;
  /** Whether everything in the stream is done with: nothing unread, buffered or in flight. */
  idle(): boolean;
  /** Starts no further invocation, until `resume`. */
  pause(): void;
  resume(): void;
  /** Lets nothing that is in the stream by now wait for its batching window. */
  hurry(): void;
  /** Lets invocations in flight end, and keeps the checkpoints. */
  stop(): Promise<void>;
}

/**
 * Delivers a stream's records to a function as Lambda does: at least once, in the order of each shard (of each key, with
 * a ParallelizationFactor), children of a resharding after their parents. A failed batch is tried again from its first
 * record that was not processed, bisected, and at last held in the failure destination, as the properties say.
 */
export async function startEventSourceMapping(options: EventSourceMappingOptions): Promise<EventSourceMapping> {
  const mapping = new Mapping(options);
  await mapping.start();
  return mapping;
}

/** What the readers of the single shards share. */
export class Mapping implements EventSourceMapping {
  readonly id: string;
  readonly properties: MappingProperties;
  readonly checkpoints: Checkpoints;
  readonly counts = { delivered: 0, held: 0, dropped: 0, retries: 0 };
  readonly source: StreamSource;
  readonly s3: Call;
  readonly invoke: (event: string) => Promise<Invocation>;
  readonly tips: StreamTips;
  readonly now: () => number;
  readonly #options: EventSourceMappingOptions;
  readonly #readers = new Map<string, ShardReader>();
  readonly #work = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #unsubscribe: (() => void) | undefined;
  #resumed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #problem: string | undefined;

  constructor(options: EventSourceMappingOptions) {
    this.#options = options;
    this.id = options.id;
    this.properties = mappingProperties(options.properties, localAccount, localRegion);
    const { streamArn, service } = this.properties;
    this.checkpoints = new Checkpoints(options.directory, options.id, streamArn);
    const origin = { streamArn, roleArn: options.roleArn, region: localRegion, call: options.stream };
    this.source = service === 'kinesis' ? new KinesisSource(origin) : new TableSource(origin);
    this.s3 = options.s3;
    this.invoke = options.invoke;
    this.tips = options.tips;
    this.now = options.now ?? Date.now;
    setMaxListeners(0, this.#ending.signal);
  }

  async start(): Promise<void> {
    const { stream, startingPosition, enabled } = this.properties;
    if (!enabled) this.pause();
    const shards = await this.source.shards();
    if (this.checkpoints.fresh && startingPosition === 'LATEST') {
      for (const shard of shards) this.#skip(shard);
      this.checkpoints.save();
    }
    this.#startReaders(shards);
    this.#unsubscribe = this.tips.onRecords(stream, (resharded) => {
      for (const reader of this.#readers.values()) reader.notify(resharded);
    });
    // Records that came between the first read and the subscription.
    for (const reader of this.#readers.values()) reader.notify(true);
  }

  state(): MappingState {
    const { stream } = this.properties;
    const readers = [...this.#readers.values()];
    const behind = this.tips
      .shardIds(stream)
      .reduce((sum, shard) => sum + this.tips.countAfter(stream, shard, this.checkpoints.of(shard).after), 0);
    const oldest = Math.min(...readers.map((reader) => reader.oldest ?? Number.POSITIVE_INFINITY));
    return {
      ...this.counts,
      behind,
      iteratorAgeMs: Number.isFinite(oldest) ? Math.max(0, this.now() - oldest * 1000) : 0,
      inFlight: readers.reduce((sum, reader) => sum + reader.inFlight, 0),
      problem: this.#problem,
    };
  }

  idle(): boolean {
    const { stream } = this.properties;
    return this.tips
      .shardIds(stream)
      .every((shard) => this.checkpoints.of(shard).after === this.tips.tip(stream, shard));
  }

  pause(): void {
    if (this.#resumed !== undefined) return;
    let resolve = () => {};
    const promise = new Promise<void>((resumed) => {
      resolve = resumed;
    });
    this.#resumed = { promise, resolve };
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
    for (const reader of this.#readers.values()) reader.turn();
  }

  hurry(): void {
    for (const reader of this.#readers.values()) reader.hurry();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#unsubscribe?.();
    this.resume();
    while (this.#work.size > 0) await Promise.all(this.#work);
    this.checkpoints.save();
  }

  get stopped(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Whether nothing new may be begun. */
  get halted(): boolean {
    return this.stopped || this.#resumed !== undefined;
  }

  /** Waits out a pause. */
  async resumed(): Promise<void> {
    while (this.#resumed !== undefined) await this.#resumed.promise;
  }

  /** Starts reading shards whose parents are drained. */
  async discover(): Promise<void> {
    for (let failures = 0; !this.stopped; failures++) {
      try {
        this.#startReaders(await this.source.shards());
        return;
      } catch (error) {
        await this.troubled(error, failures);
      }
    }
  }

  /** Keeps the mapping from ending before this work has. */
  track(work: Promise<void>): void {
    const tracked = work
      .catch((error) => this.#report(error))
      .finally(() => {
        this.#work.delete(tracked);
      });
    this.#work.add(tracked);
  }

  /** Notes that a call failed, and waits before the next try. */
  async troubled(error: unknown, failures: number): Promise<void> {
    this.#report(error);
    await this.pauseBeforeRetry(failures + 1);
  }

  wentWell(): void {
    this.#problem = undefined;
  }

  async pauseBeforeRetry(failures: number): Promise<void> {
    const { first, longest } = this.#options.backoff ?? { first: 20, longest: 1000 };
    const wait = Math.min(longest, first * 2 ** Math.min(failures - 1, 20));
    await sleep(wait, undefined, { signal: this.#ending.signal }).catch(() => {});
  }

  #report(error: unknown): void {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    this.#problem = `${name}: ${message}`;
    this.#options.onProblem?.(this.#problem);
  }

  /** Begins a shard behind what it holds now. */
  #skip({ id, closed }: SourceShard): void {
    const after = this.tips.tip(this.properties.stream, id);
    this.checkpoints.set(id, { ...(after !== undefined && { after }), ...(closed && { drained: true }) });
  }

  #startReaders(shards: readonly SourceShard[]): void {
    const waiting = new Set(shards.map(({ id }) => id).filter((id) => !this.checkpoints.of(id).drained));
    for (const { id, parents } of shards) {
      if (!waiting.has(id) || this.#readers.has(id) || parents.some((parent) => waiting.has(parent))) continue;
      const reader = new ShardReader(this, id);
      this.#readers.set(id, reader);
      reader.turn();
    }
  }
}
