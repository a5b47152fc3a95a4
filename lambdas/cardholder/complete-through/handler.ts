import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { markRecordText } from '../../base/domain/completeness-mark';
import { kinesisClient } from '../../base/runtime/clients';
import { requireEnv } from '../../base/runtime/env';
import { countMetrics, log } from '../../base/runtime/log';
import { lanesOf } from '../../base/runtime/stream-lanes';
import { writeRecords } from '../../base/runtime/stream-writer';
import { describeFailure } from '../failure';
import { readMarks } from './request';

const kinesis = kinesisClient();
const streamName = requireEnv('SALES_INGEST_STREAM_NAME');
const writeAttempts = 4;
const retryAfterSeconds = 5;

/**
 * Takes marks in: `POST /v1/sales/complete-through`. A source sends one when all its sales up to a time have been answered
 * `accepted` or `rejected`, so they are in the stream already; the mark is put behind them, into every shard.
 *
 * On repeat: the mark is written again, and says the same. On bad data: 400, and none of the request's marks counts. On
 * failure: 503; a mark that reached some shards only counts nowhere, since a reader waits for all of them.
 */
export async function handler({ body, isBase64Encoded }: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  const now = new Date();
  const marks = readMarks(body, isBase64Encoded, now.getTime());
  if ('code' in marks) {
    countMetrics({ Marks: 0, MarksRefused: 1, MarksUnavailable: 0 });
    return json(400, marks);
  }
  try {
    const lanes = await lanesOf(kinesis, streamName);
    const records = lanes.map(({ number, of, hashKey }) => ({
      partitionKey: `mark#${number}`,
      hashKey,
      text: markRecordText({ marks, acceptedAt: now.toISOString(), ingestLane: { number, of } }),
    }));
    const refused = await writeRecords(kinesis, streamName, records, writeAttempts);
    if (refused.size === 0) {
      countMetrics({ Marks: marks.length, MarksRefused: 0, MarksUnavailable: 0 });
      return json(202, { accepted: marks.length });
    }
  } catch (error) {
    // Not thrown on: the runtime would log the message, and a message can quote its input.
    log.error('marks not written', describeFailure(error));
  }
  countMetrics({ Marks: 0, MarksRefused: 0, MarksUnavailable: 1 });
  const again = {
    code: 'stream-unavailable',
    message: 'the stream did not take the marks: send them again, unchanged',
  };
  return json(503, again, { 'Retry-After': String(retryAfterSeconds) });
}

function json(statusCode: number, body: object, headers: Record<string, string> = {}): APIGatewayProxyResult {
  return { statusCode, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
