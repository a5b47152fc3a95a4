import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AwsError } from '../engines/engine';
import { FunctionContainer } from './function-container';

/** A function as the template defines it. */
export interface FunctionDefinition {
  readonly functionName: string;
  /** The bundle, exactly as it is deployed. */
  readonly handlerFile: string;
  readonly handlerExport: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  /** All that the function sees of an environment: its own variables, and those that Lambda adds. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Hosts (with the port, if it is not the scheme's own) that `fetch` finds at a local base URL instead. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** More invocations than this at a time are throttled. Default: none are. */
  readonly reservedConcurrency?: number;
}

/** What Lambda's Invoke answers. */
export interface Invocation {
  /** What the function returned, or its error, as JSON text. */
  readonly payload: string;
  readonly functionError?: 'Unhandled';
}

export type FunctionMetric = 'Invocations' | 'Errors' | 'Duration' | 'Throttles';

export interface FunctionHostOptions {
  /** Most containers of one function. Invocations beyond wait for a free one: a laptop has few cores. */
  readonly maxContainers?: number;
  /** The built worker. */
  readonly workerFile?: string;
  readonly onLog?: (functionName: string, line: string) => void;
  /** Called as CloudWatch would be: Duration in milliseconds, the others counting one. */
  readonly onMetric?: (functionName: string, metric: FunctionMetric, value: number) => void;
}

interface Fleet {
  readonly definition: FunctionDefinition;
  readonly containers: Set<FunctionContainer>;
  readonly idle: FunctionContainer[];
  readonly waiting: ((container: FunctionContainer | undefined) => void)[];
  running: number;
}

// The program that uses it is build/bin/*.js.
const builtWorker = join(__dirname, '..', 'local', 'lambda', 'function-worker.js');

/** Lambda: functions, and the containers that run them, one invocation at a time each. */
export class FunctionHost {
  readonly #fleets = new Map<string, Fleet>();
  readonly #options: FunctionHostOptions;
  #closed = false;

  constructor(options: FunctionHostOptions = {}) {
    this.#options = options;
  }

  define(definition: FunctionDefinition): void {
    const { functionName, logFile } = definition;
    if (this.#fleets.has(functionName)) throw new Error(`function '${functionName}' is defined already`);
    mkdirSync(dirname(logFile), { recursive: true });
    this.#fleets.set(functionName, { definition, containers: new Set(), idle: [], waiting: [], running: 0 });
  }

  /** Runs the function and answers as Lambda does: a failed function is an answer, a throttled call an error. */
  invoke(functionName: string, event: unknown): Promise<Invocation> {
    return this.invokeJson(functionName, JSON.stringify(event) ?? 'null');
  }

  /** The same for an event that is JSON text already. */
  async invokeJson(functionName: string, event: string): Promise<Invocation> {
    const fleet = this.#fleet(functionName);
    const { reservedConcurrency = Number.POSITIVE_INFINITY } = fleet.definition;
    if (fleet.running >= reservedConcurrency) {
      this.#metric(functionName, 'Throttles', 1);
      throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429, {
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      });
    }
    fleet.running += 1;
    try {
      return await this.#run(fleet, event);
    } finally {
      fleet.running -= 1;
    }
  }

  /** Ends all containers of a function at once. Invocations in flight end with an error; new ones start anew. */
  async kill(functionName: string): Promise<void> {
    await Promise.all([...this.#fleet(functionName).containers].map((container) => container.kill()));
  }

  /** How many containers a function has at the moment. */
  containers(functionName: string): number {
    return this.#fleet(functionName).containers.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { waiting } of this.#fleets.values()) for (const next of waiting.splice(0)) next(undefined);
    const all = [...this.#fleets.values()].flatMap(({ containers }) => [...containers]);
    await Promise.all(all.map((container) => container.kill()));
  }

  async #run(fleet: Fleet, event: string): Promise<Invocation> {
    const { functionName } = fleet.definition;
    const container = this.#closed ? undefined : await this.#container(fleet);
    if (container === undefined) throw new Error(`function '${functionName}' is not run: the host is closed`);
    const started = performance.now();
    const invocation = await container.run(event, randomUUID());
    this.#metric(functionName, 'Invocations', 1);
    this.#metric(functionName, 'Duration', performance.now() - started);
    this.#metric(functionName, 'Errors', invocation.functionError === undefined ? 0 : 1);
    // One that is dying is replaced for those who wait when it has ended.
    if (!container.dying) this.#free(fleet, container);
    return invocation;
  }

  async #container(fleet: Fleet): Promise<FunctionContainer | undefined> {
    for (let idle = fleet.idle.pop(); idle !== undefined; idle = fleet.idle.pop()) if (!idle.dying) return idle;
    if (fleet.containers.size < (this.#options.maxContainers ?? 4)) return this.#start(fleet);
    return new Promise((resolve) => fleet.waiting.push(resolve));
  }

  #start(fleet: Fleet): FunctionContainer {
    const { functionName } = fleet.definition;
    const { workerFile = builtWorker, onLog } = this.#options;
    const onLine = onLog && ((line: string) => onLog(functionName, line));
    const container = new FunctionContainer(fleet.definition, workerFile, onLine);
    fleet.containers.add(container);
    void container.ended.then(() => {
      fleet.containers.delete(container);
      if (fleet.waiting.length > 0 && !this.#closed) this.#free(fleet, this.#start(fleet));
    });
    return container;
  }

  #free(fleet: Fleet, container: FunctionContainer): void {
    const next = fleet.waiting.shift();
    if (next === undefined) fleet.idle.push(container);
    else next(container);
  }

  #fleet(functionName: string): Fleet {
    const fleet = this.#fleets.get(functionName);
    if (fleet === undefined)
      throw new AwsError('ResourceNotFoundException', `Function not found: ${functionName}`, 404);
    return fleet;
  }

  #metric(functionName: string, metric: FunctionMetric, value: number): void {
    this.#options.onMetric?.(functionName, metric, value);
  }
}
