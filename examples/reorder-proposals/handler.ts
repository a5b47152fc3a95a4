import { ConditionalCheckFailedException, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { EventBridgeEvent } from 'aws-lambda';
import { dynamoDbClient } from '../../lambdas/base/runtime/clients';
import { requireEnv } from '../../lambdas/base/runtime/env';
import { countMetrics } from '../../lambdas/base/runtime/log';
import type { StockTrigger } from '../../lambdas/serve/inventory/stock-trigger';
import { proposalOf } from './proposal';

const dynamoDb = dynamoDbClient();
const TableName = requireEnv('PROPOSALS_TABLE_NAME');

/**
 * Makes a proposal to order of each reorder point that was reached.
 *
 * Repeated, or two at once: the crossing has its proposal, whatever has become of that since; nothing changes. Out of
 * order: each crossing stands for itself. Bad data, and failure: thrown; Lambda tries twice more, then the event goes to
 * the queue of what was not processed, which has its alarm.
 */
export async function handler({ detail }: EventBridgeEvent<'Stock Trigger', StockTrigger>): Promise<void> {
  const { crossingId, sku, location, quantity, proposedAt } = proposalOf(detail);
  const isNew = await putOnce({
    crossingId: { S: crossingId },
    sku: { S: sku },
    location: { S: location },
    quantity: { N: String(quantity) },
    proposedAt: { S: proposedAt },
  });
  countMetrics({ Proposed: isNew ? 1 : 0, Repeated: isNew ? 0 : 1 });
}

async function putOnce(Item: PutItemCommand['input']['Item']): Promise<boolean> {
  try {
    await dynamoDb.send(
      new PutItemCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(crossingId)' }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
