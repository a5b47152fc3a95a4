import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { inChunks, readItems, whileInConflict, writeVersions } from './dynamo-calls';
import type { OnlineItem } from './features';
import { attributeOf, attributesOf, type Item } from './item-values';

/** An item to bring to its row's position. */
export interface OnlineWrite {
  readonly item: OnlineItem;
  /**
   * The position that the item probably has, never a later one than is written: a guess that fails costs a call, nothing
   * else. Undefined: no item.
   */
  readonly expected: string | undefined;
  /** Second of its end, or null to take one away; absent: as it is, where the guess holds. */
  readonly expiresAt?: number | null;
}

/** The items that lookups read. */
export class OnlineTable {
  constructor(
    readonly dynamoDb: DynamoDBClient,
    readonly tableName: string,
  ) {}

  async read(pks: readonly string[]): Promise<Map<string, Item>> {
    return itemsByPk(await readItems(this.dynamoDb, this.tableName, pks.map(itemKey)));
  }

  /** Writes items that are still as they were read; answers the indexes of those that are not. */
  async writeVersions(writes: readonly OnlineWrite[]): Promise<ReadonlySet<number>> {
    return writeVersions(this.dynamoDb, this.tableName, writes.map(versioned));
  }

  /**
   * Brings items to their positions or finds them at later ones. An item at the same position is written again: what a
   * crash left out is made up for by a redelivery, or by the row's next change. Answers the indexes of those that were
   * passed by a later position.
   */
  async settle(writes: readonly OnlineWrite[]): Promise<ReadonlySet<number>> {
    const failed = [...(await this.writeVersions(writes))];
    const passed = await this.settleEach(failed.map((index) => writes[index]!));
    return new Set([...passed].map((place) => failed[place]!));
  }

  /** The same, a call each, for items whose positions cannot be guessed. */
  async settleEach(writes: readonly OnlineWrite[]): Promise<ReadonlySet<number>> {
    const passed = new Set<number>();
    await inChunks([...writes.entries()], 1, async ([entry]) => {
      const [index, write] = entry!;
      if (!(await this.#settleOne(write))) passed.add(index);
    });
    return passed;
  }

  /** False when the item is at a later position. */
  async #settleOne({ item, expiresAt = null }: OnlineWrite): Promise<boolean> {
    try {
      // What the item is now is not known: it may be the tombstone of a row that has come back, so its end goes.
      await this.update(item.pk, attributesFor(item, expiresAt), {
        condition: 'attribute_not_exists(#position) OR #position <= :position',
      });
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }

  /** Writes one item if it is still as it was read; false when it is not. */
  async writeVersion({ item, expected, expiresAt }: OnlineWrite, more: Item = {}): Promise<boolean> {
    const attributes = { ...attributesFor(item, expiresAt), ...more };
    try {
      await this.update(item.pk, attributes, {
        condition: expected === undefined ? 'attribute_not_exists(#position)' : '#position = :expected',
        ...(expected === undefined ? {} : { values: { ':expected': { S: expected } } }),
      });
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }

  /** Sets attributes of an item, made if there is none. The condition may speak of `#position`. */
  async update(
    pk: string,
    attributes: Item,
    { condition, values = {} }: { condition: string; values?: Item },
  ): Promise<void> {
    const update = updateOf(this.tableName, pk, attributes);
    const input: UpdateItemCommandInput = {
      ...update,
      ConditionExpression: condition,
      ExpressionAttributeValues: { ...update.ExpressionAttributeValues, ...values },
    };
    await whileInConflict(() => this.dynamoDb.send(new UpdateItemCommand(input)));
  }
}

export function itemKey(pk: string) {
  return { pk: { S: pk } };
}

export function itemsByPk(items: readonly Item[]): Map<string, Item> {
  return new Map(items.map((item) => [item.pk!.S!, item]));
}

/** An update that sets each attribute under a name and a value of its own name. */
export function updateOf(tableName: string, pk: string, attributes: Item) {
  const names = Object.keys(attributes);
  return {
    TableName: tableName,
    Key: itemKey(pk),
    UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]!])) as Item,
  };
}

export function attributesFor({ position, committedAt, features }: OnlineItem, expiresAt?: number | null): Item {
  return {
    ...attributesOf(features),
    committedAt: attributeOf(committedAt),
    ...(expiresAt === undefined ? {} : { expiresAt: attributeOf(expiresAt) }),
    position: { S: position },
  };
}

function versioned({ item, expected, expiresAt }: OnlineWrite) {
  return {
    key: itemKey(item.pk),
    expected: expected === undefined ? undefined : { position: { S: expected } },
    attributes: attributesFor(item, expiresAt),
  };
}
