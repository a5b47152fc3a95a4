import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { chunksOf } from '../../base/runtime/chunks';
import { inParallel } from '../../base/runtime/in-parallel';
import { retryPause } from '../../base/runtime/retry-pause';
import type { Claim } from './first-seen';

/** What to claim: a key, and the claim to make if there is none. */
export interface ClaimRequest extends Claim {
  readonly key: string;
}

// DynamoDB takes 25 statements and 100 keys a call.
const statementsPerCall = 25;
const keysPerCall = 100;
const callsAtOnce = 8;
const attempts = 4;

/** The claims on sales: one item per (source, transactionId), well below a write unit. */
export class ClaimsTable {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly tableName: string,
    private readonly claimDays: number,
  ) {}

  /**
   * Claims each key if it is free, and answers who holds it: the request's own claim, or the one that stood there before.
   * A key whose statement failed is missing from the answer. Keys must not repeat. Throws when a call fails as a whole.
   */
  async claim(requests: readonly ClaimRequest[]): Promise<Map<string, Claim>> {
    const holders = new Map<string, Claim>();
    let open = requests;
    for (let attempt = 1; open.length > 0 && attempt <= attempts; attempt++) {
      const nameless = await this.insert(open, holders);
      if (nameless.length > 0) await this.look(nameless, holders);
      // Found taken, and gone when looked for: the claim expired in between, so the key is free.
      open = nameless.filter(({ key }) => !holders.has(key));
    }
    return holders;
  }

  /** Inserts 25 a call, and returns the requests that met a claim without being told whose. */
  private async insert(requests: readonly ClaimRequest[], holders: Map<string, Claim>): Promise<ClaimRequest[]> {
    const expiresAt = String(Math.floor(Date.now() / 1_000) + this.claimDays * 86_400);
    const nameless: ClaimRequest[] = [];
    await inParallel(chunksOf(requests, { most: statementsPerCall }), callsAtOnce, async (chunk) => {
      const { Responses = [] } = await this.dynamoDb.send(
        new BatchExecuteStatementCommand({
          Statements: chunk.map(({ key, position, digest }) => ({
            Statement: `INSERT INTO "${this.tableName}" VALUE {'id': ?, 'position': ?, 'digest': ?, 'expiresAt': ?}`,
            Parameters: [{ S: key }, { S: position }, { S: digest }, { N: expiresAt }],
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          })),
        }),
      );
      for (const [index, request] of chunk.entries()) {
        const answer = Responses[index];
        if (answer === undefined) continue;
        if (answer.Error === undefined) holders.set(request.key, request);
        else if (answer.Error.Code === 'DuplicateItem') {
          const claim = claimOf(answer.Error.Item);
          if (claim === undefined) nameless.push(request);
          else holders.set(request.key, claim);
        }
      }
    });
    return nameless;
  }

  private async look(requests: readonly ClaimRequest[], holders: Map<string, Claim>): Promise<void> {
    await inParallel(chunksOf(requests, { most: keysPerCall }), callsAtOnce, async (chunk) => {
      let keys: Record<string, AttributeValue>[] = chunk.map(({ key }) => ({ id: { S: key } }));
      for (let attempt = 1; keys.length > 0 && attempt <= attempts; attempt++) {
        if (attempt > 1) await retryPause(100, attempt - 1);
        const answer = await this.dynamoDb.send(
          new BatchGetItemCommand({ RequestItems: { [this.tableName]: { Keys: keys, ConsistentRead: true } } }),
        );
        for (const item of answer.Responses?.[this.tableName] ?? []) {
          const claim = claimOf(item);
          if (claim !== undefined) holders.set(item.id!.S!, claim);
        }
        keys = answer.UnprocessedKeys?.[this.tableName]?.Keys ?? [];
      }
    });
  }
}

function claimOf(item: Record<string, AttributeValue> | undefined): Claim | undefined {
  const position = item?.position?.S;
  const digest = item?.digest?.S;
  return position === undefined || digest === undefined ? undefined : { position, digest };
}
