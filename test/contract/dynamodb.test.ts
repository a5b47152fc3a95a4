import { randomUUID } from 'node:crypto';
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  ListTagsOfResourceCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactionCanceledException,
  TransactionConflictException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateContinuousBackupsCommand,
  UpdateItemCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { openDynamoDb } from '../../local/engines/dynamodb';
import { type Endpoint, eventually, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let client: DynamoDBClient;
/** One item by `id`. */
let claims: string;
/** Items by `pk` and `sk`, with an index on `token` and one on `place`, `day`. */
let cards: string;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [await openDynamoDb()]);
  client = new DynamoDBClient(endpoint.client);
  claims = await table({
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  cards = await table({
    AttributeDefinitions: ['pk', 'sk', 'token', 'place', 'day'].map((AttributeName) => ({
      AttributeName,
      AttributeType: AttributeName === 'day' ? 'N' : 'S',
    })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'by-token',
        KeySchema: [{ AttributeName: 'token', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
      {
        IndexName: 'by-place',
        KeySchema: [
          { AttributeName: 'place', KeyType: 'HASH' },
          { AttributeName: 'day', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['units'] },
      },
    ],
  });
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
});

async function table(shape: Partial<CreateTableCommandInput>): Promise<string> {
  const TableName = uniqueName();
  await client.send(
    new CreateTableCommand({ TableName, BillingMode: 'PAY_PER_REQUEST', ...shape } as CreateTableCommandInput),
  );
  endpoint.cleanUp(() => client.send(new DeleteTableCommand({ TableName })));
  await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 1 }, { TableName });
  return TableName;
}

/** The error that a call ends in, with the members that AWS gives it. */
async function failure(call: Promise<unknown>): Promise<any> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error('the call succeeded');
}

function put(item: Record<string, any>, more: object = {}) {
  return client.send(new PutItemCommand({ TableName: claims, Item: item, ...more }));
}

async function get(id: string) {
  const { Item } = await client.send(
    new GetItemCommand({ TableName: claims, Key: { id: { S: id } }, ConsistentRead: true }),
  );
  return Item;
}

function insert(id: string, digest: string, more: object = {}) {
  return {
    Statement: `INSERT INTO "${claims}" VALUE {'id': ?, 'digest': ?}`,
    Parameters: [{ S: id }, { S: digest }],
    ...more,
  };
}

function batch(...Statements: any[]) {
  return client.send(new BatchExecuteStatementCommand({ Statements }));
}

function transact(items: TransactWriteItem[], more: object = {}) {
  return client.send(new TransactWriteItemsCommand({ TransactItems: items, ...more }));
}

function add(id: string, units: number): TransactWriteItem {
  return {
    Update: {
      TableName: claims,
      Key: { id: { S: id } },
      UpdateExpression: 'ADD #u :u',
      ExpressionAttributeNames: { '#u': 'units' },
      ExpressionAttributeValues: { ':u': { N: String(units) } },
    },
  };
}

function claim(id: string, more: object = {}): TransactWriteItem {
  return {
    Put: { TableName: claims, Item: { id: { S: id } }, ConditionExpression: 'attribute_not_exists(id)', ...more },
  };
}

