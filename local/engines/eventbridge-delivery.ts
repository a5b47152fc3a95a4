import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsError } from './engine';
import type { EventBridgeOptions } from './eventbridge';
import type { Target } from './eventbridge-target';
import { WriteAheadLog } from './write-ahead-log';

/** An event on its way to one target. */
export interface Delivery {
  readonly eventId: string;
  readonly ruleArn: string;
  readonly target: Target;
  /** The event as JSON. */
  readonly text: string;
  /** When it was taken. */
  readonly since: number;
}

/** Pauses between tries, doubling from the first to the longest, in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
}

/** Deliveries that run at a time. */
const mostRunning = 8;

/** What a target refuses for good is not tried again (user guide, retry policy). */
const final = new Set(['AccessDeniedException', 'ResourceNotFoundException', 'QueueDoesNotExist']);

/** Hands events over, each target's by its retry policy, and remembers on disk what is not done. */
export class Deliveries {
  readonly counts = { delivered: 0, buried: 0, dropped: 0 };
  /** What went wrong last, as long as nothing has gone well since. */
  problem: string | undefined;
  readonly #log: WriteAheadLog | undefined;
  readonly #pending = new Map<string, Delivery>();
  readonly #waiting: string[] = [];
  /** What an earlier process has left. */
  readonly #left: string[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(
    private readonly options: EventBridgeOptions,
    private readonly now: () => number,
  ) {
    const { directory } = options;
    if (directory === undefined) return;
    this.#log = new WriteAheadLog(join(directory, 'deliveries'));
    for (const entry of this.#log.entries()) {
      const { done, delivery } = JSON.parse(entry);
      if (done !== undefined) this.#pending.delete(done);
      else this.#pending.set(placeOf(delivery), delivery);
    }
    this.#left.push(...this.#pending.keys());
  }

  get idle(): boolean {
    return this.#pending.size === 0;
  }

  /** The events that are not done, as texts. */
  waiting(): string[] {
    return [...this.#pending.values()].map(({ text }) => text);
  }

  /** Takes a delivery, which is on disk then; `begin` starts it. */
  add(delivery: Delivery): void {
    const place = placeOf(delivery);
    this.#log?.append(JSON.stringify({ delivery }));
    this.#pending.set(place, delivery);
    this.#waiting.push(place);
  }

  /** Starts what an earlier process has left. */
  resume(): void {
    this.#waiting.push(...this.#left.splice(0));
    this.begin();
  }

  begin(): void {
    while (this.#running.size < mostRunning && this.#waiting.length > 0 && !this.#ending.signal.aborted) {
      const place = this.#waiting.shift()!;
      const running = this.#run(place, this.#pending.get(place)!).finally(() => {
        this.#running.delete(running);
        this.begin();
      });
      this.#running.add(running);
    }
  }

  async close(): Promise<void> {
    this.#ending.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#log?.close();
  }

  async #run(place: string, delivery: Delivery): Promise<void> {
    const { MaximumRetryAttempts = 185, MaximumEventAgeInSeconds = 86_400 } = delivery.target.RetryPolicy ?? {};
    for (let retries = 0; ; retries++) {
      try {
        await this.options.deliver(delivery, this.#ending.signal);
        this.counts.delivered += 1;
        this.problem = undefined;
        return this.#done(place);
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        this.#report(error);
        const exhausted =
          retries >= MaximumRetryAttempts
            ? 'MaximumRetryAttempts'
            : this.now() - delivery.since > MaximumEventAgeInSeconds * 1000
              ? 'MaximumEventAgeInSeconds'
              : undefined;
        const isFinal = error instanceof AwsError && final.has(error.code);
        if (exhausted !== undefined || isFinal) return this.#giveUp(place, delivery, error, retries, exhausted);
        await this.#pause(retries);
        if (this.#ending.signal.aborted) return;
      }
    }
  }

  async #giveUp(
    place: string,
    delivery: Delivery,
    error: unknown,
    retries: number,
    exhausted: string | undefined,
  ): Promise<void> {
    if (delivery.target.DeadLetterConfig?.Arn === undefined) {
      this.counts.dropped += 1;
      return this.#done(place);
    }
    const attributes = {
      RULE_ARN: delivery.ruleArn,
      TARGET_ARN: delivery.target.Arn,
      ERROR_CODE:
        error instanceof AwsError && error.code === 'AccessDeniedException' ? 'NO_PERMISSIONS' : 'SDK_CLIENT_ERROR',
      ERROR_MESSAGE: (error as Error).message,
      RETRY_ATTEMPTS: String(retries),
      ...(exhausted === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: exhausted }),
    };
    for (let failures = 0; !this.#ending.signal.aborted; failures++) {
      try {
        await this.options.bury(delivery, attributes);
        this.counts.buried += 1;
        return this.#done(place);
      } catch (failure) {
        this.#report(failure);
        // A queue that takes nothing loses the event, as at AWS.
        if (failure instanceof AwsError && final.has(failure.code)) {
          this.counts.dropped += 1;
          return this.#done(place);
        }
        await this.#pause(failures);
      }
    }
  }

  #done(place: string): void {
    this.#pending.delete(place);
    if (this.#log === undefined) return;
    this.#log.append(JSON.stringify({ done: place }));
    // Nothing is left to remember.
    if (this.#pending.size === 0) this.#log.cut()();
  }

  async #pause(failures: number): Promise<void> {
    const { first, longest } = this.options.backoff ?? { first: 20, longest: 1000 };
    const wait = Math.min(longest, first * 2 ** Math.min(failures, 20));
    await sleep(wait, undefined, { signal: this.#ending.signal }).catch(() => {});
  }

  #report(error: unknown): void {
    const { name, message } = error as Error;
    this.problem = `${name}: ${message}`;
  }
}

function placeOf({ eventId, ruleArn, target }: Delivery): string {
  return [eventId, ruleArn, target.Id].join(' ');
}
