import { type DynamoDbEngine, openDynamoDb } from '../../../local/engines/dynamodb';

let nowMs: number;
let engine: DynamoDbEngine;

const TableName = 'counters';
const key = (id: string, lane = 'a') => ({ id: { S: id }, lane: { S: lane } });
const add = (id: string, lane = 'a') => ({
  TableName,
  Key: key(id, lane),
  UpdateExpression: 'ADD units :one',
  ExpressionAttributeValues: { ':one': { N: '1' } },
});
const addOne = (id: string, lane?: string) => engine.call('UpdateItem', add(id, lane));
const update = (id: string, lane = 'a') => ({
  Statement: `UPDATE "${TableName}" SET "units" = ? WHERE "id" = ? AND "lane" = ?`,
  Parameters: [{ N: '7' }, { S: id }, { S: lane }],
});

beforeEach(async () => {
  nowMs = Date.parse('2026-11-28T10:00:00Z');
  engine = await openDynamoDb({ now: () => nowMs, limits: true });
  await engine.call('CreateTable', {
    TableName,
    AttributeDefinitions: ['id', 'lane'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: 'id', KeyType: 'HASH' },
      { AttributeName: 'lane', KeyType: 'RANGE' },
    ],
    BillingMode: 'PAY_PER_REQUEST',
  });
});

afterEach(() => engine.close());

/** Uses up a second of a partition. */
async function exhaust(id: string): Promise<void> {
  for (let writes = 0; writes < 1_000; writes++) await addOne(id);
}

test('a partition takes 1,000 write units a second, and refuses more in the words of AWS', async () => {
  await exhaust('hot');

  await expect(addOne('hot')).rejects.toMatchObject({
    code: 'ThrottlingException',
    message: 'Throughput exceeds the current capacity of your table or index. Please retry the request.',
    fields: {
      throttlingReasons: [
        {
          reason: 'TableWriteKeyRangeThroughputExceeded',
          resource: expect.stringMatching(/^arn:aws:dynamodb:.*:table\/counters$/),
        },
      ],
    },
  });
});

test('sort keys share the limit of their partition key, other partition keys do not', async () => {
  await exhaust('hot');

  await expect(addOne('hot', 'b')).rejects.toMatchObject({ code: 'ThrottlingException' });
  await addOne('cold');
});

test('what was used comes back with time, and never more than a second of it', async () => {
  await exhaust('hot');
  nowMs += 10;

  for (let writes = 0; writes < 10; writes++) await addOne('hot');
  await expect(addOne('hot')).rejects.toMatchObject({ code: 'ThrottlingException' });
  nowMs += 60_000;
  await exhaust('hot');
  await expect(addOne('hot')).rejects.toMatchObject({ code: 'ThrottlingException' });
});

test('a refused write changes nothing and costs nothing', async () => {
  let units = 0;
  await exhaust('hot');
  engine.onConsumed = (_table, _kind, used) => {
    units += used;
  };

  await expect(addOne('hot')).rejects.toMatchObject({ code: 'ThrottlingException' });

  const { Item } = await engine.call('GetItem', { TableName, Key: key('hot') });
  expect(Item.units.N).toBe('1000');
  expect(units).toBe(0.5);
});

test('large items, failed conditions and transactions use it up by what they cost', async () => {
  const Item = { ...key('large'), text: { S: 'x'.repeat(100 * 1024 - 20) } };
  for (let writes = 0; writes < 10; writes++) await engine.call('PutItem', { TableName, Item });
  await expect(addOne('large', 'b')).rejects.toMatchObject({ code: 'ThrottlingException' });

  await addOne('failing');
  const never = { ...add('failing'), ConditionExpression: 'attribute_not_exists(id)' };
  for (let writes = 0; writes < 999; writes++)
    await expect(engine.call('UpdateItem', never)).rejects.toMatchObject({ code: 'ConditionalCheckFailedException' });
  await expect(addOne('failing')).rejects.toMatchObject({ code: 'ThrottlingException' });

  const TransactItems = Array.from({ length: 50 }, (_, lane) => ({ Update: add('paired', String(lane)) }));
  for (let writes = 0; writes < 10; writes++) await engine.call('TransactWriteItems', { TransactItems });
  await expect(addOne('paired')).rejects.toMatchObject({ code: 'ThrottlingException' });
});

test('each operation says in its own way what it could not do', async () => {
  await addOne('cold');
  await exhaust('hot');

  const { UnprocessedItems } = await engine.call('BatchWriteItem', {
    RequestItems: { [TableName]: ['hot', 'cold'].map((id) => ({ PutRequest: { Item: key(id) } })) },
  });
  expect(UnprocessedItems).toEqual({ [TableName]: [{ PutRequest: { Item: key('hot') } }] });
  const { Responses } = await engine.call('BatchExecuteStatement', { Statements: [update('hot'), update('cold')] });
  expect(Responses.map(({ Error: error }: any) => error?.Code)).toEqual(['ThrottlingError', undefined]);
  await expect(
    engine.call('TransactWriteItems', { TransactItems: [{ Update: add('cold') }, { Update: add('hot') }] }),
  ).rejects.toMatchObject({
    code: 'TransactionCanceledException',
    fields: { CancellationReasons: [{ Code: 'None' }, expect.objectContaining({ Code: 'ThrottlingError' })] },
  });
});

test('nobody is throttled where limits are not asked for', async () => {
  const free = await openDynamoDb({ now: () => nowMs });
  await free.call('CreateTable', {
    TableName,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  });

  for (let writes = 0; writes < 1_100; writes++)
    await free.call('PutItem', { TableName, Item: { id: { S: 'hot' }, units: { N: String(writes) } } });
  await free.close();
});
