import { setTimeout as delay } from 'node:timers/promises';
import { BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { StockPolicy } from '../../base/domain/stock-policy';
import type { Item } from '../badges/item-values';
import { onlineKey } from '../badges/lookup/online-items';
import { beatsItemOf, watermarkOf } from '../badges/watermark';
import { checkRequest, type StockRequest } from './lookup/request';
import { positionOfItem } from './position-item';
import { locationKey } from './positions-table';
import { type StockAnswer, stockAnswer } from './stock-answer';

export interface StockClientOptions {
  readonly dynamoDb: DynamoDBClient;
  /** The inventory's positions table. */
  readonly tableName: string;
  readonly policy: StockPolicy;
  /** Milliseconds of the epoch. Default: the machine's clock. */
  readonly clock?: () => number;
}

/** Answers of one moment. */
export interface StockAnswers {
  /** By SKU, then by location, each in the order of the request. */
  readonly answers: readonly StockAnswer[];
  readonly evaluatedAt: string;
}

/** The positions table did not give everything in time. Nothing is known of what is missing, so there is no answer. */
export class PositionsUnavailable extends Error {
  override readonly name = 'PositionsUnavailable';
}

const feeds = ['inventory', 'sales'].map(onlineKey.beats);
// The beats are hot, and 8 KB each: they are read once a second. Older beats vouch for less, never for more.
const keptMs = 1_000;
const attempts = 5;
const deadlineMs = 2_000;

/**
 * Stock positions straight from their table, for callers who have no time for the API, which answers the same by this very
 * client: one round trip. Make one per process.
 *
 * Needs dynamodb:BatchGetItem on the table, and its key through DynamoDB.
 */
export class StockClient {
  readonly #clock: () => number;
  #kept: { readonly watermark: number | undefined; readonly readAt: number } | undefined;

  constructor(private readonly options: StockClientOptions) {
    this.#clock = options.clock ?? Date.now;
  }

  /**
   * One answer per SKU and location. Throws a RangeError for a request that cannot be answered, and PositionsUnavailable (or
   * what the SDK throws) when the table does not give everything within two seconds: ask again.
   */
  async lookup(request: StockRequest): Promise<StockAnswers> {
    const checked = checkRequest(request);
    if ('code' in checked) throw new RangeError(checked.message);
    const { skus, locations } = request;
    const readAt = this.#clock();
    const isKept = this.#kept !== undefined && readAt - this.#kept.readAt < keptMs;
    const items = await this.#read([
      ...(isKept ? [] : feeds),
      ...skus.map(onlineKey.sku),
      ...locations.map(locationKey),
      ...skus.flatMap((sku) => locations.map((location) => onlineKey.stock(sku, location))),
    ]);
    if (!isKept) this.#kept = { watermark: watermarkIn(items), readAt };
    const { watermark } = this.#kept!;
    // After the reading, so that no answer is older than it says.
    const now = this.#clock();
    return {
      answers: skus.flatMap((sku) =>
        locations.map((location) => {
          const skuItem = items.get(onlineKey.sku(sku));
          const item = items.get(onlineKey.stock(sku, location));
          const facts = {
            // A deleted row's item has no status; one that only says what is held has no position.
            isKnownSku: skuItem?.status?.S !== undefined,
            isKnownLocation: items.has(locationKey(location)),
            position: positionOfItem(item),
            watermark,
            heldSince: earliest(skuItem?.heldSince?.S, item?.heldSince?.S),
          };
          return stockAnswer(sku, location, facts, this.options.policy, now);
        }),
      ),
      evaluatedAt: new Date(now).toISOString(),
    };
  }

  async #read(keys: readonly string[]): Promise<Map<string, Item>> {
    const { dynamoDb, tableName } = this.options;
    const items = new Map<string, Item>();
    const signal = AbortSignal.timeout(deadlineMs);
    let open = keys;
    for (let attempt = 1; open.length > 0; attempt++) {
      if (attempt > attempts) throw new PositionsUnavailable(`${open.length} keys are unprocessed`);
      if (attempt > 1) await delay(10 * 2 ** attempt * (0.5 + Math.random() / 2));
      const { Responses, UnprocessedKeys } = await dynamoDb.send(
        new BatchGetItemCommand({
          RequestItems: { [tableName]: { Keys: open.map((pk) => ({ pk: { S: pk } })), ConsistentRead: true } },
        }),
        { abortSignal: signal },
      );
      for (const item of Responses?.[tableName] ?? []) items.set(item.pk!.S!, item);
      const unprocessed = (UnprocessedKeys?.[tableName]?.Keys ?? []).map(({ pk }) => pk!.S!);
      // Beats that are read later than the rest would vouch for what it does not know: then all is read again.
      open = feeds.some((feed) => unprocessed.includes(feed)) ? keys : unprocessed;
    }
    return items;
  }
}

/** How far the feed that is behind has come. */
function watermarkIn(items: ReadonlyMap<string, Item>): number | undefined {
  const watermarks = feeds.map((feed) => watermarkOf(beatsItemOf(items.get(feed))));
  return watermarks.includes(undefined) ? undefined : Math.min(...(watermarks as number[]));
}

function earliest(...times: readonly (string | undefined)[]): number | undefined {
  const known = times.flatMap((time) => (time === undefined ? [] : [Date.parse(time)]));
  return known.length === 0 ? undefined : Math.min(...known);
}
