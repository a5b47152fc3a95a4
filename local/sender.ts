import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { isCardNumber } from '../lambdas/base/runtime/card-digits';
import type { AccessKeys } from './door/door';
import { localRegion } from './engines/engine';
import { SignedCaller } from './signed-caller';

/** What became of the events that were sent. */
export interface IngestTotals {
  received: number;
  accepted: number;
  rejected: number;
  /** Events that were sent again because the answer said so, or did not come. */
  retried: number;
  warnings: number;
  /** Lines that are no JSON, by file and number. */
  malformed: string[];
  /** How many events were rejected, by code, with one message each. */
  rejections: Record<string, { count: number; example: string }>;
}

/** The API takes 4 MB; a batch of long sales stays well below. */
const maximumBodyBytes = 3_500_000;
/** Tries in a row in which none of a request's events was settled: more than a minute, at most 2 s apart. */
const defaultPatience = 40;

interface Result {
  readonly status: 'accepted' | 'rejected' | 'retry';
  readonly code?: string;
  readonly message?: string;
  readonly warnings?: readonly string[];
}

export interface SenderOptions {
  readonly ingestUrl: string;
  readonly keys: AccessKeys;
  /** Events a request, and requests at a time. */
  readonly batchSize: number;
  readonly concurrency: number;
  /** Events a second; as fast as they are taken when absent. */
  readonly rate?: number;
  /** Tries without any effect after which a request is given up. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
  /** What is sent instead of an event's line. */
  readonly prepare?: (line: string) => string;
  /** Told of the lines of each request, in the order in which they are answered, accepted or rejected. */
  readonly onAnswered?: (lines: readonly string[]) => void;
}

/** The results in order; or why there are none, and the same events are sent again; or that they are too many at once. */
type Answer = { readonly results: readonly Result[] } | { readonly problem: string } | { readonly tooLarge: string };

/**
 * Sends sales to the ingest API the way a till does: in batches, signed, each event again until it is accepted or
 * rejected. `totals` are current at all times.
 */
export class Sender {
  readonly totals: IngestTotals = {
    received: 0,
    accepted: 0,
    rejected: 0,
    retried: 0,
    warnings: 0,
    malformed: [],
    rejections: {},
  };
  /** Card numbers that were sent, wherever in an event they stood: what must be found nowhere afterwards. */
  readonly cardNumbers = new Set<string>();
  readonly #caller: SignedCaller;

  constructor(private readonly options: SenderOptions) {
    this.#caller = new SignedCaller({ region: localRegion, ...options.keys });
  }

  /**
   * Sends each line of a file as one event. A line that is no JSON is noted, and the rest goes on. Throws when the API
   * refuses a request as a whole, or takes nothing any more; what was under way is waited for.
   */
  async sendFile(file: string): Promise<void> {
    const { batchSize, concurrency, rate, signal, prepare, onAnswered } = this.options;
    const inFlight = new Set<Promise<void>>();
    const failures: Error[] = [];
    const started = Date.now();
    let sent = 0;
    let batch: string[] = [];
    let bytes = 0;
    const flush = async () => {
      const events = batch;
      batch = [];
      bytes = 0;
      if (events.length === 0) return;
      if (rate !== undefined)
        await delay(Math.max(0, started + (sent / rate) * 1_000 - Date.now()), undefined, { signal }).catch(() => {});
      sent += events.length;
      while (inFlight.size >= concurrency) await Promise.race(inFlight);
      const request = this.#sendUntilSettled(events)
        .then(() => {
          if (!signal?.aborted) onAnswered?.(events);
        })
        .catch((error: Error) => void failures.push(error))
        .finally(() => inFlight.delete(request));
      inFlight.add(request);
    };

    let number = 0;
    const lines = linesOf(file);
    for (;;) {
      const { value: given, done } = await lines.next().catch(({ message }: Error) => {
        failures.push(new Error(`${file}: ${message} after line ${number}`));
        return { value: '', done: true };
      });
      if (done) break;
      number++;
      if (signal?.aborted || failures.length > 0) break;
      if (given.trim() === '') continue;
      const event = parsed(given);
      if (event === undefined) {
        this.totals.malformed.push(`${file}:${number}`);
        continue;
      }
      const line = prepare?.(given) ?? given;
      this.#remember(line, event);
      this.totals.received++;
      const size = Buffer.byteLength(line);
      if (bytes + size > maximumBodyBytes) await flush();
      batch.push(line);
      bytes += size;
      if (batch.length === batchSize) await flush();
    }
    if (failures.length === 0) await flush();
    await Promise.all(inFlight);
    if (failures[0] !== undefined) throw failures[0];
  }

