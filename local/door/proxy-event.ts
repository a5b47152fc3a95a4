import type { APIGatewayProxyEvent } from 'aws-lambda';
import { localAccount } from '../engines/engine';
import type { HttpAnswer, HttpRequest } from './http';
import type { Principal } from './principal';

/** A request that was matched to a method. */
export interface MatchedRequest {
  readonly request: HttpRequest;
  /** Names and values as sent, in turns: functions see the sender's own spelling. */
  readonly rawHeaders: readonly string[];
  readonly requestId: string;
  readonly receivedAt: number;
  readonly apiId: string;
  readonly stageName: string;
  /** The method's path, with its parameters in braces. */
  readonly resource: string;
  /** The path without the stage. */
  readonly path: string;
  readonly pathParameters: Readonly<Record<string, string>> | null;
  readonly principal: Principal | undefined;
  readonly isBinary: boolean;
}

/** Credentials do not travel on to the function. */
const withheld = new Set(['authorization', 'x-amz-security-token', 'connection']);

/** The event that a Lambda proxy integration of a REST API passes to its function. */
export function proxyEvent(matched: MatchedRequest): APIGatewayProxyEvent {
  const { request, rawHeaders, requestId, receivedAt, apiId, stageName, resource, path, principal, isBinary } = matched;
  const headers = multiValue(pairs(rawHeaders).filter(([name]) => !withheld.has(name.toLowerCase())));
  const query = multiValue([...new URLSearchParams(request.query)].filter(([name]) => !name.startsWith('X-Amz-')));
  const userArn = principal?.arn ?? null;
  return {
    resource,
    path,
    httpMethod: request.method,
    headers: lastValues(headers) ?? {},
    multiValueHeaders: headers,
    queryStringParameters: lastValues(query),
    multiValueQueryStringParameters: Object.keys(query).length === 0 ? null : query,
    pathParameters: matched.pathParameters,
    stageVariables: null,
    requestContext: {
      accountId: localAccount,
      apiId,
      authorizer: null,
      domainName: request.headers.host ?? '',
      extendedRequestId: requestId,
      httpMethod: request.method,
      identity: {
        accessKey: null,
        accountId: principal === undefined ? null : localAccount,
        apiKey: null,
        apiKeyId: null,
        caller: userArn,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: '127.0.0.1',
        user: userArn,
        userAgent: request.headers['user-agent'] ?? null,
        userArn,
      },
      path: `/${stageName}${path}`,
      protocol: 'HTTP/1.1',
      requestId,
      requestTime: commonLogTime(receivedAt),
      requestTimeEpoch: receivedAt,
      resourceId: resource,
      resourcePath: resource,
      stage: stageName,
    },
    body: request.body.length === 0 ? null : request.body.toString(isBinary ? 'base64' : 'utf8'),
    isBase64Encoded: isBinary && request.body.length > 0,
  };
}

/** A function's result (JSON) as an answer; undefined where it is no proxy result, which API Gateway answers with 502. */
export function proxyAnswer(payload: string, requestId: string): HttpAnswer | undefined {
  const result = parsed(payload);
  if (typeof result !== 'object' || result === null) return undefined;
  const { statusCode, headers = {}, multiValueHeaders = {}, body = '', isBase64Encoded = false } = result as any;
  const code = Number(statusCode);
  const isAnswer = Number.isInteger(code) && code >= 100 && code <= 599 && (typeof body === 'string' || body === null);
  if (!isAnswer || typeof headers !== 'object' || typeof multiValueHeaders !== 'object') return undefined;
  const all: Record<string, string | string[]> = { 'content-type': 'application/json', 'x-amzn-requestid': requestId };
  for (const [name, value] of Object.entries(headers ?? {})) all[name.toLowerCase()] = String(value);
  for (const [name, values] of Object.entries(multiValueHeaders ?? {}))
    all[name.toLowerCase()] = (values as unknown[]).map(String);
  delete all['content-length'];
  return { statusCode: code, headers: all, body: isBase64Encoded ? Buffer.from(body ?? '', 'base64') : (body ?? '') };
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}

function pairs(rawHeaders: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) list.push([rawHeaders[at]!, rawHeaders[at + 1]!]);
  return list;
}

function multiValue(entries: readonly (readonly [string, string])[]): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const [name, value] of entries) {
    values[name] ??= [];
    values[name].push(value);
  }
  return values;
}

function lastValues(values: Readonly<Record<string, string[]>>): Record<string, string> | null {
  const entries = Object.entries(values);
  return entries.length === 0 ? null : Object.fromEntries(entries.map(([name, all]) => [name, all.at(-1)!]));
}

/** `22/Nov/2026:10:15:30 +0000` */
function commonLogTime(time: number): string {
  const [, day, month, year, clock] = new Date(time).toUTCString().split(' ');
  return `${day}/${month}/${year}:${clock} +0000`;
}
