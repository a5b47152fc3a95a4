import { failPart, partialOperations } from '../../local/door/partial-fault';
import { AwsError } from '../../local/engines/engine';

/** `kinesis:PutRecords`, and which of its calls since the fault was set: 1 is the next one. */
export interface CallPlace {
  readonly operation: string;
  readonly call?: number;
}

export interface Crash extends CallPlace {
  /** `before`: the call is not executed. `after`: it is, but its answer is lost. */
  readonly when: 'before' | 'after';
}

export interface Throttle extends CallPlace {
  /** Index of the statement, record, key or action that is throttled, while the rest of the call goes through; absent: the whole call. */
  readonly statement?: number;
  /** The error code of a whole call or a cancelled transaction; default: what the service says when it throttles. */
  readonly code?: string;
}

/** Stands between a call and its engine: may call `proceed` with a changed input, change the answer, or throw. */
export type Interceptor = (input: any, proceed: (input: any) => Promise<any>) => Promise<any>;

/** Where a container's death is known. */
export class CrashSwitch {
  crashed = false;
  /** Rejects when the container dies. */
  readonly signal: Promise<never>;
  private die!: (reason: Error) => void;

  constructor(private readonly onCrash: () => void) {
    this.signal = new Promise((_, reject) => {
      this.die = reject;
    });
    this.signal.catch(() => {});
  }

  crash(reason: string): void {
    this.crashed = true;
    this.die(new Error(reason));
    this.onCrash();
  }
}

/** The answer is lost with the container. */
export class ContainerDied extends Error {}

interface Armed {
  readonly operation: string;
  left: number;
  readonly act: (input: any, proceed: (input: any) => Promise<any>, caller: CrashSwitch | undefined) => Promise<any>;
}

/** The faults that wait for their call. Each acts once. */
export class Faults {
  private armed: Armed[] = [];

  clear(): void {
    this.armed = [];
  }

  intercept({ operation, call = 1 }: CallPlace, interceptor: Interceptor): void {
    this.armed.push({ operation, left: call, act: interceptor });
  }

  crash({ operation, call = 1, when }: Crash): void {
    const act: Armed['act'] = async (input, proceed, caller) => {
      if (caller === undefined) throw new Error(`${operation} was not called by a container`);
      if (when === 'after') await proceed(input).catch(() => {});
      caller.crash(`the container was killed ${when} call ${call} of ${operation}`);
      throw new ContainerDied();
    };
    this.armed.push({ operation, left: call, act });
  }

  throttle({ operation, call = 1, statement, code }: Throttle): void {
    this.armed.push({
      operation,
      left: call,
      act: (input, proceed) =>
        statement === undefined
          ? Promise.reject(wholeCallThrottled(operation, code))
          : partThrottled(operation, statement, input, proceed, code),
    });
  }

  /** Runs a call through the fault whose turn it is, if any. */
  async run(
    operation: string,
    input: any,
    caller: CrashSwitch | undefined,
    proceed: (input: any) => Promise<any>,
  ): Promise<any> {
    let due: Armed | undefined;
    for (const fault of this.armed) if (fault.operation === operation && --fault.left === 0) due ??= fault;
    if (due === undefined) return proceed(input);
    this.armed = this.armed.filter((fault) => fault.left > 0);
    return due.act(input, proceed, caller);
  }
}

function wholeCallThrottled(operation: string, code?: string): AwsError {
  const service = operation.split(':')[0]!;
  if (service === 's3') return new AwsError(code ?? 'SlowDown', 'Please reduce your request rate.', 503);
  if (service === 'firehose') return new AwsError(code ?? 'ServiceUnavailableException', 'Slow down.', 500);
  const exceeded = ['dynamodb', 'kinesis'].includes(service);
  return new AwsError(
    code ?? (exceeded ? 'ProvisionedThroughputExceededException' : 'ThrottlingException'),
    'Rate exceeded',
  );
}

/** One part fails, the rest of the call goes through. A transaction has no rest: it is cancelled for that action's sake. */
function partThrottled(
  operation: string,
  part: number,
  input: any,
  proceed: (input: any) => Promise<any>,
  code?: string,
): Promise<any> {
  if (operation === 'dynamodb:TransactWriteItems') {
    const CancellationReasons = input.TransactItems.map((_: unknown, index: number) =>
      index === part ? { Code: code ?? 'TransactionConflict', Message: 'Transaction is ongoing' } : { Code: 'None' },
    );
    return Promise.reject(
      new AwsError('TransactionCanceledException', 'Transaction cancelled', 400, { CancellationReasons }),
    );
  }
  if (!partialOperations.includes(operation)) throw new Error(`the rig cannot throttle a part of ${operation}`);
  return failPart(operation, input, part, 'throttle', false, proceed);
}
