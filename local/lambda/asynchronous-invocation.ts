import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsError } from '../engines/engine';
import type { Invocation } from './function-host';

/** How a function is invoked asynchronously: AWS::Lambda::EventInvokeConfig, with Lambda's defaults filled in. */
export interface AsynchronousConfig {
  readonly maxRetries: number;
  readonly maxAgeSeconds: number;
  /** The ARN of the queue for events that the function did not process. Without one they are gone. */
  readonly failureQueue: string | undefined;
}

export const asynchronousDefaults: AsynchronousConfig = {
  maxRetries: 2,
  maxAgeSeconds: 21_600,
  failureQueue: undefined,
};

export interface AsynchronousCall {
  readonly functionArn: string;
  /** JSON text. */
  readonly event: string;
  readonly config: AsynchronousConfig;
  /** Runs it. Rejects if it did not run: throttled, for one. */
  readonly invoke: (event: string) => Promise<Invocation>;
  /** Puts a record into the failure queue, in the name of the function's role. */
  readonly hold: (queueArn: string, record: string) => Promise<void>;
  /** Ends it before its next try. */
  readonly signal: AbortSignal;
  readonly now?: () => number;
  readonly backoff?: { readonly first: number; readonly longest: number };
}

/**
 * What Lambda makes of an event that it has taken: tries it, tries it again when the function fails, and at last puts it
 * into the failure queue. Between tries Lambda waits minutes, which is not imitated. Answers what came of it; rejects
 * where the queue does not take the record.
 */
export async function invokeAsynchronously(call: AsynchronousCall): Promise<'processed' | 'held' | 'dropped'> {
  const { config, event, invoke, signal, now = Date.now, backoff = { first: 20, longest: 1000 } } = call;
  const since = now();
  let failures = 0;
  for (let throttles = 0; ; ) {
    const wait = Math.min(backoff.longest, backoff.first * 2 ** Math.min(failures + throttles - 1, 20));
    if (failures + throttles > 0) await sleep(wait, undefined, { signal });
    let invocation: Invocation | undefined;
    try {
      invocation = await invoke(event);
      if (invocation.functionError === undefined) return 'processed';
      failures += 1;
    } catch (error) {
      // Only what Lambda itself says can be waited for; an end of the whole run cannot.
      if (!(error instanceof AwsError)) throw error;
      throttles += 1;
    }
    if (failures > config.maxRetries) return giveUp(call, 'RetriesExhausted', failures, invocation);
    if (now() - since > config.maxAgeSeconds * 1000) return giveUp(call, 'EventAgeExceeded', failures, invocation);
  }
}

async function giveUp(
  { config, functionArn, event, hold, now = Date.now }: AsynchronousCall,
  condition: 'RetriesExhausted' | 'EventAgeExceeded',
  approximateInvokeCount: number,
  invocation: Invocation | undefined,
): Promise<'held' | 'dropped'> {
  if (config.failureQueue === undefined) return 'dropped';
  const record = {
    version: '1.0',
    timestamp: new Date(now()).toISOString(),
    requestContext: {
      requestId: randomUUID(),
      functionArn: `${functionArn}:$LATEST`,
      condition,
      approximateInvokeCount,
    },
    requestPayload: JSON.parse(event),
    ...(invocation && {
      responseContext: {
        statusCode: 200,
        executedVersion: '$LATEST',
        functionError: invocation.functionError,
      },
      responsePayload: JSON.parse(invocation.payload),
    }),
  };
  await hold(config.failureQueue, JSON.stringify(record));
  return 'held';
}
