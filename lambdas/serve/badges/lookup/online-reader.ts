import { setTimeout as delay } from 'node:timers/promises';
import { type AttributeValue, BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type BadgeItems, type BadgeRequest, badgeDatabases } from '../../../base/domain/badge';
import { beatsItem, centreItem, onlineKey, skuItem, stockItem } from './online-items';

/** The online table did not give everything in time. Nothing is known of what is missing, so there is no answer. */
export class OnlineTableUnavailable extends Error {
  override readonly name = 'OnlineTableUnavailable';
}

export interface OnlineReaderOptions {
  readonly dynamoDb: DynamoDBClient;
  readonly tableName: string;
  /** Milliseconds; its origin does not matter. */
  readonly clock: () => number;
}

// Hot items, one per centre and database, are read once a second per container: a partition gives 3,000 units a second.
const keptMs = 1_000;
const mostKept = 10_000;
const attempts = 5;
const deadlineMs = 2_000;
const never = Number.NEGATIVE_INFINITY;

type Item = Record<string, AttributeValue>;

/** What was read, and what it means. */
export interface ReadItems extends BadgeItems {
  readonly attributes: (pk: string) => Item | undefined;
}

interface Kept {
  readonly item: Item | undefined;
  /** When the call that read it began. */
  readonly readAt: number;
}

/** Reads what a request needs from the online table: one BatchGetItem, unless DynamoDB leaves keys unprocessed. */
export class OnlineReader {
  readonly #kept = new Map<string, Kept>();

  constructor(private readonly options: OnlineReaderOptions) {}

  async read({ skus, fcs }: BadgeRequest): Promise<ReadItems> {
    const { clock } = this.options;
    const now = clock();
    const found = new Map<string, Item>();
    const beats = badgeDatabases.map(onlineKey.beats);
    const centres = fcs.map(onlineKey.centre);

    // A watermark vouches for what was read with it or after it, never for what is older.
    const beatsReadAt = beats.map((key) => this.#keptAt(key, now));
    const beatsAreKept = Math.min(...beatsReadAt) > never;
    const vouchedFrom = beatsAreKept ? Math.max(...beatsReadAt) : Number.POSITIVE_INFINITY;
    const shared = [...(beatsAreKept ? [] : beats), ...centres.filter((key) => this.#keptAt(key, now) < vouchedFrom)];
    const asked = new Set(shared);
    for (const key of [...beats, ...centres]) {
      const item = asked.has(key) ? undefined : this.#kept.get(key)?.item;
      if (item !== undefined) found.set(key, item);
    }
    const own = skus.flatMap((sku) => [onlineKey.sku(sku), ...fcs.map((fc) => onlineKey.stock(sku, fc))]);

    const { items, readAt } = await this.#withinDeadline((signal) => this.#readAll([...shared, ...own], signal));
    for (const [key, item] of items) found.set(key, item);
    if (this.#kept.size > mostKept) this.#kept.clear();
    for (const key of shared) this.#kept.set(key, { item: items.get(key), readAt });

    const get = <Decoded>(key: string, decode: (item: Item) => Decoded): Decoded | undefined => {
      const item = found.get(key);
      return item === undefined ? undefined : decode(item);
    };
    return {
      attributes: (pk) => found.get(pk),
      sku: (sku) => get(onlineKey.sku(sku), skuItem),
      stock: (sku, fc) => get(onlineKey.stock(sku, fc), stockItem),
      centre: (fc) => get(onlineKey.centre(fc), centreItem),
      beats: (database) => get(onlineKey.beats(database), beatsItem),
    };
  }

  /** When an item that may still be used was read. */
  #keptAt(key: string, now: number): number {
    const readAt = this.#kept.get(key)?.readAt ?? never;
    return now - readAt < keptMs ? readAt : never;
  }

  /** What is not in the answer is not in the table: all keys were processed. */
  async #readAll(keys: readonly string[], signal: AbortSignal) {
    const { dynamoDb, tableName, clock } = this.options;
    const items = new Map<string, Item>();
    let readAt = clock();
    let open = keys;
    for (let attempt = 1; open.length > 0; attempt++) {
      if (attempt > attempts)
        throw new OnlineTableUnavailable(`${open.length} keys are unprocessed after ${attempts} attempts`);
      if (attempt > 1) await delay(10 * 2 ** attempt * (0.5 + Math.random() / 2), undefined, { signal });
      const { Responses, UnprocessedKeys } = await dynamoDb.send(
        new BatchGetItemCommand({
          RequestItems: { [tableName]: { Keys: open.map((pk) => ({ pk: { S: pk } })), ConsistentRead: true } },
        }),
        { abortSignal: signal },
      );
      for (const item of Responses?.[tableName] ?? []) items.set(item.pk!.S!, item);
      const unprocessed = (UnprocessedKeys?.[tableName]?.Keys ?? []).map(({ pk }) => pk!.S!);
      // A watermark that is read later than the rest would vouch for what it does not know: then all is read again.
      const isBehind = badgeDatabases.some((database) => unprocessed.includes(onlineKey.beats(database)));
      open = isBehind ? keys : unprocessed;
      if (isBehind) {
        items.clear();
        readAt = clock();
      }
    }
    return { items, readAt };
  }

  async #withinDeadline<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const abort = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new OnlineTableUnavailable(`not all keys were read within ${deadlineMs} ms`));
        abort.abort();
      }, deadlineMs);
    });
    try {
      // The SDK waits between its own attempts whatever the signal says.
      return await Promise.race([work(abort.signal), deadline]);
    } finally {
      clearTimeout(timer);
    }
  }
}
