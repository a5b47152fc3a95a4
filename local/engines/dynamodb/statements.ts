import { AwsError } from '../engine';
import { attributeValue } from './attribute-value';
import { consumedCapacity, itemBytes, type Units, writeUnits } from './capacity';
import { billWrite, type Context, onlyMembers, throttlesWrite } from './context';
import { type AttributeValue, equal, type Item, maxItemBytes, validationException } from './dynalite';
import { parseStatement, type Statement } from './partiql';
import type { Table } from './table';
import { failureMessages } from './writes';

const members = new Set(['Statements', 'ReturnConsumedCapacity']);
const statementMembers = new Set(['Statement', 'Parameters', 'ConsistentRead', 'ReturnValuesOnConditionCheckFailure']);

/** One statement, ready to run: `write` answers the item to put, or the code of what stands in the way. */
interface Prepared {
  readonly table: Table;
  readonly key: string;
  readonly returnOldOnFailure: boolean;
  write(old: Item | undefined): Item | 'DuplicateItem' | 'ConditionalCheckFailed';
}

interface Answer {
  readonly Error?: { readonly Code: string; readonly Message: string; readonly Item?: Item };
  readonly TableName?: string;
}

const none: Units = { table: 0, indexes: {} };
const messages = { ...failureMessages, DuplicateItem: 'Duplicate primary key exists in table' };

/** Every statement for itself: the answer to each stands at its place, and one that fails keeps no other from being done. */
export function batchExecuteStatement(context: Context, input: any): any {
  onlyMembers('BatchExecuteStatement', input, members);
  const statements: any[] = input.Statements ?? [];
  if (statements.length === 0 || statements.length > 25) {
    const bound = statements.length === 0 ? 'greater than or equal to 1' : 'less than or equal to 25';
    throw validationException(
      `1 validation error detected: Value at 'statements' failed to satisfy constraint: Member must have length ${bound}`,
    );
  }
  const prepared = statements.map((statement) => prepare(context, statement));
  refuseRepeatedKeys(prepared);

  const responses: Answer[] = [];
  const capacities: unknown[] = [];
  prepared.forEach((statement, index) => {
    const { answer, units } =
      'Error' in statement ? { answer: statement, units: none } : run(context, statement, index);
    responses.push(answer);
    if (answer.TableName !== undefined) {
      capacities.push(consumedCapacity(input.ReturnConsumedCapacity, answer.TableName, units));
    }
  });
  const asked = input.ReturnConsumedCapacity === 'TOTAL' || input.ReturnConsumedCapacity === 'INDEXES';
  return { Responses: responses, ...(asked && { ConsumedCapacity: capacities }) };
}

function prepare(context: Context, request: any): Prepared | (Required<Pick<Answer, 'Error'>> & Answer) {
  onlyMembers('BatchExecuteStatement', request, statementMembers);
  const statement = parseStatement(request.Statement);
  try {
    const table = context.tables.get(statement.table);
    const returnOldOnFailure = request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
    const parameters: unknown[] = request.Parameters ?? [];
    const wanted =
      statement.kind === 'insert' ? statement.attributes.length : statement.set.length + statement.where.length;
    if (parameters.length !== wanted) {
      throw validationException("Number of parameters in request and statement don't match.");
    }
    const plan =
      statement.kind === 'insert' ? insert(table, statement, parameters) : update(table, statement, parameters);
    return { table, returnOldOnFailure, ...plan };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const Code = error.code === 'ResourceNotFoundException' ? 'ResourceNotFound' : 'ValidationError';
    return { Error: { Code, Message: error.message }, TableName: statement.table };
  }
}

function insert(
  table: Table,
  { attributes }: Extract<Statement, { kind: 'insert' }>,
  parameters: readonly unknown[],
): Pick<Prepared, 'key' | 'write'> {
  const item: Item = {};
  for (let index = 0; index < attributes.length; index++) item[attributes[index]!] = attributeValue(parameters[index]);
  if (itemBytes(item) > maxItemBytes) throw validationException('Item size has exceeded the maximum allowed size');
  return { key: table.keyOfItem(item), write: (old) => (old === undefined ? item : 'DuplicateItem') };
}

function update(
  table: Table,
  { set, where }: Extract<Statement, { kind: 'update' }>,
  parameters: readonly unknown[],
): Pick<Prepared, 'key' | 'write'> {
  const values = parameters.map(attributeValue);
  const keyAttributes = table.keyAttributes();
  const changes = set.map((name, index): [string, AttributeValue] => [name, values[index]!]);
  for (const [name] of changes) {
    if (keyAttributes.includes(name)) {
      throw validationException(`Cannot update attribute ${name}. This attribute is part of the key`);
    }
  }
  const key: Item = {};
  const conditions: [string, AttributeValue][] = [];
  where.forEach((name, index) => {
    const value = values[set.length + index]!;
    if (keyAttributes.includes(name)) key[name] = value;
    else conditions.push([name, value]);
  });
  if (Object.keys(key).length < keyAttributes.length) {
    throw validationException('Where clause does not contain a mandatory equality on all key attributes');
  }
  return {
    key: table.keyOf(key),
    write(old) {
      // Unlike UpdateItem, PartiQL's UPDATE does not make an item that is not there.
      if (old === undefined || !conditions.every(([name, value]) => equal(old[name], value)))
        return 'ConditionalCheckFailed';
      const item = { ...old, ...Object.fromEntries(changes) };
      table.keyOfItem(item);
      if (itemBytes(item) > maxItemBytes) {
        throw validationException('Item size to update has exceeded the maximum allowed size');
      }
      return item;
    },
  };
}

function run(context: Context, statement: Prepared, index: number): { answer: Answer; units: Units } {
  const { table, key } = statement;
  const fail = (Code: string, Message: string, units: Units, item?: Item) => {
    const error = { Code, Message, ...(item && { Item: item }) };
    return { answer: { Error: error, TableName: table.name }, units };
  };
  if (throttlesWrite(context, table, key, 'BatchExecuteStatement', index)) {
    return fail('ThrottlingError', 'Throughput exceeds the current capacity of your table or index', none);
  }
  if (table.held.has(key)) return fail('TransactionConflict', messages.TransactionConflict, none);

  const old = table.get(key);
  try {
    const outcome = statement.write(old);
    if (typeof outcome === 'string') {
      const units = { table: writeUnits(old), indexes: {} };
      billWrite(context, table, key, units);
      return fail(outcome, messages[outcome], units, statement.returnOldOnFailure ? old : undefined);
    }
    const units = table.write(key, old, outcome);
    billWrite(context, table, key, units);
    return { answer: { TableName: table.name }, units };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return fail('ValidationError', error.message, none);
  }
}

function refuseRepeatedKeys(prepared: readonly (Prepared | Answer)[]): void {
  const seen = new Set<string>();
  for (const statement of prepared) {
    if (!('key' in statement)) continue;
    const place = `${statement.table.name}\n${statement.key}`;
    if (seen.has(place)) throw validationException('Provided list of item keys contains duplicates');
    seen.add(place);
  }
}
