import { Readable } from 'node:stream';
import { attributes } from './attribute-value';
import { consumedCapacity, itemBytes, readUnits, type Units } from './capacity';
import { type Context, onlyMembers, throttlingException } from './context';
import {
  checkedInput,
  checkProjection,
  type Item,
  knownMembers,
  projected,
  read,
  validationException,
} from './dynalite';
import { expressions } from './expressions';
import type { Table } from './table';

const getMembers = new Set([
  'TableName',
  'Key',
  'ConsistentRead',
  'ProjectionExpression',
  'ExpressionAttributeNames',
  'ReturnConsumedCapacity',
]);
const batchMembers = new Set(['RequestItems', 'ReturnConsumedCapacity']);
const batchTableMembers = new Set(['Keys', 'ConsistentRead', 'ProjectionExpression', 'ExpressionAttributeNames']);
const readMembers = {
  Query: new Set(knownMembers('Query')),
  Scan: new Set([...knownMembers('Scan'), 'ConsistentRead']),
};
const mostBatchBytes = 16 * 1024 * 1024;

export function getItem(context: Context, input: any): any {
  onlyMembers('GetItem', input, getMembers);
  const table = context.tables.get(input.TableName);
  const { _projection } = projectionOf(table, input);
  const key = table.keyOf(attributes(input.Key, 'key'));
  if (context.throttled(table.name, 'GetItem')) throw throttlingException();

  const item = table.get(key);
  const units = readUnits(item, input.ConsistentRead === true);
  context.consumed(table.name, 'read', units);
  const capacity = consumedCapacity(input.ReturnConsumedCapacity, table.name, { table: units, indexes: {} });
  return {
    ...(item && { Item: _projection ? projected(_projection, item) : item }),
    ...(capacity && { ConsumedCapacity: capacity }),
  };
}

/** Answers in the order of the keys; AWS promises none. */
export function batchGetItem(context: Context, input: any): any {
  onlyMembers('BatchGetItem', input, batchMembers);
  const requests = Object.entries<any>(input.RequestItems ?? {}).map(([name, request]) =>
    prepareBatch(context, name, request),
  );
  const count = requests.reduce((keys, { places }) => keys + places.length, 0);
  if (count === 0)
    throw validationException("1 validation error detected: Value at 'requestItems' must name at least one key");
  if (count > 100) throw validationException('Too many items requested for the BatchGetItem call');

  const responses: Record<string, Item[]> = {};
  const unprocessed: Record<string, any> = {};
  const capacities: unknown[] = [];
  let bytes = 0;
  let processed = 0;
  for (const { table, request, places, projection } of requests) {
    const items: Item[] = [];
    const left: Item[] = [];
    let units = 0;
    places.forEach((place, index) => {
      const item = table.get(place);
      const size = item === undefined ? 0 : itemBytes(item);
      if (bytes + size > mostBatchBytes || context.throttled(table.name, 'BatchGetItem', index)) {
        left.push(request.Keys[index]);
        return;
      }
      bytes += size;
      processed += 1;
      const used = readUnits(item, request.ConsistentRead === true);
      context.consumed(table.name, 'read', used);
      units += used;
      if (item !== undefined) items.push(projection ? projected(projection, item) : item);
    });
    responses[table.name] = items;
    if (left.length > 0) unprocessed[table.name] = { ...request, Keys: left };
    capacities.push(consumedCapacity(input.ReturnConsumedCapacity, table.name, { table: units, indexes: {} }));
  }
  if (processed === 0) throw throttlingException();
  const asked = input.ReturnConsumedCapacity === 'TOTAL' || input.ReturnConsumedCapacity === 'INDEXES';
  return { Responses: responses, UnprocessedKeys: unprocessed, ...(asked && { ConsumedCapacity: capacities }) };
}

function prepareBatch(context: Context, name: string, request: any) {
  onlyMembers('BatchGetItem', request, batchTableMembers);
  const table = context.tables.get(name);
  const { _projection } = projectionOf(table, request);
  const places = ((request.Keys ?? []) as unknown[]).map((key) => table.keyOf(attributes(key, 'keys.member')));
  if (new Set(places).size < places.length) throw validationException('Provided list of item keys contains duplicates');
  return { table, request, places, projection: _projection };
}

export function query(context: Context, input: any): Promise<any> {
  return readRange(context, 'Query', input);
}

export function scan(context: Context, input: any): Promise<any> {
  return readRange(context, 'Scan', input);
}

async function readRange(context: Context, operation: 'Query' | 'Scan', input: any): Promise<any> {
  onlyMembers(operation, input, readMembers[operation]);
  const asked = input.ReturnConsumedCapacity;
  const data = checkedInput(operation, { ...input, ReturnConsumedCapacity: 'INDEXES' });
  // dynalite's Scan does not know it: every read here is consistent, but one that must be costs twice.
  data.ConsistentRead = input.ConsistentRead === true;
  const table = context.tables.get(input.TableName);
  if (context.throttled(table.name, operation)) throw throttlingException();

  const { ConsumedCapacity, ...answer } = await read(operation, table.description, data, (range, index) =>
    Readable.from(table.read(range, index)),
  );
  const units = rangeUnits(table, input, ConsumedCapacity);
  context.consumed(table.name, 'read', units.table + Object.values(units.indexes).reduce((sum, used) => sum + used, 0));
  const capacity = consumedCapacity(asked, table.name, units);
  return { ...answer, ...(capacity && { ConsumedCapacity: capacity }) };
}

/** dynalite sums what was read before filters and projections; what it does not know is that even nothing has a price. */
function rangeUnits(table: Table, input: any, measured: any): Units {
  const least = input.ConsistentRead === true ? 1 : 0.5;
  if (input.IndexName === undefined) return { table: Math.max(least, measured.CapacityUnits), indexes: {} };
  const kind = table.isLocalIndex(input.IndexName) ? 'LocalSecondaryIndexes' : 'GlobalSecondaryIndexes';
  const index = Math.max(least, measured[kind]?.[input.IndexName]?.CapacityUnits ?? 0);
  return { table: measured.Table?.CapacityUnits ?? 0, indexes: { [input.IndexName]: index } };
}

function projectionOf(table: Table, input: any) {
  const parsed = expressions(input, ['ProjectionExpression']);
  if (parsed._projection) checkProjection(parsed._projection, table.description);
  return parsed;
}
