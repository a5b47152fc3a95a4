import {
  ConditionalCheckFailedException,
  TransactionConflictException,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { allEnded } from '../../base/runtime/all-ended';
import { chunksOf } from '../../base/runtime/chunks';
import { backOff, whileInConflict } from './dynamo-calls';
import type { Item } from './item-values';
import { onlineKey } from './lookup/online-items';
import type { OnlineTable } from './online-table';
import { type Beat, type BeatsItem, beatsItemOf } from './watermark';

// An expression has at most 4 KB: 25 slots take less than 2.
const slotsPerUpdate = 25;
const attempts = 10;

/** The beats of the databases, as they came through. */
export class BeatsTable {
  constructor(readonly online: OnlineTable) {}

  async read<Database extends string>(databases: readonly Database[]): Promise<Map<Database, BeatsItem>> {
    return beatsIn(await this.online.read(databases.map(onlineKey.beats)), databases);
  }

  /** Notes beats, each unless there is a newer one: all that came before them must be in the online table by now. */
  async note(database: string, known: ReadonlyMap<string, Beat>, news: ReadonlyMap<string, Beat>): Promise<void> {
    let beats = known;
    for (let attempt = 1; ; attempt++) {
      const open = [...news].filter(([slot, { position }]) => (beats.get(slot)?.position ?? '') < position);
      if (open.length === 0) return;
      if (attempt > attempts) throw new Error(`the beats of ${database} are contended`);
      if (attempt > 1) await backOff(attempt);
      if (beats.size === 0) await this.#makeMaps(database);
      const written = await allEnded(
        [...chunksOf(open, { most: slotsPerUpdate })].map((slots) => this.#write(database, slots)),
      );
      if (written.every(Boolean)) return;
      beats = (await this.read([database])).get(database)!.beats;
    }
  }

  /** False when another has been here. */
  async #write(database: string, slots: readonly (readonly [string, Beat])[]): Promise<boolean> {
    const sets = slots.map(
      (_, index) =>
        `beats.#s${index} = :b${index}, positions.#s${index} = :p${index}, arrivals.#s${index} = :a${index}`,
    );
    const conditions = slots.map(
      (_, index) => `(attribute_not_exists(positions.#s${index}) OR positions.#s${index} < :p${index})`,
    );
    const values: Item = {};
    for (const [index, [, { beatAt, position, arrivedAt }]] of slots.entries()) {
      values[`:a${index}`] = { S: arrivedAt };
      values[`:b${index}`] = { S: beatAt };
      values[`:p${index}`] = { S: position };
    }
    try {
      await this.online.dynamoDb.send(
        new UpdateItemCommand({
          TableName: this.online.tableName,
          Key: { pk: { S: onlineKey.beats(database) } },
          UpdateExpression: `SET ${sets.join(', ')}`,
          ConditionExpression: conditions.join(' AND '),
          ExpressionAttributeNames: Object.fromEntries(slots.map(([slot], index) => [`#s${index}`, slot])),
          ExpressionAttributeValues: values,
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException || error instanceof TransactionConflictException)
        return false;
      throw error;
    }
  }

  /** An expression cannot make a map and what is in it at once. */
  async #makeMaps(database: string): Promise<void> {
    const { dynamoDb, tableName } = this.online;
    const send = () =>
      dynamoDb.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { pk: { S: onlineKey.beats(database) } },
          UpdateExpression:
            'SET beats = if_not_exists(beats, :none), positions = if_not_exists(positions, :none), arrivals = if_not_exists(arrivals, :none)',
          ExpressionAttributeValues: { ':none': { M: {} } },
        }),
      );
    await whileInConflict(send);
  }
}

export function beatsIn<Database extends string>(
  items: ReadonlyMap<string, Item>,
  databases: readonly Database[],
): Map<Database, BeatsItem> {
  return new Map(databases.map((database) => [database, beatsItemOf(items.get(onlineKey.beats(database)))]));
}
