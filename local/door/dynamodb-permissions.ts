import { localAccount } from '../engines/engine';
import type { ConditionValues } from './conditions';
import { arn, keyUse, type Permission, type PermissionRules, type ResourceLookup } from './permission';

type Attribute = Readonly<Record<string, unknown>>;
type Item = Readonly<Record<string, Attribute>>;

/** What each DynamoDB operation needs. Calls with many actions need the permission of each action on its own table. */
export const dynamodbPermissions: PermissionRules = {
  GetItem: (input, lookup) => onItems('GetItem', input.TableName, [input.Key], lookup),
  PutItem: (input, lookup) => onItems('PutItem', input.TableName, [input.Item], lookup),
  UpdateItem: (input, lookup) => onItems('UpdateItem', input.TableName, [input.Key], lookup),
  DeleteItem: (input, lookup) => onItems('DeleteItem', input.TableName, [input.Key], lookup),
  Query: (input, lookup) => onTable('Query', input.TableName, input.IndexName, lookup),
  Scan: (input, lookup) => onTable('Scan', input.TableName, input.IndexName, lookup),
  BatchGetItem: (input, lookup) =>
    Object.entries<any>(input.RequestItems ?? {}).flatMap(([table, { Keys = [] }]) =>
      onItems('BatchGetItem', table, Keys, lookup),
    ),
  BatchWriteItem: (input, lookup) =>
    Object.entries<any>(input.RequestItems ?? {}).flatMap(([table, requests]) =>
      onItems('BatchWriteItem', table, requests.map(writtenKey), lookup),
    ),
  TransactWriteItems: (input, lookup) =>
    merged(
      (input.TransactItems ?? []).map((action: any) => {
        const [name, body] = Object.entries<any>(action)[0] ?? ['', {}];
        return { action: transactionActions.get(name) ?? name, table: body.TableName, item: body.Key ?? body.Item };
      }),
      lookup,
    ),
  TransactGetItems: (input, lookup) =>
    merged(
      (input.TransactItems ?? []).map(({ Get }: any) => ({ action: 'GetItem', table: Get.TableName, item: Get.Key })),
      lookup,
    ),
  ExecuteStatement: (input, lookup) => onStatements([input], lookup),
  BatchExecuteStatement: (input, lookup) => onStatements(input.Statements ?? [], lookup),
  DescribeTable: (input) => control('DescribeTable', input.TableName),
  DescribeTimeToLive: (input) => control('DescribeTimeToLive', input.TableName),
  DescribeStream: ({ StreamArn }) => [{ action: 'dynamodb:DescribeStream', resource: StreamArn }],
  GetShardIterator: ({ StreamArn }) => [{ action: 'dynamodb:GetShardIterator', resource: StreamArn }],
  GetRecords: ({ ShardIterator }, lookup) => {
    // An iterator begins with the ARN of its stream.
    const resource = String(ShardIterator).split('|')[0]!;
    return [{ action: 'dynamodb:GetRecords', resource }, ...tableKey(resource.replace(/\/stream\/.*$/, ''), lookup)];
  },
  ListStreams: () => [{ action: 'dynamodb:ListStreams', resource: '*' }],
  ListTables: () => [{ action: 'dynamodb:ListTables', resource: arn('dynamodb', 'table/*') }],
};

const transactionActions = new Map([
  ['Put', 'PutItem'],
  ['Update', 'UpdateItem'],
  ['Delete', 'DeleteItem'],
  ['ConditionCheck', 'ConditionCheckItem'],
]);

const statementActions = new Map([
  ['INSERT', 'PartiQLInsert'],
  ['UPDATE', 'PartiQLUpdate'],
  ['DELETE', 'PartiQLDelete'],
  ['SELECT', 'PartiQLSelect'],
]);

function onItems(action: string, table: string, items: readonly (Item | undefined)[], lookup: ResourceLookup) {
  const tableArn = arn('dynamodb', 'table/', table);
  const values = leadingKeys(tableArn, items, lookup);
  return [{ action: `dynamodb:${action}`, resource: tableArn, values }, ...tableKey(tableArn, lookup)];
}

