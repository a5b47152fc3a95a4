import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { Api, ApiDescription } from '../../../../local/door/api-gateway';
import type { Door } from '../../../../local/door/door';
import { AwsError } from '../../../../local/engines/engine';
import { administratorOf, allow, functionOf, openTestDoor } from './test-door';

let door: Door;
let api: Api;
let time = Date.UTC(2026, 10, 22, 10, 15, 30);
let result: (event: APIGatewayProxyEvent) => any;
const events: APIGatewayProxyEvent[] = [];
let credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };

async function open(description: Partial<ApiDescription> = {}, now: () => number = Date.now): Promise<void> {
  events.length = 0;
  result = () => ({ payload: { statusCode: 202, headers: { 'X-Answer': 'yes' }, body: '{"results":[]}' } });
  door = await openTestDoor([], {
    now,
    invoke: async (_name, event) => {
      events.push(event as APIGatewayProxyEvent);
      const { payload, ...rest } = result(event as APIGatewayProxyEvent);
      return { payload: JSON.stringify(payload), ...rest };
    },
  });
  api = await door.openApi({
    apiId: 'ingest1234',
    stageName: 'v',
    methods: [{ httpMethod: 'POST', path: '/v1/sales', authorizationType: 'AWS_IAM', functionName: 'ingest' }],
    ...description,
  });
  credentials = administratorOf(door).credentials;
}

afterEach(() => door.close());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly as?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Sends a signed request to a path of the API. */
async function send({
  method = 'POST',
  path = '/v1/sales',
  query = {},
  headers = {},
  body = '{}',
  as = credentials,
}: Sent = {}) {
  const url = new URL(api.url + path);
  const signer = new SignatureV4({
    ...{ service: 'execute-api', region: 'eu-west-1', credentials: as, sha256: Sha256 as any },
  });
  const { headers: signed } = await signer.sign(
    {
      ...{ method, protocol: 'http:', hostname: url.hostname, path: url.pathname, query, body },
      headers: { host: url.host, 'content-type': 'application/json', ...headers },
    },
    { signingDate: new Date(time) },
  );
  const { host: _, ...rest } = signed;
  url.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const response = await fetch(url, {
    ...{ method, headers: rest, body: method === 'GET' ? null : body },
  });
  return answerOf(response);
}

async function answerOf(response: Response) {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
}

beforeEach(() => {
  time = Date.now();
});

test('a signed request reaches the function, and its answer comes back', async () => {
  await open();

  const answer = await send({ query: { trace: 'a b', x: '1' }, body: '{"sales":[]}' });

  expect([answer.status, answer.headers.get('x-answer'), answer.body]).toEqual([202, 'yes', { results: [] }]);
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(events[0]).toMatchObject({
    ...{ resource: '/v1/sales', path: '/v1/sales', httpMethod: 'POST', pathParameters: null, stageVariables: null },
    ...{ body: '{"sales":[]}', isBase64Encoded: false },
    queryStringParameters: { trace: 'a b', x: '1' },
    multiValueQueryStringParameters: { trace: ['a b'], x: ['1'] },
    requestContext: {
      ...{ apiId: 'ingest1234', stage: 'v', path: '/v/v1/sales', resourcePath: '/v1/sales', httpMethod: 'POST' },
      ...{ requestId: answer.headers.get('x-amzn-requestid'), accountId: '000000000000' },
      identity: { userArn: 'arn:aws:iam::000000000000:user/operator', sourceIp: '127.0.0.1' },
    },
  });
});

test('the function does not get its caller’s credentials', async () => {
  await open();

  await send();

  expect(Object.keys(events[0]!.headers).map((name) => name.toLowerCase())).not.toContain('authorization');
  expect(JSON.stringify(events[0])).not.toContain(credentials.accessKeyId);
});

test('requests without a signature, for no method or outside the stage are refused as API Gateway does', async () => {
  await open();
  const post = async (url: string) => {
    const { status, headers, body } = await answerOf(await fetch(url, { method: 'POST', body: '{}' }));
    return [status, body.message, headers.get('x-amzn-errortype')];
  };
  const missing = [403, 'Missing Authentication Token', 'MissingAuthenticationTokenException'];

  expect(await post(`${api.url}/v1/sales`)).toEqual(missing);
  expect(await post(`${api.url}/v1/nothing`)).toEqual(missing);
  expect(await post(api.url.replace(/\/v$/, '/w/v1/sales'))).toEqual([403, 'Forbidden', 'ForbiddenException']);
  expect(events).toEqual([]);
});

test('unknown keys and wrong secrets are told apart', async () => {
  await open();

  const unknown = await send({ as: { ...credentials, accessKeyId: 'AKIAUNKNOWN' } });
  const wrong = await send({ as: { ...credentials, secretAccessKey: 'wrong' } });

  expect([unknown.status, unknown.body.message]).toEqual([
    403,
    'The security token included in the request is invalid.',
  ]);
  expect([wrong.status, wrong.headers.get('x-amzn-errortype')]).toEqual([403, 'InvalidSignatureException']);
});

test('a role may call only the methods that it is allowed to', async () => {
  await open();
  const invoke = (path: string) =>
    allow('execute-api:Invoke', `arn:aws:execute-api:eu-west-1:000000000000:ingest1234/${path}`);
  const till = functionOf(door, 'till', invoke('v/POST/v1/sales')).credentials;
  const other = functionOf(door, 'other', invoke('v/GET/*')).credentials;

  const allowed = await send({ as: till });
  const refused = await send({ as: other });

  expect(allowed.status).toBe(202);
  expect([refused.status, refused.headers.get('x-amzn-errortype')]).toEqual([403, 'AccessDeniedException']);
  expect(refused.body.message).toBe(
    'User: arn:aws:sts::000000000000:assumed-role/other-role/other is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:********0000:ingest1234/v/POST/v1/sales because no identity-based policy allows the execute-api:Invoke action',
  );
});

