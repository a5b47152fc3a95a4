import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type BadgePolicy, type BadgeRequest, evaluate } from '../../base/domain/badge';
import { OnlineReader } from './lookup/online-reader';
import { checkRequest } from './lookup/request';
import { type ReceiptedAnswer, withReceipts } from './receipt/receipts';

export interface BadgeClientOptions {
  readonly dynamoDb: DynamoDBClient;
  /** The badges' online table. */
  readonly tableName: string;
  readonly policy: BadgePolicy;
  /** Milliseconds of the epoch. Default: the machine's clock. */
  readonly clock?: () => number;
}

/** Answers of one moment. */
export interface BadgeAnswers {
  /** One per SKU, in the order of the request. */
  readonly answers: readonly ReceiptedAnswer[];
  readonly evaluatedAt: string;
  readonly policyVersion: string;
}

/**
 * Badges straight from the online table, for callers who have no time for the API, which answers the same by this very
 * client. Make one per process: it keeps what all requests share for a second.
 *
 * Needs dynamodb:BatchGetItem on the table, and its key through DynamoDB.
 */
export class BadgeClient {
  readonly #reader: OnlineReader;
  readonly #clock: () => number;

  constructor(private readonly options: BadgeClientOptions) {
    this.#clock = options.clock ?? Date.now;
    this.#reader = new OnlineReader({ ...options, clock: this.#clock });
  }

  /**
   * One answer per SKU. Throws a RangeError for a request that cannot be answered, and OnlineTableUnavailable (or what
   * the SDK throws) when the table does not give everything within two seconds: ask again.
   */
  async lookup(request: BadgeRequest): Promise<BadgeAnswers> {
    const checked = checkRequest(request);
    if ('code' in checked) throw new RangeError(checked.message);
    const items = await this.#reader.read(request);
    // After the reading, so that no answer is older than it says.
    const now = new Date(this.#clock());
    const { policy } = this.options;
    return {
      answers: withReceipts(items.attributes, evaluate(items, request, policy, now), request.fcs, policy, now),
      evaluatedAt: now.toISOString(),
      policyVersion: policy.version,
    };
  }
}
