import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { readStockPolicy } from '../../../base/domain/stock-policy';
import { dynamoDbClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { StockClient } from '../client';
import { readQuery } from './request';

const stock = new StockClient({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('POSITIONS_TABLE_NAME'),
  policy: readStockPolicy(requireEnv('STOCK_POLICY')),
});
const retryAfterSeconds = 1;

/**
 * Answers what there is of SKUs at locations, what of it can be promised, and how old that knowledge is:
 * `GET /v1/stock?sku=A&sku=B&location=L1`.
 *
 * On repeat: reads, and changes nothing. On bad data: 400, and the answer says what was got and what is allowed. On
 * failure: 503 with Retry-After. What could not be read is never guessed.
 */
export async function handler(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  const request = readQuery(event.multiValueQueryStringParameters);
  if ('code' in request) {
    count({ Refused: 1 });
    return json(400, request);
  }
  try {
    const answered = await stock.lookup(request);
    const { answers } = answered;
    count({ Answers: answers.length, StaleAnswers: answers.filter(({ stale }) => stale).length });
    return json(200, answered);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    log.error('lookup failed', { error: name, detail: message.slice(0, 500) });
    count({ Unavailable: 1 });
    const again = { code: 'unavailable', message: 'the positions table did not answer: ask again' };
    return json(503, again, { 'Retry-After': String(retryAfterSeconds) });
  }
}

function count(counts: Readonly<Record<string, number>>): void {
  countMetrics({ Refused: 0, Answers: 0, StaleAnswers: 0, Unavailable: 0, ...counts });
}

function json(statusCode: number, body: object, headers: Record<string, string> = {}): APIGatewayProxyResult {
  return {
    statusCode,
    // An answer states its age when it is made; kept anywhere, it would grow older than it says.
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}
