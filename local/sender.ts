import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AccessKeys } from './door/door';
import { localRegion } from './engines/engine';

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
  readonly signal?: AbortSignal;
}

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
  /** Card numbers that were sent: what must be found nowhere afterwards. */
  readonly cardNumbers = new Set<string>();
  readonly #signer: SignatureV4;
  readonly #url: URL;

  constructor(private readonly options: SenderOptions) {
    this.#url = new URL(options.ingestUrl);
    this.#signer = new SignatureV4({
      service: 'execute-api',
      region: localRegion,
      sha256: Sha256,
      credentials: options.keys,
    });
  }

  /** Sends each line of a file as one event. A line that is no JSON is noted, and the rest goes on. */
  async sendFile(file: string): Promise<void> {
    const { batchSize, concurrency, rate, signal } = this.options;
    const inFlight = new Set<Promise<void>>();
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
      const request = this.#sendUntilSettled(events).finally(() => inFlight.delete(request));
      inFlight.add(request);
    };

    let number = 0;
    for await (const line of linesOf(file)) {
      number++;
      if (signal?.aborted) break;
      if (line.trim() === '') continue;
      try {
        this.#remember(JSON.parse(line));
      } catch {
        this.totals.malformed.push(`${file}:${number}`);
        continue;
      }
      this.totals.received++;
      const size = Buffer.byteLength(line);
      if (bytes + size > maximumBodyBytes) await flush();
      batch.push(line);
      bytes += size;
      if (batch.length === batchSize) await flush();
    }
    await flush();
    await Promise.all(inFlight);
  }

  async #sendUntilSettled(events: readonly string[]): Promise<void> {
    let left = events;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (this.options.signal?.aborted) return;
      if (attempt > 0) {
        this.totals.retried += left.length;
        await delay(Math.min(2_000, 50 * 2 ** attempt));
      }
      const results = await this.#post(left);
      if (results === undefined) continue;
      left = left.filter((_, index) => !this.#settle(results[index]));
    }
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

  /** The results in order; undefined when there was no answer that has any: the same events are sent again. */
  async #post(events: readonly string[]): Promise<readonly Result[] | undefined> {
    const body = `{"sales":[${events.join(',')}]}`;
    const { headers } = await this.#signer.sign({
      method: 'POST',
      protocol: this.#url.protocol,
      hostname: this.#url.hostname,
      port: Number(this.#url.port),
      path: this.#url.pathname,
      headers: { host: this.#url.host, 'content-type': 'application/json' },
      body,
    });
    let answer: Response;
    try {
      answer = await fetch(this.#url, { method: 'POST', headers, body });
    } catch {
      return undefined;
    }
    const text = await answer.text();
    if (answer.status === 400 || answer.status === 403 || answer.status === 413)
      throw new Error(`the ingest API refused a request: HTTP ${answer.status}: ${text.slice(0, 300)}`);
    if (!answer.ok && answer.status !== 429 && answer.status !== 503) return undefined;
    return JSON.parse(text).results;
  }

  #remember(event: any): void {
    for (const tender of Array.isArray(event?.tenders) ? event.tenders : []) {
      const digits = String(tender?.card?.number ?? '').replace(/\D/g, '');
      if (digits.length >= 12 && digits.length <= 19) this.cardNumbers.add(digits);
    }
  }
}

function linesOf(file: string): AsyncIterable<string> {
  const bytes = createReadStream(file);
  const input = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  return createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
}
