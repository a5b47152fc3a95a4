import { randomUUID } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { readItems } from '../../badges/dynamo-calls';
import type { Item } from '../../badges/item-values';
import { decodePack, encodePack, type PackedSale } from './pack';

/** How far a lane has come. Packs have rising numbers, and one is counted to its end before the next is begun. */
export interface Lane {
  readonly name: string;
  /** The newest pack; 0: none yet. */
  readonly pack: number;
  readonly contents: string | undefined;
  readonly isDone: boolean;
  /** Packs up to this one were done an hour ago and more: nobody is counting them any more. */
  readonly settled: number;
  /** A pack that will be settled, and the second by which it was done. */
  readonly next: number;
  readonly nextAt: number;
}

export interface LanesTableProps {
  /** The claims' table. No sale's key begins with `#`. */
  readonly tableName: string;
  readonly packDays: number;
}

// Longer than any function can run.
const settleSeconds = 3_600;

/** The journal of each lane: what a pack holds is written down before anything of it is counted. */
export class LanesTable {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly props: LanesTableProps,
  ) {}

  async read(name: string): Promise<Lane> {
    const { Item } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.props.tableName, Key: laneKey(name), ConsistentRead: true }),
    );
    return laneOf(name, Item);
  }

  /** The last settled pack of each lane. */
  async settled(names: readonly string[], now = seconds()): Promise<Map<string, number>> {
    const items = await readItems(this.dynamoDb, this.props.tableName, names.map(laneKey));
    return new Map(
      items.map((item) => {
        const lane = laneOf(item.id!.S!.slice(laneKey('').id!.S!.length), item);
        // A lane at rest, or whose shard is no more, has nothing left to count.
        const isAtRest = lane.isDone && Number(item.doneAt?.N ?? now) + settleSeconds < now;
        return [lane.name, isAtRest ? lane.pack : lane.settled];
      }),
    );
  }

  /** Writes down the next pack. Undefined: another has begun one since the lane was read. */
  async begin(lane: Lane, sales: readonly PackedSale[], now = seconds()): Promise<Lane | undefined> {
    const contents = `#pack#${lane.name}#${randomUUID()}`;
    await this.dynamoDb.send(
      new PutItemCommand({
        TableName: this.props.tableName,
        Item: {
          id: { S: contents },
          sales: { B: encodePack(sales) },
          expiresAt: { N: String(now + this.props.packDays * 86_400) },
        },
      }),
    );
    const isDue = now - lane.nextAt > settleSeconds;
    const begun: Lane = {
      name: lane.name,
      // By the clock, so that a table that is restored to an earlier moment does not use a number again.
      pack: Math.max(lane.pack + 1, now),
      contents,
      isDone: false,
      settled: isDue ? lane.next : lane.settled,
      next: isDue ? lane.pack : lane.next,
      nextAt: isDue ? now : lane.nextAt,
    };
    const { name, pack, settled, next, nextAt } = begun;
    try {
      await this.dynamoDb.send(
        new PutItemCommand({
          TableName: this.props.tableName,
          Item: {
            ...laneKey(name),
            pack: { N: String(pack) },
            contents: { S: contents },
            isDone: { BOOL: false },
            settled: { N: String(settled) },
            next: { N: String(next) },
            nextAt: { N: String(nextAt) },
          },
          ConditionExpression: lane.pack === 0 ? 'attribute_not_exists(id)' : 'pack = :known AND isDone = :done',
          ...(lane.pack === 0
            ? {}
            : { ExpressionAttributeValues: { ':known': { N: String(lane.pack) }, ':done': { BOOL: true } } }),
        }),
      );
      return begun;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  }

  async contentsOf({ name, contents = '' }: Lane): Promise<PackedSale[]> {
    const { Item } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.props.tableName, Key: { id: { S: contents } }, ConsistentRead: true }),
    );
    const bytes = Item?.sales?.B;
    if (bytes === undefined) throw new Error(`the contents of the pack that lane ${name} is at are missing`);
    return decodePack(bytes);
  }

  /** Notes that a pack was counted to its end. */
  async finish(lane: Lane, now = seconds()): Promise<Lane> {
    try {
      await this.dynamoDb.send(
        new UpdateItemCommand({
          TableName: this.props.tableName,
          Key: laneKey(lane.name),
          UpdateExpression: 'SET isDone = :done, doneAt = :now',
          ConditionExpression: 'pack = :pack',
          ExpressionAttributeValues: {
            ':done': { BOOL: true },
            ':now': { N: String(now) },
            ':pack': { N: String(lane.pack) },
          },
        }),
      );
    } catch (error) {
      // Another has counted it, too, and went on.
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
    return { ...lane, isDone: true };
  }
}

const seconds = () => Math.floor(Date.now() / 1_000);
const laneKey = (name: string): Item => ({ id: { S: `#lane#${name}` } });

function laneOf(name: string, item: Readonly<Item> | undefined): Lane {
  const number = (attribute: string) => Number(item?.[attribute]?.N ?? 0);
  return {
    name,
    pack: number('pack'),
    contents: item?.contents?.S,
    isDone: item?.isDone?.BOOL ?? true,
    settled: number('settled'),
    next: number('next'),
    nextAt: number('nextAt'),
  };
}
