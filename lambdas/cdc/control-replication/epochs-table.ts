import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Epochs } from './replication-control';

/** Epochs in their table: `database`, `epoch` (number), `startedAt`, `load`, `ordered`, `loadedAt`. None is ever deleted. */
export function epochsTable(dynamodb: DynamoDBClient, tableName: string): Epochs {
  return {
    async last(database) {
      const { Items } = await dynamodb.send(
        new QueryCommand({
          TableName: tableName,
          KeyConditionExpression: '#database = :database',
          ExpressionAttributeNames: { '#database': 'database' },
          ExpressionAttributeValues: { ':database': { S: database } },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        }),
      );
      const item = Items?.[0];
      return item === undefined
        ? undefined
        : {
            database,
            epoch: Number(item.epoch?.N),
            startedAt: item.startedAt?.S ?? '',
            load: item.load?.S ?? '',
            ordered: item.ordered?.BOOL === true,
            ...(item.loadedAt?.S === undefined ? {} : { loadedAt: item.loadedAt.S }),
          };
    },
    async record({ database, epoch, startedAt, load, ordered }) {
      try {
        await dynamodb.send(
          new PutItemCommand({
            TableName: tableName,
            Item: {
              database: { S: database },
              epoch: { N: String(epoch) },
              startedAt: { S: startedAt },
              load: { S: load },
              ordered: { BOOL: ordered },
            },
            ConditionExpression: 'attribute_not_exists(#database)',
            ExpressionAttributeNames: { '#database': 'database' },
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },
    async markOrdered(database, epoch) {
      await dynamodb.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { database: { S: database }, epoch: { N: String(epoch) } },
          UpdateExpression: 'SET #ordered = :true',
          ExpressionAttributeNames: { '#ordered': 'ordered' },
          ExpressionAttributeValues: { ':true': { BOOL: true } },
        }),
      );
    },
    async markLoaded(database, epoch, loadedAt) {
      await dynamodb.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { database: { S: database }, epoch: { N: String(epoch) } },
          UpdateExpression: 'SET loadedAt = if_not_exists(loadedAt, :loadedAt)',
          ExpressionAttributeValues: { ':loadedAt': { S: loadedAt } },
        }),
      );
    },
  };
}
