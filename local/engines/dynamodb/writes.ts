import { AwsError } from '../engine';
import { attributes } from './attribute-value';
import { consumedCapacity, itemBytes, sum, type Units, writeUnits } from './capacity';
import { billWrite, type Context, onlyMembers, throttlesWrite, throttlingException } from './context';
import { type Item, matches, maxItemBytes, updated, validationException } from './dynalite';
import { type Expressions, expressions } from './expressions';
import type { Table } from './table';

/** A write that has been checked as far as it can be without the item it meets. */
export interface Write {
  readonly table: Table;
  readonly key: string;
  readonly condition: unknown;
  readonly returnOldOnFailure: boolean;
  /** Only the condition is wanted. */
  readonly check?: boolean;
  /** What is to stand in the item's place, undefined to delete it; throws what AWS answers when that cannot be made. */
  next(old: Item | undefined): Item | undefined;
}

const common = ['TableName', 'ConditionExpression', 'ExpressionAttributeNames', 'ExpressionAttributeValues'];
const onFailure = 'ReturnValuesOnConditionCheckFailure';
const answers = ['ReturnValues', 'ReturnConsumedCapacity'];
const actionMembers = {
  Put: new Set([...common, onFailure, 'Item']),
  Update: new Set([...common, onFailure, 'Key', 'UpdateExpression']),
  Delete: new Set([...common, onFailure, 'Key']),
  ConditionCheck: new Set([...common, onFailure, 'Key']),
};
const operationMembers = {
  PutItem: new Set([...actionMembers.Put, ...answers]),
  UpdateItem: new Set([...actionMembers.Update, ...answers]),
  DeleteItem: new Set([...actionMembers.Delete, ...answers]),
};

/** Prepares one action of a transaction. Errors of the request itself are thrown here, those of the data by `next`. */
export function transactionWrite(context: Context, kind: keyof typeof actionMembers, input: any): Write {
  onlyMembers(`TransactWriteItems' ${kind}`, input, actionMembers[kind]);
  if (kind === 'Put') return putWrite(context, input);
  if (kind === 'Update') return updateWrite(context, input, () => {});
  const write = deleteWrite(context, input);
  return kind === 'Delete' ? write : { ...write, check: true, next: (old) => old };
}

export function putItem(context: Context, input: any): any {
  onlyMembers('PutItem', input, operationMembers.PutItem);
  returnValues(input, ['NONE', 'ALL_OLD'], 'ReturnValues can only be ALL_OLD or NONE');
  const write = putWrite(context, input);
  const { old, units } = perform(context, 'PutItem', write);
  return answer(input, write, units, input.ReturnValues === 'ALL_OLD' ? old : undefined);
}

export function updateItem(context: Context, input: any): any {
  onlyMembers('UpdateItem', input, operationMembers.UpdateItem);
  const allowed = ['NONE', 'ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATED_NEW'];
  returnValues(input, allowed, `Member must satisfy enum value set: [${allowed.join(', ')}]`);
  let returned: Item | undefined;
  const write = updateWrite(context, input, (attributes) => {
    returned = attributes;
  });
  const { units } = perform(context, 'UpdateItem', write);
  return answer(input, write, units, returned);
}

export function deleteItem(context: Context, input: any): any {
  onlyMembers('DeleteItem', input, operationMembers.DeleteItem);
  returnValues(input, ['NONE', 'ALL_OLD'], 'ReturnValues can only be ALL_OLD or NONE');
  const write = deleteWrite(context, input);
  const { old, units } = perform(context, 'DeleteItem', write);
  return answer(input, write, units, input.ReturnValues === 'ALL_OLD' ? old : undefined);
}

const batchMembers = new Set(['RequestItems', 'ReturnConsumedCapacity']);

export function batchWriteItem(context: Context, input: any): any {
  onlyMembers('BatchWriteItem', input, batchMembers);
  const requests = Object.entries<any[]>(input.RequestItems ?? {}).flatMap(([name, list]) =>
    list.map((request) => ({ name, request })),
  );
  if (requests.length === 0 || requests.length > 25) {
    throw validationException(`BatchWriteItem takes 1 to 25 requests, got ${requests.length}`);
  }
  const writes = requests.map(({ name, request }) =>
    request.PutRequest
      ? putWrite(context, { TableName: name, Item: request.PutRequest.Item })
      : deleteWrite(context, { TableName: name, Key: request.DeleteRequest?.Key }),
  );
  refuseRepeatedKeys(writes, 'Provided list of item keys contains duplicates');

  const unprocessed: Record<string, unknown[]> = {};
  const units = new Map<string, Units[]>();
  writes.forEach((write, index) => {
    const { name, request } = requests[index]!;
    if (write.table.held.has(write.key) || throttlesWrite(context, write.table, write.key, 'BatchWriteItem', index)) {
      unprocessed[name] = [...(unprocessed[name] ?? []), request];
      return;
    }
    const old = write.table.get(write.key);
    const used = write.table.write(write.key, old, write.next(old));
    billWrite(context, write.table, write.key, used);
    units.set(name, [...(units.get(name) ?? []), used]);
  });
  const capacities = [...units].map(([name, used]) => consumedCapacity(input.ReturnConsumedCapacity, name, sum(used)));
  return { UnprocessedItems: unprocessed, ...(input.ReturnConsumedCapacity && { ConsumedCapacity: capacities }) };
}

