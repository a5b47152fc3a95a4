import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { influxDbWriter } from '../../../lambdas/serve/merchandising/influxdb/writer';
import type { Point } from '../../../lambdas/serve/merchandising/points';

interface Received {
  readonly database: string;
  readonly token: string;
  readonly lines: number;
}
type Answer = readonly [status: number, message: string];

const written: Answer = [204, ''];
const databases = { sales: 'merchandising', items: 'merchandising_items' };
let server: Server;
let url: string;
let received: Received[];
let answer: (request: Received) => Answer;
let secret: () => string;
let secretReads: number;

beforeEach(async () => {
  received = [];
  answer = () => written;
  secret = () => '{"token":"first"}';
  secretReads = 0;
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { searchParams } = new URL(request.url!, 'http://localhost');
    const got = {
      database: searchParams.get('db')!,
      token: String(request.headers.authorization).replace('Token ', ''),
      lines: Buffer.concat(chunks).toString().split('\n').length,
    };
    received.push(got);
    const [status, message] = answer(got);
    response.writeHead(status).end(message === '' ? undefined : JSON.stringify({ message }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

/** Secrets Manager, of which only the answer matters here; the engines' tests ask the local one. */
const secrets = {
  async send() {
    secretReads++;
    return { SecretString: secret() };
  },
} as unknown as SecretsManagerClient;
const open = () => influxDbWriter({ url, databases, secrets, tokenSecretArn: 'arn:write-token' });
const point = (measurement: Point['measurement'], time = 0): Point => ({
  measurement,
  tags: { region: 'eu' },
  fields: { net: 1 },
  timeNs: BigInt(time),
});

test('each measurement goes to its own database, with the token', async () => {
  await open().write([point('sales'), point('items'), point('items', 1)]);

  expect(received.sort((one, other) => one.lines - other.lines)).toEqual([
    { database: 'merchandising', token: 'first', lines: 1 },
    { database: 'merchandising_items', token: 'first', lines: 2 },
  ]);
});

test('nothing to write is no call', async () => {
  expect(await open().write([])).toEqual({ beyondRetention: 0 });

  expect([received.length, secretReads]).toEqual([0, 0]);
});

test('the token is read once for all writes of a container', async () => {
  const series = open();

  await series.write([point('sales'), point('items')]);
  await series.write([point('sales')]);

  expect(secretReads).toBe(1);
});

test('long batches go in calls of at most ten thousand points', async () => {
  const points = Array.from({ length: 25_001 }, (_, index) => point('sales', index));

  await open().write(points);

  expect(received.map(({ lines }) => lines)).toEqual([10_000, 10_000, 5_001]);
});

describe('points beyond the retention are counted, the others were written', () => {
  const drop =
    'point sales,region=eu at 2010-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-08-22T00:00:00Z';

  test.each<[number, string]>([
    [400, 'partial write: points beyond retention policy dropped=2'],
    [500, 'unexpected error writing points to database: partial write: points beyond retention policy dropped=2'],
    [422, 'failure writing points to database: partial write: points beyond retention policy dropped=2'],
    [
      422,
      'failure writing points to database: partial write: dropped 2 points outside retention policy of duration 2160h0m0s - ' +
        `oldest ${drop}, newest ${drop} dropped=2 for database: 610c26001281c704 for retention policy: autogen`,
    ],
  ])('in the words of HTTP %d: %s', async (status, message) => {
    answer = ({ database }) => (database === 'merchandising' ? [status, message] : written);

    expect(await open().write([point('sales'), point('sales', 1), point('sales', 2), point('items')])).toEqual({
      beyondRetention: 2,
    });
  });

  test('over all calls', async () => {
    answer = () => [400, 'partial write: points beyond retention policy dropped=2'];
    const points = Array.from({ length: 10_001 }, (_, index) => point('sales', index));

    expect(await open().write([...points, point('items')])).toEqual({ beyondRetention: 6 });
  });
});

test.each<[number, string]>([
  [422, 'failure writing points to database: partial write: field type conflict: input field "net" dropped=1'],
  [400, 'unable to parse points: dropped 2 points'],
  [403, 'insufficient permissions for write'],
  [404, 'no dbrp mapping found'],
  [413, 'Request Entity Too Large'],
  [429, 'too many requests'],
  [500, 'internal error'],
  [503, 'unavailable'],
])('HTTP %d is thrown, to be tried again: %s', async (status, message) => {
  answer = ({ database }) => (database === 'merchandising_items' ? [status, message] : written);

  await expect(open().write([point('sales'), point('items')])).rejects.toThrow(
    new RegExp(`database merchandising_items did not take all points: HTTP ${status}.*${message.slice(0, 20)}`),
  );
});

test('a long refusal is cut', async () => {
  answer = () => [500, 'x'.repeat(10_000)];

  const error = await open()
    .write([point('sales')])
    .catch((thrown: Error) => thrown);

  expect((error as Error).message.length).toBeLessThan(400);
});

test('a database that is not there is thrown', async () => {
  const nowhere = influxDbWriter({ url: 'http://127.0.0.1:1', databases, secrets, tokenSecretArn: 'arn:write-token' });

  await expect(nowhere.write([point('sales')])).rejects.toThrow();
});

describe('a token that is refused', () => {
  test('is read again once, and the write goes on with the new one', async () => {
    answer = ({ token }) => (token === 'first' ? [401, 'unauthorized access'] : written);
    const series = open();
    await expect(series.write([point('sales')])).rejects.toThrow('HTTP 401');
    secret = () => '{"token":"second"}';

    await series.write([point('sales'), point('items')]);
    await series.write([point('sales')]);

    expect(received.slice(-1)).toEqual([{ database: 'merchandising', token: 'second', lines: 1 }]);
    expect(secretReads).toBe(3);
  });

  test('is thrown when the new one is refused too, after one more read in all', async () => {
    answer = () => [401, 'unauthorized access'];

    await expect(open().write([point('sales')])).rejects.toThrow('HTTP 401');

    expect([received.length, secretReads]).toEqual([2, 2]);
  });
});

test('a secret that could not be read is read again by the next write', async () => {
  const series = open();
  secret = () => {
    throw new Error('rate exceeded');
  };
  await expect(series.write([point('sales')])).rejects.toThrow('rate exceeded');
  secret = () => '{"token":"first"}';

  await series.write([point('sales')]);

  expect(received).toHaveLength(1);
});

test('a secret without a token says so, and is asked again', async () => {
  const series = open();
  secret = () => '{"unset":"placeholder"}';
  await expect(series.write([point('sales')])).rejects.toThrow('secret arn:write-token holds no token');
  secret = () => '{"token":"first"}';

  await series.write([point('sales')]);

  expect(received).toEqual([{ database: 'merchandising', token: 'first', lines: 1 }]);
});

test('a secret that is no JSON is named, and nothing of it is told', async () => {
  secret = () => 'a-token-as-it-is';

  const failure = open().write([point('sales')]);

  await expect(failure).rejects.toThrow('secret arn:write-token holds no JSON');
  await expect(failure).rejects.not.toThrow('a-token');
});
