import { GetItemCommand, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { backOff, transact } from './dynamo-calls';
import type { Item } from './item-values';
import { onlineKey } from './lookup/online-items';
import type { OnlineTable } from './online-table';
import { type BeatsItem, beatsItemOf } from './watermark';

/** The id of the mark that a load leaves while it goes on. */
export const loadMarkId = 'load';
/** The id of the mark that batches leave which Lambda has given up. */
export const givenUpMarkId = 'given-up';

/** Why a database, or one of its items, may claim to know nothing from `since` on. */
export interface HeldMark {
  /** The record's place in its stream, which a redrive keeps; `loadMarkId` or `givenUpMarkId`. */
  readonly id: string;
  /** UTC, ISO 8601. */
  readonly since: string;
  readonly epoch: number;
  /** Partition key of the online item, where it is known which one; else it is all of the database. */
  readonly item?: string;
  /** The row that the record is about (`stateId`), and the record's position: made up for by any later whole change. */
  readonly row?: string;
  readonly position?: string;
}

/** The registry of a database as it should be, and numbers to keep with it. */
export interface Revision {
  readonly marks: readonly HeldMark[];
  readonly set?: Readonly<Partial<Record<'epoch' | 'sweptEpoch', number>>>;
}

// A mark takes at most two actions of a hundred, and one is for the database.
const marksPerTransaction = 45;
const attempts = 20;

/**
 * What is held of each database, and `heldSince` on the items that lookups read. Both change in one transaction on
 * condition of a version, so a mark is never taken away by someone who did not know of it.
 */
export class HeldRegistry {
  constructor(
    private readonly online: OnlineTable,
    private readonly stateTableName: string,
  ) {}

  /** Brings the registry to what `revise` makes of it; `revise` is asked again when another was faster. */
  async revise(database: string, revise: (marks: readonly HeldMark[], beats: BeatsItem) => Revision): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const beats = await this.#beats(database);
      const marks = await this.marks(database);
      const { marks: wanted, set = {} } = revise(marks, beats);
      // A mark that takes the place of another of its id is put over it.
      const added = wanted.filter((mark) => !marks.includes(mark));
      const removed = marks.filter((mark) => !wanted.some(({ id }) => id === mark.id));
      const isSet = Object.entries(set).every(([name, value]) => beats[name as 'epoch' | 'sweptEpoch'] === value);
      if (added.length + removed.length === 0 && isSet) return;

      const now = [...added, ...removed].slice(0, marksPerTransaction);
      const isAll = now.length === added.length + removed.length;
      const changing = new Set(now.map(({ id }) => id));
      const after = [...marks.filter(({ id }) => !changing.has(id)), ...now.filter((mark) => added.includes(mark))];
      const refused = await transact(this.online.dynamoDb, [
        this.#database(database, beats, after, isAll ? set : {}),
        ...now.map((mark) => (added.includes(mark) ? this.#put(database, mark) : this.#delete(database, mark))),
        ...[...new Set(now.flatMap(({ item }) => item ?? []))].map((item) => this.#item(item, after)),
      ]);
      if (refused === undefined && isAll) return;
      if (refused === undefined) attempt = 0;
      else await backOff(attempt);
    }
    throw new Error(`what is held of ${database} is contended`);
  }

  async marks(database: string): Promise<HeldMark[]> {
    const marks: HeldMark[] = [];
    let ExclusiveStartKey: Item | undefined;
    do {
      const answer = await this.online.dynamoDb.send(
        new QueryCommand({
          TableName: this.stateTableName,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: `held#${database}` } },
          ConsistentRead: true,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      for (const { sk, since, epoch, item, row, position } of answer.Items ?? [])
        marks.push({
          id: sk!.S!,
          since: since!.S!,
          epoch: Number(epoch!.N),
          ...(item?.S === undefined ? {} : { item: item.S }),
          ...(row?.S === undefined ? {} : { row: row.S }),
          ...(position?.S === undefined ? {} : { position: position.S }),
        });
      ExclusiveStartKey = answer.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return marks;
  }

  async #beats(database: string): Promise<BeatsItem> {
    const { Item } = await this.online.dynamoDb.send(
      new GetItemCommand({
        TableName: this.online.tableName,
        Key: { pk: { S: onlineKey.beats(database) } },
        ConsistentRead: true,
      }),
    );
    return beatsItemOf(Item);
  }

  #database(
    database: string,
    { heldVersion }: BeatsItem,
    after: readonly HeldMark[],
    set: Readonly<Record<string, number>>,
  ): TransactWriteItem {
    const heldSince = earliest(after.filter(({ item }) => item === undefined));
    const numbers = { ...set, heldVersion: heldVersion + 1, held: after.filter(({ id }) => id !== loadMarkId).length };
    const sets = Object.keys(numbers).map((name) => `#${name} = :${name}`);
    return {
      Update: {
        TableName: this.online.tableName,
        Key: { pk: { S: onlineKey.beats(database) } },
        UpdateExpression:
          heldSince === undefined
            ? `SET ${sets.join(', ')} REMOVE heldSince`
            : `SET ${sets.join(', ')}, heldSince = :heldSince`,
        ConditionExpression: 'attribute_not_exists(#heldVersion) OR #heldVersion = :known',
        ExpressionAttributeNames: Object.fromEntries(Object.keys(numbers).map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: {
          ':known': { N: String(heldVersion) },
          ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`:${name}`, { N: String(value) }])),
          ...(heldSince === undefined ? {} : { ':heldSince': { S: heldSince } }),
        },
      },
    };
  }

  #put(database: string, { id, since, epoch, item, row, position }: HeldMark): TransactWriteItem {
    return {
      Put: {
        TableName: this.stateTableName,
        Item: {
          pk: { S: `held#${database}` },
          sk: { S: id },
          since: { S: since },
          epoch: { N: String(epoch) },
          ...(item === undefined ? {} : { item: { S: item } }),
          ...(row === undefined ? {} : { row: { S: row } }),
          ...(position === undefined ? {} : { position: { S: position } }),
        },
      },
    };
  }

  #delete(database: string, { id }: HeldMark): TransactWriteItem {
    return { Delete: { TableName: this.stateTableName, Key: { pk: { S: `held#${database}` }, sk: { S: id } } } };
  }

  #item(item: string, after: readonly HeldMark[]): TransactWriteItem {
    const heldSince = earliest(after.filter((mark) => mark.item === item));
    return {
      Update: {
        TableName: this.online.tableName,
        Key: { pk: { S: item } },
        ...(heldSince === undefined
          ? { UpdateExpression: 'REMOVE heldSince' }
          : {
              UpdateExpression: 'SET heldSince = :heldSince',
              ExpressionAttributeValues: { ':heldSince': { S: heldSince } },
            }),
      },
    };
  }
}

function earliest(marks: readonly HeldMark[]): string | undefined {
  return marks.reduce<string | undefined>(
    (first, { since }) => (first === undefined || Date.parse(since) < Date.parse(first) ? since : first),
    undefined,
  );
}