export function refuseRepeatedKeys(writes: readonly Write[], message: string): void {
  const seen = new Set<string>();
  for (const { table, key } of writes) {
    const place = `${table.name}\n${key}`;
    if (seen.has(place)) throw validationException(message);
    seen.add(place);
  }
}

export type WriteFailure = 'TransactionConflict' | 'ConditionalCheckFailed';

/** Why the write cannot be made now, if so; a condition that fails is billed like a write of the item it met. */
export function obstacle(context: Context, write: Write): WriteFailure | undefined {
  if (write.table.held.has(write.key)) return 'TransactionConflict';
  if (holds(write, write.table.get(write.key))) return undefined;
  billWrite(context, write.table, write.key, { table: writeUnits(write.table.get(write.key)), indexes: {} });
  return 'ConditionalCheckFailed';
}

export function holds(write: Write, old: Item | undefined): boolean {
  return write.condition === undefined || matches(write.condition, old);
}

/** What AWS says to each failure, in exceptions, cancellation reasons and statement errors alike. */
export const failureMessages: Readonly<Record<WriteFailure, string>> = {
  TransactionConflict: 'Transaction is ongoing for the item',
  ConditionalCheckFailed: 'The conditional request failed',
};

function perform(context: Context, operation: string, write: Write): { old: Item | undefined; units: Units } {
  if (throttlesWrite(context, write.table, write.key, operation)) {
    const reason = { reason: 'TableWriteKeyRangeThroughputExceeded', resource: write.table.description.TableArn };
    throw throttlingException({ throttlingReasons: [reason] });
  }
  const old = write.table.get(write.key);
  const failure = obstacle(context, write);
  if (failure !== undefined) {
    const item = failure === 'ConditionalCheckFailed' && write.returnOldOnFailure && old ? { Item: old } : {};
    throw new AwsError(`${failure}Exception`, failureMessages[failure], 400, item);
  }
  const units = write.table.write(write.key, old, write.next(old));
  billWrite(context, write.table, write.key, units);
  return { old, units };
}

function putWrite(context: Context, input: any): Write {
  const table = context.tables.get(input.TableName);
  const item = attributes(input.Item, 'item');
  const { _condition } = expressions(input, ['ConditionExpression']);
  if (itemBytes(item) > maxItemBytes) throw validationException('Item size has exceeded the maximum allowed size');
  return { ...target(table, table.keyOfItem(item), input, _condition), next: () => item };
}

function updateWrite(context: Context, input: any, onReturned: (attributes: Item | undefined) => void): Write {
  const table = context.tables.get(input.TableName);
  const key = attributes(input.Key, 'key');
  const { _updates, _condition } = expressions(input, ['UpdateExpression', 'ConditionExpression']);
  return {
    ...target(table, table.keyOf(key), input, _condition),
    next(old) {
      const { item, attributes } = updated(
        table.description,
        { Key: key, ReturnValues: input.ReturnValues, _updates },
        old,
      );
      onReturned(attributes);
      return item;
    },
  };
}

function deleteWrite(context: Context, input: any): Write {
  const table = context.tables.get(input.TableName);
  const key = attributes(input.Key, 'key');
  const { _condition } = expressions(input, ['ConditionExpression']);
  return { ...target(table, table.keyOf(key), input, _condition), next: () => undefined };
}

function target(table: Table, key: string, input: any, condition: Expressions['_condition']) {
  const onFailureAsked = input[onFailure] ?? 'NONE';
  if (onFailureAsked !== 'NONE' && onFailureAsked !== 'ALL_OLD') {
    throw validationException(
      `${onFailure} '${onFailureAsked}' is unknown: Member must satisfy enum value set: [ALL_OLD, NONE]`,
    );
  }
  return { table, key, condition, returnOldOnFailure: onFailureAsked === 'ALL_OLD' };
}

function returnValues(input: any, allowed: readonly string[], message: string): void {
  if (!allowed.includes(input.ReturnValues ?? 'NONE')) throw validationException(message);
}

function answer(input: any, write: Write, units: Units, attributes: Item | undefined): any {
  const capacity = consumedCapacity(input.ReturnConsumedCapacity, write.table.name, units);
  return { ...(attributes && { Attributes: attributes }), ...(capacity && { ConsumedCapacity: capacity }) };
}
