import { type AttributeValue, BatchWriteItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { chunksOf } from './chunks';
import { retryPause } from './retry-pause';

// BatchWriteItem takes 25.
const keysPerCall = 25;
const attempts = 5;

/** Deletes items, gone ones among them, as few calls as there are 25s of keys. Keys must not repeat. */
export async function deleteItems(
  dynamoDb: DynamoDBClient,
  tableName: string,
  keys: readonly Record<string, AttributeValue>[],
): Promise<void> {
  for (const chunk of chunksOf(keys, { most: keysPerCall })) {
    let left: { DeleteRequest: { Key: Record<string, AttributeValue> } }[] = chunk.map((Key) => ({
      DeleteRequest: { Key },
    }));
    for (let attempt = 1; left.length > 0; attempt++) {
      if (attempt > attempts) throw new Error(`${left.length} items of ${tableName} could not be deleted now`);
      if (attempt > 1) await retryPause(50, attempt - 1);
      const { UnprocessedItems } = await dynamoDb.send(
        new BatchWriteItemCommand({ RequestItems: { [tableName]: left } }),
      );
      left = (UnprocessedItems?.[tableName] ?? []) as typeof left;
    }
  }
}
