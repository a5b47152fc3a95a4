import { type TransactWriteItem, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { transact, whileInConflict } from './dynamo-calls';
import { onlineKey } from './lookup/online-items';
import type { OnlineTable } from './online-table';
import { type CountChange, countChanges, firstCountedDay, summed } from './promises';
import type { StateTable, StateWrite } from './state-table';

// A transaction takes 100 actions, an expression 4 KB: some forty bytes a day.
const actionsPerTransaction = 100;
const daysPerCentre = 40;

interface Order<W> {
  readonly write: W;
  readonly changes: readonly CountChange[];
}

/**
 * Orders and the counts that they stand for, which change in one transaction or not at all: an order's row is replaced on
 * condition of its old position, so what it adds to and takes from the counts is exact, however often it is tried.
 */
export class OrderCounts {
  /** Centres whose item is known to have its map, by the day on which it was looked at. */
  readonly #ready = new Map<string, string>();

  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {}

  /** Writes orders that are still as they were read; answers those that are not. */
  async write<W extends StateWrite>(writes: readonly W[]): Promise<W[]> {
    const firstDay = firstCountedDay(Date.now());
    const orders = writes.map((write) => ({ write, changes: countChanges(write.stored, write.next, firstDay) }));
    const still = orders.filter(({ changes }) => changes.length === 0).map(({ write }) => write);
    const failed = [...(await this.state.write(still))].map((index) => still[index]!);
    // One after the other: two of one batch that meet in a centre would cancel each other.
    for (const pack of packsOf(orders.filter(({ changes }) => changes.length > 0)))
      failed.push(...(await this.#transact(pack, firstDay)));
    return failed;
  }

  async #transact<W extends StateWrite>(pack: readonly Order<W>[], firstDay: string): Promise<W[]> {
    const failed: W[] = [];
    for (let open = pack; open.length > 0; ) {
      const counts = summed(open.flatMap(({ changes }) => changes));
      for (const fc of counts.keys()) await this.#prepare(fc, firstDay);
      const refused = await transact(this.state.dynamoDb, [
        ...open.map(({ write }) => this.state.action(write)),
        ...[...counts].map(([fc, days]) => this.#count(fc, days)),
      ]);
      if (refused === undefined) break;
      failed.push(...open.filter((_, index) => refused.has(index)).map(({ write }) => write));
      open = open.filter((_, index) => !refused.has(index));
    }
    return failed;
  }

  #count(fc: string, days: ReadonlyMap<string, number>): TransactWriteItem {
    const list = [...days];
    const sets = list.map((_, index) => `promised.#d${index} = if_not_exists(promised.#d${index}, :zero) + :n${index}`);
    return {
      Update: {
        TableName: this.online.tableName,
        Key: { pk: { S: onlineKey.centre(fc) } },
        UpdateExpression: `SET ${sets.join(', ')}`,
        ExpressionAttributeNames: Object.fromEntries(list.map(([day], index) => [`#d${index}`, day])),
        ExpressionAttributeValues: {
          ':zero': { N: '0' },
          ...Object.fromEntries(list.map(([, by], index) => [`:n${index}`, { N: String(by) }])),
        },
      },
    };
  }

  /** Gives a centre its map, which an expression cannot make on the way, and drops the days that are over: once a day. */
  async #prepare(fc: string, firstDay: string): Promise<void> {
    if (this.#ready.get(fc) === firstDay) return;
    const item = { TableName: this.online.tableName, Key: { pk: { S: onlineKey.centre(fc) } } };
    const { dynamoDb } = this.online;
    const { Attributes } = await whileInConflict(() =>
      dynamoDb.send(
        new UpdateItemCommand({
          ...item,
          UpdateExpression: 'SET promised = if_not_exists(promised, :none)',
          ExpressionAttributeValues: { ':none': { M: {} } },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    const over = Object.keys(Attributes?.promised?.M ?? {}).filter((day) => day < firstDay);
    for (let start = 0; start < over.length; start += daysPerCentre) {
      const days = over.slice(start, start + daysPerCentre);
      await whileInConflict(() =>
        dynamoDb.send(
          new UpdateItemCommand({
            ...item,
            UpdateExpression: `REMOVE ${days.map((_, index) => `promised.#d${index}`).join(', ')}`,
            ExpressionAttributeNames: Object.fromEntries(days.map((day, index) => [`#d${index}`, day])),
          }),
        ),
      );
    }
    this.#ready.set(fc, firstDay);
  }
}

/** As many orders to a transaction as fit with the centres that they count in. */
function packsOf<W>(orders: readonly Order<W>[]): Order<W>[][] {
  const packs: Order<W>[][] = [];
  let days = new Map<string, Set<string>>();
  for (const order of orders) {
    const last = packs.at(-1);
    const grown = new Map([...days].map(([fc, set]) => [fc, new Set(set)]));
    for (const { fc, day } of order.changes) grown.set(fc, (grown.get(fc) ?? new Set()).add(day));
    const fits =
      last !== undefined &&
      last.length + 1 + grown.size <= actionsPerTransaction &&
      [...grown.values()].every((set) => set.size <= daysPerCentre);
    if (fits) {
      last.push(order);
      days = grown;
    } else {
      packs.push([order]);
      days = new Map();
      for (const { fc, day } of order.changes) days.set(fc, (days.get(fc) ?? new Set()).add(day));
    }
  }
  return packs;
}
