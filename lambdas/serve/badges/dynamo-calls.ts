import { setTimeout as delay } from 'node:timers/promises';
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type CancellationReason,
  type DynamoDBClient,
  TransactionCanceledException,
  TransactionConflictException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { chunksOf } from '../../base/runtime/chunks';
import { inParallel } from '../../base/runtime/in-parallel';
import type { Item } from './item-values';

// DynamoDB takes 25 statements and 100 keys a call.
const statementsPerCall = 25;
const keysPerCall = 100;
const callsAtOnce = 8;
const attempts = 6;

const transientCodes = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
  'RequestLimitExceeded',
  'InternalServerError',
]);

/** A wait that doubles, spread out so that those who met once do not meet again. */
export function backOff(attempt: number): Promise<void> {
  return delay(Math.min(10 * 2 ** attempt, 1_000) * (0.5 + Math.random() / 2));
}

/** Reads items by their keys, consistently; those that are not in the answer are not in the table. Keys must not repeat. */
export async function readItems(dynamoDb: DynamoDBClient, tableName: string, keys: readonly Item[]): Promise<Item[]> {
  return (await readTables(dynamoDb, new Map([[tableName, keys]]))).get(tableName)!;
}

/** The same of several tables, as few calls as there are hundreds of keys in all. */
export async function readTables(
  dynamoDb: DynamoDBClient,
  keysByTable: ReadonlyMap<string, readonly Item[]>,
): Promise<ReadonlyMap<string, Item[]>> {
  const items = new Map([...keysByTable.keys()].map((tableName) => [tableName, [] as Item[]]));
  const all = [...keysByTable].flatMap(([tableName, keys]) => keys.map((key) => ({ tableName, key })));
  await inChunks(all, keysPerCall, async (chunk) => {
    let open: Record<string, { Keys: Item[]; ConsistentRead: true }> = {};
    for (const { tableName, key } of chunk) {
      open[tableName] ??= { Keys: [], ConsistentRead: true };
      open[tableName].Keys.push(key);
    }
    for (let attempt = 1; Object.keys(open).length > 0; attempt++) {
      if (attempt > attempts) throw new Error(`${Object.keys(open).join(', ')}: keys are unprocessed`);
      if (attempt > 1) await backOff(attempt);
      const { Responses = {}, UnprocessedKeys = {} } = await dynamoDb.send(
        new BatchGetItemCommand({ RequestItems: open }),
      );
      for (const [tableName, found] of Object.entries(Responses)) items.get(tableName)!.push(...found);
      open = Object.fromEntries(
        Object.entries(UnprocessedKeys).map(([tableName, { Keys = [] }]) => [
          tableName,
          { Keys, ConsistentRead: true },
        ]),
      );
    }
  });
  return items;
}

/** A write that holds only on the version that was read. */
export interface VersionedWrite {
  readonly key: Item;
  /** Attributes that tell the version that was read; undefined: there was no item. */
  readonly expected: Item | undefined;
  /** Set; an item's other attributes stay. */
  readonly attributes: Item;
}

/**
 * Writes each item if it still has the version that was read, 25 a call for a write unit each, and answers the indexes of
 * those that did not or were refused for the moment. Keys must not repeat. Throws on any other refusal.
 */
export async function writeVersions(
  dynamoDb: DynamoDBClient,
  tableName: string,
  writes: readonly VersionedWrite[],
): Promise<ReadonlySet<number>> {
  const failed = new Set<number>();
  await inChunks([...writes.entries()], statementsPerCall, async (chunk) => {
    const { Responses = [] } = await dynamoDb.send(
      new BatchExecuteStatementCommand({ Statements: chunk.map(([, write]) => statement(tableName, write)) }),
    );
    for (const [place, [index]] of chunk.entries()) {
      const { Code, Message } = Responses[place]?.Error ?? {};
      if (Code === undefined) continue;
      if (Code !== 'ConditionalCheckFailed' && Code !== 'DuplicateItem' && !transientCodes.has(Code))
        throw new Error(`${tableName}: ${Code}: ${Message}`);
      failed.add(index);
    }
  });
  return failed;
}

function statement(tableName: string, { key, expected, attributes }: VersionedWrite) {
  const names = Object.keys(attributes);
  const values = Object.values(attributes);
  const keyNames = Object.keys(key);
  if (expected === undefined)
    return {
      Statement: `INSERT INTO "${tableName}" VALUE {${[...keyNames, ...names].map((name) => `'${name}': ?`).join(', ')}}`,
      Parameters: [...Object.values(key), ...values],
    };
  const set = names.map((name) => `SET "${name}"=?`).join(' ');
  const where = [...keyNames, ...Object.keys(expected)].map((name) => `"${name}"=?`).join(' AND ');
  return {
    Statement: `UPDATE "${tableName}" ${set} WHERE ${where}`,
    Parameters: [...values, ...Object.values(key), ...Object.values(expected)],
  };
}

/**
 * Writes all or nothing; undefined when it is written, else the indexes of the actions whose condition failed, each with
 * its item where the action asks for that (`ReturnValuesOnConditionCheckFailure`) and there is one. Conflicts and throttles
 * are tried again, which the SDK does not do for a cancelled transaction. Throws on any other refusal.
 */
export async function transact(
  dynamoDb: DynamoDBClient,
  TransactItems: TransactWriteItem[],
): Promise<ReadonlyMap<number, Item | undefined> | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await dynamoDb.send(new TransactWriteItemsCommand({ TransactItems }));
      return undefined;
    } catch (error) {
      const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
      const refused = reasons.filter(({ Code = 'None' }) => Code !== 'None');
      const failed = new Map(
        [...reasons.entries()].flatMap(([index, reason]) => (isFailedCondition(reason) ? [[index, reason.Item]] : [])),
      );
      const isOurs = refused.every((reason) => isFailedCondition(reason) || transientCodes.has(reason.Code!));
      if (refused.length === 0 || !isOurs) throw error;
      if (failed.size > 0) return failed;
      if (attempt === attempts + 4) throw error;
      await backOff(attempt);
    }
  }
}

const isFailedCondition = ({ Code }: CancellationReason) => Code === 'ConditionalCheckFailed';

/** Sends a single write again while a transaction has its item. */
export async function whileInConflict<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof TransactionConflictException) || attempt === attempts + 4) throw error;
      await backOff(attempt);
    }
}

/** Sends chunks, a few at once; when it throws, none is on its way any more. */
export function inChunks<T>(list: readonly T[], size: number, send: (chunk: readonly T[]) => Promise<void>) {
  return inParallel(chunksOf(list, { most: size }), callsAtOnce, send);
}
