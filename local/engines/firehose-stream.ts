import type { StreamConfiguration } from './firehose-configuration';
import { documentsOf, type JsonDocument } from './firehose-documents';
import type { RowSchema } from './firehose-rows';
import { readSpool, writeSpool } from './firehose-spool';
import { WriteAheadLog } from './write-ahead-log';

/** Pieces of one object to be: rows, raw records, or failed records with their reasons. */
export interface Batch {
  readonly errorType: ErrorType | undefined;
  readonly partition: Readonly<Record<string, string>>;
  /** Arrival of the oldest record. */
  arrived: number;
  bytes: number;
  /** Lines of JSON; of raw records base64. */
  pieces: string[];
}

export type ErrorType = 'processing-failed' | 'format-conversion-failed';

/** A failed record: `lastErrorCode` and `lastErrorMessage` where conversion failed, as AWS writes them. */
interface Failure {
  readonly type: ErrorType;
  readonly code: string;
  readonly message: string;
}

/** Firehose guide, "Apply dynamic partitioning to aggregated data": capped at 500 per record. */
const maxDocuments = 500;
/** The default quota of active partitions per stream. */
const maxPartitions = 500;
const retryMs = 1_000;

export interface StreamOptions {
  readonly configuration: StreamConfiguration;
  /** The table's columns as they are now. Only asked with conversion. */
  readonly schema: () => RowSchema;
  readonly deliver: (batch: Batch) => Promise<void>;
  /** Where batches that are not delivered when the engine closes wait for the next one, and records in case it is killed. */
  readonly spool: string;
}

/** One delivery stream: takes records apart, gathers what goes into one object, and hands it over in time. */
export class DeliveryStream {
  private readonly open = new Map<string, Batch>();
  private readonly timers = new Map<Batch, NodeJS.Timeout>();
  /** Batches on their way, with their outcome. */
  private readonly underway = new Map<Batch, Promise<void>>();
  /** Records that are not all delivered: Firehose loses nothing that it has taken, though it may repeat it. */
  private readonly log: WriteAheadLog;
  private closed = false;

  constructor(private readonly options: StreamOptions) {
    this.log = new WriteAheadLog(`${options.spool}.log`);
    for (const batch of readSpool(options.spool)) this.gather(batch, batch.pieces, batch.bytes, batch.arrived);
    for (const entry of this.log.entries()) this.take(Buffer.from(entry, 'base64'));
  }

  /** Takes one record. What is wrong with its content shows in the error output, not here. */
  put(data: Buffer): void {
    this.log.append(data.toString('base64'));
    this.take(data);
  }

  private take(data: Buffer): void {
    const now = Date.now();
    const { conversion, partitionKeys, separatesRecords, appendsDelimiter } = this.options.configuration;
    if (conversion === undefined && partitionKeys === undefined) {
      const piece = appendsDelimiter ? Buffer.concat([data, Buffer.from('\n')]) : data;
      this.gather({ errorType: undefined, partition: {} }, [piece.toString('base64')], piece.length, now);
      return;
    }
    const documents = documentsOf(data.toString('utf8'));
    const whole = this.wholeFailure(documents, partitionKeys !== undefined, separatesRecords);
    if (whole !== undefined) {
      this.fail(data, whole, now);
      return;
    }
    const schema = conversion === undefined ? undefined : this.options.schema();
    for (const document of documents) this.putDocument(document, schema, now);
  }

  /** Delivers all that has been put so far. Throws if something could not be delivered; that stays. */
  async flush(): Promise<void> {
    const forget = this.log.cut();
    const outcomes = await Promise.allSettled([
      ...this.underway.values(),
      ...[...this.open.values()].map((batch) => this.send(batch)),
    ]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    forget();
  }

  /** Waits for what is on its way and writes the rest to the spool. */
  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.allSettled(this.underway.values());
    writeSpool(this.options.spool, [...this.open.values()]);
    this.log.cut()();
  }

  /** Everything that is not delivered, as text. */
  *contents(): Generator<string> {
    for (const batch of [...this.open.values(), ...this.underway.keys()]) {
      const raw = this.isRaw(batch);
      for (let at = 0; at < batch.pieces.length; at += 10_000) {
        const pieces = batch.pieces.slice(at, at + 10_000);
        yield (raw ? pieces.map((piece) => Buffer.from(piece, 'base64').toString()) : pieces).join('\n');
      }
    }
  }

  private wholeFailure(documents: readonly JsonDocument[], partitioned: boolean, separates: boolean) {
    const { length } = documents;
    if (partitioned && !separates && length > 1) {
      return extractionFailed(`${length} documents in a record: partitioning takes one, or RecordDeAggregation`);
    }
    if (separates && length > maxDocuments) {
      return extractionFailed(`${length} documents in a record: deaggregation takes at most ${maxDocuments}`);
    }
    if (length > 0) return undefined;
    return partitioned
      ? extractionFailed('Non JSON record provided')
      : conversionFailed('MalformedData', 'The record was empty or contained only whitespace.');
  }

