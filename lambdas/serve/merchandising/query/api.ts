import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { countMetrics, log } from '../../../base/runtime/log';
import { type TimeSeriesReader, TooMuchError } from '../time-series';
import { SalesClient } from './answer';
import { readQuestion } from './request';

const retryAfterSeconds = 1;
/** All queries of an answer together: API Gateway waits for 29 seconds, and then says less. */
const usualMs = 25_000;

/**
 * The handler that answers what merchants ask: `GET /v1/merchandising/totals`, `/groups`, `/series` and `/completeness`;
 * and `/dashboard`, the page that shows it.
 *
 * On repeat: reads, with rights to nothing else, and changes nothing. On bad data: 400, and the answer says what was got
 * and what is allowed. On failure: 503 with Retry-After; nothing is ever answered from a part of the data, so what would
 * take more of it than is ever gathered is 503 as well, with `too-much`. Every answer says up to which minute it is
 * complete: late sales appear in their minute, in the next answer.
 */
export function queryApi(
  reader: TimeSeriesReader,
  answerWithinMs = usualMs,
): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  const sales = new SalesClient(reader);

  return async (event) => {
    const question = event.resource.split('/').pop()!;
    if (question === 'dashboard') return page();
    const started = performance.now();
    try {
      const { statusCode, body } = await answer(
        sales,
        question,
        event.multiValueQueryStringParameters,
        AbortSignal.timeout(answerWithinMs),
      );
      count(statusCode === 200 ? { Answers: 1, AnswerMs: Math.round(performance.now() - started) } : { Refused: 1 });
      return json(statusCode, body);
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      log.error('question failed', { error: name, detail: message.slice(0, 500) });
      count({ Unavailable: 1 });
      if (error instanceof TooMuchError) return json(503, { code: 'too-much', message });
      const again = { code: 'unavailable', message: 'the time series did not answer: ask again' };
      return json(503, again, { 'Retry-After': String(retryAfterSeconds) });
    }
  };
}

async function answer(
  sales: SalesClient,
  question: string,
  query: APIGatewayProxyEvent['multiValueQueryStringParameters'],
  deadline: AbortSignal,
) {
  if (question === 'completeness') return { statusCode: 200, body: await sales.completeness(deadline) };
  if (question !== 'totals' && question !== 'groups' && question !== 'series')
    return { statusCode: 404, body: { code: 'unknown', message: `there is no '${question}'` } };
  const asked = readQuestion(question, query, Date.now());
  return 'code' in asked
    ? { statusCode: 400, body: asked }
    : { statusCode: 200, body: await sales.ask(asked, deadline) };
}

/** Beside the bundle, where build.mjs put it; its first line holds what the page may run. */
let built: { readonly policy: string; readonly html: string } | undefined;

function page(): APIGatewayProxyResult {
  if (built === undefined) {
    const text = readFileSync(join(__dirname, 'dashboard.html'), 'utf8');
    const [, policy = '', html = ''] = /^<!-- (.*) -->\n([\s\S]*)$/.exec(text) ?? [];
    built = { policy, html };
  }
  return {
    statusCode: 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': built.policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
    },
    body: built.html,
  };
}

function count(counts: Readonly<Record<string, number>>): void {
  countMetrics({ Answers: 0, Refused: 0, Unavailable: 0, AnswerMs: 0, ...counts });
}

function json(statusCode: number, body: object, headers: Record<string, string> = {}): APIGatewayProxyResult {
  return {
    statusCode,
    // An answer says how fresh it is when it is made; kept anywhere, it would grow older than it says.
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}
