import {
  type AttributeValue,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { deleteItems } from '../../base/runtime/delete-items';
import { indexPrefix } from '../card-sealing';
import { asCardToken } from '../card-token';
import type { CardItem } from '../vault-table';
import type { Pass } from './rotation';

const passKey = { pk: { S: 'rotation' } };
// Items per page: one BatchGetItem, four inserts at most.
const pageSize = 100;

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

  remove(pks: readonly string[]): Promise<void> {
    return deleteItems(
      this.dynamoDb,
      this.tableName,
      pks.map((pk) => ({ pk: { S: pk } })),
    );
  }
}

function cardOf(item: Record<string, AttributeValue>): CardItem {
  const token = asCardToken(item.token?.S);
  if (token === undefined) throw new Error('an item of the vault has no valid token');
  return { pk: item.pk!.S!, token, sealed: item.sealed!.B!, data: Number(item.data!.N) };
}
