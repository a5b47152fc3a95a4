import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveDashboard } from '../../../local/dashboard';
import type { LoopbackServer } from '../../../local/door/server';

let api: Server;
let seen: { url: string; method: string; authorization: string }[];
let dashboard: LoopbackServer;
beforeEach(async () => {
  seen = [];
  api = createServer(({ url = '', method = '', headers }, response) => {
    seen.push({ url, method, authorization: headers.authorization ?? '' });
    response.writeHead(200, {
      'content-type': 'text/html',
      'content-security-policy': "default-src 'none'",
      secret: 'x',
    });
    response.end('page');
  });
  await new Promise<void>((listening) => api.listen(0, '127.0.0.1', listening));
  const { port } = api.address() as AddressInfo;
  dashboard = await serveDashboard({
    apiUrl: `http://127.0.0.1:${port}/v1/merchandising`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'never-shown' },
  });
});
afterEach(async () => {
  await dashboard.close();
  api.closeAllConnections();
  await new Promise((closed) => api.close(closed));
});

/** With headers that fetch would not let through. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${dashboard.url}${path}`, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    request.on('error', reject).end();
  });
}

test('a browser without credentials gets answers, signed for it; none of the credentials go back', async () => {
  const answer = await fetch(`${dashboard.url}/merchandising/groups?by=region&region=a%20b&region=c`);

  expect(await answer.text()).toBe('page');
  expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'");
  expect(answer.headers.get('secret')).toBeNull();
  expect(seen).toMatchObject([{ url: '/v1/merchandising/groups?by=region&region=a+b&region=c', method: 'GET' }]);
  expect(seen[0]!.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api/);
});

test('the address alone leads to the page', async () => {
  expect((await fetch(dashboard.url, { redirect: 'manual' })).headers.get('location')).toBe('/merchandising/dashboard');
});

test('nothing is signed but a GET below that API, for a page of this very address', async () => {
  expect(await get('/merchandising/totals', {}, 'POST')).toBe(405);
  expect(await get('/sales')).toBe(404);
  expect(await get('/merchandising/../sales')).toBe(404);
  // A name of somebody else's that points to this machine.
  expect(await get('/merchandising/totals', { host: 'evil.example' })).toBe(403);
  expect(await get('/merchandising/totals', { 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(seen).toEqual([]);
});

test('an API that does not answer is said to be one', async () => {
  api.closeAllConnections();
  await new Promise((closed) => api.close(closed));

  const answer = await fetch(`${dashboard.url}/merchandising/totals`);

  expect([answer.status, ((await answer.json()) as any).message]).toEqual([
    502,
    expect.stringContaining('did not answer'),
  ]);
  api.listen(0);
});
