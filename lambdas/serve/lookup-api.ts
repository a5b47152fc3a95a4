import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { countMetrics, log } from '../base/runtime/log';
import type { InvalidRequest, Query } from './lookup-request';

export interface Lookup<Request, Answer> {
  readonly read: (query: Query) => Request | InvalidRequest;
  readonly lookup: (request: Request) => Promise<{ readonly answers: readonly Answer[] }>;
  /** What is counted of answers, beside their number and how many are stale. */
  readonly counts?: (answers: readonly Answer[]) => Readonly<Record<string, number>>;
  /** What is read, for who is told that it did not answer. */
  readonly source: string;
}

const retryAfterSeconds = 1;

/**
 * The handler of an API that looks up SKUs at places.
 *
 * On repeat: reads, and changes nothing. On bad data: 400, and the answer says what was got and what is allowed. On
 * failure: 503 with Retry-After. What could not be read is never guessed.
 */
export function lookupApi<Request extends object, Answer extends { readonly stale: boolean }>({
  read,
  lookup,
  counts = () => ({}),
  source,
}: Lookup<Request, Answer>): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const count = (counted: Readonly<Record<string, number>>): void =>
    countMetrics({ Refused: 0, Answers: 0, StaleAnswers: 0, Unavailable: 0, ...counts([]), ...counted });

  return async ({ multiValueQueryStringParameters }) => {
    const request = read(multiValueQueryStringParameters);
    if ('code' in request) {
      count({ Refused: 1 });
      return json(400, request);
    }
    try {
      const answered = await lookup(request);
      const { answers } = answered;
      const stale = answers.filter((answer) => answer.stale);
      count({ Answers: answers.length, StaleAnswers: stale.length, ...counts(answers) });
      return json(200, answered);
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      log.error('lookup failed', { error: name, detail: message.slice(0, 500) });
      count({ Unavailable: 1 });
      const again = { code: 'unavailable', message: `${source} did not answer: ask again` };
      return json(503, again, { 'Retry-After': String(retryAfterSeconds) });
    }
  };
}

function json(statusCode: number, body: object, headers: Record<string, string> = {}): APIGatewayProxyResult {
  return {
    statusCode,
    // An answer states its age when it is made; kept anywhere, it would grow older than it says.
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}