test('more requests than the burst are refused, with the headers of the gateway response, until time passes', async () => {
  const throttled = {
    ...{ ResponseType: 'THROTTLED', StatusCode: '429' },
    ResponseParameters: { 'gatewayresponse.header.Retry-After': "'1'" },
    ResponseTemplates: {
      'application/json': '{"error":$context.error.messageString,"type":"$context.error.responseType"}',
    },
  };
  await open({ throttling: { rateLimit: 1, burstLimit: 2 }, gatewayResponses: [throttled] }, () => time);

  const [first, second, third] = [await send(), await send(), await send()];
  time += 1000;
  const fourth = await send();

  expect([first, second, third, fourth].map(({ status }) => status)).toEqual([202, 202, 429, 202]);
  expect(third!.headers.get('retry-after')).toBe('1');
  expect(third!.body).toEqual({ error: 'Too Many Requests', type: 'THROTTLED' });
});

test('a family of gateway responses covers those that have none of their own', async () => {
  const family = { ResponseType: 'DEFAULT_4XX', ResponseParameters: { 'gatewayresponse.header.X-Family': "'4'" } };
  await open({ gatewayResponses: [family] });

  const answer = await answerOf(await fetch(`${api.url}/v1/sales`, { method: 'POST' }));

  expect([answer.status, answer.headers.get('x-family')]).toEqual([403, '4']);
});

test('gateway responses that are not modelled are refused', async () => {
  const refused = (description: object) => open({ gatewayResponses: [{ ResponseType: 'THROTTLED', ...description }] });

  await expect(refused({ ResponseType: 'WAF_FILTERED' })).rejects.toThrow(/'WAF_FILTERED' is not modelled/);
  await door.close();
  await expect(
    refused({ ResponseParameters: { 'gatewayresponse.header.A': 'method.request.header.B' } }),
  ).rejects.toThrow(/is not modelled/);
  await door.close();
  await expect(refused({ ResponseTemplates: { 'application/json': '$input.body' } })).rejects.toThrow(
    /is not modelled/,
  );
});

test('a body above 10 MB is refused', async () => {
  await open();

  const answer = await answerOf(
    await fetch(`${api.url}/v1/sales`, { method: 'POST', body: Buffer.alloc(10 * 1024 * 1024 + 1) }),
  );

  expect([answer.status, answer.body]).toEqual([413, { message: 'Request Too Long' }]);
});

test.each([
  ['fails', () => ({ payload: { errorMessage: 'secret detail' }, functionError: 'Unhandled' })],
  ['returns nothing', () => ({ payload: null })],
  ['returns no status', () => ({ payload: { body: 'x' } })],
  ['returns an object as its body', () => ({ payload: { statusCode: 200, body: {} } })],
])('a function that %s is answered with 502, without its reasons', async (_how, failing) => {
  await open();
  result = failing;

  const answer = await send();

  expect([answer.status, answer.body]).toEqual([502, { message: 'Internal server error' }]);
});

test('a function that Lambda does not run is answered with 500', async () => {
  await open();
  result = () => {
    throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
  };

  const answer = await send();

  expect([answer.status, answer.body]).toEqual([500, { message: 'Internal server error' }]);
});

test('binary answers are decoded, several values of a header kept apart', async () => {
  await open();
  result = () => ({
    payload: {
      ...{ statusCode: '200', isBase64Encoded: true, body: Buffer.from('{"a":1}').toString('base64') },
      multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] },
    },
  });

  const answer = await send();

  expect(answer.body).toEqual({ a: 1 });
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
});

test('paths may have parameters; a fixed path wins, then a method over ANY', async () => {
  const method = (httpMethod: string, path: string) => ({
    ...{ httpMethod, path, authorizationType: 'NONE' as const, functionName: 'f' },
  });
  await open({
    methods: [
      method('ANY', '/{rest+}'),
      method('GET', '/sales/{id}'),
      method('ANY', '/sales/latest'),
      method('GET', '/sales/latest'),
    ],
  });
  const matched = async (path: string, verb = 'GET') => {
    await fetch(api.url + path, { method: verb });
    const { resource, pathParameters } = events.at(-1)!;
    return [resource, pathParameters];
  };

  expect(await matched('/sales/a%20b')).toEqual(['/sales/{id}', { id: 'a b' }]);
  expect(await matched('/sales/latest')).toEqual(['/sales/latest', null]);
  expect(await matched('/sales/1', 'DELETE')).toEqual(['/{rest+}', { rest: 'sales/1' }]);
  expect(await matched('/x/y/z')).toEqual(['/{rest+}', { rest: 'x/y/z' }]);
});

function curlIsHere(): boolean {
  try {
    return execFileSync('curl', ['--help', 'all']).includes('--aws-sigv4');
  } catch {
    return false;
  }
}

(curlIsHere() ? test : test.skip)('curl signs as the README says', async () => {
  await open();
  const { stdout } = await promisify(execFile)('curl', [
    ...['-s', '--aws-sigv4', 'aws:amz:eu-west-1:execute-api'],
    ...['--user', `${credentials.accessKeyId}:${credentials.secretAccessKey}`],
    ...['-H', 'content-type: application/json', '-d', '{"sales":[]}', `${api.url}/v1/sales`],
  ]);

  expect(JSON.parse(stdout)).toEqual({ results: [] });
  expect(events[0]!.body).toBe('{"sales":[]}');
});
