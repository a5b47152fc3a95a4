import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsError, localAccount, localRegion } from '../engines/engine';
import { decodePercent } from './canonical-request';
import { ConnectionCut } from './faults';
import { type GatewayResponseDescription, GatewayResponses, type GatewayResponseType } from './gateway-response';
import { asAwsError, BodyTooLarge, type HttpAnswer, type HttpRequest, readRequest, send } from './http';
import type { Invoke } from './lambda-protocol';
import type { Principal } from './principal';
import { proxyAnswer, proxyEvent } from './proxy-event';
import { type LoopbackServer, listen } from './server';
import { SignatureError, type SignatureVerifier } from './signature';
import { TokenBucket } from './token-bucket';

/** A rate and burst limit, in requests (per second). */
export interface Throttling {
  readonly rateLimit: number;
  readonly burstLimit: number;
}

/** A method with a Lambda proxy integration. */
export interface ApiMethod {
  /** `POST`, or `ANY`. */
  readonly httpMethod: string;
  /** `/v1/sales`; parts in braces are parameters, `{name+}` takes the rest. */
  readonly path: string;
  readonly authorizationType: 'AWS_IAM' | 'NONE';
  readonly functionName: string;
  /** In place of the stage's. */
  readonly throttling?: Throttling;
}

/** A REST API with one stage, as the template defines it. */
export interface ApiDescription {
  readonly apiId: string;
  readonly stageName: string;
  readonly methods: readonly ApiMethod[];
  /** Of each method, as in the stage's settings for all methods. */
  readonly throttling?: Throttling;
  readonly gatewayResponses?: readonly GatewayResponseDescription[];
  readonly binaryMediaTypes?: readonly string[];
  /** Default: any free port. */
  readonly port?: number;
}

/** An open API: its URL has the stage as its path, `http://127.0.0.1:PORT/STAGE`. */
export type Api = LoopbackServer;

/** What an API needs of the door. */
export interface ApiSurroundings {
  readonly verifier: SignatureVerifier;
  /** The door's rules: permission, count, faults, then the work. */
  readonly pass: <Input, Output>(
    principal: Principal,
    service: string,
    operation: string,
    input: Input,
    work: (input: Input) => Promise<Output>,
  ) => Promise<Output>;
  readonly invoke: Invoke;
  readonly now?: () => number;
}

interface Route {
  readonly method: ApiMethod;
  readonly expression: RegExp;
  readonly parameters: readonly string[];
  readonly bucket: TokenBucket | undefined;
}

const maxPayloadBytes = 10 * 1024 * 1024;
/** Of one direction of a synchronous invocation. */
const maxEventBytes = 6 * 1024 * 1024;
const integrationTimeoutMs = 29_000;
const anyone: Principal = { arn: 'anonymous', administrator: true };

/** Opens a REST API on a port of its own. */
export async function openApi(description: ApiDescription, surroundings: ApiSurroundings): Promise<Api> {
  const { apiId, stageName, binaryMediaTypes = [] } = description;
  const { verifier, pass, invoke, now = Date.now } = surroundings;
  const responses = new GatewayResponses(description.gatewayResponses ?? []);
  const routes = description.methods.map((method) => compileRoute(method, description.throttling, now));
  const stagePath = `/${stageName}`;

  async function answer(request: HttpRequest, rawHeaders: readonly string[], requestId: string): Promise<HttpAnswer> {
    const refuse = (type: GatewayResponseType, message?: string) => responses.answer(type, requestId, message);
    if (request.path !== stagePath && !request.path.startsWith(`${stagePath}/`)) return forbidden(requestId);
    const path = request.path.slice(stagePath.length) || '/';
    const found = match(routes, request.method, path);
    if (found === undefined) return refuse('MISSING_AUTHENTICATION_TOKEN');
    const { method, bucket } = found.route;

    let principal: Principal | undefined;
    try {
      if (method.authorizationType === 'AWS_IAM') principal = verifier.verify(request, 'execute-api');
    } catch (error) {
      if (error instanceof SignatureError) return refuse(signatureResponses[error.fault], error.message);
      throw error;
    }
    const Resource = `arn:aws:execute-api:${localRegion}:${localAccount}:${apiId}${stagePath}/${request.method}${path}`;
    const isBinary = binaryMediaTypes.some((type) => type === '*/*' || type === request.headers['content-type']);

    const integrate = async (): Promise<HttpAnswer> => {
      if (bucket?.take() === false) return refuse('THROTTLED');
      if (request.body.length > maxEventBytes) return refuse('REQUEST_TOO_LARGE');
      const event = proxyEvent({
        ...{ request, rawHeaders, requestId, receivedAt: now(), apiId, stageName, path, principal, isBinary },
        ...{ resource: method.path, pathParameters: found.pathParameters },
      });
      const invocation = await withinTime(invoke(method.functionName, event).catch(refusedByLambda));
      if (invocation === 'timeout') return refuse('INTEGRATION_TIMEOUT');
      if (invocation === 'refused') return refuse('INTEGRATION_FAILURE');
      if (invocation.functionError !== undefined) return refuse('DEFAULT_5XX');
      return proxyAnswer(invocation.payload, requestId) ?? refuse('DEFAULT_5XX');
    };
    try {
      return await pass(principal ?? anyone, 'execute-api', 'Invoke', { Resource }, integrate);
    } catch (error) {
      if (error instanceof ConnectionCut) throw error;
      const { code, message, statusCode } = asAwsError(error);
      // AWS shows no more than the last four digits of the API's account.
      if (statusCode === 403) return refuse('ACCESS_DENIED', message.replaceAll(`:${localAccount}:${apiId}`, masked));
      return refuse('INTEGRATION_FAILURE', code === 'NotModelledException' ? message : undefined);
    }
  }

  const masked = `:${'*'.repeat(8)}${localAccount.slice(-4)}:${apiId}`;
  const server = await listen(async (message: IncomingMessage, response: ServerResponse) => {
    const requestId = randomUUID();
    try {
      const request = await readRequest(message, maxPayloadBytes);
      send(response, await answer(request, message.rawHeaders, requestId));
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      send(response, responses.answer('REQUEST_TOO_LARGE', requestId));
    }
  }, description.port);
  return { url: `${server.url}${stagePath}`, close: server.close };
}

