import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsError, type Engine } from '../engines/engine';
import { type Api, type ApiDescription, openApi } from './api-gateway';
import { Authorization } from './authorization';
import { control, controlPath } from './control';
import { ConnectionCut, Faults, type Kill } from './faults';
import { asAwsError, BodyTooLarge, type HttpAnswer, type HttpRequest, readRequest, send } from './http';
import { encodeInfluxError, influxCaller, influxOperation, isInflux } from './influx-protocol';
import { decodeJson, decodeTarget, encodeJson, encodeJsonError } from './json-protocol';
import {
  decodeInvoke,
  encodeInvocation,
  encodeRestError,
  type Invocation,
  type Invoke,
  isLambda,
} from './lambda-protocol';
import { Meter } from './meter';
import type { ResourceLookup } from './permission';
import type { PolicyDocument } from './policy';
import { type Credential, callerArn, type Principal, roleSession } from './principal';
import { encodeS3, encodeS3Error } from './s3-answer';
import { decodeS3 } from './s3-protocol';
import { listen } from './server';
import { SignatureError, SignatureVerifier } from './signature';
import { type AnswerStyle, signatureAnswer } from './signature-answer';

/** The InfluxDB engine, which speaks HTTP rather than operations. */
export interface InfluxEngine {
  handle(request: HttpRequest): Promise<HttpAnswer>;
}

/** An engine that needs to know its caller: the warehouse, whose users are roles. */
interface CallerAwareEngine extends Engine {
  callAs(callerRoleArn: string, operation: string, input: any): Promise<any>;
}

export interface DoorOptions {
  readonly engines: readonly Engine[];
  readonly influx?: InfluxEngine;
  /** Access keys by id. The door adds those of functions to them. */
  readonly credentials: Map<string, Credential>;
  readonly lookup: ResourceLookup;
  readonly invoke: Invoke;
  readonly kill: Kill;
  /** Given where engines were built with its `consumed` callback. */
  readonly meter?: Meter;
  /** Default: any free port. */
  readonly port?: number;
  readonly now?: () => number;
}

/** The access keys of a session, as a function's environment or an operator's shell takes them. */
export interface AccessKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A function and the role it runs under. */
export interface FunctionRole {
  readonly functionName: string;
  readonly roleName: string;
  readonly policies: readonly PolicyDocument[];
}

/** The door in front of all engines: who calls, whether he may, what it costs, and what goes wrong on purpose. */
export interface Door {
  /** `http://127.0.0.1:PORT`: the endpoint of every service. */
  readonly url: string;
  readonly meter: Meter;
  readonly faults: Faults;
  /** A call from within the process (event sources, Firehose, COPY), under the same rules as one from outside. */
  call(principal: Principal, service: string, operation: string, input: unknown): Promise<any>;
  /** The URL to give to a client of a service. */
  endpointFor(service: string): string;
  registerRole(roleName: string, policies: readonly PolicyDocument[]): void;
  /** Registers a function's role and makes the credentials of its code. */
  registerFunctionRole(role: FunctionRole): AccessKeys;
  /** Makes the credentials of a user of the local account who may do everything. */
  registerAdministrator(userArn: string): AccessKeys;
  /** Adds an engine that could only be built once the door was open. */
  addEngine(engine: Engine): void;
  /** Opens a REST API on a port of its own. It closes with the door. */
  openApi(description: ApiDescription): Promise<Api>;
  close(): Promise<void>;
}

// PutRecords may carry 10 MiB, which base64 makes 14.
const maxBodyBytes = 16 * 1024 * 1024;

