import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { parseConfiguration, type StreamConfiguration } from './firehose-configuration';
import { objectKey } from './firehose-prefix';
import { type RowSchema, rowSchemaOf } from './firehose-rows';
import { type Batch, DeliveryStream } from './firehose-stream';
import type { GlueTable } from './glue';
import { openParquet, type Parquet } from './s3-parquet';

/** Firehose with direct puts, into S3, as Parquet by a Glue table's columns if so configured. */
export interface FirehoseEngine extends Engine {
  readonly service: 'firehose';
  /** Delivers what is buffered, without waiting for size or interval. Throws if a delivery fails; the data stays. */
  flush(): Promise<void>;
}

/** What the engine needs from its surroundings. */
export interface FirehoseOptions {
  /** For files on their way and for what is not delivered when the engine closes. */
  readonly directory: string;
  /** Calls S3 under a destination's role. */
  readonly s3: (roleArn: string, operation: string, input: any) => Promise<any>;
  readonly table: (database: string, name: string) => GlueTable;
  /** Told what a request is billed: every record is rounded up to 5 KB. */
  readonly onConsumed?: (stream: string, kilobytes: number) => void;
  /** Whether to refuse a record as if the stream had too much to do. */
  readonly throttle?: (stream: string, recordIndex: number) => boolean;
}

interface Stream {
  readonly arn: string;
  readonly created: number;
  readonly destination: any;
  readonly delivery: DeliveryStream;
}

const maxRecords = 500;
const maxRecordBytes = 1000 * 1024;
const maxRequestBytes = 4 * 1024 * 1024;
const billedBytes = 5 * 1024;