function onTable(action: string, table: string, index: string | undefined, lookup: ResourceLookup): Permission[] {
  const tableArn = arn('dynamodb', 'table/', table);
  const resource = index === undefined ? tableArn : `${tableArn}/index/${index}`;
  return [{ action: `dynamodb:${action}`, resource, values: unknownLeadingKeys }, ...tableKey(tableArn, lookup)];
}

function merged(
  parts: readonly { readonly action: string; readonly table: string; readonly item: Item }[],
  lookup: ResourceLookup,
): Permission[] {
  const groups = new Map<string, { readonly action: string; readonly table: string; readonly items: Item[] }>();
  for (const { action, table, item } of parts) {
    const id = `${action} ${table}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { action, table, items: [item] });
    else group.items.push(item);
  }
  return [...groups.values()].flatMap(({ action, table, items }) => onItems(action, table, items, lookup));
}

function onStatements(statements: readonly { readonly Statement: string }[], lookup: ResourceLookup): Permission[] {
  const seen = new Set<string>();
  return statements.flatMap(({ Statement }) => {
    const { action, table, index } = parsed(Statement);
    const id = `${action} ${table} ${index}`;
    if (seen.has(id)) return [];
    seen.add(id);
    return onTable(action, table, index, lookup);
  });
}

interface ParsedStatement {
  readonly action: string;
  readonly table: string;
  readonly index: string | undefined;
}

const maxStatements = 1000;
const statements = new Map<string, ParsedStatement>();
const statementForm =
  /^\s*(?:(INSERT)\s+INTO|(UPDATE)|(DELETE)\s+FROM|(SELECT)\b[\s\S]*?\bFROM)\s+("[^"]+"|[\w-]+)(?:\.("[^"]+"|[\w-]+))?/i;

/** A PartiQL statement's action and table. Remembered by text, since a function sends few different texts. */
function parsed(statement: string): ParsedStatement {
  const known = statements.get(statement);
  if (known !== undefined) return known;
  const match = statementForm.exec(statement);
  // The statement itself may hold values, so it is not repeated.
  if (match === null)
    throw new Error('a PartiQL statement must be INSERT INTO, UPDATE, DELETE FROM or SELECT ... FROM');
  const [, insert, update, remove, select, table = '', index] = match;
  const action = statementActions.get((insert ?? update ?? remove ?? select ?? '').toUpperCase())!;
  const result = { action, table: unquoted(table), index: index === undefined ? undefined : unquoted(index) };
  if (statements.size >= maxStatements) statements.clear();
  statements.set(statement, result);
  return result;
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1) : name;
}

function control(action: string, table: string): Permission[] {
  return [{ action: `dynamodb:${action}`, resource: arn('dynamodb', 'table/', table) }];
}

function tableKey(tableArn: string, lookup: ResourceLookup): Permission[] {
  return keyUse('kms:Decrypt', 'dynamodb', tableArn, lookup, {
    'aws:dynamodb:tableName': tableArn.slice(tableArn.indexOf('/') + 1),
    'aws:dynamodb:subscriberId': localAccount,
  });
}

function leadingKeys(tableArn: string, items: readonly (Item | undefined)[], lookup: ResourceLookup): ConditionValues {
  return (key) => {
    if (key !== 'dynamodb:leadingkeys') return undefined;
    const name = lookup.partitionKeyOf?.(tableArn);
    if (name === undefined) throw new Error(`dynamodb:LeadingKeys: the partition key of ${tableArn} is not known`);
    return items.map((item) => String(Object.values(item?.[name] ?? {})[0]));
  };
}

const unknownLeadingKeys: ConditionValues = (key) => {
  if (key === 'dynamodb:leadingkeys')
    throw new Error('dynamodb:LeadingKeys is not modelled for Query, Scan and PartiQL: use it with single items');
  return undefined;
};

function writtenKey({ PutRequest, DeleteRequest }: any): Item | undefined {
  return PutRequest?.Item ?? DeleteRequest?.Key;
}
