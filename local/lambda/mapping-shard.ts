import { AwsError } from '../engines/engine';
import type { Mapping } from './event-source-mapping';
import { type Batch, type Entry, outcome, takeBatch, verdict } from './mapping-batch';
import { type Condition, eventOf, failureObject } from './mapping-event';
import type { SourceRecord } from './mapping-source';

interface Lane {
  readonly queue: Entry[];
  busy: boolean;
  inFlight: boolean;
}

/** Reads one shard and hands its records to the function, in order: of the shard, or of each key with several lanes. */
export class ShardReader {
  readonly #mapping: Mapping;
  readonly #shardId: string;
  readonly #lanes: Lane[];
  /** Every record read and not yet passed by the checkpoint, in the order of the shard. */
  #unfinished: Entry[] = [];
  #read: string | undefined;
  #iterator: string | undefined;
  #ended = false;
  #due = true;
  #reading = false;
  #failures = 0;
  #window: NodeJS.Timeout | undefined;
  #windowIsOver = false;

  constructor(mapping: Mapping, shardId: string) {
    this.#mapping = mapping;
    this.#shardId = shardId;
    this.#lanes = Array.from({ length: mapping.properties.lanes }, () => ({ queue: [], busy: false, inFlight: false }));
    this.#read = mapping.checkpoints.of(shardId).after;
  }

  get inFlight(): number {
    return this.#lanes.filter(({ inFlight }) => inFlight).length;
  }

  /** Arrival of the oldest record that was read and is not done, in epoch seconds. */
  get oldest(): number | undefined {
    return this.#unfinished[0]?.arrival;
  }

  /** There may be something to read: records, or the end of the shard. */
  notify(resharded: boolean): void {
    this.#due ||= resharded || this.#behind;
    this.turn();
  }

