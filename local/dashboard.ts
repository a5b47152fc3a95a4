import type { IncomingMessage, ServerResponse } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type LoopbackServer, listen } from './door/server';

export interface DashboardOptions {
  /** The API of merchandising: `https://<id>.execute-api.<region>.amazonaws.com/v1/merchandising`. */
  readonly apiUrl: string;
  readonly region: string;
  readonly credentials: ConstructorParameters<typeof SignatureV4>[0]['credentials'];
  /** Default: any free port. */
  readonly port?: number;
}

/** What of an answer the browser is given. */
const passedOn = [
  'content-type',
  'content-security-policy',
  'x-content-type-options',
  'referrer-policy',
  'cache-control',
];

/**
 * Serves the dashboard on this machine: signs each request of the browser with the caller's own credentials, so that the
 * page needs none, and holds none. Only GET, only below the API of merchandising, and only for a browser that asks for
 * this very address: a page from elsewhere that had its name point to this machine is refused.
 */
export async function serveDashboard({ apiUrl, region, credentials, port }: DashboardOptions): Promise<LoopbackServer> {
  const api = new URL(apiUrl);
  const signer = new SignatureV4({ service: 'execute-api', region, sha256: Sha256, credentials });
  const server = await listen(answer, port);
  const host = new URL(server.url).host;
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', server.url);
    const question = /^\/merchandising\/([a-z]+)$/.exec(pathname)?.[1];
    const isForeign = request.headers.host !== host || (request.headers['sec-fetch-site'] ?? 'none') === 'cross-site';
    if (isForeign && pathname !== '/') return refuse(response, 403, `allowed: pages of ${server.url}`);
    if (request.method !== 'GET') return refuse(response, 405, 'allowed: GET');
    if (pathname === '/') {
      response.writeHead(302, { location: '/merchandising/dashboard' }).end();
      return;
    }
    if (question === undefined) return refuse(response, 404, 'allowed: /merchandising/dashboard');
    try {
      const answered = await ask(question, searchParams);
      const headers = passedOn.flatMap((name) => {
        const value = answered.headers.get(name);
        return value === null ? [] : [[name, value] as const];
      });
      response.writeHead(answered.status, Object.fromEntries(headers));
      response.end(Buffer.from(await answered.arrayBuffer()));
    } catch (error) {
      refuse(response, 502, `the API did not answer: ${(error as Error).message}`);
    }
  }

  async function ask(question: string, parameters: URLSearchParams): Promise<Response> {
    const query: Record<string, string[]> = {};
    for (const [name, value] of parameters) query[name] = [...(query[name] ?? []), value];
    const path = `${api.pathname}/${question}`;
    const { headers } = await signer.sign({
      method: 'GET',
      protocol: api.protocol,
      hostname: api.hostname,
      ...(api.port === '' ? {} : { port: Number(api.port) }),
      path,
      query,
      headers: { host: api.host },
    });
    const search = parameters.size === 0 ? '' : `?${parameters}`;
    return fetch(`${api.origin}${path}${search}`, { headers, signal: AbortSignal.timeout(30_000) });
  }
}

function refuse(response: ServerResponse, statusCode: number, message: string): void {
  response.writeHead(statusCode, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ message }));
}
