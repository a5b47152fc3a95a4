import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { chunksOf } from '../../base/runtime/chunks';
import { retryPause } from '../../base/runtime/retry-pause';
import { indexPrefix } from '../card-sealing';
import { asCardToken } from '../card-token';
import type { CardItem } from '../vault-table';
import type { Pass } from './rotation';

const passKey = { pk: { S: 'rotation' } };
// Items per page: one BatchGetItem, four inserts at most.
const pageSize = 100;
const mostDeletes = 25;
const deleteAttempts = 5;

/** The cards under an old index, page by page, and how far the pass over them has come. */
export class OldCards {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly tableName: string,
  ) {}

  async readPass(): Promise<Pass | undefined> {
    const { Item } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.tableName, Key: passKey, ConsistentRead: true }),
    );
    return Item === undefined ? undefined : (JSON.parse(Item.pass!.S!) as Pass);
  }

  async writePass(pass: Pass): Promise<void> {
    await this.dynamoDb.send(
      new PutItemCommand({ TableName: this.tableName, Item: { ...passKey, pass: { S: JSON.stringify(pass) } } }),
    );
  }

  /** Reads on consistently: an item written before the read began is not missed. */
  async page(version: number, cursor: string | undefined): Promise<{ cards: CardItem[]; cursor: string | undefined }> {
    const { Items, LastEvaluatedKey } = await this.dynamoDb.send(
      new ScanCommand({
        TableName: this.tableName,
        ConsistentRead: true,
        Limit: pageSize,
        FilterExpression: 'begins_with(#pk, :prefix)',
        ExpressionAttributeNames: { '#pk': 'pk' },
        ExpressionAttributeValues: { ':prefix': { S: indexPrefix(version) } },
        ...(cursor === undefined ? {} : { ExclusiveStartKey: { pk: { S: cursor } } }),
      }),
    );
    return { cards: (Items ?? []).map(cardOf), cursor: LastEvaluatedKey?.pk?.S };
  }

  async remove(pks: readonly string[]): Promise<void> {
    for (const chunk of chunksOf(pks, { most: mostDeletes })) {
      let left: { DeleteRequest: { Key: Record<string, AttributeValue> } }[] = chunk.map((pk) => ({
        DeleteRequest: { Key: { pk: { S: pk } } },
      }));
      for (let attempt = 1; left.length > 0; attempt++) {
        if (attempt > deleteAttempts) throw new Error(`${left.length} old cards could not be removed now`);
        if (attempt > 1) await retryPause(50, attempt - 1);
        const { UnprocessedItems } = await this.dynamoDb.send(
          new BatchWriteItemCommand({ RequestItems: { [this.tableName]: left } }),
        );
        left = (UnprocessedItems?.[this.tableName] ?? []) as typeof left;
      }
    }
  }
}

function cardOf(item: Record<string, AttributeValue>): CardItem {
  const token = asCardToken(item.token?.S);
  if (token === undefined) throw new Error('an item of the vault has no valid token');
  return { pk: item.pk!.S!, token, sealed: item.sealed!.B!, data: Number(item.data!.N) };
}
