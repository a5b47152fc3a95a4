import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DynamoDbEngine, openDynamoDb } from '../../../local/engines/dynamodb';

let engine: DynamoDbEngine;
let billed: [string, string, number][];
let nowMs = Date.parse('2026-11-22T10:00:00Z');

beforeEach(async () => {
  engine = await openDynamoDb({ now: () => nowMs });
  billed = [];
  await createTables(engine);
  engine.onConsumed = (...bill) => billed.push(bill);
});

afterEach(() => engine.close());

async function createTables(engine: DynamoDbEngine) {
  const base = {
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  };
  await engine.call('CreateTable', { ...base, TableName: 'claims' });
  await engine.call('CreateTable', {
    ...base,
    TableName: 'vault',
    AttributeDefinitions: [...base.AttributeDefinitions, { AttributeName: 'token', AttributeType: 'S' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'by-token',
        KeySchema: [{ AttributeName: 'token', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  });
}

function put(id: string, more: object = {}, request: object = {}) {
  return engine.call('PutItem', { TableName: 'claims', Item: { id: { S: id }, ...more }, ...request });
}

async function get(id: string) {
  const { Item } = await engine.call('GetItem', { TableName: 'claims', Key: { id: { S: id } }, ConsistentRead: true });
  return Item;
}

function insert(...ids: string[]) {
  return engine.call('BatchExecuteStatement', {
    Statements: ids.map((id) => ({ Statement: `INSERT INTO "claims" VALUE {'id': ?}`, Parameters: [{ S: id }] })),
  });
}

function add(id: string) {
  return {
    Update: {
      TableName: 'claims',
      Key: { id: { S: id } },
      UpdateExpression: 'ADD n :n',
      ExpressionAttributeValues: { ':n': { N: '1' } },
    },
  };
}

function transact(...TransactItems: object[]) {
  return engine.call('TransactWriteItems', { TransactItems });
}

const kilobytes = (size: number) => ({ text: { S: 'x'.repeat(size * 1024) } });

describe('billing', () => {
  test('a write is billed by the larger of the old and the new item', async () => {
    await put('a', kilobytes(2));
    await put('a');
    await engine.call('DeleteItem', { TableName: 'claims', Key: { id: { S: 'a' } } });
    await engine.call('DeleteItem', { TableName: 'claims', Key: { id: { S: 'a' } } });

    expect(billed.map(([, , units]) => units)).toEqual([3, 3, 1, 1]);
  });

  test('a condition that fails is billed by the item it met, or the least', async () => {
    await put('a', kilobytes(2));
    billed = [];

    await put('a', {}, { ConditionExpression: 'attribute_not_exists(id)' }).catch(() => {});
    await put('b', {}, { ConditionExpression: 'attribute_exists(id)' }).catch(() => {});
    await insert('a');

    expect(billed).toEqual([
      ['claims', 'write', 3],
      ['claims', 'write', 1],
      ['claims', 'write', 3],
    ]);
  });

  test('inserts are billed one by one, an index with its table', async () => {
    await insert('a', 'b');
    await engine.call('BatchExecuteStatement', {
      Statements: [
        { Statement: `INSERT INTO "vault" VALUE {'id': ?, 'token': ?}`, Parameters: [{ S: 'a' }, { S: 'tok_a' }] },
        { Statement: `INSERT INTO "vault" VALUE {'id': ?}`, Parameters: [{ S: 'b' }] },
      ],
    });

    expect(billed).toEqual([
      ['claims', 'write', 1],
      ['claims', 'write', 1],
      ['vault', 'write', 2],
      ['vault', 'write', 1],
    ]);
  });

  test('an index entry that stays as it is costs nothing, one that moves twice', async () => {
    const write = (attributes: object) =>
      engine.call('PutItem', {
        TableName: 'vault',
        Item: { id: { S: 'a' }, ...attributes },
        ReturnConsumedCapacity: 'INDEXES',
      });
    await write({ token: { S: 'tok_a' } });

    const same = await write({ token: { S: 'tok_a' }, note: { S: 'n' } });
    const moved = await write({ token: { S: 'tok_b' } });

    expect(same.ConsumedCapacity).toEqual({ TableName: 'vault', CapacityUnits: 1, Table: { CapacityUnits: 1 } });
    expect(moved.ConsumedCapacity).toEqual({
      TableName: 'vault',
      CapacityUnits: 3,
      Table: { CapacityUnits: 1 },
      GlobalSecondaryIndexes: { 'by-token': { CapacityUnits: 2 } },
    });
  });

  test('a transaction costs twice, also when a condition cancels it, and nothing on a conflict', async () => {
    await transact(add('a'), add('b'));
    expect(billed.map(([, , units]) => units)).toEqual([2, 2]);

    billed = [];
    const taken = {
      Put: { TableName: 'claims', Item: { id: { S: 'a' } }, ConditionExpression: 'attribute_not_exists(id)' },
    };
    await transact(taken, add('c')).catch(() => {});
    expect(billed.map(([, , units]) => units)).toEqual([2, 2]);

    billed = [];
    await Promise.allSettled([transact(add('d')), transact(add('d'))]);
    expect(billed.map(([, , units]) => units)).toEqual([2]);
  });

  test('a read is billed by 4 KB, by half when it need not be consistent, and an absent item as the least', async () => {
    await put('a', kilobytes(5));
    billed = [];

    await engine.call('GetItem', { TableName: 'claims', Key: { id: { S: 'a' } }, ConsistentRead: true });
    await engine.call('GetItem', { TableName: 'claims', Key: { id: { S: 'a' } } });
    await engine.call('GetItem', { TableName: 'claims', Key: { id: { S: 'none' } } });
    const Keys = ['a', 'none'].map((id) => ({ id: { S: id } }));
    await engine.call('BatchGetItem', { RequestItems: { claims: { Keys, ConsistentRead: true } } });

    expect(billed).toEqual([2, 1, 0.5, 2, 1].map((units) => ['claims', 'read', units]));
  });

  test('a query is billed by what it read together, before its filter', async () => {
    for (const id of ['a', 'b', 'c']) {
      await engine.call('PutItem', {
        TableName: 'vault',
        Item: { id: { S: id }, token: { S: 'same' }, ...kilobytes(3) },
      });
    }
    billed = [];
    const query = (token: string) =>
      engine.call('Query', {
        TableName: 'vault',
        IndexName: 'by-token',
        KeyConditionExpression: '#t = :t',
        ExpressionAttributeNames: { '#t': 'token' },
        ExpressionAttributeValues: { ':t': { S: token } },
      });

    await query('same');
    await query('none');
    await engine.call('Scan', {
      TableName: 'vault',
      ConsistentRead: true,
      FilterExpression: 'attribute_exists(nothing)',
    });

    expect(billed.map(([, , units]) => units)).toEqual([0.5, 0.5, 3]);
  });

  test('what is refused or throttled costs nothing', async () => {
    await put('', {}).catch(() => {});
    engine.throttle = () => true;
    await put('a').catch(() => {});
    await insert('a');

    expect(billed).toEqual([]);
  });
});

describe('throttling', () => {
  test('a single operation is refused', async () => {
    engine.throttle = (table, operation) => table === 'claims' && operation === 'PutItem';

    await expect(put('a')).rejects.toMatchObject({ code: 'ThrottlingException', statusCode: 400 });

    engine.throttle = undefined;
    expect(await get('a')).toBeUndefined();
  });

  test('one statement of a batch fails for itself', async () => {
    engine.throttle = (_table, operation, index) => operation === 'BatchExecuteStatement' && index === 1;

    const { Responses } = await insert('a', 'b', 'c');

    expect(Responses.map((response: any) => response.Error?.Code)).toEqual([undefined, 'ThrottlingError', undefined]);
    expect([await get('a'), await get('b')]).toEqual([{ id: { S: 'a' } }, undefined]);
  });

  test('one key of a batch is left unprocessed, and the request as it was', async () => {
    await insert('a', 'b');
    engine.throttle = (_table, operation, index) => operation === 'BatchGetItem' && index === 0;
    const request = { Keys: [{ id: { S: 'a' } }, { id: { S: 'b' } }], ConsistentRead: true };

    const answer = await engine.call('BatchGetItem', { RequestItems: { claims: request } });

    expect(answer.Responses).toEqual({ claims: [{ id: { S: 'b' } }] });
    expect(answer.UnprocessedKeys).toEqual({ claims: { Keys: [{ id: { S: 'a' } }], ConsistentRead: true } });
  });

  test('one action cancels its transaction', async () => {
    engine.throttle = (_table, operation, index) => operation === 'TransactWriteItems' && index === 1;

    await expect(transact(add('a'), add('b'))).rejects.toMatchObject({
      code: 'TransactionCanceledException',
      fields: { CancellationReasons: [{ Code: 'None' }, { Code: 'ThrottlingError' }] },
    });

    expect(await get('a')).toBeUndefined();
  });
});

describe('a running transaction', () => {
  test('conflicts with whoever else writes its items, and with nobody else', async () => {
    const first = transact(add('a'), add('b'));

    const second = transact(add('c'), add('b'));
    const single = put('a');
    const statements = insert('b', 'd');

    await expect(second).rejects.toMatchObject({
      fields: { CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }] },
    });
    await expect(single).rejects.toMatchObject({ code: 'TransactionConflictException' });
    expect((await statements).Responses.map((response: any) => response.Error?.Code)).toEqual([
      'TransactionConflict',
      undefined,
    ]);
    await first;
    expect(await get('a')).toEqual({ id: { S: 'a' }, n: { N: '1' } });
    await put('a');
  });

  test('is seen by no reader before it is done', async () => {
    const running = transact(add('a'));

    const before = await get('a');
    await running;

    expect(before).toBeUndefined();
    expect(await get('a')).toEqual({ id: { S: 'a' }, n: { N: '1' } });
  });

  test('is told to be in progress to the same request', async () => {
    const request = { TransactItems: [add('a')], ClientRequestToken: 'same' };
    const running = engine.call('TransactWriteItems', request);

    await expect(engine.call('TransactWriteItems', request)).rejects.toMatchObject({
      code: 'TransactionInProgressException',
    });

    await running;
  });

  test('is forgotten ten minutes after it was done', async () => {
    const request = { TransactItems: [add('a')], ClientRequestToken: 'again' };
    await engine.call('TransactWriteItems', request);
    nowMs += 10 * 60_000 - 1;
    await engine.call('TransactWriteItems', request);
    expect(await get('a')).toEqual({ id: { S: 'a' }, n: { N: '1' } });

    nowMs += 1;
    await engine.call('TransactWriteItems', request);

    expect(await get('a')).toEqual({ id: { S: 'a' }, n: { N: '2' } });
  });
});

describe('time to live', () => {
  const at = (iso: string) => ({ expires: { N: String(Date.parse(iso) / 1000) } });

  test('an expired item is there until it is swept, at no cost', async () => {
    await engine.call('UpdateTimeToLive', {
      TableName: 'claims',
      TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' },
    });
    await put('past', at('2026-11-22T09:59:59Z'));
    await put('present', at('2026-11-22T10:00:00Z'));
    await put('long ago', at('2020-01-01T00:00:00Z'));
    await put('text', { expires: { S: '1' } });
    await put('never');
    expect(await get('past')).toBeDefined();
    billed = [];

    const deleted = await engine.expire(Date.parse('2026-11-22T10:00:00Z'));

    expect(deleted).toBe(1);
    expect(billed).toEqual([]);
    expect(await get('past')).toBeUndefined();
    const { Count } = await engine.call('Scan', { TableName: 'claims' });
    expect(Count).toBe(4);
  });

  test('nothing expires where it is not enabled', async () => {
    await put('past', at('2026-11-22T09:59:59Z'));

    expect(await engine.expire(Date.parse('2026-11-22T10:00:00Z'))).toBe(0);
  });
});

describe('what is not modelled', () => {
  test('an operation is refused by name', async () => {
    await expect(engine.call('ExportTableToPointInTime', {})).rejects.toMatchObject({
      code: 'UnknownOperationException',
      message: 'operation ExportTableToPointInTime is not modelled by the local DynamoDB',
    });
    await expect(engine.call('constructor', {})).rejects.toMatchObject({ code: 'UnknownOperationException' });
  });

  test.each([
    ['PutItem', { TableName: 'claims', Item: { id: { S: 'a' } }, Expected: {} }, 'parameter Expected of PutItem'],
    ['CreateTable', { TableName: 'other', TableClass: 'STANDARD' }, 'parameter TableClass of CreateTable'],
    ['Query', { TableName: 'claims', Unheard: 1 }, 'parameter Unheard of Query'],
  ])('a parameter of %s is refused by name', async (operation, input, words) => {
    await expect(engine.call(operation, input)).rejects.toMatchObject({
      code: 'ValidationException',
      message: `${words} is not modelled by the local DynamoDB`,
    });
  });
});

test('the content of every item can be searched, binary as it was written and as text', async () => {
  await put('a', {
    binary: { B: Buffer.from('hidden words').toString('base64') },
    number: { N: '12345678901234567890' },
    map: { M: { list: { L: [{ S: 'deep' }, { BS: [Buffer.from('set').toString('base64')] }] } } },
  });

  const texts: string[] = [];
  for await (const { where, text } of engine.contents()) if (where === 'dynamodb claims') texts.push(text);
  const all = texts.join('\n');

  for (const wanted of ['hidden words', 'aGlkZGVuIHdvcmRz', '12345678901234567890', 'deep', 'set'])
    expect(all).toContain(wanted);
});

test('an index holds every one of many items under one key', async () => {
  const ids = Array.from({ length: 20_000 }, (_, index) => `item-${index}`);
  for (const id of ids) {
    await engine.call('PutItem', { TableName: 'vault', Item: { id: { S: id }, token: { S: 'shared' } } });
  }

  const seen: string[] = [];
  let ExclusiveStartKey: any;
  do {
    const page = await engine.call('Query', {
      TableName: 'vault',
      IndexName: 'by-token',
      KeyConditionExpression: '#t = :t',
      ExpressionAttributeNames: { '#t': 'token' },
      ExpressionAttributeValues: { ':t': { S: 'shared' } },
      ExclusiveStartKey,
    });
    seen.push(...page.Items.map(({ id }: any) => id.S));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);

  expect(seen.sort()).toEqual(ids.sort());
});

test('a table tells the names of its key attributes', () => {
  expect(engine.describeKeys('claims')).toEqual(['id']);
  expect(() => engine.describeKeys('absent')).toThrow('Requested resource not found');
});

test('tables, items, indexes and settings are found again on disk', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dynamodb-'));
  try {
    const directory = join(folder, 'state', 'dynamodb');
    const first = await openDynamoDb({ directory });
    await createTables(first);
    await first.call('UpdateTimeToLive', {
      TableName: 'vault',
      TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' },
    });
    for (const id of ['a', 'b', 'ü~ü']) {
      await first.call('PutItem', { TableName: 'vault', Item: { id: { S: id }, token: { S: `tok_${id}` } } });
    }
    await first.call('TransactWriteItems', {
      TransactItems: [add('n'), { Delete: { TableName: 'vault', Key: { id: { S: 'b' } } } }],
    });
    await first.call('DeleteTable', { TableName: 'claims' });
    await first.close();

    const second = await openDynamoDb({ directory });

    expect((await second.call('ListTables', {})).TableNames).toEqual(['vault']);
    expect((await second.call('Scan', { TableName: 'vault' })).Count).toBe(2);
    const { TimeToLiveDescription } = await second.call('DescribeTimeToLive', { TableName: 'vault' });
    expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires' });
    const { Items } = await second.call('Query', {
      TableName: 'vault',
      IndexName: 'by-token',
      KeyConditionExpression: '#t = :t',
      ExpressionAttributeNames: { '#t': 'token' },
      ExpressionAttributeValues: { ':t': { S: 'tok_ü~ü' } },
    });
    expect(Items).toEqual([{ id: { S: 'ü~ü' }, token: { S: 'tok_ü~ü' } }]);
    await second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