  private putDocument({ text, value }: JsonDocument, schema: RowSchema | undefined, now: number): void {
    const { partitionKeys, appendsDelimiter } = this.options.configuration;
    const failure = (problem: Failure) => this.fail(Buffer.from(text), problem, now);
    if (value === undefined) {
      const malformed = conversionFailed('ParseError', 'Encountered malformed JSON.');
      failure(partitionKeys === undefined ? malformed : extractionFailed('Non JSON record provided'));
      return;
    }
    const partition: Record<string, string> = {};
    for (const [key, path] of Object.entries(partitionKeys ?? {})) {
      const found = path.reduce<any>((at, member) => at?.[member], value);
      if (found === undefined || found === null || found === '' || typeof found === 'object') {
        failure(extractionFailed('partitionKeys values must not be null or empty'));
        return;
      }
      partition[key] = String(found);
    }
    let piece = text;
    if (schema === undefined) {
      piece = Buffer.from(appendsDelimiter ? `${text}\n` : text).toString('base64');
    } else {
      const fitted = schema.fit(text, value);
      if ('problem' in fitted) {
        failure(conversionFailed('MalformedData', fitted.problem));
        return;
      }
      piece = fitted.row;
    }
    const kind = { errorType: undefined, partition };
    if (this.open.size >= maxPartitions && !this.open.has(batchId(kind))) {
      const message = `more than ${maxPartitions} active partitions`;
      failure({ type: 'processing-failed', code: 'DynamicPartitioning.ActivePartitionLimitExceeded', message });
      return;
    }
    this.gather(kind, [piece], text.length, now);
  }

  private fail(data: Buffer, { type, code, message }: Failure, now: number): void {
    const { conversion } = this.options.configuration;
    const converting = type === 'format-conversion-failed';
    const line = JSON.stringify({
      attemptsMade: 1,
      arrivalTimestamp: now,
      [converting ? 'lastErrorCode' : 'errorCode']: code,
      [converting ? 'lastErrorMessage' : 'errorMessage']: message,
      attemptEndingTimestamp: now,
      rawData: data.toString('base64'),
      ...(converting && conversion !== undefined
        ? { dataCatalogTable: { databaseName: conversion.database, tableName: conversion.table, versionId: 'LATEST' } }
        : {}),
    });
    this.gather({ errorType: type, partition: {} }, [line], line.length, now);
  }

  /** Adds pieces to the batch they belong to. */
  private gather(
    { errorType, partition }: Pick<Batch, 'errorType' | 'partition'>,
    pieces: readonly string[],
    bytes: number,
    arrived: number,
  ): void {
    const id = batchId({ errorType, partition });
    let batch = this.open.get(id);
    if (batch === undefined) {
      batch = { errorType, partition, arrived, bytes: 0, pieces: [] };
      this.open.set(id, batch);
      this.schedule(batch, this.options.configuration.bufferSeconds * 1000);
    }
    for (const piece of pieces) batch.pieces.push(piece);
    batch.bytes += bytes;
    batch.arrived = Math.min(batch.arrived, arrived);
    if (batch.bytes >= this.options.configuration.bufferBytes) this.schedule(batch, 0);
  }

  private schedule(batch: Batch, delayMs: number): void {
    clearTimeout(this.timers.get(batch));
    // A failure has put the batch back and set the next try; flush() is what tells of it. Unheld, so as not to keep a
    // process that is done.
    const timer = setTimeout(() => this.send(batch).catch(() => {}), delayMs);
    this.timers.set(batch, timer.unref());
  }

  private send(batch: Batch): Promise<void> {
    clearTimeout(this.timers.get(batch));
    this.timers.delete(batch);
    const id = batchId(batch);
    if (this.open.get(id) === batch) this.open.delete(id);
    const outcome = this.options.deliver(batch).then(
      () => {
        this.underway.delete(batch);
      },
      (error) => {
        this.underway.delete(batch);
        this.putBack(id, batch);
        throw error;
      },
    );
    this.underway.set(batch, outcome);
    return outcome;
  }

  private putBack(id: string, batch: Batch): void {
    const newer = this.open.get(id);
    if (newer !== undefined) {
      clearTimeout(this.timers.get(newer));
      this.timers.delete(newer);
      for (const piece of newer.pieces) batch.pieces.push(piece);
      batch.bytes += newer.bytes;
    }
    this.open.set(id, batch);
    if (!this.closed) this.schedule(batch, retryMs);
  }

  private isRaw({ errorType }: Batch): boolean {
    return errorType === undefined && this.options.configuration.conversion === undefined;
  }
}

function batchId({ errorType, partition }: Pick<Batch, 'errorType' | 'partition'>): string {
  return errorType ?? JSON.stringify(Object.entries(partition));
}

function extractionFailed(message: string): Failure {
  return { type: 'processing-failed', code: 'DynamicPartitioning.MetadataExtractionFailed', message };
}

function conversionFailed(code: 'MalformedData' | 'ParseError', message: string): Failure {
  return { type: 'format-conversion-failed', code: `DataFormatConversion.${code}`, message };
}
