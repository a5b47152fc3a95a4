import { AwsError, type Engine, localAccount } from './engine';
import { checkedRecord, checkedRecords, dataBytes, streamName } from './kinesis-input';
import { readIterator, startIndex, writeIterator } from './kinesis-iterator';
import type { KinesisRecord } from './kinesis-shard';
import { KinesisStore } from './kinesis-store';
import { type PutResult, Stream } from './kinesis-stream';
import type { RecordsListener, StreamTips } from './stream-tips';

export interface KinesisOptions {
  /** The folder of the run's state. Without it, records live as long as the process. */
  readonly directory?: string;
  readonly now?: () => number;
  /** Whether shards throttle as AWS's do: 1,000 records and 1 MiB a second. */
  readonly limits?: boolean;
  /** Called with what AWS would bill: each record in or out, rounded up to 1 KB. */
  readonly onConsumed?: (stream: string, kind: 'in' | 'out', kilobytes: number) => void;
  /** Makes single records fail as throttled, for tests of their senders. */
  readonly throttle?: (stream: string, recordIndex: number) => boolean;
}

export interface KinesisEngine extends Engine, StreamTips {}

/** Kinesis Data Streams over kinesalite: its store and its control plane, with a data path that costs little. */
export async function openKinesis(options: KinesisOptions = {}): Promise<KinesisEngine> {
  const store = new KinesisStore(options.directory);
  const kinesis = new Kinesis(store, options);
  for (const name of await store.open()) await kinesis.open(name);
  return kinesis;
}

