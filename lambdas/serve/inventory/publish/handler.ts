import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { dynamoDbClient, eventBridgeClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import type { Item } from '../../badges/item-values';
import { Outbox, waitingIn } from '../outbox';

const outbox = new Outbox({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('OUTBOX_TABLE_NAME'),
  eventBridge: eventBridgeClient(),
  busName: requireEnv('EVENT_BUS_NAME'),
});

/**
 * Publishes triggers as they are committed, at least once each, under the id of their crossing: reads the outbox's own
 * stream, which has a record of a trigger if and only if its version was committed.
 *
 * Repeated, or at the same time as `republish`: a trigger is published again under its id, by which subscribers go. Crash
 * before PutEvents, or between it and taking out: the batch comes again, and what lies in the outbox does so for as long.
 * Crash after taking out: the batch comes again, and is published again. Failure: what EventBridge refuses stays in the
 * outbox for `republish`, so that it holds up no other; any other error is thrown, and the batch comes again, halved, for
 * a quarter of an hour, after which its triggers are `republish`'s, too. Bad data: an item without a trigger is counted and
 * stays. A record of what was taken out says nothing.
 */
export async function handler({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  const items = Records.flatMap(({ dynamodb }) =>
    dynamodb?.NewImage === undefined ? [] : [dynamodb.NewImage as unknown as Item],
  );
  const { triggers, unreadable } = waitingIn(items);
  const { published, refused } = await outbox.publish(triggers);
  countMetrics({ Published: published, Refused: refused, Unreadable: unreadable });
  return { batchItemFailures: [] };
}
