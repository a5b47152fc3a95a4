import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { deleteItems } from '../../base/runtime/delete-items';
import { log } from '../../base/runtime/log';
import type { Item } from '../badges/item-values';
import type { StockTrigger } from './stock-trigger';

export const triggerSource = 'tillstream.inventory';
export const triggerDetailType = 'Stock Trigger';

export interface OutboxProps {
  readonly dynamoDb: DynamoDBClient;
  readonly tableName: string;
  readonly eventBridge: EventBridgeClient;
  readonly busName: string;
}

export interface Published {
  published: number;
  /** EventBridge did not take them; they stay. */
  refused: number;
}

/** What of some items can be published. */
export interface Waiting {
  readonly triggers: readonly StockTrigger[];
  /** Items that hold no trigger, which none of ours writes. They stay until somebody looks. */
  readonly unreadable: number;
}

// PutEvents takes ten entries, 256 KB together; a trigger has less than three.
const entriesPerCall = 10;

/** Triggers that were committed and are not yet known to be published. */
export class Outbox {
  constructor(private readonly props: OutboxProps) {}

  /** What lies there, page by page, oldest or not. */
  async *pages(): AsyncGenerator<Waiting> {
    let ExclusiveStartKey: Item | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await this.props.dynamoDb.send(
        new ScanCommand({
          TableName: this.props.tableName,
          ConsistentRead: true,
          Limit: 500,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      yield waitingIn(Items);
      ExclusiveStartKey = LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
  }

  /** Publishes triggers and takes them out: first the one, then the other, so that none is lost. */
  async publish(triggers: readonly StockTrigger[]): Promise<Published> {
    const result: Published = { published: 0, refused: 0 };
    for (let start = 0; start < triggers.length; start += entriesPerCall) {
      const chunk = triggers.slice(start, start + entriesPerCall);
      const { Entries = [] } = await this.props.eventBridge.send(
        new PutEventsCommand({
          Entries: chunk.map((trigger) => ({
            EventBusName: this.props.busName,
            Source: triggerSource,
            DetailType: triggerDetailType,
            Time: new Date(trigger.decidedAt),
            Detail: JSON.stringify(trigger),
          })),
        }),
      );
      // One that was refused stays, and is tried again.
      const taken = chunk.filter((_, index) => Entries[index]?.EventId !== undefined);
      const ids = [...new Set(taken.map(({ crossingId }) => crossingId))];
      await deleteItems(
        this.props.dynamoDb,
        this.props.tableName,
        ids.map((id) => ({ crossingId: { S: id } })),
      );
      result.published += taken.length;
      result.refused += chunk.length - taken.length;
    }
    return result;
  }
}

/** Reads items of the outbox, be they scanned or from its stream. */
export function waitingIn(items: readonly Readonly<Item>[]): Waiting {
  const triggers: StockTrigger[] = [];
  let unreadable = 0;
  for (const item of items) {
    const trigger = triggerIn(item);
    if (trigger !== undefined) triggers.push(trigger);
    else {
      unreadable += 1;
      log.error('no trigger in an item of the outbox', { crossingId: item.crossingId?.S });
    }
  }
  return { triggers, unreadable };
}

/** Undefined for an item that is not as a commit writes it: to publish it or to take it out would rest on a guess. */
function triggerIn({ crossingId, trigger }: Readonly<Item>): StockTrigger | undefined {
  try {
    const read = JSON.parse(trigger?.S ?? '') as StockTrigger;
    return read.crossingId === crossingId?.S && Date.parse(read.decidedAt) > 0 ? read : undefined;
  } catch {
    return undefined;
  }
}
