import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { assert, asyncProperty, constantFrom, dictionary, string, webPath } from 'fast-check';
import { encodeRfc3986 } from '../../../../local/door/canonical-request';
import type { Credential } from '../../../../local/door/principal';
import { SignatureError, SignatureVerifier, type SignedRequest } from '../../../../local/door/signature';

const principal = { arn: 'arn:aws:iam::000000000000:user/operator' };
const now = Date.UTC(2026, 10, 22, 10, 15, 30);
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'the secret' };

function verifier(credential: Partial<Credential> = {}, at = now): SignatureVerifier {
  const credentials = new Map([['AKIDEXAMPLE', { secretAccessKey: 'the secret', principal, ...credential }]]);
  return new SignatureVerifier(credentials, () => at);
}

interface Unsigned {
  readonly service?: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly credentials?: typeof keys & { readonly sessionToken?: string };
  readonly presigned?: boolean;
}

async function sign(unsigned: Unsigned): Promise<SignedRequest> {
  const { service = 'dynamodb', method = 'POST', path = '/', query = {}, body = '', credentials = keys } = unsigned;
  const isS3 = service === 's3';
  const signer = new SignatureV4({
    ...{ service, region: 'eu-west-1', credentials, sha256: Sha256 as any },
    ...{ uriEscapePath: !isS3, applyChecksum: true },
  });
  const headers = { host: '127.0.0.1:4566', ...unsigned.headers };
  const request = { method, protocol: 'http:', hostname: '127.0.0.1', path, query, headers, body };
  const signingDate = new Date(now);
  const signed = unsigned.presigned
    ? await signer.presign(
        { ...request, headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } },
        {
          ...{ signingDate, expiresIn: 60, unhoistableHeaders: new Set<string>() },
          unsignableHeaders: new Set(['x-amz-content-sha256']),
        },
      )
    : await signer.sign(request, { signingDate });
  const parts = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(String(value))}`,
  );
  const sent = Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), value]);
  if (unsigned.presigned) sent.splice(0, sent.length, ['host', '127.0.0.1:4566']);
  return { method, path, query: parts.join('&'), headers: Object.fromEntries(sent), body: Buffer.from(body) };
}

function faultOf(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    if (error instanceof SignatureError) return error.fault;
    throw error;
  }
  return 'none';
}

test('a signature made by the SDK is accepted, for any path, query and body', async () => {
  await assert(
    asyncProperty(
      constantFrom('dynamodb', 'execute-api', 's3'),
      webPath(),
      dictionary(
        string({ minLength: 1 }).filter((name) => !/^x-amz-/i.test(name)),
        string(),
        { maxKeys: 3 },
      ),
      string(),
      async (service, path, query, body) => {
        const request = await sign({ service, path: path === '' ? '/' : path, query, body });

        expect(verifier().verify(request, service)).toBe(principal);
      },
    ),
    { numRuns: 100, seed: 7 },
  );
});

test('a request that was changed after signing is refused', async () => {
  const request = await sign({ path: '/v1/sales', query: { a: '1' }, headers: { 'x-amz-target': 'T.Op' }, body: '{}' });
  const changed: Partial<SignedRequest>[] = [
    { method: 'PUT' },
    { path: '/v1/other' },
    { query: 'a=2' },
    { body: Buffer.from('[]') },
    { headers: { ...request.headers, 'x-amz-target': 'T.Other' } },
    { headers: { ...request.headers, host: 'elsewhere' } },
  ];

  const faults = changed.map((change) => faultOf(() => verifier().verify({ ...request, ...change }, 'dynamodb')));

  expect(faults).toEqual(Array(6).fill('mismatch'));
  expect(faultOf(() => verifier().verify(request, 'dynamodb'))).toBe('none');
});

test('another secret does not open the door', async () => {
  const request = await sign({ credentials: { ...keys, secretAccessKey: 'another' } });

  expect(faultOf(() => verifier().verify(request, 'dynamodb'))).toBe('mismatch');
});

test('temporary credentials need their session token, others must not have one', async () => {
  const withToken = await sign({ credentials: { ...keys, sessionToken: 'token' } });
  const without = await sign({});

  const faults = [
    faultOf(() => verifier({ sessionToken: 'token' }).verify(withToken, 'dynamodb')),
    faultOf(() => verifier({ sessionToken: 'other' }).verify(withToken, 'dynamodb')),
    faultOf(() => verifier({ sessionToken: 'token' }).verify(without, 'dynamodb')),
    faultOf(() => verifier().verify(withToken, 'dynamodb')),
  ];

  expect(faults).toEqual(['none', 'bad-token', 'bad-token', 'bad-token']);
});

test('a clock may be five minutes off and no more', async () => {
  const request = await sign({});
  const at = (minutes: number) => faultOf(() => verifier({}, now + minutes * 60_000).verify(request, 'dynamodb'));

  expect([at(4.9), at(-4.9), at(5.1), at(-5.1)]).toEqual(['none', 'none', 'expired', 'skewed']);
});

test('a signature is good for its own service, region and day only', async () => {
  const request = await sign({ service: 'kinesis' });
  const authorization = request.headers.authorization!;
  const elsewhere = {
    ...request,
    headers: { ...request.headers, authorization: authorization.replace('eu-west-1', 'us-east-1') },
  };
  const yesterday = {
    ...request,
    headers: { ...request.headers, authorization: authorization.replace('20261122', '20261121') },
  };

  const faults = [request, elsewhere, yesterday].map((one, at) =>
    faultOf(() => verifier().verify(one, at === 0 ? 'dynamodb' : 'kinesis')),
  );

  expect(faults).toEqual(['wrong-scope', 'wrong-scope', 'wrong-scope']);
});

test('missing and broken signatures are told apart', () => {
  const request: SignedRequest = { method: 'GET', path: '/', query: '', headers: {}, body: Buffer.alloc(0) };
  const withHeader = (authorization: string) => ({
    ...request,
    headers: { authorization, 'x-amz-date': '20261122T101530Z' },
  });

  const faults = [
    request,
    withHeader('Bearer abc'),
    withHeader('AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/dynamodb/aws4_request, Signature=00'),
    withHeader('AWS4-HMAC-SHA256 Credential=nonsense, SignedHeaders=host, Signature=00'),
    withHeader(
      'AWS4-HMAC-SHA256 Credential=UNKNOWN/20261122/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00',
    ),
    withHeader(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00',
    ),
    withHeader(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/dynamodb/aws4_request, SignedHeaders=x-amz-date, Signature=00',
    ),
  ].map((one) => faultOf(() => verifier().verify(one, 'dynamodb')));

  expect(faults).toEqual(['missing', 'missing', 'incomplete', 'incomplete', 'unknown-key', 'mismatch', 'mismatch']);
});

test('only S3 accepts a body that is not signed', async () => {
  const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const s3 = await sign({ service: 's3', method: 'PUT', path: '/bucket/key', headers, body: 'anything' });
  const dynamodb = await sign({ headers, body: '{}' });

  expect(faultOf(() => verifier().verify({ ...s3, body: Buffer.from('something else') }, 's3'))).toBe('none');
  expect(faultOf(() => verifier().verify(dynamodb, 'dynamodb'))).toBe('mismatch');
});

test('a hash of another body is refused, even when it is signed', async () => {
  const headers = { 'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' };
  const request = await sign({ service: 's3', method: 'PUT', path: '/bucket/key', headers, body: 'not empty' });

  expect(faultOf(() => verifier().verify(request, 's3'))).toBe('payload-mismatch');
});

test('a presigned URL works until it expires', async () => {
  const request = await sign({ service: 's3', method: 'GET', path: '/bucket/a%20key', presigned: true });

  expect(request.query).toContain('X-Amz-Signature=');
  expect(faultOf(() => verifier({}, now + 59_000).verify(request, 's3'))).toBe('none');
  expect(faultOf(() => verifier({}, now + 61_000).verify(request, 's3'))).toBe('expired');
  expect(faultOf(() => verifier().verify({ ...request, path: '/bucket/other' }, 's3'))).toBe('mismatch');
});