  get #behind(): boolean {
    return this.#mapping.tips.tip(this.#mapping.properties.stream, this.#shardId) !== this.#read;
  }

  /** Does what can be done now: starts what waits, and reads on while there is room. */
  turn(): void {
    if (this.#mapping.halted) return;
    for (const lane of this.#lanes) if (!lane.busy && lane.queue.length > 0) void this.#mapping.track(this.#run(lane));
    // Records gather in the stream while all lanes are busy: fewer reads, and larger batches.
    const room = this.#mapping.properties.batchSize * this.#lanes.length - this.#unfinished.length;
    const wanted = this.#due && !this.#ended && !this.#reading && room > 0 && this.#lanes.some(({ busy }) => !busy);
    if (wanted && this.#hasGathered())
      void this.#mapping.track(this.#fetch(Math.min(room, this.#mapping.source.mostRecords)));
  }

  /** Ends a batching window before its time. */
  hurry(): void {
    if (!this.#behind) return;
    clearTimeout(this.#window);
    this.#endWindow();
  }

  /** Whether there is a full batch or the batching window is over; else it has begun. */
  #hasGathered(): boolean {
    const { properties, tips } = this.#mapping;
    const { windowMs, batchSize, stream } = properties;
    if (windowMs === 0 || this.#windowIsOver || tips.countAfter(stream, this.#shardId, this.#read) >= batchSize)
      return true;
    this.#window ??= setTimeout(() => this.#endWindow(), windowMs).unref();
    return false;
  }

  #endWindow(): void {
    this.#window = undefined;
    this.#windowIsOver = true;
    this.turn();
  }

  async #fetch(limit: number): Promise<void> {
    this.#reading = true;
    this.#due = false;
    this.#windowIsOver = false;
    clearTimeout(this.#window);
    this.#window = undefined;
    try {
      const { records, next } = await this.#readOn(limit);
      for (const { key, entry } of records) {
        this.#unfinished.push(entry);
        this.#lane(key).queue.push(entry);
        this.#read = entry.sequenceNumber;
      }
      this.#iterator = next;
      this.#ended = this.#iterator === undefined;
      this.#due ||= this.#behind;
      this.#failures = 0;
    } catch (error) {
      // From the last record read, whatever happened to the iterator.
      this.#iterator = undefined;
      this.#due = true;
      this.#windowIsOver = true;
      // What was not read in time is gone: on with the oldest that is left.
      if (error instanceof AwsError && error.code === 'TrimmedDataAccessException') this.#read = undefined;
      await this.#mapping.troubled(error, this.#failures++);
    } finally {
      this.#reading = false;
    }
    this.#settle();
    this.turn();
  }

  async #readOn(limit: number): Promise<{ records: readonly SourceRecord[]; next: string | undefined }> {
    const { source } = this.#mapping;
    this.#iterator ??= await source.iterator(this.#shardId, this.#read);
    return source.read(this.#shardId, this.#iterator, limit);
  }

  #lane(key: string): Lane {
    if (this.#lanes.length === 1) return this.#lanes[0]!;
    let hash = 0;
    for (let at = 0; at < key.length; at++) hash = (hash * 31 + key.charCodeAt(at)) >>> 0;
    return this.#lanes[hash % this.#lanes.length]!;
  }

  /** Works through what the lane holds, one batch at a time. */
  async #run(lane: Lane): Promise<void> {
    lane.busy = true;
    const parts: Batch[] = [];
    while (!this.#mapping.stopped) {
      await this.#mapping.resumed();
      const batch = parts.shift() ?? takeBatch(lane.queue, this.#mapping.properties.batchSize);
      if (batch === undefined) break;
      parts.unshift(...(await this.#deliver(lane, batch)));
    }
    lane.busy = false;
    this.turn();
  }

  /** One try. Returns what is to be tried next in place of the batch. */
  async #deliver(lane: Lane, tried: Batch): Promise<readonly Batch[]> {
    const { properties, counts } = this.#mapping;
    const batch = await this.#withoutTheOld(tried);
    if (batch === undefined || this.#mapping.stopped) return [];
    if (batch.failures > 0) counts.retries += 1;
    lane.inFlight = true;
    let invocation: Awaited<ReturnType<Mapping['invoke']>>;
    try {
      invocation = await this.#mapping.invoke(eventOf(batch.entries));
    } catch (error) {
      // Never ran, so it costs no retry: throttled, or Lambda itself failed.
      lane.inFlight = false;
      await this.#mapping.troubled(error, batch.failures);
      return [{ ...batch, failures: batch.failures + 1 }];
    }
    lane.inFlight = false;
    this.#mapping.wentWell();
    const result = outcome(invocation, batch, properties.reportsItems);
    const { processed, next, exhausted } = verdict(batch, result, properties);
    counts.delivered += processed;
    this.#finish(batch.entries.slice(0, processed));
    if (exhausted !== undefined) await this.#giveUp(exhausted, 'RetryAttemptsExhausted', result === 'failure');
    if (next.length > 0) await this.#mapping.pauseBeforeRetry(next[0]!.failures);
    return next;
  }

  async #withoutTheOld(batch: Batch): Promise<Batch | undefined> {
    const { maxAgeSeconds } = this.#mapping.properties;
    if (maxAgeSeconds < 0) return batch;
    const oldest = this.#mapping.now() / 1000 - maxAgeSeconds;
    const young = batch.entries.findIndex(({ arrival }) => arrival >= oldest);
    if (young === 0) return batch;
    const old = young < 0 ? batch.entries : batch.entries.slice(0, young);
    await this.#giveUp({ ...batch, entries: old }, 'RecordAgeExceeded', false);
    return young < 0 ? undefined : { ...batch, entries: batch.entries.slice(young) };
  }

  /** Puts records into the failure destination. They are done with only when they lie there. */
  async #giveUp(batch: Batch, condition: Condition, functionFailed: boolean): Promise<void> {
    const { properties, counts, id, source } = this.#mapping;
    const { failureBucket: Bucket, streamArn, functionArn } = properties;
    if (Bucket === undefined) counts.dropped += batch.entries.length;
    else {
      const place = { id, shardId: this.#shardId, streamArn, functionArn, batchInfo: source.batchInfo };
      const object = failureObject(place, batch, condition, functionFailed, this.#mapping.now());
      for (let failures = 0; ; failures++) {
        try {
          await this.#mapping.s3('PutObject', { Bucket, ...object, ContentType: 'application/json' });
          break;
        } catch (error) {
          await this.#mapping.troubled(error, failures);
          if (this.#mapping.stopped) return;
        }
      }
      counts.held += batch.entries.length;
    }
    this.#finish(batch.entries);
  }

  #finish(entries: readonly Entry[]): void {
    for (const entry of entries) entry.done = true;
    this.#settle();
  }

  /** Moves the checkpoint over all that is done, and ends the shard when nothing is left of it. */
  #settle(): void {
    const { checkpoints } = this.#mapping;
    const shardId = this.#shardId;
    let done = 0;
    while (this.#unfinished[done]?.done) done += 1;
    if (done > 0) checkpoints.set(shardId, { after: this.#unfinished[done - 1]!.sequenceNumber });
    this.#unfinished.splice(0, done);
    if (this.#ended && this.#unfinished.length === 0 && !checkpoints.of(shardId).drained) {
      checkpoints.set(shardId, { drained: true });
      void this.#mapping.track(this.#mapping.discover());
    }
  }
}
