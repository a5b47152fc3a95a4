import type { Invocation } from './function-host';

/** A record on its way through a mapping. */
export interface Entry {
  readonly sequenceNumber: string;
  /** Epoch seconds. */
  readonly arrival: number;
  /** The record as it stands in an event, and its size there. */
  readonly text: string;
  readonly bytes: number;
  /** Set when it is delivered or given up: the checkpoint passes it only then. */
  done: boolean;
}

/** Consecutive records that go to the function together. */
export interface Batch {
  readonly entries: readonly Entry[];
  /** Failed invocations that count against MaximumRetryAttempts. */
  readonly attempts: number;
  /** Failures in a row, for the pause before the next try. */
  readonly failures: number;
}

/** What an invocation said of its batch: all failed, or the first `done` records are processed and the rest is not. */
export type Outcome = 'success' | 'failure' | { readonly done: number };

export interface RetryRules {
  readonly maxRetries: number;
  readonly bisect: boolean;
  readonly reportsItems: boolean;
}

/** What follows: how many records are processed, what to try next (in order), what has had its last try. */
export interface Verdict {
  readonly processed: number;
  readonly next: readonly Batch[];
  readonly exhausted?: Batch;
}

/** Most bytes of an event, as JSON with its base64. */
export const eventBytes = 6 * 1024 * 1024;

/** Takes the first batch off a queue: at most so many records, and no larger event than Lambda takes. */
export function takeBatch(queue: Entry[], batchSize: number): Batch | undefined {
  if (queue.length === 0) return undefined;
  let bytes = '{"Records":[]}'.length;
  let count = 0;
  while (count < queue.length && count < batchSize) {
    bytes += queue[count]!.bytes + 1;
    if (bytes > eventBytes && count > 0) break;
    count += 1;
  }
  return { entries: queue.splice(0, count), attempts: 0, failures: 0 };
}

/** Reads an invocation's answer by the rules of ReportBatchItemFailures. */
export function outcome({ payload, functionError }: Invocation, { entries }: Batch, reportsItems: boolean): Outcome {
  if (functionError !== undefined) return 'failure';
  if (!reportsItems || payload === '') return 'success';
  let response: any;
  try {
    response = JSON.parse(payload);
  } catch {
    return 'failure';
  }
  if (response === null || response === '') return 'success';
  if (typeof response !== 'object' || Array.isArray(response)) return 'failure';
  const failures = response.batchItemFailures ?? [];
  if (!Array.isArray(failures)) return 'failure';
  if (failures.length === 0) return 'success';
  const places = new Map(entries.map(({ sequenceNumber }, index) => [sequenceNumber, index]));
  let done = entries.length;
  for (const failure of failures) {
    const place = places.get(failure?.itemIdentifier);
    // One wrong identifier spoils the whole answer: nobody knows which record was meant.
    if (place === undefined) return 'failure';
    done = Math.min(done, place);
  }
  return { done };
}

/** Decides what follows an outcome. A split costs no retry. */
export function verdict(batch: Batch, result: Outcome, rules: RetryRules): Verdict {
  const { entries, attempts, failures } = batch;
  if (result === 'success') return { processed: entries.length, next: [] };
  const again = { attempts, failures: failures + 1 };
  if (result === 'failure' && rules.bisect && entries.length > 1) {
    const middle = entries.length >> 1;
    const halves = [entries.slice(0, middle), entries.slice(middle)];
    return { processed: 0, next: halves.map((half) => ({ entries: half, ...again })) };
  }
  const processed = result === 'failure' ? 0 : result.done;
  const rest = entries.slice(processed);
  // Progress: the next try begins with the shortest pause again.
  if (processed > 0 && rules.bisect) return { processed, next: [{ entries: rest, attempts, failures: 1 }] };
  const counted = { entries: rest, attempts: attempts + 1, failures: processed > 0 ? 1 : failures + 1 };
  if (rules.maxRetries >= 0 && counted.attempts > rules.maxRetries) return { processed, next: [], exhausted: counted };
  return { processed, next: [counted] };
}
