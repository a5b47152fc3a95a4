import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoints } from '../endpoints';
import { SignedCaller } from '../signed-caller';
import { occurredMs } from './present-days';

const everyMs = 2_000;

/**
 * Says up to when the sources have sent all their sales, as tills do: sales are sent in the order in which they occurred,
 * so all is said before the first one that has no answer. Once all are answered, nothing is being sold, and the time is now.
 */
export class SalesMarks {
  /** Lines without an answer, in order, and those that have one but come after such a line. */
  readonly #open: { readonly line: string; readonly at: number; answered: boolean }[] = [];
  readonly #sources = new Set<string>();
  readonly #stopping = new AbortController();
  #through: number | undefined;
  #isOver = false;
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly endpoints: Pick<Endpoints, 'completeThroughUrl' | 'aws'>) {}

  start(): void {
    this.#running = this.#run();
  }

  sent(line: string): void {
    const event = JSON.parse(line);
    const at = occurredMs(event);
    if (at === undefined || typeof event.source !== 'string') return;
    this.#sources.add(event.source);
    this.#open.push({ line, at, answered: false });
  }

  answered(lines: readonly string[]): void {
    for (const line of lines) {
      const place = this.#open.find((each) => each.line === line && !each.answered);
      if (place !== undefined) place.answered = true;
    }
    while (this.#open[0]?.answered) this.#through = this.#open.shift()!.at;
  }

  /** All sales have been sent. */
  over(): void {
    this.#isOver = true;
  }

  /** What each source says now; nothing before the first answer. */
  marks(now = Date.now()): { readonly source: string; readonly completeThrough: string }[] {
    const through = this.#isOver && this.#open.length === 0 ? now : this.#through;
    if (through === undefined) return [];
    const completeThrough = new Date(through).toISOString();
    return [...this.#sources].map((source) => ({ source, completeThrough }));
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const caller = new SignedCaller(this.endpoints.aws);
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const marks = this.marks();
      // What is not taken is said again, with what is known by then.
      if (marks.length > 0) await caller.post(this.endpoints.completeThroughUrl, { marks }).catch(() => {});
      await delay(everyMs, undefined, { signal }).catch(() => {});
    }
  }
}