describe('tables', () => {
  test('a table tells its keys, indexes, encryption and protection', async () => {
    const name = await table({
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      SSESpecification: { Enabled: true, SSEType: 'KMS' },
      Tags: [{ Key: 'room', Value: 'refine' }],
      DeletionProtectionEnabled: true,
    });

    const { Table } = await client.send(new DescribeTableCommand({ TableName: name }));

    expect(Table).toMatchObject({
      TableName: name,
      TableStatus: 'ACTIVE',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      SSEDescription: { Status: 'ENABLED', SSEType: 'KMS' },
      DeletionProtectionEnabled: true,
    });
    expect(Table!.TableArn).toMatch(new RegExp(`^arn:aws:dynamodb:${endpoint.client.region}:\\d{12}:table/${name}$`));
    const { Tags } = await client.send(new ListTagsOfResourceCommand({ ResourceArn: Table!.TableArn! }));
    expect(Tags).toEqual([{ Key: 'room', Value: 'refine' }]);
    expect(await failure(client.send(new DeleteTableCommand({ TableName: name })))).toMatchObject({
      name: 'ValidationException',
    });
    await client.send(new UpdateTableCommand({ TableName: name, DeletionProtectionEnabled: false }));
  });

  test('a table is made once', async () => {
    const again = client.send(
      new CreateTableCommand({
        TableName: claims,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      }),
    );

    expect(await failure(again)).toMatchObject({ name: 'ResourceInUseException' });
    const { TableNames } = await client.send(new ListTablesCommand({}));
    expect(TableNames).toEqual(expect.arrayContaining([claims, cards]));
  });

  test('a table that is not there is not found', async () => {
    const missing = { TableName: `absent-${randomUUID()}` };

    expect(await failure(client.send(new DescribeTableCommand(missing)))).toMatchObject({
      name: 'ResourceNotFoundException',
    });
    expect(await failure(client.send(new GetItemCommand({ ...missing, Key: { id: { S: 'a' } } })))).toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('time to live and point-in-time recovery are off until they are turned on', async () => {
    const before = await client.send(new DescribeTimeToLiveCommand({ TableName: claims }));
    const ttl = { TableName: claims, TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' } };
    await client.send(new UpdateTimeToLiveCommand(ttl));
    await client.send(
      new UpdateContinuousBackupsCommand({
        TableName: claims,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      }),
    );

    expect(before.TimeToLiveDescription!.TimeToLiveStatus).toBe('DISABLED');
    expect(await failure(client.send(new UpdateTimeToLiveCommand(ttl)))).toMatchObject({ name: 'ValidationException' });
    const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: claims }));
    expect(TimeToLiveDescription!.AttributeName).toBe('expires');
    expect(TimeToLiveDescription!.TimeToLiveStatus).toMatch(/^(ENABLING|ENABLED)$/);
    const { ContinuousBackupsDescription } = await client.send(
      new DescribeContinuousBackupsCommand({ TableName: claims }),
    );
    expect(ContinuousBackupsDescription!.PointInTimeRecoveryDescription!.PointInTimeRecoveryStatus).toBe('ENABLED');
  });
});

