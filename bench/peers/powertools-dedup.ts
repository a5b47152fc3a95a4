import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import type { Context, KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import { type Sale, saleKey } from '../../lambdas/base/domain/sale';
import { kinesisClient } from '../../lambdas/base/runtime/clients';
import { requireEnv } from '../../lambdas/base/runtime/env';
import { type OutgoingRecord, writeRecords } from '../../lambdas/base/runtime/stream-writer';

const kinesis = kinesisClient();
const salesStream = requireEnv('POWERTOOLS_SALES_STREAM_NAME');
const processor = new BatchProcessor(EventType.KinesisDataStreams);
const config = new IdempotencyConfig({
  eventKeyJmesPath: '[source, transactionId]',
  expiresAfterSeconds: Number(requireEnv('CLAIM_DAYS')) * 86_400,
});
// With its own client, which waits without limit: a call given up after ten seconds on a busy machine leaves its record
// in progress, and the batch fails until that has expired.
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: requireEnv('POWERTOOLS_TABLE_NAME') });

/**
 * Dedup as one builds it with Powertools' batch and idempotency utilities, as they come: records of a batch in parallel,
 * keyed by source and transactionId. In its favour: conflicts are not looked for, and sales are handed over in one call
 * after all are marked as done, as cheap as ours, though a crash in between would lose them. (With `processInParallel`
 * off, repeats of one batch do not collide, but every record waits for the calls of the one before it.)
 */
export async function handler(event: KinesisStreamEvent, context: Context): Promise<KinesisStreamBatchResponse> {
  config.registerLambdaContext(context);
  const outgoing: OutgoingRecord[] = [];
  const handOver = makeIdempotent(
    async (sale: Sale, text: string) => {
      outgoing.push({ partitionKey: saleKey(sale), text });
    },
    { persistenceStore, config },
  );
  const answer = await processPartialResponse(
    event,
    async ({ kinesis: { data } }: KinesisStreamRecord) => {
      const text = Buffer.from(data, 'base64').toString('utf8');
      await handOver(JSON.parse(text), text);
    },
    processor,
    { context, throwOnFullBatchFailure: false },
  );
  const refused = await writeRecords(kinesis, salesStream, outgoing, 4);
  if (refused.size > 0) throw new Error(`the stream refused ${refused.size} records`);
  return answer as KinesisStreamBatchResponse;
}
