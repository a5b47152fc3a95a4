import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { deployStep } from '../../../lambdas/base/runtime/deploy-step';

let server: Server;
let outcomes: any[];
let headers: any;
let status: number;
let address: string;

beforeEach(async () => {
  outcomes = [];
  status = 200;
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    headers = request.headers;
    const body = Buffer.concat(chunks);
    outcomes.push({ method: request.method, bytes: body.length, ...JSON.parse(body.toString()) });
    response.writeHead(status).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/outcome?signature=x`;
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  jest.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

const event = (change: object = {}) =>
  ({
    RequestType: 'Create',
    RequestId: 'request-1',
    ResponseURL: address,
    StackId: 'stack-1',
    LogicalResourceId: 'Tokens',
    ResourceType: 'Custom::Tokens',
    ServiceToken: 'function',
    ResourceProperties: { ServiceToken: 'function', revision: '1' },
    ...change,
  }) as CloudFormationCustomResourceEvent;

test('a creation runs the step with its properties, and reports what it answers', async () => {
  const step = jest.fn(async () => ({ keyId: 'k-1' }));

  await deployStep(step)(event());

  expect(step).toHaveBeenCalledWith({ ServiceToken: 'function', revision: '1' });
  expect(outcomes).toEqual([
    {
      method: 'PUT',
      bytes: expect.any(Number),
      Status: 'SUCCESS',
      PhysicalResourceId: 'stack-1/Tokens',
      StackId: 'stack-1',
      RequestId: 'request-1',
      LogicalResourceId: 'Tokens',
      Data: { keyId: 'k-1' },
    },
  ]);
  // A content type would break the signature of the address.
  expect(headers['content-type'] ?? '').toBe('');
});

test('a creation that is repeated has the same physical id; an update keeps the one it has', async () => {
  const step = deployStep(async () => ({}));

  await step(event());
  await step(event());
  await step(event({ RequestType: 'Update', PhysicalResourceId: 'as-it-was' }));

  expect(outcomes.map(({ PhysicalResourceId }) => PhysicalResourceId)).toEqual([
    'stack-1/Tokens',
    'stack-1/Tokens',
    'as-it-was',
  ]);
});

test('a deletion leaves all as it is', async () => {
  const step = jest.fn(async () => ({}));

  await deployStep(step)(event({ RequestType: 'Delete', PhysicalResourceId: 'as-it-was' }));

  expect(step).not.toHaveBeenCalled();
  expect(outcomes).toMatchObject([{ Status: 'SUCCESS', PhysicalResourceId: 'as-it-was' }]);
});

test('a failure is reported with its reason, and is no failure of the function', async () => {
  const step = deployStep(async () => {
    throw new TypeError('InfluxDB refused the first user: HTTP 401');
  });

  await step(event());

  expect(outcomes).toMatchObject([
    { Status: 'FAILED', Reason: 'TypeError: InfluxDB refused the first user: HTTP 401' },
  ]);
});

test('a failure that is no error is reported too', async () => {
  await deployStep(() => Promise.reject('out of luck'))(event());

  expect(outcomes).toMatchObject([{ Status: 'FAILED', Reason: 'out of luck' }]);
});

test('a long reason is cut: an answer beyond 4,096 bytes would be no answer', async () => {
  await deployStep(async () => {
    throw new Error('é"\n'.repeat(10_000));
  })(event());

  expect(outcomes).toMatchObject([{ Status: 'FAILED' }]);
  expect(outcomes[0].bytes).toBeLessThan(4_096);
});

test('an outcome that was not taken is thrown, so that Lambda calls again', async () => {
  status = 403;

  await expect(deployStep(async () => ({}))(event())).rejects.toThrow('did not take the outcome: HTTP 403');
});
