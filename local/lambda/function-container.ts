import { appendFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { localAccount, localRegion } from '../engines/engine';
import { type Call, type ContainerData, errorPayload, type Word } from './container-protocol';
import type { FunctionDefinition, Invocation } from './function-host';

const maxResponseBytes = 6 * 1024 * 1024 + 100;

/** One container of a function: a worker thread, from its cold start to its end. */
export class FunctionContainer {
  /** Settles when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #ready: Promise<void>;
  #dying = false;
  #lastWords = exit('Runtime exited without providing a reason');
  #finish: ((invocation: Invocation) => void) | undefined;

  constructor(
    readonly definition: FunctionDefinition,
    workerFile: string,
    onLine: ((line: string) => void) | undefined,
  ) {
    const { functionName, handlerFile, handlerExport, memoryMb, environment, logFile, hosts = {} } = definition;
    const workerData: ContainerData = {
      functionName,
      functionArn: `arn:aws:lambda:${localRegion}:${localAccount}:function:${functionName}`,
      handlerFile,
      handlerExport,
      memoryMb,
      logFile,
      hosts,
      tellLines: onLine !== undefined,
    };
    const own = { AWS_LAMBDA_FUNCTION_NAME: functionName, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb) };
    const worker = new Worker(workerFile, {
      workerData,
      env: { ...own, ...environment },
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    this.#worker = worker;
    this.#ready = new Promise((ready) => {
      worker.on('message', (word: Word) => {
        if ('line' in word) onLine?.(word.line);
        else if ('ready' in word) ready();
        // What a container says after its end was decided, it never said.
        else if (this.#dying) return;
        else if (word.last) void this.#end(word.payload);
        else this.#finish?.(answer(word));
      });
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#doom(outOfMemory ? exit('Runtime exited with error: signal: killed') : errorPayload(error));
    });
    this.ended = new Promise((ended) => {
      worker.once('exit', () => {
        this.#dying = true;
        this.#finish?.({ payload: this.#lastWords, functionError: 'Unhandled' });
        ended();
      });
    });
  }

  /** Whether the container can take no more invocations. */
  get dying(): boolean {
    return this.#dying;
  }

  /** Runs one invocation. The container must be idle. */
  run(event: string, requestId: string): Promise<Invocation> {
    const { timeoutSeconds } = this.definition;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      this.#finish = (invocation) => {
        clearTimeout(timer);
        this.#finish = undefined;
        resolve(invocation);
      };
      // Time counts from the end of the cold start, as in Lambda.
      void this.#ready.then(() => {
        if (this.#dying) return;
        const timedOut = `RequestId: ${requestId} Error: Task timed out after ${timeoutSeconds.toFixed(2)} seconds`;
        timer = setTimeout(() => this.#end(failure('Sandbox.Timedout', timedOut)), timeoutSeconds * 1000);
        const call: Call = { requestId, event, deadline: Date.now() + timeoutSeconds * 1000 };
        this.#worker.postMessage(call);
      });
    });
  }

  /** Ends the container at once, in the middle of whatever it does. */
  kill(): Promise<void> {
    return this.#end(exit('Runtime exited with error: signal: killed'));
  }

  async #end(lastWords: string): Promise<void> {
    this.#doom(lastWords);
    await this.#worker.terminate();
    await this.ended;
  }

  #doom(lastWords: string): void {
    if (this.#dying) return;
    this.#dying = true;
    this.#lastWords = lastWords;
    appendFileSync(this.definition.logFile, `ERROR\t${lastWords}\n`);
  }
}

function answer({ payload, failed }: { readonly payload: string; readonly failed: boolean }): Invocation {
  if (failed) return { payload, functionError: 'Unhandled' };
  if (payload.length <= maxResponseBytes / 3) return { payload };
  const bytes = Buffer.byteLength(payload);
  if (bytes <= maxResponseBytes) return { payload };
  const words = `Response payload size (${bytes} bytes) exceeded maximum allowed payload size (${maxResponseBytes} bytes).`;
  return { payload: failure('Function.ResponseSizeTooLarge', words), functionError: 'Unhandled' };
}

function exit(reason: string): string {
  return failure('Runtime.ExitError', `Error: ${reason}`);
}

function failure(errorType: string, errorMessage: string): string {
  return JSON.stringify({ errorType, errorMessage });
}
