import type { AwsError } from '../engines/engine';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from './http';
import type { Principal } from './principal';

/** The header by which a function's requests to InfluxDB, which carry no AWS signature, are told from others. */
export const functionHeader = 'x-tillstream-function';

const paths = /^\/(write|query|ping|health|ready|api\/v[23]\/.*)$/;

/** Whether a request is for InfluxDB: by its path, and since it is not signed (S3 buckets may have the same names). */
export function isInflux({ path, query, headers: { authorization } }: HttpRequest): boolean {
  return paths.test(path) && !authorization?.startsWith('AWS4-') && !query.includes('X-Amz-Signature=');
}

/** What a request does, under the name by which it is counted and can be made to fail: `write`, `query` or `api`. */
export function influxOperation({ path }: HttpRequest): 'write' | 'query' | 'api' {
  if (path === '/write' || path === '/api/v2/write') return 'write';
  return path === '/query' || path === '/api/v2/query' ? 'query' : 'api';
}

/** Who sends a request, for counting and faults only: InfluxDB knows tokens, not roles. */
export function influxCaller({ headers }: HttpRequest): Principal {
  const functionName = headers[functionHeader];
  return typeof functionName === 'string' ? { arn: functionName, functionName } : { arn: 'unsigned' };
}

/** An error in the shape of InfluxDB 2, which version 1 clients find under `error`. */
export function encodeInfluxError({ code, message, statusCode }: AwsError): HttpAnswer {
  const retryAfter = statusCode === 429 || statusCode === 503 ? { 'retry-after': '1' } : {};
  return jsonAnswer(statusCode, { code, message, error: message }, retryAfter);
}
