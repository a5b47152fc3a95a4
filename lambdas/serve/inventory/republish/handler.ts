import type { Context } from 'aws-lambda';
import { dynamoDbClient, eventBridgeClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics } from '../../../base/runtime/log';
import { Outbox, type Published } from '../outbox';

const outbox = new Outbox({
  dynamoDb: dynamoDbClient(),
  tableName: requireEnv('OUTBOX_TABLE_NAME'),
  eventBridge: eventBridgeClient(),
  busName: requireEnv('EVENT_BUS_NAME'),
});
// Until then a trigger is `publish`'s, which has a second's worth of work.
const overdueMs = Number(requireEnv('OVERDUE_SECONDS')) * 1_000;
// Enough to finish the page at hand.
const reservedMs = 20_000;

/**
 * The net beneath `publish`: every minute, publishes the triggers that have lain in the outbox for longer than they should,
 * whatever became of their record in its stream.
 *
 * Repeated, or two at once: a trigger is published again under its id, by which subscribers go. Crash: what was published
 * and not taken out is published again. Failure: what EventBridge refuses stays and is tried again a minute later; any other
 * error is thrown. Bad data: an item without a trigger stays and counts as one that waits for ever. What waits has its alarm.
 */
export async function handler(_event: unknown, context?: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const now = Date.now();
  const result: Published = { published: 0, refused: 0 };
  let unreadable = 0;
  let oldest = now;
  for await (const page of outbox.pages()) {
    unreadable += page.unreadable;
    const decided = page.triggers.map((trigger) => ({ trigger, at: Date.parse(trigger.decidedAt) }));
    for (const { at } of decided) oldest = Math.min(oldest, at);
    const overdue = decided.filter(({ at }) => at <= now - overdueMs);
    const { published, refused } = await outbox.publish(overdue.map(({ trigger }) => trigger));
    result.published += published;
    result.refused += refused;
    if ((context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) < reservedMs) break;
  }
  countMetrics({
    Published: result.published,
    Refused: result.refused,
    Unreadable: unreadable,
    WaitedSeconds: (now - (unreadable > 0 ? 0 : oldest)) / 1_000,
  });
}
