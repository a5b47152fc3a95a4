import { type TransactWriteItem, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { HistoryRow } from '../../base/domain/badge-history';
import { backOff, transact, whileInConflict } from './dynamo-calls';
import { countRows } from './history-rows';
import type { Item } from './item-values';
import { onlineKey } from './lookup/online-items';
import type { OnlineTable } from './online-table';
import { type CountChange, countChanges, firstCountedDay, summed } from './promises';
import type { Counted } from './row-state';
import type { StateTable, StateWrite } from './state-table';

// A transaction takes 100 actions, an expression 4 KB: some forty bytes a day.
const actionsPerTransaction = 100;
const daysPerCentre = 40;
const rounds = 20;
// Tries without a pause: two shards that meet by chance are done with them.
const promptRounds = 4;

/** The counts of a centre as they stood when they were read or written last. */
interface CentreCounts {
  /** The day on which the centre's item was looked at. */
  readonly lookedAt: string;
  /** Raised with every change, so that it names what the counts were; undefined before the first. */
  readonly version: number | undefined;
  readonly promised: Readonly<Record<string, number>>;
}

interface Order<W> {
  readonly write: W;
  readonly changes: readonly CountChange[];
}

/** Orders that change counts, of this day and later ones. */
export interface CountingOrders<W> {
  readonly firstDay: string;
  readonly orders: readonly Order<W>[];
}

interface Written<W> {
  readonly failed: readonly W[];
  readonly history: readonly HistoryRow[];
}

/**
 * Orders and the counts that they stand for, which change in one transaction or not at all: an order's row is replaced on
 * condition of its old position, so what it adds to and takes from the counts is exact, however often it is tried.
 *
 * A centre's counts have a version, on condition of which they change: each version is one known set of orders, which a
 * receipt can name. The order's row keeps what its change did, so that a redelivery can still tell the history.
 */
export class OrderCounts {
  readonly #centres = new Map<string, CentreCounts>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {}

  /** Takes in counts that were read a moment ago: a guess that fails costs a transaction. */
  know(items: ReadonlyMap<string, Item>): void {
    for (const [fc, { lookedAt }] of this.#centres) {
      const item = items.get(onlineKey.centre(fc));
      if (item !== undefined) this.#centres.set(fc, countsIn(item, lookedAt));
    }
  }

  /** Whether a write of an order changes a count. */
  isCounting({ stored, next }: Pick<StateWrite, 'stored' | 'next'>): boolean {
    return countChanges(stored, next, firstCountedDay(Date.now())).length > 0;
  }

  /** Sorts orders by whether they change a count. */
  sorted<W extends StateWrite>(
    writes: readonly W[],
  ): { readonly counting: CountingOrders<W>; readonly still: readonly W[] } {
    const firstDay = firstCountedDay(Date.now());
    const all = writes.map((write) => ({ write, changes: countChanges(write.stored, write.next, firstDay) }));
    return {
      counting: { firstDay, orders: all.filter(({ changes }) => changes.length > 0) },
      still: all.filter(({ changes }) => changes.length === 0).map(({ write }) => write),
    };
  }

  /** Writes orders that are still as they were read; answers those that are not, and what the history is to say. */
  write<W extends StateWrite>(orders: CountingOrders<W>): Promise<Written<W>> {
    // Whoever has none must not wait for those who have.
    if (orders.orders.length === 0) return Promise.resolve({ failed: [], history: [] });
    // One after the other: two of one container that meet in a centre would cancel each other.
    const writing = this.#writing.then(() => this.#write(orders));
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async #write<W extends StateWrite>({ firstDay, orders }: CountingOrders<W>): Promise<Written<W>> {
    const failed: W[] = [];
    const history: HistoryRow[] = [];
    for (const pack of packsOf(orders)) failed.push(...(await this.#transact(pack, firstDay, history)));
    return { failed, history };
  }

  async #transact<W extends StateWrite>(
    pack: readonly Order<W>[],
    firstDay: string,
    history: HistoryRow[],
  ): Promise<W[]> {
    const failed: W[] = [];
    let open = pack;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`the counts of ${open.length} orders are contended`);
      const changes = open.flatMap((order) => order.changes);
      const sums = summed(changes);
      const fcs = [...new Set(changes.map((change) => change.fc))];
      // A refusal says how the counts stand, and mostly they still do a moment later; after a pause they would not.
      if (round > promptRounds) {
        await backOff(round - promptRounds);
        await this.#readAgain(fcs, firstDay);
      }
      const next = new Map<string, CentreCounts & { readonly version: number }>();
      for (const fc of fcs) next.set(fc, raised(await this.#known(fc, firstDay), sums.get(fc)));
      const written = open.map(({ write, changes }) => {
        const counted = changes.map((change) => countedBy(change, write, next.get(change.fc)!));
        return { ...write, next: { ...write.next, counted } };
      });
      const centres = [...next];
      const refused = await transact(this.state.dynamoDb, [
        ...written.map((write) => this.state.action(write)),
        ...centres.map(([fc, { version }]) => this.#count(fc, sums.get(fc) ?? new Map(), version)),
      ]);
      if (refused === undefined) {
        const readableAt = new Date().toISOString();
        for (const [fc, counts] of centres) this.#centres.set(fc, counts);
        for (const { key, next } of written) history.push(...countRows(key[0]!, next.counted, readableAt));
        break;
      }
      for (const [index, [fc]] of centres.entries())
        if (refused.has(open.length + index))
          this.#centres.set(fc, countsIn(refused.get(open.length + index), firstDay));
      failed.push(...open.filter((_, index) => refused.has(index)).map(({ write }) => write));
      open = open.filter((_, index) => !refused.has(index));
    }
    return failed;
  }

  #count(fc: string, days: ReadonlyMap<string, number>, version: number): TransactWriteItem {
    const list = [...days];
    const sets = list.map((_, index) => `promised.#d${index} = if_not_exists(promised.#d${index}, :zero) + :n${index}`);
    const known = this.#centres.get(fc)?.version;
    return {
      Update: {
        TableName: this.online.tableName,
        Key: { pk: { S: onlineKey.centre(fc) } },
        UpdateExpression: `SET ${['countsVersion = :version', ...sets].join(', ')}`,
        ConditionExpression: known === undefined ? 'attribute_not_exists(countsVersion)' : 'countsVersion = :known',
        // A guess that fails brings what it should have been.
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        ...(list.length === 0
          ? {}
          : { ExpressionAttributeNames: Object.fromEntries(list.map(([day], index) => [`#d${index}`, day])) }),
        ExpressionAttributeValues: {
          ':version': { N: String(version) },
          ...(known === undefined ? {} : { ':known': { N: String(known) } }),
          ...(list.length === 0 ? {} : { ':zero': { N: '0' } }),
          ...Object.fromEntries(list.map(([, by], index) => [`:n${index}`, { N: String(by) }])),
        },
      },
    };
  }

  /** The counts that were read or written last: a guess that fails costs a transaction. */
  async #known(fc: string, firstDay: string): Promise<CentreCounts> {
    const known = this.#centres.get(fc);
    return known?.lookedAt === firstDay ? known : this.#prepare(fc, firstDay);
  }

  /** The counts as they stand now: what was known before a pause has been passed since by whoever does not pause. */
  async #readAgain(fcs: readonly string[], firstDay: string): Promise<void> {
    const items = await this.online.read(fcs.map(onlineKey.centre));
    for (const fc of fcs) this.#centres.set(fc, countsIn(items.get(onlineKey.centre(fc)), firstDay));
  }

  /** Gives a centre its map, which an expression cannot make on the way, and drops the days that are over: once a day. */
  async #prepare(fc: string, firstDay: string): Promise<CentreCounts> {
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
    const counts = countsIn(Attributes, firstDay);
    const over = Object.keys(counts.promised).filter((day) => day < firstDay);
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
    this.#centres.set(fc, counts);
    return counts;
  }
}

function countsIn(item: Item | undefined, lookedAt: string): CentreCounts {
  const promised = Object.entries(item?.promised?.M ?? {}).map(([day, { N }]) => [day, Number(N)] as const);
  const version = item?.countsVersion?.N;
  return {
    lookedAt,
    version: version === undefined ? undefined : Number(version),
    promised: Object.fromEntries(promised),
  };
}

/** A version is a time where that is later than the last one, so that a table that is made anew repeats none. */
function raised({ lookedAt, version = 0, promised }: CentreCounts, by: ReadonlyMap<string, number> = new Map()) {
  const changed = [...by].map(([day, change]) => [day, (promised[day] ?? 0) + change] as const);
  return {
    lookedAt,
    version: Math.max(version + 1, Date.now()),
    promised: { ...promised, ...Object.fromEntries(changed) },
  };
}

function countedBy(
  { fc, day, by }: CountChange,
  { next: { position, commitTime } }: StateWrite,
  { version, promised }: CentreCounts & { readonly version: number },
): Counted {
  return {
    fc,
    day,
    by: by < 0 ? -1 : 1,
    version,
    orders: promised[day] ?? 0,
    position,
    ...(commitTime === undefined ? {} : { commitTime }),
  };
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