const signatureResponses = {
  missing: 'MISSING_AUTHENTICATION_TOKEN',
  incomplete: 'INVALID_SIGNATURE',
  'unknown-key': 'UNAUTHORIZED',
  'bad-token': 'UNAUTHORIZED',
  'wrong-scope': 'INVALID_SIGNATURE',
  mismatch: 'INVALID_SIGNATURE',
  skewed: 'INVALID_SIGNATURE',
  expired: 'INVALID_SIGNATURE',
  'payload-mismatch': 'INVALID_SIGNATURE',
  unsupported: 'INVALID_SIGNATURE',
} as const;

function compileRoute(method: ApiMethod, ofStage: Throttling | undefined, now: () => number): Route {
  const { authorizationType, path } = method;
  if (authorizationType !== 'AWS_IAM' && authorizationType !== 'NONE')
    throw new Error(`authorization '${authorizationType}' of ${path} is not modelled: use AWS_IAM or NONE`);
  const parameters: string[] = [];
  const source = path.split('/').map((part) => {
    const [, name, greedy] = /^\{([^}+]+)(\+)?\}$/.exec(part) ?? [];
    if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    parameters.push(name);
    return greedy === undefined ? '([^/]+)' : '(.+)';
  });
  const limit = method.throttling ?? ofStage;
  const bucket = limit && new TokenBucket(limit.rateLimit, limit.burstLimit, now);
  return { method, expression: new RegExp(`^${source.join('/')}$`), parameters, bucket };
}

function match(routes: readonly Route[], httpMethod: string, path: string) {
  const fits = routes
    .map((route) => ({ route, values: route.expression.exec(path) }))
    .filter(({ route, values }) => values !== null && [httpMethod, 'ANY'].includes(route.method.httpMethod))
    // Fixed parts win over parameters, parameters over greedy ones, a method over ANY.
    .sort((a, b) => generality(a.route) - generality(b.route));
  const [first] = fits;
  if (first === undefined) return undefined;
  const { parameters } = first.route;
  const entries = parameters.map((name, at) => [name, decodePercent(first.values![at + 1]!)] as const);
  return { route: first.route, pathParameters: parameters.length === 0 ? null : Object.fromEntries(entries) };
}

function generality({ method, parameters }: Route): number {
  return parameters.length * 2 + (method.path.includes('+}') ? 1000 : 0) + (method.httpMethod === 'ANY' ? 1 : 0);
}

function refusedByLambda(error: unknown): 'refused' {
  if (!(error instanceof AwsError)) throw error;
  return 'refused';
}

async function withinTime<T>(work: Promise<T>): Promise<T | 'timeout'> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(resolve, integrationTimeoutMs, 'timeout');
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** A path outside the stage does not belong to the API, whose own responses therefore do not apply. */
function forbidden(requestId: string): HttpAnswer {
  return {
    statusCode: 403,
    headers: {
      'content-type': 'application/json',
      'x-amzn-requestid': requestId,
      'x-amzn-errortype': 'ForbiddenException',
    },
    body: '{"message":"Forbidden"}',
  };
}
