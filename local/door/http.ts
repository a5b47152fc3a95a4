import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { AwsError } from '../engines/engine';
import type { SignedRequest } from './signature';

/** A whole HTTP request. */
export interface HttpRequest extends SignedRequest {
  readonly headers: IncomingHttpHeaders;
}

/** A whole HTTP answer. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | number | readonly string[]>>;
  readonly body: string | Buffer;
}

/** Reads a request with its body, up to a limit. */
export async function readRequest(message: IncomingMessage, maxBytes: number): Promise<HttpRequest> {
  const { method = 'GET', url = '/', headers } = message;
  const mark = url.indexOf('?');
  const head = {
    method,
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? '' : url.slice(mark + 1),
    headers,
  };
  return { ...head, body: await readBody(message, maxBytes) };
}

/** Sends an answer. */
export function send(response: ServerResponse, { statusCode, headers, body }: HttpAnswer): void {
  const all: Record<string, string | number | readonly string[]> = { ...headers };
  all['content-length'] ??= Buffer.byteLength(body);
  response.writeHead(statusCode, all as Record<string, string>).end(body);
}

/** An answer in JSON. */
export function jsonAnswer(statusCode: number, value: unknown, headers: HttpAnswer['headers'] = {}): HttpAnswer {
  return { statusCode, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/** A failure as AWS's services would answer it. What is no answer of an engine is a fault of the local run itself. */
export function asAwsError(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  const { name, message, stack = '' } = error as Error;
  // To the terminal only: callers can do nothing with it. A parser's message would repeat a piece of what it read.
  const told = name === 'SyntaxError' ? stack.replace(message, '') : stack;
  process.stderr.write(`door: ${told}\n`);
  return new AwsError('InternalFailure', 'the local run failed to serve this call: see its output', 500);
}

function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.length;
      // Read to its end all the same, so that the sender gets the answer rather than a reset.
      if (size <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    message.on('end', () => {
      if (size > maxBytes) reject(new BodyTooLarge(maxBytes));
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    message.on('error', reject);
    // Without this, a sender that goes away in mid-body would leave the promise pending for ever.
    message.on('close', () => {
      if (!message.complete) reject(new Error('the sender closed the connection'));
    });
  });
}

/** A body above the limit. */
export class BodyTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`the body is larger than the ${maxBytes} bytes that are allowed`);
    this.name = 'BodyTooLarge';
  }
}
