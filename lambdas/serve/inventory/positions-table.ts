import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { StockPolicy } from '../../base/domain/stock-policy';
import { inParallel } from '../../base/runtime/in-parallel';
import { backOff, inChunks, readItems, transact, writeVersions } from '../badges/dynamo-calls';
import type { Item } from '../badges/item-values';
import { onlineKey } from '../badges/lookup/online-items';
import type { Circumstances, Commit, Position } from './position';
import { attributesOfPosition, positionOfItem } from './position-item';
import { type Cause, type StockTrigger, triggerOf } from './stock-trigger';

/** The key of an item that says that a location is known. */
export const locationKey = (location: string): string => `location#${location}`;

export interface PositionsTableProps {
  readonly tableName: string;
  readonly outboxTableName: string;
  readonly policy: StockPolicy;
  readonly horizonDays: number;
}

/** A change of one position: a function of what it is when it is read. */
export interface PositionChange {
  readonly sku: string;
  readonly location: string;
  readonly cause: Cause;
  /** Undefined: it is so already. */
  readonly change: (before: Position | undefined, at: Circumstances) => Commit | undefined;
}

const keysPerRead = 100;
// A transaction takes a hundred; one that is refused is sent again, and the fewer there are in it, the less of it.
const actionsPerTransaction = 50;
const packsAtOnce = 4;
const rounds = 40;
const dayMs = 86_400_000;

/** The positions, each an item, and the triggers of the versions that are crossings: written together or not at all. */
export class PositionsTable {
  readonly #knownLocations = new Set<string>();

  constructor(
    readonly dynamoDb: DynamoDBClient,
    readonly props: PositionsTableProps,
  ) {}

  /**
   * Commits each change as the next version of its position. A position is written on condition of the version that was
   * read, and read again where that has changed, so any number may be at work on it. Keys must not repeat. Answers how many
   * versions were committed, and how many of them were crossings.
   */
  async commit(
    changes: readonly PositionChange[],
    settledOf: (lane: string) => number = () => 0,
  ): Promise<{ versions: number; crossings: number }> {
    const result = { versions: 0, crossings: 0 };
    let open = changes;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`${open.length} positions are contended`);
      if (round > 1) await backOff(Math.min(round, 5));
      const again: PositionChange[] = [];
      await inChunks(open, keysPerRead, async (chunk) => {
        again.push(...(await this.#commitOnce(chunk, settledOf, result)));
      });
      open = again;
    }
    return result;
  }

  async #commitOnce(
    changes: readonly PositionChange[],
    settledOf: (lane: string) => number,
    result: { versions: number; crossings: number },
  ): Promise<PositionChange[]> {
    const { tableName, policy, horizonDays } = this.props;
    const keys = changes.map(({ sku, location }) => ({ pk: { S: onlineKey.stock(sku, location) } }));
    const items = new Map((await readItems(this.dynamoDb, tableName, keys)).map((item) => [item.pk!.S!, item]));
    const plain: Write[] = [];
    const special: Write[] = [];
    for (const change of changes) {
      const { sku, location } = change;
      const at = { sku, location, policy, horizonMs: horizonDays * dayMs, now: Date.now(), settledOf };
      const item = items.get(onlineKey.stock(sku, location));
      const commit = change.change(positionOfItem(item), at);
      if (commit === undefined) continue;
      const triggers = commit.crossings.map((kind) => triggerOf(kind, commit.position, at, change.cause));
      const write = { change, item, commit, triggers };
      // What has an item without a version is seldom: something of it was held before anything else was known.
      (triggers.length > 0 || (item !== undefined && item.version === undefined) ? special : plain).push(write);
    }
    for (const { change, commit } of [...plain, ...special])
      if (commit.position.version === 1) await this.knowLocation(change.location);

    const failed = await writeVersions(
      this.dynamoDb,
      tableName,
      plain.map(({ change, item, commit }) => ({
        key: { pk: { S: onlineKey.stock(change.sku, change.location) } },
        expected: item === undefined ? undefined : { version: item.version! },
        attributes: attributesOfPosition(commit.position),
      })),
    );
    const again = [...failed].map((index) => plain[index]!.change);
    result.versions += plain.length - failed.size;
    await inParallel(packsOf(special), packsAtOnce, async (pack) => {
      const written = await this.#writeTogether(pack);
      for (const write of pack)
        if (written.has(write)) {
          result.versions += 1;
          result.crossings += write.triggers.length;
        } else again.push(write.change);
    });
    return again;
  }

  /** Writes positions with their triggers in one transaction; answers those that were still as they were read. */
  async #writeTogether(writes: readonly Write[]): Promise<ReadonlySet<Write>> {
    let open = writes;
    while (open.length > 0) {
      const actions = open.map((write) => [this.#update(write), ...write.triggers.map((each) => this.#put(each))]);
      const refused = await transact(this.dynamoDb, actions.flat());
      if (refused === undefined) break;
      let first = 0;
      open = open.filter((_, index) => {
        const end = first + actions[index]!.length;
        const isRefused = [...refused.keys()].some((place) => place >= first && place < end);
        first = end;
        return !isRefused;
      });
    }
    return new Set(open);
  }

  #update({ change, item, commit }: Write): TransactWriteItem {
    const { tableName } = this.props;
    const attributes = attributesOfPosition(commit.position);
    const names = Object.keys(attributes);
    return {
      Update: {
        TableName: tableName,
        Key: { pk: { S: onlineKey.stock(change.sku, change.location) } },
        UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
        ConditionExpression: item?.version === undefined ? 'attribute_not_exists(#version)' : '#version = :read',
        ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: {
          ...Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]!])),
          ...(item?.version === undefined ? {} : { ':read': item.version }),
        },
      },
    };
  }

  #put(trigger: StockTrigger): TransactWriteItem {
    return {
      Put: {
        TableName: this.props.outboxTableName,
        Item: {
          crossingId: { S: trigger.crossingId },
          decidedAt: { S: trigger.decidedAt },
          trigger: { S: JSON.stringify(trigger) },
        },
        ConditionExpression: 'attribute_not_exists(crossingId)',
      },
    };
  }

  /** Notes that there is such a location, once per container. */
  async knowLocation(location: string): Promise<void> {
    if (this.#knownLocations.has(location)) return;
    const key = { pk: { S: locationKey(location) } };
    // Found: it is known. Throttled: the next container will try; until then the location may be called unknown.
    await writeVersions(this.dynamoDb, this.props.tableName, [{ key, expected: undefined, attributes: {} }]);
    this.#knownLocations.add(location);
  }
}

interface Write {
  readonly change: PositionChange;
  readonly item: Item | undefined;
  readonly commit: Commit;
  readonly triggers: readonly StockTrigger[];
}

/** As many positions to a transaction as fit with their triggers. */
function packsOf(writes: readonly Write[]): Write[][] {
  const packs: Write[][] = [];
  let room = 0;
  for (const write of writes) {
    const actions = 1 + write.triggers.length;
    if (room < actions) {
      packs.push([]);
      room = actionsPerTransaction;
    }
    packs.at(-1)!.push(write);
    room -= actions;
  }
  return packs;
}
