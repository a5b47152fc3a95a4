import type { APIGatewayProxyEvent } from 'aws-lambda';
import { queryApi } from '../../../lambdas/serve/merchandising/query/api';
import { type TimeSeriesReader, TooMuchError } from '../../../lambdas/serve/merchandising/time-series';

const nothingHeard = { marks: async () => [], arrivals: async () => [] };
const asked = (question: string) =>
  ({
    resource: `/merchandising/${question}`,
    multiValueQueryStringParameters: null,
  }) as unknown as APIGatewayProxyEvent;

test('what is too much for an answer is said, and not answered in part', async () => {
  const sums = async () => Promise.reject(new TooMuchError('series of sales', 50_000));
  const ask = queryApi({ ...nothingHeard, sums } as unknown as TimeSeriesReader);

  const { statusCode, headers, body } = await ask(asked('totals'));

  expect([statusCode, headers?.['Retry-After'], JSON.parse(body)]).toEqual([
    503,
    undefined,
    { code: 'too-much', message: 'series of sales: there are more than 50000, allowed: 50000' },
  ]);
});

test('all queries of an answer have one deadline, and after it nothing is asked any more', async () => {
  const asks: string[] = [];
  const slow = (name: string) => (_: unknown, deadline: AbortSignal) => {
    asks.push(name);
    return new Promise((_, reject) => deadline.addEventListener('abort', () => reject(deadline.reason)));
  };
  const reader = { marks: slow('marks'), arrivals: async () => [], sums: slow('sums') };
  const ask = queryApi(reader as unknown as TimeSeriesReader, 20);

  const { statusCode, headers, body } = await ask(asked('totals'));

  expect([statusCode, headers?.['Retry-After'], JSON.parse(body).code]).toEqual([503, '1', 'unavailable']);
  expect(asks).toEqual(['marks']);
});
