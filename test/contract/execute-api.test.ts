/**
 * What API Gateway does between a till and the ingest function. Elsewhere CONTRACT_API_URL is a stage of a REST API whose
 * POST methods at /sales and /limited ask for IAM authorisation and pass everything to behaving-function.cjs (Lambda
 * proxy integration), with a rate of 10 and a burst of 1 at /limited, and the gateway responses below.
 */
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AccessKeys } from '../../local/door/door';
import {
  type Endpoint,
  eventually,
  given,
  isLocal,
  type LocalEndpoint,
  local,
  startEndpoint,
  whereGiven,
} from './endpoint';
import { behaving, exhausted, type Functions, startFunctions } from './functions';

const { describe, test } = whereGiven('API_URL');
const requestTooLarge = 'body: allowed: at most 4194304 bytes';

const gatewayResponses = [
  response('THROTTLED', '429', { code: 'throttled', message: 'later' }, '1'),
  response('REQUEST_TOO_LARGE', '413', { code: 'too-large', message: requestTooLarge }),
  response('INTEGRATION_FAILURE', '503', { code: 'unavailable', message: 'again' }, '5'),
];

function response(ResponseType: string, StatusCode: string, answer: object, retryAfter?: string) {
  const headers = { 'gatewayresponse.header.Retry-After': `'${retryAfter}'` };
  return {
    ResponseType,
    StatusCode,
    ...(retryAfter !== undefined && { ResponseParameters: headers }),
    ResponseTemplates: { 'application/json': JSON.stringify(answer) },
  };
}

let functions: Functions | undefined;
let endpoint: Endpoint;
let url: string;

beforeAll(async () => {
  if (isLocal) functions = startFunctions();
  endpoint = await startEndpoint(async () => [], functions && { invoke: functions.invoke });
  url = given('API_URL') ?? (await openApi((endpoint as LocalEndpoint).door));
});

afterAll(async () => {
  await endpoint.close();
  await functions?.close();
});

async function openApi(door: LocalEndpoint['door']): Promise<string> {
  const post = { httpMethod: 'POST', authorizationType: 'AWS_IAM' } as const;
  const api = await door.openApi({
    apiId: 'contract12',
    stageName: 'v1',
    methods: [
      { ...post, path: '/sales', functionName: behaving },
      { ...post, path: '/limited', functionName: behaving, throttling: { rateLimit: 10, burstLimit: 1 } },
      { ...post, path: '/busy', functionName: exhausted },
    ],
    gatewayResponses,
  });
  return api.url;
}

