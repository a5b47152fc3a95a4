import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type Call, type ContainerData, errorPayload, type Word } from './container-protocol';

/** One Lambda container: loads the bundle once, then runs one invocation at a time, as the host hands them over. */
const data = workerData as ContainerData;
const say = (word: Word) => parentPort!.postMessage(word);

const log = openSync(data.logFile, 'a');
writeLinesOf(process.stdout);
writeLinesOf(process.stderr);
globalThis.fetch = mappedFetch(globalThis.fetch);

let handler: ((event: unknown, context: object) => unknown) | undefined;
let initError: unknown;
try {
  handler = createRequire(data.handlerFile)(data.handlerFile)[data.handlerExport];
  if (typeof handler !== 'function')
    throw Object.assign(new Error(`${data.handlerExport} is undefined or not exported`), {
      name: 'Runtime.HandlerNotFound',
    });
} catch (error) {
  initError = error;
}

parentPort!.on('message', async (call: Call) => {
  try {
    if (initError !== undefined) throw initError;
    const result = await handler!(JSON.parse(call.event), context(call));
    say({ payload: JSON.stringify(result) ?? 'null', failed: false });
  } catch (error) {
    const payload = errorPayload(error);
    writeLine(`ERROR\tInvoke Error\t${payload}`);
    // Lambda starts anew after a failed init, so what was missing may be there the next time.
    say({ payload, failed: true, last: initError !== undefined });
  }
});
say({ ready: true });

function context({ requestId, deadline }: Call): object {
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: false,
    functionName: data.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: data.functionArn,
    logGroupName: `/aws/lambda/${data.functionName}`,
    logStreamName: 'local',
    memoryLimitInMB: String(data.memoryMb),
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

/**
 * Written at once and by this thread itself: what goes through the streams of a worker passes the main thread, and is
 * lost when the worker is killed.
 */
function writeLinesOf(stream: NodeJS.WriteStream): void {
  let rest = '';
  stream.write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
    const lines = (rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())).split('\n');
    rest = lines.pop()!;
    for (const line of lines) writeLine(line);
    const written = more.at(-1);
    if (typeof written === 'function') queueMicrotask(() => written());
    return true;
  };
}

function writeLine(line: string): void {
  writeSync(log, `${line}\n`);
  if (data.tellLines) say({ line });
}

/** Sends what goes to a mapped host to its local stand-in instead, and says there who asks: no DNS, no TLS. */
function mappedFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input));
    const base = data.hosts[url.host];
    if (base === undefined) return fetch(input, init);
    const target = `${base.replace(/\/$/, '')}${url.pathname}${url.search}`;
    const request = input instanceof Request ? input : undefined;
    const headers = new Headers(init?.headers ?? request?.headers);
    headers.set('x-tillstream-function', data.functionName);
    return fetch(request === undefined ? target : new Request(target, request), { ...init, headers });
  };
}