class Kinesis implements KinesisEngine {
  readonly service = 'kinesis';
  readonly #streams = new Map<string, Stream>();
  readonly #now: () => number;
  readonly #consumed: NonNullable<KinesisOptions['onConsumed']>;
  readonly #operations: Record<string, (input: any) => Promise<any>> = {
    CreateStream: (input) => this.#createStream(input),
    DeleteStream: (input) => this.#deleteStream(input),
    GetRecords: (input) => this.#getRecords(input),
    GetShardIterator: (input) => this.#getShardIterator(input),
    MergeShards: (input) => this.#reshard('MergeShards', input),
    PutRecord: (input) => this.#putRecord(input),
    PutRecords: (input) => this.#putRecords(input),
    SplitShard: (input) => this.#reshard('SplitShard', input),
    StartStreamEncryption: (input) =>
      this.#change(input, { EncryptionType: input.EncryptionType ?? 'KMS', KeyId: input.KeyId }),
    StopStreamEncryption: (input) => this.#change(input, { EncryptionType: 'NONE', KeyId: undefined }),
    UpdateStreamMode: (input) => this.#change(input, { StreamModeDetails: checkedMode(input.StreamModeDetails) }),
  };

  constructor(
    readonly store: KinesisStore,
    readonly options: KinesisOptions,
  ) {
    this.#now = options.now ?? Date.now;
    this.#consumed = options.onConsumed ?? (() => {});
    for (const operation of store.operations()) {
      this.#operations[operation] ??= (input) => store.run(operation, byName(input));
    }
    this.#operations.ListStreams = (input) => store.run('ListStreams', input);
  }

  async open(name: string): Promise<void> {
    const { limits = true, throttle = () => false } = this.options;
    const stream = new Stream(name, this.store, await this.store.openRecords(name), {
      now: this.#now,
      limits,
      throttle,
    });
    await stream.refresh();
    this.#streams.set(name, stream);
  }

  async call(operation: string, input: any): Promise<any> {
    const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
    if (run === undefined)
      throw new AwsError(
        'UnknownOperationException',
        `operation '${operation}' of kinesis has no local model: use ${Object.keys(this.#operations).sort().join(', ')}`,
      );
    return run(input);
  }

  onRecords(stream: string, listener: RecordsListener): () => void {
    return this.#stream(stream).onRecords(listener);
  }

  shardIds(stream: string): readonly string[] {
    return [...this.#stream(stream).shards()].map(({ id }) => id);
  }

  tip(stream: string, shardId: string): string | undefined {
    return this.#stream(stream).shard(shardId)?.last;
  }

  countAfter(stream: string, shardId: string, sequenceNumber?: string): number {
    const shard = this.#stream(stream).shard(shardId);
    if (shard === undefined) return 0;
    return shard.newest - (sequenceNumber === undefined ? 0 : (shard.indexOf(sequenceNumber) ?? 0));
  }

  async *contents(): AsyncIterable<{ readonly where: string; readonly text: string }> {
    for (const [name, { records }] of this.#streams) {
      yield { where: `kinesis stream ${name}`, text: JSON.stringify(await this.store.stream(name)) };
      for await (const { key, value } of records.read()) {
        const data = Buffer.from(value.Data, 'base64').toString();
        yield { where: `kinesis stream ${name} record ${key}`, text: `${value.PartitionKey}\n${data}` };
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#streams.values()].map(({ records }) => records.close())).finally(() =>
      this.store.close(),
    );
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name);
    if (stream === undefined)
      throw new AwsError('ResourceNotFoundException', `Stream ${name} under account ${localAccount} not found.`);
    return stream;
  }

  async #createStream({ StreamModeDetails, Tags, ...input }: any): Promise<void> {
    const mode = checkedMode(StreamModeDetails ?? { StreamMode: 'PROVISIONED' });
    const onDemand = mode.StreamMode === 'ON_DEMAND';
    if (onDemand && input.ShardCount !== undefined)
      throw new AwsError('ValidationException', 'ShardCount is not allowed with the stream mode ON_DEMAND');
    // On-demand streams of AWS begin with four shards.
    await this.store.run('CreateStream', onDemand ? { ...input, ShardCount: 4 } : input);
    await this.store.settled(input.StreamName);
    await this.store.update(input.StreamName, { StreamModeDetails: mode });
    if (Tags !== undefined) await this.store.run('AddTagsToStream', { StreamName: input.StreamName, Tags });
    await this.open(input.StreamName);
  }

  async #deleteStream({ EnforceConsumerDeletion: _, ...input }: any): Promise<void> {
    const named = byName(input);
    const records = this.#streams.get(named.StreamName)?.records;
    await records?.settled();
    await this.store.run('DeleteStream', named);
    records?.discard();
    await this.store.settled(named.StreamName);
    this.#streams.delete(named.StreamName);
  }

  async #change(input: any, changes: Record<string, unknown>): Promise<void> {
    const stream = this.#stream(streamName(input));
    await this.store.update(stream.name, changes);
    await this.store.inTurn(stream.name, () => stream.refresh());
  }

  async #reshard(operation: 'MergeShards' | 'SplitShard', input: any): Promise<void> {
    const named = byName(input);
    const stream = this.#stream(named.StreamName);
    const { StreamModeDetails } = await this.store.stream(stream.name);
    if (StreamModeDetails.StreamMode === 'ON_DEMAND')
      throw new AwsError('ValidationException', `${operation} is not supported for on-demand streams: use PROVISIONED`);
    await stream.reshard(() => this.store.run(operation, named));
  }

  async #putRecord(input: any): Promise<any> {
    const stream = this.#stream(streamName(input));
    const record = checkedRecord(input);
    const [result] = await stream.put([record]);
    const { shardId, sequenceNumber } = result!;
    if (sequenceNumber === undefined)
      throw new AwsError('ProvisionedThroughputExceededException', rateExceeded(stream.name, shardId));
    this.#consumed(stream.name, 'in', kilobytes(record.bytes));
    return { ShardId: shardId, SequenceNumber: sequenceNumber, EncryptionType: stream.encryption };
  }

  async #putRecords(input: any): Promise<any> {
    const stream = this.#stream(streamName(input));
    const records = checkedRecords(input.Records);
    const results = await stream.put(records);
    let consumed = 0;
    let failed = 0;
    const answer = ({ shardId, sequenceNumber }: PutResult, index: number) => {
      if (sequenceNumber !== undefined) {
        consumed += kilobytes(records[index]!.bytes);
        return { SequenceNumber: sequenceNumber, ShardId: shardId };
      }
      failed += 1;
      return {
        ErrorCode: 'ProvisionedThroughputExceededException',
        ErrorMessage: rateExceeded(stream.name, shardId),
      };
    };
    const Records = results.map(answer);
    this.#consumed(stream.name, 'in', consumed);
    return { FailedRecordCount: failed, Records, EncryptionType: stream.encryption };
  }

  async #getShardIterator(input: any): Promise<any> {
    const stream = this.#stream(streamName(input));
    const shard = stream.shard(input.ShardId);
    if (shard === undefined) throw noShard(stream.name, input.ShardId);
    const next = await startIndex(shard, stream.name, input);
    return { ShardIterator: writeIterator({ stream: stream.name, shard: shard.id, next, made: this.#now() }) };
  }

  async #getRecords({ ShardIterator, Limit = 10_000 }: any): Promise<any> {
    if (!Number.isInteger(Limit) || Limit < 1 || Limit > 10_000)
      throw new AwsError('ValidationException', `limit '${Limit}' is not allowed: use 1 to 10000`);
    const now = this.#now();
    const { stream: name, shard: id, next } = readIterator(ShardIterator, now);
    const stream = this.#stream(name);
    const shard = stream.shard(id);
    if (shard === undefined) throw noShard(name, id);
    // Asked before reading: a shard that is closed by then has got its last record.
    const closed = stream.isClosed(id);
    const Records = await shard.read(next, Limit);
    const following = next + Records.length;
    const behind = shard.newest >= following;
    if (Records.length > 0) this.#consumed(name, 'out', Records.reduce(addKilobytes, 0));
    const oldest = Records.at(-1)?.ApproximateArrivalTimestamp ?? now / 1000;
    // Never 0 while there is more, even if all of it came in this millisecond: 0 means at the tip.
    const answer = { Records, MillisBehindLatest: behind ? Math.max(1, Math.round(now - oldest * 1000)) : 0 };
    if (closed && !behind) return { ...answer, ChildShards: await this.#children(name, id) };
    return { ...answer, NextShardIterator: writeIterator({ stream: name, shard: id, next: following, made: now }) };
  }

  async #children(stream: string, parent: string): Promise<any[]> {
    const { Shards } = await this.store.stream(stream);
    return Shards.filter((shard: any) => [shard.ParentShardId, shard.AdjacentParentShardId].includes(parent)).map(
      ({ ShardId, HashKeyRange, ParentShardId, AdjacentParentShardId }: any) => ({
        ShardId,
        HashKeyRange,
        ParentShards: [ParentShardId, AdjacentParentShardId].filter(Boolean),
      }),
    );
  }
}

function byName({ StreamARN, ...input }: any): any {
  return { ...input, StreamName: streamName({ ...input, StreamARN }) };
}

function checkedMode(details: any): { readonly StreamMode: string } {
  if (details?.StreamMode !== 'ON_DEMAND' && details?.StreamMode !== 'PROVISIONED')
    throw new AwsError(
      'ValidationException',
      `stream mode '${details?.StreamMode}' is unknown: use ON_DEMAND or PROVISIONED`,
    );
  return { StreamMode: details.StreamMode };
}

function rateExceeded(stream: string, shardId: string): string {
  return `Rate exceeded for shard ${shardId} in stream ${stream} under account ${localAccount}.`;
}

function noShard(stream: string, shardId: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Shard ${shardId} in stream ${stream} under account ${localAccount} does not exist`,
  );
}

function kilobytes(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1024));
}

function addKilobytes(sum: number, { Data, PartitionKey }: KinesisRecord): number {
  return sum + kilobytes(dataBytes(Data) + Buffer.byteLength(PartitionKey));
}