describe('one item', () => {
  test('keeps every kind of value', async () => {
    const item = {
      id: { S: 'kinds' },
      text: { S: 'größe' },
      number: { N: '-12.5' },
      binary: { B: new Uint8Array([0, 255, 7]) },
      yes: { BOOL: true },
      nothing: { NULL: true },
      list: { L: [{ N: '1' }, { S: 'two' }] },
      map: { M: { inner: { S: 'x' } } },
      names: { SS: ['a', 'b'] },
      numbers: { NS: ['1', '2'] },
    };

    await put(item);

    expect(await get('kinds')).toEqual(item);
  });

  test('numbers are kept in canonical form', async () => {
    await put({ id: { S: 'canonical' }, a: { N: '007.50' }, b: { N: '1e3' } });

    expect(await get('canonical')).toEqual({ id: { S: 'canonical' }, a: { N: '7.5' }, b: { N: '1000' } });
  });

  test('a projection gives some attributes', async () => {
    await put({ id: { S: 'projected' }, a: { N: '1' }, b: { N: '2' } });

    const { Item } = await client.send(
      new GetItemCommand({
        TableName: claims,
        Key: { id: { S: 'projected' } },
        ProjectionExpression: '#b',
        ExpressionAttributeNames: { '#b': 'b' },
      }),
    );

    expect(Item).toEqual({ b: { N: '2' } });
  });

  test('a condition that fails can answer with the item it met', async () => {
    const item = { id: { S: 'met' }, position: { S: '7' } };
    await put(item);
    const condition = {
      ConditionExpression: 'attribute_not_exists(id)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    };

    const error = await failure(put({ id: { S: 'met' } }, condition));
    const silent = await failure(put({ id: { S: 'met' } }, { ConditionExpression: 'attribute_not_exists(id)' }));

    expect(error).toMatchObject({ name: 'ConditionalCheckFailedException', message: 'The conditional request failed' });
    expect(error.Item).toEqual(item);
    expect(silent.Item).toBeUndefined();
    expect(await get('met')).toEqual(item);
  });

  test('an item is replaced on condition of the version that was read', async () => {
    const version = (revision: number) => ({
      id: { S: 'versioned' },
      revision: { N: String(revision) },
      keys: { M: { [revision]: { B: new Uint8Array([revision, 255]) } } },
    });
    const onlyOver = (revision: number) => ({
      ConditionExpression: '#revision = :previous',
      ExpressionAttributeNames: { '#revision': 'revision' },
      ExpressionAttributeValues: { ':previous': { N: String(revision) } },
    });
    await put(version(1));

    await put(version(2), onlyOver(1));
    const late = await failure(put(version(3), onlyOver(1)));
    const absent = await failure(put({ ...version(3), id: { S: 'nothing there' } }, onlyOver(1)));

    expect(late).toBeInstanceOf(ConditionalCheckFailedException);
    expect(absent).toBeInstanceOf(ConditionalCheckFailedException);
    expect(await get('versioned')).toEqual(version(2));
  });

  test('so can an update and a delete', async () => {
    const item = { id: { S: 'guarded' }, version: { N: '3' } };
    await put(item);
    const guard = {
      TableName: claims,
      Key: { id: { S: 'guarded' } },
      ConditionExpression: 'version = :v',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
    };

    const update = await failure(
      client.send(
        new UpdateItemCommand({
          ...guard,
          UpdateExpression: 'SET version = :next',
          ExpressionAttributeValues: { ':v': { N: '2' }, ':next': { N: '3' } },
        }),
      ),
    );
    const remove = await failure(
      client.send(new DeleteItemCommand({ ...guard, ExpressionAttributeValues: { ':v': { N: '2' } } })),
    );

    expect(update.Item).toEqual(item);
    expect(remove.Item).toEqual(item);
    expect(await get('guarded')).toEqual(item);
  });

  test('an update makes, adds, sets and removes', async () => {
    const update = (UpdateExpression: string, values: any, ReturnValues: any = 'ALL_NEW') =>
      client.send(
        new UpdateItemCommand({
          TableName: claims,
          Key: { id: { S: 'counter' } },
          UpdateExpression,
          ...(values && { ExpressionAttributeValues: values }),
          ReturnValues,
        }),
      );

    await update('ADD n :n SET seen = if_not_exists(seen, :s)', { ':n': { N: '2' }, ':s': { S: 'first' } });
    const added = await update('ADD n :n SET seen = if_not_exists(seen, :s)', {
      ':n': { N: '-5' },
      ':s': { S: 'next' },
    });
    const removed = await update('REMOVE seen', undefined, 'UPDATED_OLD');

    expect(added.Attributes).toEqual({ id: { S: 'counter' }, n: { N: '-3' }, seen: { S: 'first' } });
    expect(removed.Attributes).toEqual({ seen: { S: 'first' } });
    expect(await get('counter')).toEqual({ id: { S: 'counter' }, n: { N: '-3' } });
  });

  test('a put and a delete answer with what was there', async () => {
    await put({ id: { S: 'old' }, v: { N: '1' } });

    const replaced = await put({ id: { S: 'old' }, v: { N: '2' } }, { ReturnValues: 'ALL_OLD' });
    const deleted = await client.send(
      new DeleteItemCommand({ TableName: claims, Key: { id: { S: 'old' } }, ReturnValues: 'ALL_OLD' }),
    );

    expect(replaced.Attributes).toEqual({ id: { S: 'old' }, v: { N: '1' } });
    expect(deleted.Attributes).toEqual({ id: { S: 'old' }, v: { N: '2' } });
    expect(await get('old')).toBeUndefined();
  });

  test.each([
    ['a missing key', { Item: { other: { S: 'x' } } }],
    ['a key of another type', { Item: { id: { N: '1' } } }],
    ['an empty key', { Item: { id: { S: '' } } }],
    ['a number that is none', { Item: { id: { S: 'x' }, n: { N: 'twelve' } } }],
    ['an item over 400 KB', { Item: { id: { S: 'x' }, text: { S: 'x'.repeat(410_000) } } }],
    ['a reserved word as a name', { Item: { id: { S: 'x' } }, ConditionExpression: 'attribute_exists(token)' }],
    ['an expression that does not parse', { Item: { id: { S: 'x' } }, ConditionExpression: 'id ==' }],
    [
      'a value that is not used',
      {
        Item: { id: { S: 'x' } },
        ConditionExpression: 'attribute_exists(id)',
        ExpressionAttributeValues: { ':v': { S: 'x' } },
      },
    ],
    ['a value that is not given', { Item: { id: { S: 'x' } }, ConditionExpression: 'a = :v' }],
  ])('%s is refused', async (_what, input) => {
    const error = await failure(client.send(new PutItemCommand({ TableName: claims, ...(input as any) })));

    expect(error.name).toBe('ValidationException');
  });

  test('capacity is told when it is asked for', async () => {
    const item = { id: { S: 'priced' }, text: { S: 'x'.repeat(2500) } };

    const written = await put(item, { ReturnConsumedCapacity: 'TOTAL' });
    const Key = { id: { S: 'priced' } };
    const read = await client.send(new GetItemCommand({ TableName: claims, Key, ReturnConsumedCapacity: 'TOTAL' }));
    const updated = await client.send(
      new UpdateItemCommand({
        TableName: claims,
        Key,
        UpdateExpression: 'REMOVE #t',
        ExpressionAttributeNames: { '#t': 'text' },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );

    expect(written.ConsumedCapacity).toEqual({ TableName: claims, CapacityUnits: 3 });
    expect(read.ConsumedCapacity).toEqual({ TableName: claims, CapacityUnits: 0.5 });
    expect(updated.ConsumedCapacity).toEqual({ TableName: claims, CapacityUnits: 3 });
  });
});

describe('batches of items', () => {
  test('what is there is read and what is absent is left out', async () => {
    await put({ id: { S: 'batch-a' } });
    await put({ id: { S: 'batch-b' } });
    const Keys = ['a', 'b', 'c'].map((name) => ({ id: { S: `batch-${name}` } }));

    const { Responses, UnprocessedKeys, ConsumedCapacity } = await client.send(
      new BatchGetItemCommand({
        RequestItems: { [claims]: { Keys, ConsistentRead: true } },
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );

    expect(Responses![claims]!.map(({ id }) => id!.S).sort()).toEqual(['batch-a', 'batch-b']);
    expect(UnprocessedKeys).toEqual({});
    expect(ConsumedCapacity).toEqual([{ TableName: claims, CapacityUnits: 3 }]);
  });

  test('a read of 100 keys gives what is asked for of each, in no order', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `wide-${index}`);
    for (let first = 0; first < 100; first += 25) {
      const PutRequests = ids.slice(first, first + 25).map((id) => ({
        PutRequest: { Item: { id: { S: id }, token: { S: `tok_${id}` }, sealed: { B: Buffer.from(id) } } },
      }));
      await client.send(new BatchWriteItemCommand({ RequestItems: { [claims]: PutRequests } }));
    }

    const { Responses } = await client.send(
      new BatchGetItemCommand({
        RequestItems: {
          [claims]: {
            Keys: ids.map((id) => ({ id: { S: id } })),
            ConsistentRead: true,
            ProjectionExpression: '#id, #token',
            ExpressionAttributeNames: { '#id': 'id', '#token': 'token' },
          },
        },
      }),
    );

    const found = Responses![claims]!;
    expect(new Set(found.map(({ id }) => id!.S))).toEqual(new Set(ids));
    expect(found.every((item) => Object.keys(item).length === 2 && item.token!.S === `tok_${item.id!.S}`)).toBe(true);
  });

  test.each([
    ['a key twice', ['x', 'x']],
    ['101 keys', Array.from({ length: 101 }, (_, index) => `k${index}`)],
  ])('%s in one read is refused', async (_what, ids) => {
    const Keys = ids.map((id) => ({ id: { S: id } }));

    const error = await failure(client.send(new BatchGetItemCommand({ RequestItems: { [claims]: { Keys } } })));

    expect(error.name).toBe('ValidationException');
  });

  test('puts and deletes go together', async () => {
    await put({ id: { S: 'write-a' } });

    const { UnprocessedItems } = await client.send(
      new BatchWriteItemCommand({
        RequestItems: {
          [claims]: [
            { DeleteRequest: { Key: { id: { S: 'write-a' } } } },
            { PutRequest: { Item: { id: { S: 'write-b' } } } },
          ],
        },
      }),
    );

    expect(UnprocessedItems).toEqual({});
    expect(await get('write-a')).toBeUndefined();
    expect(await get('write-b')).toBeDefined();
  });
});

describe('PartiQL batches', () => {
  test('25 inserts make 25 items, answered in order', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `insert-${index}`);

    const { Responses } = await batch(...ids.map((id) => insert(id, 'd')));

    expect(Responses!.map(({ Error: error }) => error)).toEqual(ids.map(() => undefined));
    expect(await Promise.all(ids.map(get))).toEqual(ids.map((id) => ({ id: { S: id }, digest: { S: 'd' } })));
  });

  test('an insert takes text, numbers and bytes as parameters', async () => {
    const Statement = `INSERT INTO "${claims}" VALUE {'id': ?, 'token': ?, 'sealed': ?, 'data': ?}`;
    const Parameters = [{ S: 'parameters' }, { S: 'tok_a' }, { B: new Uint8Array([0, 255, 128]) }, { N: '3' }];

    const { Responses } = await batch({ Statement, Parameters });

    expect(Responses).toMatchObject([{ TableName: claims }]);
    expect(await get('parameters')).toEqual({
      id: { S: 'parameters' },
      token: { S: 'tok_a' },
      sealed: { B: new Uint8Array([0, 255, 128]) },
      data: { N: '3' },
    });
  });

  test('an insert where there is an item is a duplicate, with the item where it is asked for', async () => {
    await batch(insert('taken', 'first'));

    const { Responses } = await batch(
      insert('free', 'second'),
      insert('taken', 'second', { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
    );
    const silent = await batch(insert('taken', 'third'));

    expect(Responses![0]!.Error).toBeUndefined();
    expect(Responses![1]!.Error).toMatchObject({
      Code: 'DuplicateItem',
      Item: { id: { S: 'taken' }, digest: { S: 'first' } },
    });
    expect(silent.Responses![0]!.Error).toMatchObject({ Code: 'DuplicateItem' });
    expect(silent.Responses![0]!.Error!.Item).toBeUndefined();
    expect(await get('taken')).toEqual({ id: { S: 'taken' }, digest: { S: 'first' } });
  });

  test('a statement that is wrong keeps no other from being done', async () => {
    const { Responses } = await batch(
      { Statement: `INSERT INTO "${claims}" VALUE {'digest': ?}`, Parameters: [{ S: 'no key' }] },
      { Statement: `INSERT INTO "absent-${randomUUID()}" VALUE {'id': ?}`, Parameters: [{ S: 'x' }] },
      insert('beside', 'd'),
    );

    expect(Responses!.map(({ Error: error }) => error?.Code)).toEqual([
      'ValidationError',
      'ResourceNotFound',
      undefined,
    ]);
    expect(await get('beside')).toBeDefined();
  });

  test('the same key twice refuses the batch', async () => {
    const error = await failure(batch(insert('double', 'a'), insert('double', 'b')));

    expect(error.name).toBe('ValidationException');
    expect(await get('double')).toBeUndefined();
  });

  test('26 statements are too many', async () => {
    const statements = Array.from({ length: 26 }, (_, index) => insert(`many-${index}`, 'd'));

    expect((await failure(batch(...statements))).name).toBe('ValidationException');
  });

  test('an update changes an item that is there, if its conditions hold', async () => {
    await put({ id: { S: 'settled' }, state: { S: 'old' }, kept: { S: 'k' } });
    const update = (state: string) => ({
      Statement: `UPDATE "${claims}" SET state=? SET note=? WHERE id=? AND state=?`,
      Parameters: [{ S: 'new' }, { S: 'n' }, { S: 'settled' }, { S: state }],
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });

    const { Responses: done } = await batch(update('old'));
    const { Responses: late } = await batch(update('old'));

    const item = { id: { S: 'settled' }, state: { S: 'new' }, note: { S: 'n' }, kept: { S: 'k' } };
    expect(done![0]!.Error).toBeUndefined();
    expect(late![0]!.Error).toMatchObject({ Code: 'ConditionalCheckFailed', Item: item });
    expect(await get('settled')).toEqual(item);
  });

  test('an update makes no item', async () => {
    const { Responses } = await batch({
      Statement: `UPDATE "${claims}" SET state=? WHERE id=?`,
      Parameters: [{ S: 'new' }, { S: 'nowhere' }],
    });

    expect(Responses![0]!.Error!.Code).toBe('ConditionalCheckFailed');
    expect(await get('nowhere')).toBeUndefined();
  });

  test('capacity is told per statement', async () => {
    const { ConsumedCapacity } = await client.send(
      new BatchExecuteStatementCommand({
        Statements: [insert('priced-1', 'd'), insert('priced-2', 'x'.repeat(1500))],
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );

    expect(ConsumedCapacity!.map(({ CapacityUnits }) => CapacityUnits)).toEqual([1, 2]);
  });
});

describe('transactions', () => {
  test('all actions are done together', async () => {
    await put({ id: { S: 'gone' } });
    await put({ id: { S: 'checked' }, open: { BOOL: true } });

    await transact([
      claim('tx-claim'),
      add('tx-counter', 5),
      { Delete: { TableName: claims, Key: { id: { S: 'gone' } } } },
      {
        ConditionCheck: {
          TableName: claims,
          Key: { id: { S: 'checked' } },
          ConditionExpression: '#o = :yes',
          ExpressionAttributeNames: { '#o': 'open' },
          ExpressionAttributeValues: { ':yes': { BOOL: true } },
        },
      },
    ]);

    expect(await get('tx-claim')).toEqual({ id: { S: 'tx-claim' } });
    expect(await get('tx-counter')).toEqual({ id: { S: 'tx-counter' }, units: { N: '5' } });
    expect(await get('gone')).toBeUndefined();
    expect(await get('checked')).toEqual({ id: { S: 'checked' }, open: { BOOL: true } });
  });

  test('an update counts up and keeps its time, on an item that is there and on one that is not', async () => {
    const count = (id: string, units: number, now: number): TransactWriteItem => ({
      Update: {
        TableName: claims,
        Key: { id: { S: id } },
        UpdateExpression: 'ADD #units :units, #lines :lines SET #lastWrittenAt = :now',
        ExpressionAttributeNames: { '#units': 'units', '#lines': 'lines', '#lastWrittenAt': 'lastWrittenAt' },
        ExpressionAttributeValues: { ':units': { N: String(units) }, ':lines': { N: '1' }, ':now': { N: String(now) } },
      },
    });

    await transact([count('counted-a', 6, 100)]);
    await transact([count('counted-a', -2, 200), count('counted-b', 1, 200)]);

    const counted = (id: string, units: string, lines: string) => ({
      id: { S: id },
      units: { N: units },
      lines: { N: lines },
      lastWrittenAt: { N: '200' },
    });
    expect(await get('counted-a')).toEqual(counted('counted-a', '4', '2'));
    expect(await get('counted-b')).toEqual(counted('counted-b', '1', '1'));
  });

  test('one condition that fails cancels all, and says which, with the item where it is asked for', async () => {
    await put({ id: { S: 'claimed' }, by: { S: 'another' } });
    const condition = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' };

    const error = await failure(transact([add('untouched', 1), claim('claimed', condition), claim('unclaimed')]));

    expect(error).toBeInstanceOf(TransactionCanceledException);
    expect(error.CancellationReasons).toEqual([
      { Code: 'None' },
      {
        Code: 'ConditionalCheckFailed',
        Message: 'The conditional request failed',
        Item: { id: { S: 'claimed' }, by: { S: 'another' } },
      },
      { Code: 'None' },
    ]);
    expect(await get('untouched')).toBeUndefined();
    expect(await get('unclaimed')).toBeUndefined();
  });

  test('data that an update cannot work on cancels all', async () => {
    await put({ id: { S: 'text' }, units: { S: 'many' } });

    const error = await failure(transact([claim('with-text'), add('text', 1)]));

    expect(error.name).toBe('TransactionCanceledException');
    expect(error.CancellationReasons.map(({ Code }: any) => Code)).toEqual(['None', 'ValidationError']);
    expect(await get('with-text')).toBeUndefined();
  });

  test.each([
    ['two actions on one item', [add('one', 1), claim('one')]],
    ['no action', []],
    ['101 actions', Array.from({ length: 101 }, (_, index) => add(`over-${index}`, 1))],
  ])('%s are refused', async (_what, actions) => {
    expect((await failure(transact(actions))).name).toBe('ValidationException');
  });

  test('100 actions are done', async () => {
    await transact(Array.from({ length: 100 }, (_, index) => add(`hundred-${index}`, index)));

    expect(await get('hundred-99')).toEqual({ id: { S: 'hundred-99' }, units: { N: '99' } });
  });

  test('a request that is sent again under its token is done once', async () => {
    const token = { ClientRequestToken: randomUUID(), ReturnConsumedCapacity: 'TOTAL' };

    const first = await transact([add('once', 1)], token);
    const again = await transact([add('once', 1)], token);
    const other = await failure(transact([add('once', 2)], token));

    expect(await get('once')).toEqual({ id: { S: 'once' }, units: { N: '1' } });
    expect(first.ConsumedCapacity).toEqual([{ TableName: claims, CapacityUnits: 2, WriteCapacityUnits: 2 }]);
    expect(again.ConsumedCapacity).toEqual([{ TableName: claims, CapacityUnits: 2, ReadCapacityUnits: 2 }]);
    expect(other.name).toBe('IdempotentParameterMismatchException');
  });

  test('a request that was cancelled may be sent again under its token', async () => {
    const token = { ClientRequestToken: randomUUID() };
    await put({ id: { S: 'blocked' } });

    const cancelled = await failure(transact([claim('blocked')], token));
    await client.send(new DeleteItemCommand({ TableName: claims, Key: { id: { S: 'blocked' } } }));
    await transact([claim('blocked')], token);

    expect(cancelled.name).toBe('TransactionCanceledException');
    expect(await get('blocked')).toEqual({ id: { S: 'blocked' } });
  });

  test('simultaneous transactions on one counter are done, or cancelled as a conflict', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        transact([add('hot', 1)]).then(
          () => 'done',
          (error) => error.CancellationReasons?.[0]?.Code ?? error,
        ),
      ),
    );

    expect(outcomes.filter((outcome) => outcome !== 'done' && outcome !== 'TransactionConflict')).toEqual([]);
    expect(await get('hot')).toEqual({
      id: { S: 'hot' },
      units: { N: String(outcomes.filter((o) => o === 'done').length) },
    });
  });

  test('a single write beside transactions on its item is done, or refused as a conflict', async () => {
    const writes = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0
        ? transact([add('beside', 1)])
        : client.send(
            new UpdateItemCommand({
              TableName: claims,
              Key: { id: { S: 'beside' } },
              UpdateExpression: 'ADD singles :one',
              ExpressionAttributeValues: { ':one': { N: '1' } },
            }),
          ),
    );

    const outcomes = await Promise.all(
      writes.map((write) =>
        write.then(
          () => 'done',
          (error) => error,
        ),
      ),
    );

    const [byTransactions, singles] = [0, 1].map((rest) => outcomes.filter((_, index) => index % 2 === rest));
    for (const refused of singles!.filter((outcome) => outcome !== 'done'))
      expect(refused).toBeInstanceOf(TransactionConflictException);
    const done = (list: unknown[]) => list.filter((outcome) => outcome === 'done').length;
    expect(done(outcomes)).toBeGreaterThan(0);
    const item: any = await get('beside');
    expect([item.units?.N ?? '0', item.singles?.N ?? '0']).toEqual([
      String(done(byTransactions!)),
      String(done(singles!)),
    ]);
  });
});

describe('queries', () => {
  async function card(pk: string, sk: string, more: Record<string, any> = {}) {
    await client.send(new PutItemCommand({ TableName: cards, Item: { pk: { S: pk }, sk: { S: sk }, ...more } }));
  }

  test('a partition is read in order, within bounds, either way', async () => {
    for (const sk of ['b', 'a', 'c', 'd', 'ä']) await card('ordered', sk);
    await card('ordered-2', 'b');
    const read = async (condition: string, more: object = {}) => {
      const { Items } = await client.send(
        new QueryCommand({
          TableName: cards,
          KeyConditionExpression: `pk = :p${condition}`,
          ExpressionAttributeValues: { ':p': { S: 'ordered' }, ...(condition && { ':s': { S: 'b' } }) },
          ConsistentRead: true,
          ...more,
        }),
      );
      return Items!.map(({ sk }) => sk!.S).join('');
    };

    expect(await read('')).toBe('abcdä');
    expect(await read(' AND sk > :s')).toBe('cdä');
    expect(await read(' AND sk >= :s', { ScanIndexForward: false })).toBe('ädcb');
    expect(await read(' AND sk < :s')).toBe('a');
    expect(await read(' AND begins_with(sk, :s)')).toBe('b');
    expect(await read('', { Limit: 2, ScanIndexForward: false })).toBe('äd');
  });

  test('a long partition is read page by page, without gap or repeat', async () => {
    for (let index = 0; index < 7; index++) await card('paged', String(index), { token: { S: 'shared' } });
    const pages = async (index: object, key: string) => {
      const seen: string[] = [];
      let start: any;
      do {
        const { Items, LastEvaluatedKey } = await client.send(
          new QueryCommand({
            TableName: cards,
            ...index,
            KeyConditionExpression: '#k = :k',
            ExpressionAttributeNames: { '#k': key },
            ExpressionAttributeValues: { ':k': { S: key === 'pk' ? 'paged' : 'shared' } },
            Limit: 3,
            ExclusiveStartKey: start,
          }),
        );
        seen.push(...Items!.map(({ sk }) => sk!.S!));
        start = LastEvaluatedKey;
      } while (start);
      return seen;
    };

    const all = ['0', '1', '2', '3', '4', '5', '6'];
    await eventually(async () => expect(await pages({}, 'pk')).toEqual(all));
    await eventually(async () => expect((await pages({ IndexName: 'by-token' }, 'token')).sort()).toEqual(all));
  });

  test('an index holds what has its key, and of it what it projects', async () => {
    await card('secret', '1', { token: { S: 'tok_a' }, units: { N: '4' } });
    await card('secret', '2', { units: { N: '4' } });
    const byToken = async () => {
      const { Items } = await client.send(
        new QueryCommand({
          TableName: cards,
          IndexName: 'by-token',
          KeyConditionExpression: '#t = :t',
          ExpressionAttributeNames: { '#t': 'token' },
          ExpressionAttributeValues: { ':t': { S: 'tok_a' } },
        }),
      );
      return Items;
    };

    await eventually(async () =>
      expect(await byToken()).toEqual([{ token: { S: 'tok_a' }, pk: { S: 'secret' }, sk: { S: '1' } }]),
    );
    await client.send(new DeleteItemCommand({ TableName: cards, Key: { pk: { S: 'secret' }, sk: { S: '1' } } }));
    await eventually(async () => expect(await byToken()).toEqual([]));
  });

  test('an index with a number as sort key is read in the order of numbers, filtered and projected', async () => {
    for (const day of [10, 9, -1, 100]) {
      await card('sold', `d${day}`, {
        place: { S: 'store-1' },
        day: { N: String(day) },
        units: { N: '1' },
        note: { S: 'x' },
      });
    }

    const query = () =>
      client.send(
        new QueryCommand({
          TableName: cards,
          IndexName: 'by-place',
          KeyConditionExpression: 'place = :p AND #d BETWEEN :from AND :to',
          FilterExpression: 'units = :u',
          ExpressionAttributeNames: { '#d': 'day' },
          ExpressionAttributeValues: {
            ':p': { S: 'store-1' },
            ':from': { N: '0' },
            ':to': { N: '100' },
            ':u': { N: '1' },
          },
        }),
      );

    const { Items, Count, ScannedCount } = await eventually(async () => {
      const answer = await query();
      expect(answer.Items!.map(({ day }) => day!.N)).toEqual(['9', '10', '100']);
      return answer;
    });
    expect(Items![0]).toEqual({
      pk: { S: 'sold' },
      sk: { S: 'd9' },
      place: { S: 'store-1' },
      day: { N: '9' },
      units: { N: '1' },
    });
    expect([Count, ScannedCount]).toEqual([3, 3]);
  });

  test('an item moves in an index when its key changes', async () => {
    await card('moved', '1', { place: { S: 'here' }, day: { N: '1' } });

    await card('moved', '1', { place: { S: 'there' }, day: { N: '1' } });

    const at = async (place: string) => {
      const { Count } = await client.send(
        new QueryCommand({
          TableName: cards,
          IndexName: 'by-place',
          KeyConditionExpression: 'place = :p',
          ExpressionAttributeValues: { ':p': { S: place } },
        }),
      );
      return Count;
    };
    await eventually(async () => expect([await at('here'), await at('there')]).toEqual([0, 1]));
  });

  test('an index key of another type is refused', async () => {
    const error = await failure(card('typed', '1', { token: { N: '1' } }));

    expect(error.name).toBe('ValidationException');
  });

  test('a scan sees every item once', async () => {
    const name = await table({
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    });
    const ids = Array.from({ length: 9 }, (_, index) => `scan-${index}`);
    for (const id of ids) await client.send(new PutItemCommand({ TableName: name, Item: { id: { S: id } } }));

    const seen: string[] = [];
    let start: any;
    do {
      const page = await client.send(
        new ScanCommand({ TableName: name, Limit: 4, ConsistentRead: true, ExclusiveStartKey: start }),
      );
      seen.push(...page.Items!.map(({ id }) => id!.S!));
      start = page.LastEvaluatedKey;
    } while (start);

    expect(seen.sort()).toEqual(ids);
  });

  test('a scan with a filter goes on behind pages that hold nothing', async () => {
    const name = await table({
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    });
    const ids = [...Array.from({ length: 8 }, (_, index) => `card#1#${index}`), 'card#2#0', 'keyset'];
    for (const id of ids) await client.send(new PutItemCommand({ TableName: name, Item: { id: { S: id } } }));

    const seen: string[] = [];
    let scanned = 0;
    let start: any;
    do {
      const page = await client.send(
        new ScanCommand({
          TableName: name,
          ConsistentRead: true,
          Limit: 1,
          FilterExpression: 'begins_with(#id, :prefix)',
          ExpressionAttributeNames: { '#id': 'id' },
          ExpressionAttributeValues: { ':prefix': { S: 'card#2#' } },
          ExclusiveStartKey: start,
        }),
      );
      seen.push(...page.Items!.map(({ id }) => id!.S!));
      scanned += page.ScannedCount!;
      start = page.LastEvaluatedKey;
    } while (start);

    expect([seen, scanned]).toEqual([['card#2#0'], ids.length]);
  });
});
