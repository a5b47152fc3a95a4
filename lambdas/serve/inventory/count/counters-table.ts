import {
  type CancellationReason,
  type DynamoDBClient,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { retryPause } from '../../../base/runtime/retry-pause';
import { type Pack, type Portion, packOf } from './packing';

export interface CountersTableProps {
  readonly claimsTableName: string;
  readonly countersTableName: string;
  readonly claimDays: number;
}

const attempts = 8;
const transientCodes = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
]);
const isTransient = ({ Code = 'None' }: CancellationReason) => transientCodes.has(Code);

/** How a pack ended: how many of its portions were counted before, and whether the rest is counted now. */
export interface Outcome {
  readonly alreadyCounted: number;
  readonly done: boolean;
}

/** The stock counters and this reader's claims: one transaction writes both, so that a portion is counted once. */
export class CountersTable {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly props: CountersTableProps,
  ) {}

  /**
   * Counts a pack under a lane. Portions that are claimed already are taken out and the rest is sent again; conflicts and
   * throttles are retried with backoff, a few times: the SDK takes a cancelled transaction for final. Throws on any other error.
   */
  async count(pack: Pack, lane: string): Promise<Outcome> {
    let open = pack;
    for (let attempt = 1; ; ) {
      const reasons = await this.write(open, lane);
      if (reasons === undefined) return { alreadyCounted: pack.portions.length - open.portions.length, done: true };
      const left = open.portions.filter((_, index) => reasons[index]?.Code !== 'ConditionalCheckFailed');
      const alreadyCounted = pack.portions.length - left.length;
      if (left.length === 0) return { alreadyCounted, done: true };
      const onlyClaimed = left.length < open.portions.length && !reasons.some(isTransient);
      open = packOf(left);
      if (onlyClaimed) continue;
      if (attempt++ === attempts) return { alreadyCounted, done: false };
      await retryPause(100, attempt - 1, 1_000);
    }
  }

  /** Undefined when it is written, the reason per action when it was cancelled; the claims come first. */
  private async write(pack: Pack, lane: string): Promise<readonly CancellationReason[] | undefined> {
    const { claimsTableName, countersTableName, claimDays } = this.props;
    const now = Date.now();
    const expiresAt = String(Math.floor(now / 1_000) + claimDays * 86_400);
    const claim = ({ claim }: Portion): TransactWriteItem => ({
      Put: {
        TableName: claimsTableName,
        Item: { id: { S: claim }, expiresAt: { N: expiresAt } },
        ConditionExpression: 'attribute_not_exists(id)',
      },
    });
    const TransactItems = [
      ...pack.portions.map(claim),
      ...pack.totals.map(
        ({ item, bucket, units, lines }): TransactWriteItem => ({
          Update: {
            TableName: countersTableName,
            Key: { item: { S: item }, bucket: { S: `${bucket}#${lane}` } },
            // When it was last written cannot be told later, and the expiry of buckets will go by it.
            UpdateExpression: 'ADD #units :units, #lines :lines SET #lastWrittenAt = :now',
            ExpressionAttributeNames: { '#units': 'units', '#lines': 'lines', '#lastWrittenAt': 'lastWrittenAt' },
            ExpressionAttributeValues: {
              ':units': { N: String(units) },
              ':lines': { N: String(lines) },
              ':now': { N: String(Math.floor(now / 1_000)) },
            },
          },
        }),
      ),
    ];
    try {
      await this.dynamoDb.send(new TransactWriteItemsCommand({ TransactItems }));
      return undefined;
    } catch (error) {
      const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
      // Only what can go away by itself, or says that it was done before, is ours to handle.
      const isOurs = (reason: CancellationReason, index: number) =>
        (reason.Code === 'ConditionalCheckFailed' && index < pack.portions.length) || isTransient(reason);
      const isFinal = reasons.some((reason, index) => reason.Code !== 'None' && !isOurs(reason, index));
      if (reasons.length === 0 || isFinal) throw error;
      return reasons;
    }
  }
}