/** Starts Firehose without streams; what an earlier run left undelivered joins its stream when that is created. */
export async function openFirehose(options: FirehoseOptions): Promise<FirehoseEngine> {
  const { directory, table, throttle, onConsumed } = options;
  const temporary = path.join(directory, 'tmp');
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  const streams = new Map<string, Stream>();
  let parquet: Promise<Parquet> | undefined;
  // One file at a time: DuckDB has one thread, and two would only take each other's memory.
  let converting: Promise<unknown> = Promise.resolve();

  function streamOf(name: unknown): Stream {
    const stream = streams.get(String(name));
    if (stream !== undefined) return stream;
    throw new AwsError(
      'ResourceNotFoundException',
      `Firehose ${String(name)} under account ${localAccount} not found.`,
    );
  }

  /** The table's columns, prepared once per version of the table. */
  function schemaReader({ conversion }: StreamConfiguration): () => RowSchema {
    let last: { readonly table: GlueTable; readonly schema: RowSchema } | undefined;
    return () => {
      const current = table(conversion!.database, conversion!.table);
      if (last?.table !== current) last = { table: current, schema: rowSchemaOf(current) };
      return last.schema;
    };
  }

  async function parquetOf(rows: readonly string[], schema: RowSchema): Promise<Buffer> {
    const json = path.join(temporary, `${randomUUID()}.json`);
    const file = path.join(temporary, `${randomUUID()}.parquet`);
    try {
      parquet ??= openParquet();
      const writer = await parquet;
      await writeLines(json, rows);
      try {
        await writer.write(json, schema.columns, file);
      } catch {
        // Legal JSON that DuckDB does not read: a key twice, half a surrogate pair. Rare enough to look for it only now.
        await writeLines(json, rows.map(schema.rewritten));
        await writer.write(json, schema.columns, file);
      }
      return await readFile(file);
    } finally {
      await Promise.all([rm(json, { force: true }), rm(file, { force: true })]);
    }
  }

  function bodyOf(batch: Batch, configuration: StreamConfiguration, schema: () => RowSchema): Promise<Buffer> | Buffer {
    if (batch.errorType !== undefined) return Buffer.from(`${batch.pieces.join('\n')}\n`);
    if (configuration.conversion === undefined) {
      const raw = Buffer.concat(batch.pieces.map((piece) => Buffer.from(piece, 'base64')));
      return configuration.gzip ? gzipSync(raw) : raw;
    }
    const made = converting.then(() => parquetOf(batch.pieces, schema()));
    converting = made.catch(() => {});
    return made;
  }

  function create(name: string, destination: any): void {
    const configuration = parseConfiguration(destination);
    const schema = schemaReader(configuration);
    if (configuration.conversion !== undefined) {
      try {
        schema();
      } catch (error) {
        throw new AwsError('InvalidArgumentException', `firehose: ${(error as Error).message}`);
      }
    }
    const extension = configuration.conversion !== undefined ? '.parquet' : configuration.gzip ? '.gz' : '';
    const delivery = new DeliveryStream({
      configuration,
      schema,
      spool: path.join(directory, `${name}.spool`),
      async deliver(batch) {
        const Body = await bodyOf(batch, configuration, schema);
        const failed = batch.errorType !== undefined;
        const values = { ...batch, ...(failed ? { errorOutputType: batch.errorType } : {}) };
        const prefix = failed ? configuration.errorPrefix! : configuration.prefix;
        await options.s3(destination.RoleARN, 'PutObject', {
          Bucket: configuration.bucket,
          Key: objectKey(prefix, values, name, failed ? '' : extension),
          Body,
          ContentType: 'application/octet-stream',
          ...(configuration.gzip && !failed ? { ContentEncoding: 'gzip' } : {}),
          ...configuration.encryption,
        });
      },
    });
    const arn = `arn:aws:firehose:${localRegion}:${localAccount}:deliverystream/${name}`;
    streams.set(name, { arn, created: Date.now() / 1000, destination, delivery });
  }

  const operations: Record<string, (input: any) => object | Promise<object>> = {
    CreateDeliveryStream(input) {
      const { DeliveryStreamName: name, DeliveryStreamType: type, ExtendedS3DestinationConfiguration, ...rest } = input;
      if (!/^[a-zA-Z0-9_.-]{1,64}$/.test(String(name))) {
        throw new AwsError('InvalidArgumentException', `stream name ${name} is invalid: 1 to 64 of [a-zA-Z0-9_.-]`);
      }
      const effectless = ['Tags', 'DeliveryStreamEncryptionConfigurationInput'];
      const surplus = Object.keys(rest).find((member) => rest[member] !== undefined && !effectless.includes(member));
      if (surplus !== undefined || (type ?? 'DirectPut') !== 'DirectPut') {
        const what = surplus ?? `DeliveryStreamType ${type}`;
        throw new AwsError('InvalidArgumentException', `firehose: ${what} is not modelled locally`);
      }
      if (streams.has(name)) {
        throw new AwsError('ResourceInUseException', `Firehose ${name} under accountId ${localAccount} already exists`);
      }
      create(name, ExtendedS3DestinationConfiguration ?? {});
      return { DeliveryStreamARN: streams.get(name)!.arn };
    },

    DescribeDeliveryStream({ DeliveryStreamName }) {
      const { arn, created, destination } = streamOf(DeliveryStreamName);
      const DestinationId = 'destinationId-000000000001';
      return {
        DeliveryStreamDescription: {
          DeliveryStreamName,
          DeliveryStreamARN: arn,
          DeliveryStreamStatus: 'ACTIVE',
          DeliveryStreamType: 'DirectPut',
          VersionId: '1',
          CreateTimestamp: created,
          Destinations: [{ DestinationId, ExtendedS3DestinationDescription: destination }],
          HasMoreDestinations: false,
        },
      };
    },

    ListDeliveryStreams: () => ({ DeliveryStreamNames: [...streams.keys()], HasMoreDeliveryStreams: false }),

    PutRecord({ DeliveryStreamName, Record }) {
      const { delivery } = streamOf(DeliveryStreamName);
      const data = dataOf(Record);
      if (throttle?.(DeliveryStreamName, 0)) throw new AwsError('ServiceUnavailableException', slowDown, 503);
      delivery.put(data);
      onConsumed?.(DeliveryStreamName, billedKilobytes(data));
      return { RecordId: randomUUID(), Encrypted: false };
    },

    PutRecordBatch({ DeliveryStreamName, Records }) {
      const { delivery } = streamOf(DeliveryStreamName);
      if (!Array.isArray(Records) || Records.length === 0 || Records.length > maxRecords) {
        throw outOfLimits(`records: got ${Records?.length ?? 0}, 1 to ${maxRecords} are allowed`);
      }
      const all = Records.map(dataOf);
      if (all.reduce((sum, { length }) => sum + length, 0) > maxRequestBytes) {
        throw new AwsError('InvalidArgumentException', 'Records size exceeds 4 MB limit');
      }
      let kilobytes = 0;
      let FailedPutCount = 0;
      const RequestResponses = all.map((data, index) => {
        if (throttle?.(DeliveryStreamName, index)) {
          FailedPutCount++;
          return { ErrorCode: 'ServiceUnavailableException', ErrorMessage: slowDown };
        }
        delivery.put(data);
        kilobytes += billedKilobytes(data);
        return { RecordId: randomUUID() };
      });
      if (kilobytes > 0) onConsumed?.(DeliveryStreamName, kilobytes);
      return { FailedPutCount, Encrypted: false, RequestResponses };
    },
  };

  return {
    service: 'firehose',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined) {
        throw new AwsError('UnknownOperationException', `firehose ${operation} is not modelled locally`);
      }
      return run(input);
    },
    async flush() {
      const outcomes = await Promise.allSettled([...streams.values()].map(({ delivery }) => delivery.flush()));
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
    async *contents() {
      for (const [name, { delivery, destination }] of streams) {
        yield { where: `firehose ${name}`, text: JSON.stringify(destination) };
        for (const text of delivery.contents()) yield { where: `firehose ${name} (not delivered)`, text };
      }
    },
    async close() {
      for (const { delivery } of streams.values()) await delivery.close();
      streams.clear();
      (await parquet)?.close();
    },
  };
}

const slowDown = 'Slow down.';

function dataOf(record: any): Buffer {
  if (typeof record?.Data !== 'string') throw outOfLimits('record.data: Member must not be null');
  const data = Buffer.from(record.Data, 'base64');
  if (data.length > maxRecordBytes) {
    throw outOfLimits(`record.data: got ${data.length} bytes, at most ${maxRecordBytes} are allowed`);
  }
  return data;
}

function outOfLimits(what: string): AwsError {
  const message = `1 validation error detected: Value at '${what.replace(':', "' failed to satisfy constraint:")}`;
  return new AwsError('ValidationException', message);
}

function billedKilobytes({ length }: Buffer): number {
  return Math.max(1, Math.ceil(length / billedBytes)) * 5;
}

async function writeLines(file: string, lines: readonly string[]): Promise<void> {
  function* pieces(): Generator<string> {
    for (let at = 0; at < lines.length; at += 5_000) yield `${lines.slice(at, at + 5_000).join('\n')}\n`;
  }
  await writeFile(file, pieces());
}
