import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { chunksOf } from '../base/runtime/chunks';
import { inParallel } from '../base/runtime/in-parallel';
import { log } from '../base/runtime/log';
import { retryPause } from '../base/runtime/retry-pause';
import { asCardToken, type CardToken } from './card-token';
import { describeFailure } from './failure';

/** One card under one version of the index key. */
export interface CardItem {
  /** `card#<index key version>#<keyed hash>`. */
  readonly pk: string;
  readonly token: CardToken;
  readonly sealed: Uint8Array;
  /** Version of the data key that sealed it. */
  readonly data: number;
}

// What one call takes (API reference of BatchGetItem, BatchExecuteStatement).
const mostKeys = 100;
const mostStatements = 25;
const callsAtOnce = 4;
const readAttempts = 3;

/** The vault's cards. A failure concerns single cards: the others of the same call go on. */
export class VaultTable {
  readonly #insert: string;

  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly tableName: string,
  ) {
    this.#insert = `INSERT INTO "${tableName}" VALUE {'pk': ?, 'token': ?, 'sealed': ?, 'data': ?}`;
  }

  /** The tokens of those cards that are there; a key that could not be read now is in `failed`, one that is not in neither. */
  async tokens(
    pks: readonly string[],
    { consistent }: { readonly consistent: boolean },
  ): Promise<{ readonly found: Map<string, CardToken>; readonly failed: Set<string> }> {
    const found = new Map<string, CardToken>();
    const failed = new Set<string>();
    await inParallel(chunksOf(pks, { most: mostKeys }), callsAtOnce, async (chunk) => {
      let left: Record<string, AttributeValue>[] = chunk.map((pk) => ({ pk: { S: pk } }));
      try {
        for (let attempt = 1; left.length > 0 && attempt <= readAttempts; attempt++) {
          if (attempt > 1) await retryPause(80, attempt - 1);
          const { Responses, UnprocessedKeys } = await this.dynamoDb.send(
            new BatchGetItemCommand({
              RequestItems: {
                [this.tableName]: {
                  Keys: left,
                  ConsistentRead: consistent,
                  ProjectionExpression: '#pk, #token',
                  ExpressionAttributeNames: { '#pk': 'pk', '#token': 'token' },
                },
              },
            }),
          );
          for (const item of Responses?.[this.tableName] ?? []) {
            const token = asCardToken(item.token?.S);
            if (token !== undefined) found.set(item.pk!.S!, token);
          }
          left = UnprocessedKeys?.[this.tableName]?.Keys ?? [];
        }
      } catch (error) {
        log.warn('vault read failed', describeFailure(error));
      }
      for (const key of left) if (!found.has(key.pk!.S!)) failed.add(key.pk!.S!);
    });
    return { found, failed };
  }

  /** Inserts each card if absent. Only those that another was faster with, or we ourselves by a lost answer, `exist`. */
  async insert(items: readonly CardItem[]): Promise<Map<string, 'inserted' | 'exists' | 'failed'>> {
    const outcomes = new Map<string, 'inserted' | 'exists' | 'failed'>();
    const refusals = new Map<string, number>();
    await inParallel(chunksOf(items, { most: mostStatements }), callsAtOnce, async (chunk) => {
      try {
        const { Responses } = await this.dynamoDb.send(
          new BatchExecuteStatementCommand({
            Statements: chunk.map(({ pk, token, sealed, data }) => ({
              Statement: this.#insert,
              Parameters: [{ S: pk }, { S: token }, { B: sealed }, { N: String(data) }],
            })),
          }),
        );
        chunk.forEach(({ pk }, index) => {
          const { Error: refusal } = Responses![index]!;
          if (refusal === undefined) outcomes.set(pk, 'inserted');
          else if (refusal.Code === 'DuplicateItem') outcomes.set(pk, 'exists');
          else {
            outcomes.set(pk, 'failed');
            const code = refusal.Code ?? 'unknown';
            refusals.set(code, (refusals.get(code) ?? 0) + 1);
          }
        });
      } catch (error) {
        // Whether it was executed is not known; the next try finds out.
        for (const { pk } of chunk) outcomes.set(pk, 'failed');
        log.warn('vault insert failed', describeFailure(error));
      }
    });
    for (const [code, cards] of refusals) log.warn('vault insert refused', { code, cards });
    return outcomes;
  }

  /** Inserts each card if absent, and answers the token that the vault holds then; a card without one failed. */
  async adopt(items: readonly CardItem[]): Promise<Map<string, CardToken>> {
    const tokens = new Map<string, CardToken>();
    if (items.length === 0) return tokens;
    const outcomes = await this.insert(items);
    for (const { pk, token } of items) if (outcomes.get(pk) === 'inserted') tokens.set(pk, token);
    const lost = items.filter(({ pk }) => outcomes.get(pk) === 'exists').map(({ pk }) => pk);
    if (lost.length > 0) {
      // Strongly consistent: the winner's item is there, or the insert would not have been refused.
      const { found } = await this.tokens(lost, { consistent: true });
      for (const [pk, token] of found) tokens.set(pk, token);
    }
    return tokens;
  }
}
