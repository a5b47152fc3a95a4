import { type KinesisEngine, openKinesis } from '../../../local/engines/kinesis';
import {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from '../../../local/lambda/event-source-mapping';
import type { Invocation } from '../../../local/lambda/function-host';

export const streamArn = 'arn:aws:kinesis:eu-west-1:000000000000:stream/sales';
export const stream = 'sales';
export const firstShard = 'shardId-000000000000';
export const mappingId = '7d1f0b8e-2f7f-4f0e-9a42-6f5f3f0f4d11';

/** A record as the function sees it. */
export interface Seen {
  readonly key: string;
  readonly text: string;
  readonly sequenceNumber: string;
}

export type Answer = Invocation | Promise<Invocation>;

/** A stream, a mapping with a function made of a callback, and a bucket. */
export class MappingRig {
  readonly calls: Seen[][] = [];
  readonly events: any[] = [];
  readonly objects: { Bucket: string; Key: string; body: any }[] = [];
  readonly problems: string[] = [];
  mapping!: EventSourceMapping;
  /** What the function does. */
  answer: (records: Seen[], call: number) => Answer = () => ({ payload: 'null' });
  /** Called before each call to Kinesis or S3; may throw. */
  fault: (operation: string) => void = () => {};

  private constructor(readonly kinesis: KinesisEngine) {}

  static async open(shards = 1): Promise<MappingRig> {
    const kinesis = await openKinesis({ limits: false });
    await kinesis.call('CreateStream', { StreamName: stream, ShardCount: shards });
    return new MappingRig(kinesis);
  }

  async start(properties: object = {}, options: Partial<EventSourceMappingOptions> = {}): Promise<void> {
    this.mapping = await startEventSourceMapping({
      id: mappingId,
      properties: {
        EventSourceArn: streamArn,
        FunctionName: 'dedup',
        StartingPosition: 'TRIM_HORIZON',
        ...properties,
      },
      roleArn: 'arn:aws:iam::000000000000:role/dedup',
      stream: async (operation, input) => {
        this.fault(operation);
        return this.kinesis.call(operation, input);
      },
      s3: async (operation, { Bucket, Key, Body }) => {
        this.fault(operation);
        this.objects.push({ Bucket, Key, body: JSON.parse(Body.toString()) });
      },
      invoke: async (event) => {
        const parsed = JSON.parse(event);
        const records: Seen[] = parsed.Records.map(({ kinesis }: any) => ({
          key: kinesis.partitionKey,
          text: Buffer.from(kinesis.data, 'base64').toString(),
          sequenceNumber: kinesis.sequenceNumber,
        }));
        this.events.push(parsed);
        this.calls.push(records);
        return this.answer(records, this.calls.length);
      },
      tips: this.kinesis,
      backoff: { first: 0, longest: 0 },
      onProblem: (problem) => this.problems.push(problem),
      ...options,
    });
  }

  /** Writes these texts in one call, each under its own key unless others are given. */
  async put(texts: readonly string[], key: string | ((text: string) => string) = (text) => text): Promise<void> {
    const Records = texts.map((text) => ({
      PartitionKey: typeof key === 'string' ? key : key(text),
      Data: Buffer.from(text).toString('base64'),
    }));
    const { FailedRecordCount } = await this.kinesis.call('PutRecords', { StreamName: stream, Records });
    if (FailedRecordCount > 0) throw new Error('the stream took not all records');
  }

  async split(shard = firstShard, at = 2n ** 127n): Promise<void> {
    const split = { StreamName: stream, ShardToSplit: shard, NewStartingHashKey: String(at) };
    await this.kinesis.call('SplitShard', split);
  }

  async idle(): Promise<void> {
    await until(() => this.mapping.idle());
  }

  /** The texts of each invocation so far. */
  get texts(): string[][] {
    return this.calls.map((records) => records.map(({ text }) => text));
  }

  async close(): Promise<void> {
    await this.mapping?.stop();
    await this.kinesis.close();
  }
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((tick) => setTimeout(tick, 1));
}

export const letters = (from: string, to: string): string[] =>
  Array.from({ length: to.charCodeAt(0) - from.charCodeAt(0) + 1 }, (_, index) =>
    String.fromCharCode(from.charCodeAt(0) + index),
  );

export const succeeded: Invocation = { payload: 'null' };
export const failed: Invocation = { payload: '{"errorType":"Error","errorMessage":"no"}', functionError: 'Unhandled' };

export function partly(...records: (Seen | undefined)[]): Invocation {
  const batchItemFailures = records.map((record) => ({ itemIdentifier: record?.sequenceNumber }));
  return { payload: JSON.stringify({ batchItemFailures }) };
}
