import type { Context } from 'aws-lambda';
import { dynamoDbClient, eventBridgeClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { Outbox, type Published } from './outbox';

const outbox = new Outbox({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('OUTBOX_TABLE_NAME'),
  eventBridge: eventBridgeClient(),
  busName: requireEnv('EVENT_BUS_NAME'),
});
// Enough to finish the page at hand.
const reservedMs = 20_000;

/**
 * Publishes triggers from the outbox, at least once each, under the id of their crossing: every minute, all that lie there.
 *
 * Repeated, or two at once: a trigger is published again under its id, by which subscribers go. Crash: what was published
 * and not taken out is published again. Failure: what EventBridge refuses stays and is tried again a minute later; any other
 * error is thrown, and the age of what waits has its alarm.
 */
export async function handler(_event: unknown, context?: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const result: Published = { published: 0, refused: 0 };
  let oldest = Date.now();
  for await (const triggers of outbox.pages()) {
    for (const { decidedAt } of triggers) oldest = Math.min(oldest, Date.parse(decidedAt));
    const { published, refused } = await outbox.publish(triggers);
    result.published += published;
    result.refused += refused;
    if ((context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) < reservedMs) break;
  }
  countMetrics({
    Published: result.published,
    Refused: result.refused,
    WaitedSeconds: (Date.now() - oldest) / 1_000,
  });
}