/** Opens the door. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { credentials, influx, invoke, kill } = options;
  const engines = new Map(options.engines.map((engine) => [engine.service, engine]));
  const meter = options.meter ?? new Meter();
  const faults = new Faults(kill);
  const authorization = new Authorization(options.lookup);
  const verifier = new SignatureVerifier(credentials, options.now);
  const apis: Api[] = [];
  const functions = new Set<string>();

  /** What every call passes: permission, count, fault, and then the work itself. */
  async function pass<Input, Output>(
    principal: Principal,
    service: string,
    operation: string,
    input: Input,
    work: (input: Input) => Promise<Output>,
  ): Promise<Output> {
    authorization.check(principal, service, operation, input);
    return meter.run(principal, `${service}:${operation}`, () =>
      faults.around(principal, service, operation, input, work),
    );
  }

  async function call(principal: Principal, service: string, operation: string, input: any): Promise<any> {
    if (service === 'lambda' && operation === 'Invoke')
      return pass(principal, service, operation, input, (given) => invoke(given.FunctionName, given.Payload));
    const engine = engines.get(service);
    if (engine === undefined)
      throw new AwsError('UnknownOperationException', `service '${service}' has no engine: ${[...engines.keys()]}`);
    const work = knowsCaller(engine)
      ? (given: any) => engine.callAs(callerArn(principal), operation, given)
      : (given: any) => engine.call(operation, given);
    try {
      return await pass(principal, service, operation, input, work);
    } catch (error) {
      throw authorization.hideAbsence(principal, service, operation, input, error);
    }
  }

  async function answerJson(request: HttpRequest): Promise<HttpAnswer> {
    try {
      const { service, operation } = decodeTarget(request.headers['x-amz-target'] as string);
      const principal = verifier.verify(request, service);
      return encodeJson(request, await call(principal, service, operation, decodeJson(request)));
    } catch (error) {
      return encodeJsonError(request, failure(error, 'json'));
    }
  }

  async function answerS3(request: HttpRequest): Promise<HttpAnswer> {
    try {
      const principal = verifier.verify(request, 's3');
      const s3Call = decodeS3(request);
      return encodeS3(s3Call, await call(principal, 's3', s3Call.operation, s3Call.input));
    } catch (error) {
      return encodeS3Error(failure(error, 's3'), request.method);
    }
  }

  async function answerLambda(request: HttpRequest): Promise<HttpAnswer> {
    try {
      const principal = verifier.verify(request, 'lambda');
      const invocation: Invocation = await call(principal, 'lambda', 'Invoke', decodeInvoke(request));
      return encodeInvocation(invocation);
    } catch (error) {
      return encodeRestError(failure(error, 'rest'));
    }
  }

  async function answerInflux(request: HttpRequest, engine: InfluxEngine): Promise<HttpAnswer> {
    const caller = influxCaller(request);
    const operation = influxOperation(request);
    try {
      return await meter.run(caller, `influxdb:${operation}`, () =>
        faults.around(caller, 'influxdb', operation, request, (given) => engine.handle(given)),
      );
    } catch (error) {
      return encodeInfluxError(failure(error, 'rest'));
    }
  }

  function answer(request: HttpRequest): Promise<HttpAnswer> {
    if (request.headers['x-amz-target'] !== undefined) return answerJson(request);
    if (`${request.path}/`.startsWith(controlPath)) return control(request, { faults, meter, kill, functions });
    if (influx !== undefined && isInflux(request)) return answerInflux(request, influx);
    return isLambda(request) ? answerLambda(request) : answerS3(request);
  }

  const server = await listen(async (message: IncomingMessage, response: ServerResponse) => {
    try {
      send(response, await answer(await readRequest(message, maxBodyBytes)));
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      send(response, encodeRestError(new AwsError('RequestEntityTooLargeException', error.message, 413)));
    }
  }, options.port);

  const register = (prefix: string, principal: Principal, temporary: boolean): AccessKeys => {
    const accessKeyId = prefix + randomBytes(8).toString('hex').toUpperCase();
    const secretAccessKey = randomBytes(30).toString('base64url');
    const token = temporary ? { sessionToken: randomBytes(48).toString('base64') } : {};
    credentials.set(accessKeyId, { secretAccessKey, ...token, principal });
    return { accessKeyId, secretAccessKey, ...token };
  };

  return {
    url: server.url,
    meter,
    faults,
    call,
    endpointFor: () => server.url,
    registerRole: (roleName, policies) => authorization.registerRole(roleName, policies),
    registerFunctionRole({ functionName, roleName, policies }) {
      authorization.registerRole(roleName, policies);
      functions.add(functionName);
      return register('ASIA', roleSession(roleName, functionName, functionName), true);
    },
    registerAdministrator: (arn) => register('AKIA', { arn, administrator: true }, false),
    addEngine: (engine) => void engines.set(engine.service, engine),
    async openApi(description) {
      const api = await openApi(description, { verifier, pass, invoke, ...(options.now && { now: options.now }) });
      apis.push(api);
      return api;
    },
    async close() {
      await Promise.all([server.close(), ...apis.map((api) => api.close())]);
    },
  };
}

function failure(error: unknown, style: AnswerStyle): AwsError {
  // Not an answer at all: the connection goes.
  if (error instanceof ConnectionCut) throw error;
  return error instanceof SignatureError ? signatureAnswer(error, style) : asAwsError(error);
}

function knowsCaller(engine: Engine): engine is CallerAwareEngine {
  return 'callAs' in engine;
}
