import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import addTagsToStream from 'kinesalite/actions/addTagsToStream';
import createStream from 'kinesalite/actions/createStream';
import decreaseStreamRetentionPeriod from 'kinesalite/actions/decreaseStreamRetentionPeriod';
import deleteStream from 'kinesalite/actions/deleteStream';
import describeStream from 'kinesalite/actions/describeStream';
import describeStreamSummary from 'kinesalite/actions/describeStreamSummary';
import increaseStreamRetentionPeriod from 'kinesalite/actions/increaseStreamRetentionPeriod';
import listShards from 'kinesalite/actions/listShards';
import listStreams from 'kinesalite/actions/listStreams';
import listTagsForStream from 'kinesalite/actions/listTagsForStream';
import mergeShards from 'kinesalite/actions/mergeShards';
import removeTagsFromStream from 'kinesalite/actions/removeTagsFromStream';
import splitShard from 'kinesalite/actions/splitShard';
import kinesaliteDb from 'kinesalite/db';
import validations from 'kinesalite/validations';
import addTagsToStreamInput from 'kinesalite/validations/addTagsToStream';
import createStreamInput from 'kinesalite/validations/createStream';
import decreaseStreamRetentionPeriodInput from 'kinesalite/validations/decreaseStreamRetentionPeriod';
import deleteStreamInput from 'kinesalite/validations/deleteStream';
import describeStreamInput from 'kinesalite/validations/describeStream';
import describeStreamSummaryInput from 'kinesalite/validations/describeStreamSummary';
import increaseStreamRetentionPeriodInput from 'kinesalite/validations/increaseStreamRetentionPeriod';
import listShardsInput from 'kinesalite/validations/listShards';
import listStreamsInput from 'kinesalite/validations/listStreams';
import listTagsForStreamInput from 'kinesalite/validations/listTagsForStream';
import mergeShardsInput from 'kinesalite/validations/mergeShards';
import removeTagsFromStreamInput from 'kinesalite/validations/removeTagsFromStream';
import splitShardInput from 'kinesalite/validations/splitShard';
import { AwsError, localAccount, localRegion } from './engine';
import { StreamRecords } from './kinesis-records';

/** Kinesalite's own operations, with the shapes of their inputs. The data path is ours: kinesis-stream.ts. */
const operations: Record<string, { readonly run: any; readonly input: any }> = {
  AddTagsToStream: { run: addTagsToStream, input: addTagsToStreamInput },
  CreateStream: { run: createStream, input: createStreamInput },
  DecreaseStreamRetentionPeriod: { run: decreaseStreamRetentionPeriod, input: decreaseStreamRetentionPeriodInput },
  DeleteStream: { run: deleteStream, input: deleteStreamInput },
  DescribeStream: { run: describeStream, input: describeStreamInput },
  DescribeStreamSummary: { run: describeStreamSummary, input: describeStreamSummaryInput },
  IncreaseStreamRetentionPeriod: { run: increaseStreamRetentionPeriod, input: increaseStreamRetentionPeriodInput },
  ListShards: { run: listShards, input: listShardsInput },
  ListStreams: { run: listStreams, input: listStreamsInput },
  ListTagsForStream: { run: listTagsForStream, input: listTagsForStreamInput },
  MergeShards: { run: mergeShards, input: mergeShardsInput },
  RemoveTagsFromStream: { run: removeTagsFromStream, input: removeTagsFromStreamInput },
  SplitShard: { run: splitShard, input: splitShardInput },
};

/** Kinesalite's database: one document per stream, and its records. */
export class KinesisStore {
  readonly #store: any;

  constructor(private readonly directory: string | undefined) {
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
    this.#store = kinesaliteDb.create({
      ...(directory !== undefined && { path: join(directory, 'kinesis') }),
      createStreamMs: 0,
      deleteStreamMs: 0,
      updateStreamMs: 0,
      shardLimit: 10_000,
    });
    // It takes both from the environment of the process, which is the user's, not the local account's.
    this.#store.metaDb.awsAccountId = localAccount;
    this.#store.metaDb.awsRegion = localRegion;
  }

  /** Kinesalite leaves a stream half made or half deleted if the process ends meanwhile: settles those. */
  async open(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { key, value } of this.#store.metaDb.createReadStream()) {
      if (value.StreamStatus === 'UPDATING') await this.#store.metaDb.put(key, { ...value, StreamStatus: 'ACTIVE' });
      if (value.StreamStatus === 'ACTIVE' || value.StreamStatus === 'UPDATING') names.push(key);
      else await this.#store.metaDb.del(key);
    }
    return names;
  }

  operations(): readonly string[] {
    return Object.keys(operations);
  }

  /** Runs one of kinesalite's operations after its own checks of the input. */
  async run(operation: string, input: Record<string, unknown>): Promise<any> {
    const { run, input: shape } = operations[operation]!;
    for (const name of Object.keys(input)) {
      // Kinesalite would drop it in silence.
      if (shape.types[name] === undefined)
        throw new AwsError('ValidationException', `parameter '${name}' of kinesis ${operation} has no local model`);
    }
    try {
      const checked = validations.checkTypes({ ...input }, shape.types);
      validations.checkValidations(checked, shape.types, shape.custom, operation);
      return await new Promise((resolve, reject) =>
        run(this.#store, checked, (error: unknown, output: unknown) => (error ? reject(error) : resolve(output))),
      );
    } catch (error) {
      throw awsError(error);
    }
  }

  /** The stream's document: what DescribeStream shows, and what we add to it. */
  async stream(name: string): Promise<any> {
    try {
      return await new Promise((resolve, reject) =>
        this.#store.getStream(name, (error: unknown, stream: unknown) => (error ? reject(error) : resolve(stream))),
      );
    } catch (error) {
      throw awsError(error);
    }
  }

  /** Changes the stream's document. */
  update(name: string, changes: Record<string, unknown>): Promise<void> {
    return this.inTurn(name, async () => {
      await this.#store.metaDb.put(name, { ...(await this.stream(name)), ...changes });
    });
  }

  /** Waits until the stream has settled after an operation: kinesalite finishes them in a timer of its own. */
  async settled(name: string): Promise<void> {
    for (;;) {
      const status = await this.stream(name).then(
        (stream) => stream.StreamStatus,
        () => 'DELETED',
      );
      if (status === 'ACTIVE' || status === 'DELETED') return;
      await sleep(1);
    }
  }

  /** Runs the work alone among all that write to this stream, kinesalite's own operations included. */
  inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#store.metaDb.lock(name, (release: any) => {
        const done = release();
        work().then(resolve, reject).finally(done);
      });
    });
  }

  /** The stream's records, by `recordKey`. Once for each stream. */
  openRecords(name: string): Promise<StreamRecords> {
    const file = this.directory === undefined ? undefined : join(this.directory, `kinesis.${name}.log`);
    return StreamRecords.open(this.#store.getStreamDb(name), file);
  }

  async close(): Promise<void> {
    await this.#store.db.close();
  }
}

/** Where kinesalite keeps a record; with a shard alone, the prefix of all its records. */
export function recordKey(shardIndex: number, sequenceNumber = ''): string {
  return `${shardIndex.toString(16).padStart(8, '0')}/${sequenceNumber}`;
}

function awsError(error: any): unknown {
  if (error?.body === undefined) return error;
  const { __type, message, Message } = error.body;
  return new AwsError(__type, message ?? Message ?? '', error.statusCode);
}
