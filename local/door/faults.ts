import { AwsError } from '../engines/engine';
import { failPart, partialOperations } from './partial-fault';
import type { Principal } from './principal';

/** A fault to come: what goes wrong at which call of which function. */
export interface Fault {
  /** The function whose calls are counted. */
  readonly function: string;
  /** `service:operation`, or `*` for every call. */
  readonly operation: string;
  /** The call that fails, counted from arming, from 1. */
  readonly call: number;
  /** Whether the call is executed all the same, so that only its answer is lost. */
  readonly when: 'before' | 'after';
  readonly action: 'kill' | 'throttle' | 'error';
  /** How many calls in a row fail from there on. The SDK retries throttles and errors by itself. Default: 1. */
  readonly times?: number;
  /** Only this part of a batch fails, counted from 0. */
  readonly statement?: number;
}

/** A fault with what has come of it. */
export interface ArmedFault extends Fault {
  readonly id: number;
  /** Matching calls since arming. */
  readonly seen: number;
  /** Calls that it made fail. */
  readonly fired: number;
}

/** The connection is to be cut without an answer, as when a container dies. */
export class ConnectionCut extends Error {
  constructor(functionName: string) {
    super(`the function '${functionName}' was killed during this call`);
    this.name = 'ConnectionCut';
  }
}

/** Ends all workers of a function at once. */
export type Kill = (functionName: string) => void | Promise<void>;

interface Mutable extends Fault {
  readonly id: number;
  seen: number;
  fired: number;
}

/** Makes chosen calls fail. */
export class Faults {
  readonly #kill: Kill;
  #armed: Mutable[] = [];
  #nextId = 1;

  constructor(kill: Kill) {
    this.#kill = kill;
  }

  /** Arms a fault given from outside. Throws where it is not well-formed. */
  arm(given: unknown): ArmedFault {
    const fault = { ...parseFault(given), id: this.#nextId++, seen: 0, fired: 0 };
    this.#armed.push(fault);
    return { ...fault };
  }

  clear(): void {
    this.#armed = [];
  }

  list(): ArmedFault[] {
    return this.#armed.map((fault) => ({ ...fault }));
  }

  /** Runs a call, or what an armed fault makes of it. */
  around(
    { functionName }: Principal,
    service: string,
    operation: string,
    input: unknown,
    run: (input: any) => Promise<any>,
  ): Promise<any> {
    // Nearly always: nothing is armed, and a call costs nothing here.
    if (this.#armed.length === 0 || functionName === undefined) return run(input);
    const call = `${service}:${operation}`;
    const fault = this.#next(functionName, call);
    return fault === undefined ? run(input) : this.#fail(fault, service, call, input, run);
  }

  #next(functionName: string, call: string): Fault | undefined {
    let due: Fault | undefined;
    for (const fault of this.#armed) {
      if (fault.function !== functionName || (fault.operation !== '*' && fault.operation !== call)) continue;
      fault.seen += 1;
      const fires = fault.seen >= fault.call && fault.seen < fault.call + (fault.times ?? 1);
      if (!fires || due !== undefined) continue;
      fault.fired += 1;
      due = fault;
    }
    return due;
  }

  async #fail(
    fault: Fault,
    service: string,
    call: string,
    input: any,
    run: (input: any) => Promise<any>,
  ): Promise<any> {
    const { action, when, statement } = fault;
    if (action === 'kill') {
      // Executed means: whatever the engine answers, its function does not learn it.
      if (when === 'after') await run(input).catch(() => undefined);
      await this.#kill(fault.function);
      throw new ConnectionCut(fault.function);
    }
    if (statement !== undefined) return failPart(call, input, statement, action, when === 'after', run);
    if (when === 'after') await run(input);
    throw action === 'throttle' ? throttled(service) : failed(service);
  }
}

function throttled(service: string): AwsError {
  switch (service) {
    case 'dynamodb':
    case 'kinesis':
      return new AwsError('ProvisionedThroughputExceededException', 'The rate exceeds the provisioned throughput.');
    case 's3':
      return new AwsError('SlowDown', 'Please reduce your request rate.', 503);
    case 'firehose':
      return new AwsError('ServiceUnavailableException', 'Slow down.', 503);
    case 'lambda':
      return new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
    case 'influxdb':
      return new AwsError('too many requests', 'write or query limit reached', 429);
    default:
      return new AwsError('ThrottlingException', 'Rate exceeded');
  }
}

function failed(service: string): AwsError {
  const codes: Readonly<Record<string, string>> = {
    dynamodb: 'InternalServerError',
    kinesis: 'InternalFailureException',
    kms: 'KMSInternalException',
    s3: 'InternalError',
    secretsmanager: 'InternalServiceError',
    'redshift-data': 'InternalServerException',
    lambda: 'ServiceException',
    influxdb: 'internal error',
  };
  return new AwsError(codes[service] ?? 'InternalFailure', 'Internal failure, injected by an armed fault', 500);
}

const members = new Set('function operation call when action times statement'.split(' '));

function parseFault(given: unknown): Fault {
  if (typeof given !== 'object' || given === null) throw new Error('a fault must be a JSON object');
  const fault = given as Record<string, unknown>;
  const wrong = (name: string, allowed: string): Error =>
    new Error(`${name} '${String(fault[name])}' is not allowed: use ${allowed}`);
  const unknown = Object.keys(fault).filter((name) => !members.has(name));
  if (unknown.length > 0) throw new Error(`member '${unknown}' is unknown: use ${[...members].join(', ')}`);
  if (typeof fault.function !== 'string' || fault.function === '') throw wrong('function', "a function's name");
  if (typeof fault.operation !== 'string' || !/^(\*|[a-z0-9-]+:\w+)$/.test(fault.operation))
    throw wrong('operation', "'service:operation' or '*'");
  if (!isCount(fault.call)) throw wrong('call', 'a whole number from 1');
  if (fault.when !== 'before' && fault.when !== 'after') throw wrong('when', 'before or after');
  if (fault.action !== 'kill' && fault.action !== 'throttle' && fault.action !== 'error')
    throw wrong('action', 'kill, throttle or error');
  if (fault.times !== undefined && !isCount(fault.times)) throw wrong('times', 'a whole number from 1');
  if (fault.statement !== undefined) {
    if (!Number.isInteger(fault.statement) || (fault.statement as number) < 0)
      throw wrong('statement', 'a whole number from 0');
    if (!partialOperations.includes(fault.operation) || fault.action === 'kill')
      throw new Error(`statement is only for throttle and error of ${partialOperations.join(', ')}`);
  }
  return fault as unknown as Fault;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1;
}