  async #sendUntilSettled(events: readonly string[]): Promise<void> {
    const { signal, patience = defaultPatience } = this.options;
    let left = events;
    let inVain = 0;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (signal?.aborted) return;
      if (attempt > 0) {
        this.totals.retried += left.length;
        await delay(Math.min(2_000, 50 * 2 ** inVain), undefined, { signal }).catch(() => {});
      }
      const answer = await this.#post(left);
      const before = left.length;
      if ('tooLarge' in answer) return this.#sendSmaller(left, answer.tooLarge);
      if ('results' in answer) left = left.filter((_, index) => !this.#settle(answer.results[index]));
      inVain = left.length < before ? 0 : inVain + 1;
      if (inVain < patience) continue;
      const problem = 'problem' in answer ? answer.problem : `all ${before} events are to be sent again`;
      throw new Error(`the ingest API took nothing in ${patience} tries: ${problem}`);
    }
  }

  /** In halves, until it is clear which event no request can take: that one is rejected, the others are not. */
  async #sendSmaller(events: readonly string[], message: string): Promise<void> {
    if (events.length === 1) {
      this.#settle({ status: 'rejected', code: 'too-large', message });
      return;
    }
    const middle = events.length >> 1;
    await this.#sendUntilSettled(events.slice(0, middle));
    await this.#sendUntilSettled(events.slice(middle));
  }

  /** Whether the event needs no further try. */
  #settle(result: Result | undefined): boolean {
    if (result === undefined || result.status === 'retry') return false;
    this.totals.warnings += result.warnings?.length ?? 0;
    this.totals[result.status]++;
    if (result.status === 'rejected') {
      const code = result.code ?? 'unknown';
      this.totals.rejections[code] ??= { count: 0, example: result.message ?? '' };
      this.totals.rejections[code].count++;
    }
    return true;
  }

  async #post(events: readonly string[]): Promise<Answer> {
    const body = `{"sales":[${events.join(',')}]}`;
    let answer: Response;
    let text: string;
    try {
      answer = await this.#caller.send(this.options.ingestUrl, 'POST', {}, body);
      text = await answer.text();
    } catch (error) {
      return { problem: String((error as Error).cause ?? error) };
    }
    const problem = `HTTP ${answer.status}: ${text.slice(0, 300)}`;
    if (answer.status === 413) return { tooLarge: parsed(text)?.message ?? problem };
    // A request that is wrong is so the next time, too.
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 408 && answer.status !== 429)
      throw new Error(`the ingest API refused a request: ${problem}`);
    const results = parsed(text)?.results;
    return Array.isArray(results) ? { results } : { problem };
  }

  #remember(line: string, event: any): void {
    for (const tender of Array.isArray(event?.tenders) ? event.tenders : []) {
      const digits = String(tender?.card?.number ?? '').replace(/\D/g, '');
      if (digits.length >= 12 && digits.length <= 19) this.cardNumbers.add(digits);
    }
    // What a note or an unknown field holds is masked or dropped at the door. Digits after a letter are part of a word.
    for (const [run] of line.matchAll(/(?<![0-9\p{L}])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])/gu)) {
      const digits = run.replace(/\D/g, '');
      if (isCardNumber(digits)) this.cardNumbers.add(digits);
    }
  }
}

/** Undefined when it is no JSON. */
function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Lines end with a line feed only: other separators may stand unescaped in a JSON string. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const bytes = createReadStream(file);
  // Errors of the file end the iteration, whoever reads it.
  const input: Readable = file.endsWith('.gz') ? pipeline(bytes, createGunzip(), () => {}) : bytes;
  let rest: string | undefined;
  for await (const chunk of input.setEncoding('utf8')) {
    // Some systems begin a text with a mark of their own, which is no JSON.
    const lines = `${rest ?? ''}${rest === undefined ? chunk.replace(/^\ufeff/, '') : chunk}`.split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}
