import type { APIGatewayProxyResult } from 'aws-lambda';
import type { BadRequest } from './envelope';
import type { Rejection } from './rejection';

/** Why an event was not taken now: the vault or its keyset, a full stream, one that fails, no time left, a fault of ours. */
export type RetryCode = 'vault-unavailable' | 'stream-throttled' | 'stream-unavailable' | 'timeout' | 'internal-error';

/** What became of one event: durable in the stream, refused for good, or to be sent again. */
export type Result = {
  readonly source?: string;
  readonly transactionId?: string;
  readonly warnings: readonly string[];
} & (
  | { readonly status: 'accepted' }
  | { readonly status: 'rejected'; readonly code: Rejection['code']; readonly message: string }
  | { readonly status: 'retry'; readonly code: RetryCode; readonly message: string }
);

/** Seconds after which another try makes sense: a full shard has room in one, an outage takes longer. */
const retryAfter = { throttled: 1, unavailable: 5 };

const retryMessages: Readonly<Record<RetryCode, string>> = {
  'vault-unavailable': 'the card vault did not answer for this sale: send it again, unchanged',
  'stream-throttled': 'there is more than the stream takes: send it again, unchanged, later',
  'stream-unavailable': 'the stream did not take this sale: send it again, unchanged',
  'internal-error': 'something went wrong here: send it again, unchanged',
  timeout: 'it took too long: send it again, unchanged',
};

export function retry(code: RetryCode): { status: 'retry'; code: RetryCode; message: string } {
  return { status: 'retry', code, message: retryMessages[code] };
}

/**
 * 202 when all are accepted, 429 when all are to be retried because the stream is full, 503 when all are for any other
 * reason, 207 for every other mix. Wherever something is to be retried, `Retry-After` says when.
 */
export function answerOf(results: readonly Result[]): APIGatewayProxyResult {
  const retries = results.filter((result) => result.status === 'retry');
  const throttled = retries.every(({ code }) => code === 'stream-throttled');
  let statusCode = 207;
  if (results.every(({ status }) => status === 'accepted')) statusCode = 202;
  else if (retries.length === results.length) statusCode = throttled ? 429 : 503;
  const seconds = throttled ? retryAfter.throttled : retryAfter.unavailable;
  return json(statusCode, { results }, retries.length === 0 ? {} : { 'Retry-After': String(seconds) });
}

export function refuse({ statusCode, code, message }: BadRequest): APIGatewayProxyResult {
  return json(statusCode, { code, message });
}

/** Nothing is known of any event: whatever was accepted is accepted again as a repeat. */
export function unavailable(code: RetryCode): APIGatewayProxyResult {
  return json(503, { code, message: retryMessages[code] }, { 'Retry-After': String(retryAfter.unavailable) });
}

function json(statusCode: number, body: object, headers: Record<string, string> = {}): APIGatewayProxyResult {
  return { statusCode, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