interface Request {
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Signer {
  readonly keys?: AccessKeys;
  readonly region?: string;
  readonly service?: string;
  readonly signingDate?: Date;
}

/** The headers that sign a request. */
async function signed(request: Request, signer: Signer = {}): Promise<Record<string, string>> {
  const { path = '/sales', query = {}, headers = {}, body = '{}' } = request;
  const { keys = endpoint.client.credentials, region = endpoint.client.region, service = 'execute-api' } = signer;
  const target = new URL(url + path);
  const signature = new SignatureV4({ service, region, credentials: keys, sha256: Sha256 });
  const { headers: all } = await signature.sign(
    {
      method: 'POST',
      protocol: target.protocol,
      hostname: target.hostname,
      path: target.pathname,
      query: { ...query },
      headers: { host: target.host, 'content-type': 'application/json', ...headers },
      body,
    },
    { signingDate: signer.signingDate ?? new Date() },
  );
  const { host: _, ...rest } = all;
  return rest;
}

async function send(request: Request, headers: Record<string, string>) {
  const { path = '/sales', query = {}, body = '{}' } = request;
  const target = new URL(url + path);
  // A space as %20: signatures know no plus sign for it.
  target.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const answer = await fetch(target, { method: 'POST', headers, body });
  const text = await answer.text();
  return {
    status: answer.status,
    errorType: answer.headers.get('x-amzn-errortype'),
    retryAfter: answer.headers.get('retry-after'),
    headers: answer.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

const sendSigned = async (request: Request = {}, signer: Signer = {}) => send(request, await signed(request, signer));
const told = (behaviour: object): Request => ({ body: JSON.stringify(behaviour) });

describe('a signed request', () => {
  test('is answered by the function', async () => {
    const answer = {
      statusCode: 207,
      headers: { 'X-Answer': 'yes', 'Retry-After': '3' },
      body: '{"results":[{"status":"accepted"},{"status":"retry"}]}',
    };

    const { status, headers, body } = await sendSigned(told({ behave: 'answer', answer }));

    expect([status, headers.get('x-answer'), headers.get('retry-after')]).toEqual([207, 'yes', '3']);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(headers.get('x-amzn-requestid')).toBeTruthy();
    expect(body).toEqual({ results: [{ status: 'accepted' }, { status: 'retry' }] });
  });

  test('reaches the function as a proxy event, without the credentials', async () => {
    const request = { query: { trace: 'a b' }, headers: { 'X-Till': 'T3' }, body: '{"sales":[{"note":"größe"}]}' };

    const { body: event } = await sendSigned(request);

    expect(event).toMatchObject({
      resource: '/sales',
      path: '/sales',
      httpMethod: 'POST',
      pathParameters: null,
      stageVariables: null,
      queryStringParameters: { trace: 'a b' },
      multiValueQueryStringParameters: { trace: ['a b'] },
      body: request.body,
      isBase64Encoded: false,
      requestContext: {
        httpMethod: 'POST',
        resourcePath: '/sales',
        stage: new URL(url).pathname.slice(1),
        requestId: expect.any(String),
        requestTimeEpoch: expect.any(Number),
        identity: { sourceIp: expect.any(String), userArn: expect.stringMatching(/^arn:aws:(iam|sts)::\d{12}:/) },
      },
    });
    const names = Object.keys(event.headers).map((name) => name.toLowerCase());
    expect(names).toEqual(expect.arrayContaining(['content-type', 'host', 'x-till']));
    expect(names).not.toContain('authorization');
    expect(JSON.stringify(event)).not.toContain('Signature=');
    expect(event.multiValueHeaders).toMatchObject({ [Object.keys(event.headers)[0]!]: [expect.any(String)] });
  });

  test('without a body has none', async () => {
    expect((await sendSigned({ body: '' })).body.body).toBeNull();
  });

  local.test('may be signed by a role', async () => {
    const { credentials } = (endpoint as LocalEndpoint).clientAs('Till');

    const { status, body } = await sendSigned({}, { keys: credentials });

    expect(status).toBe(200);
    expect(body.requestContext.identity.userArn).toMatch(/:assumed-role\/Till\//);
  });
});

describe('a request is refused', () => {
  const missing = {
    errorType: 'MissingAuthenticationTokenException',
    body: { message: 'Missing Authentication Token' },
  };
  const mismatch = {
    errorType: 'InvalidSignatureException',
    body: { message: expect.stringMatching(/^The request signature we calculated does not match the signature/) },
  };

  test('without a signature', async () => {
    expect(await send({}, { 'content-type': 'application/json' })).toMatchObject({ status: 403, ...missing });
  });

  test('at a path that is not there, as if it were not signed', async () => {
    expect(await sendSigned({ path: '/absent' })).toMatchObject({ status: 403, ...missing });
    expect(await send({ path: '/absent' }, {})).toMatchObject({ status: 403, ...missing });
  });

  test('with a method that is not there', async () => {
    const answer = await fetch(`${url}/sales`);

    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual(missing.body);
  });

  test('outside the stage', async () => {
    const answer = await fetch(new URL('/other/sales', url), { method: 'POST', body: '{}' });

    expect([answer.status, await answer.json()]).toEqual([403, { message: 'Forbidden' }]);
  });

  test('by an unknown key', async () => {
    const keys = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wrong' };

    expect(await sendSigned({}, { keys })).toMatchObject({
      status: 403,
      errorType: 'UnrecognizedClientException',
      body: { message: 'The security token included in the request is invalid.' },
    });
  });

  test('by a known key with another secret', async () => {
    const keys = { ...endpoint.client.credentials, secretAccessKey: 'wrong' };

    expect(await sendSigned({}, { keys })).toMatchObject({ status: 403, ...mismatch });
  });

  test('with another body, path or query than was signed', async () => {
    const headers = await signed({ body: '{"sales":[]}' });

    expect(await send({ body: '{"sales":[1]}' }, headers)).toMatchObject({ status: 403, ...mismatch });
    expect(await send({ body: '{"sales":[]}', path: '/limited' }, headers)).toMatchObject({ status: 403, ...mismatch });
    expect(await send({ body: '{"sales":[]}', query: { a: 'b' } }, headers)).toMatchObject({
      status: 403,
      ...mismatch,
    });
  });

  test.each([
    ['ten minutes ago', { signingDate: new Date(Date.now() - 600_000) }, /^Signature expired: /],
    ['in ten minutes', { signingDate: new Date(Date.now() + 600_000) }, /^Signature not yet current: /],
    ['for another service', { service: 'lambda' }, /^Credential should be scoped to correct service/],
    ['for another region', { region: 'ap-south-2' }, /^Credential should be scoped to a valid region/],
  ])('that was signed %s', async (_, signer, message) => {
    expect(await sendSigned({}, signer)).toMatchObject({
      status: 403,
      errorType: 'InvalidSignatureException',
      body: { message: expect.stringMatching(message) },
    });
  });

  test.each([6_400_000, 10_500_000])('with a body of %d bytes, in the words of the API', async (bytes) => {
    const { status, body } = await sendSigned({ body: JSON.stringify({ text: 'x'.repeat(bytes) }) });

    expect([status, body]).toEqual([413, { code: 'too-large', message: requestTooLarge }]);
  });

  test('when there are too many, with the time to wait, after which it is taken', async () => {
    const request = { path: '/limited' };

    // No exact count is promised: so many at a time are above any.
    const refused = await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => sendSigned(request)));
      const one = answers.find(({ status }) => status === 429);
      expect(one).toBeDefined();
      return one!;
    });

    expect(refused).toMatchObject({ retryAfter: '1', body: { code: 'throttled', message: 'later' } });
    await eventually(async () => expect((await sendSigned(request)).status).toBe(200));
  });
});

describe('a function that fails', () => {
  const failed = { status: 502, body: { message: 'Internal server error' } };

  test.each([
    ['throws', { behave: 'throw', name: 'Error', message: 'out of order' }],
    ['answers nothing', { behave: 'answer nothing' }],
    ['answers in no form of an API', { behave: 'answer', answer: { sales: [] } }],
    ['answers a status that is none', { behave: 'answer', answer: { statusCode: 'fine', body: '' } }],
    ['answers a body that is no text', { behave: 'answer', answer: { statusCode: 200, body: { a: 1 } } }],
  ])('because it %s is no secret kept: 502, and nothing of its words', async (_, behaviour) => {
    const answer = await sendSigned(told(behaviour));

    expect(answer).toMatchObject(failed);
  });

  local.test('to be invoked at all is unavailable, with the time to wait', async () => {
    expect(await sendSigned({ path: '/busy' })).toMatchObject({
      status: 503,
      retryAfter: '5',
      body: { code: 'unavailable', message: 'again' },
    });
  });
});
