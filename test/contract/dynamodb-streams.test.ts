import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  PutItemCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import {
  type _Record,
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { openDynamoDb } from '../../local/engines/dynamodb';
import { type Endpoint, eventually, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let client: DynamoDBClient;
let streams: DynamoDBStreamsClient;
const TableName = uniqueName();
let StreamArn: string;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [await openDynamoDb()]);
  client = new DynamoDBClient(endpoint.client);
  streams = new DynamoDBStreamsClient(endpoint.client);
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  endpoint.cleanUp(() => client.send(new DeleteTableCommand({ TableName })));
  await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 1 }, { TableName });
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  StreamArn = Table!.LatestStreamArn!;
  await eventually(async () => expect((await description()).StreamStatus).toBe('ENABLED'), 60);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  streams.destroy();
});

async function description() {
  return (await streams.send(new DescribeStreamCommand({ StreamArn }))).StreamDescription!;
}

async function iteratorOf(ShardId: string, more: object = { ShardIteratorType: 'TRIM_HORIZON' }) {
  const input = { StreamArn, ShardId, ...more } as ConstructorParameters<typeof GetShardIteratorCommand>[0];
  return (await streams.send(new GetShardIteratorCommand(input))).ShardIterator;
}

/** The records of one item so far, and the shard that they lie in. */
async function recordsOf(id: string): Promise<{ records: _Record[]; shardId: string }> {
  for (const { ShardId: shardId } of (await description()).Shards!) {
    const records: _Record[] = [];
    let ShardIterator = await iteratorOf(shardId!);
    // An open shard has no end: AWS answers some reads with nothing although there is more.
    for (let empty = 0; ShardIterator !== undefined && empty < 3; ) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator, Limit: 100 }));
      records.push(...page.Records!.filter(({ dynamodb }) => dynamodb!.Keys!.id!.S === id));
      empty = page.Records!.length === 0 ? empty + 1 : 0;
      ShardIterator = page.NextShardIterator;
    }
    if (records.length > 0) return { records, shardId: shardId! };
  }
  return { records: [], shardId: '' };
}

/** So many records of an item, once they are there. */
function soMany(id: string, count: number) {
  return eventually(async () => {
    const found = await recordsOf(id);
    expect(found.records).toHaveLength(count);
    return found;
  });
}

const put = (id: string, units: number) =>
  client.send(new PutItemCommand({ TableName, Item: { id: { S: id }, units: { N: String(units) } } }));

test('a stream is found by its table, and has shards', async () => {
  const { Streams } = await streams.send(new ListStreamsCommand({ TableName }));

  expect(Streams).toEqual([{ StreamArn, TableName, StreamLabel: StreamArn.split('/').at(-1) }]);
  const found = await description();
  expect(found).toMatchObject({
    StreamArn,
    TableName,
    StreamViewType: 'NEW_AND_OLD_IMAGES',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  expect(found.CreationRequestDateTime).toBeInstanceOf(Date);
  for (const { ShardId, SequenceNumberRange } of found.Shards!) {
    expect(ShardId).toMatch(/^shardId-[0-9a-zA-Z-]{20,}$/);
    expect(SequenceNumberRange!.StartingSequenceNumber).toMatch(/^\d{21,40}$/);
  }
});

test('a put, an update and a delete are recorded with what was and what is, and nothing for no change', async () => {
  await put('story', 1);
  await put('story', 1);
  const update = { UpdateExpression: 'ADD units :n', ExpressionAttributeValues: { ':n': { N: '2' } } };
  await client.send(new UpdateItemCommand({ TableName, Key: { id: { S: 'story' } }, ...update }));
  await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'story' } } }));
  await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'story' } } }));

  const { records } = await soMany('story', 3);

  const image = (units: number) => ({ id: { S: 'story' }, units: { N: String(units) } });
  expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT', 'MODIFY', 'REMOVE']);
  expect(records.map(({ dynamodb }) => [dynamodb!.OldImage, dynamodb!.NewImage])).toEqual([
    [undefined, image(1)],
    [image(1), image(3)],
    [image(3), undefined],
  ]);
  expect(records[0]).toMatchObject({
    eventSource: 'aws:dynamodb',
    eventVersion: '1.1',
    eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
    dynamodb: {
      ApproximateCreationDateTime: expect.any(Date),
      Keys: { id: { S: 'story' } },
      StreamViewType: 'NEW_AND_OLD_IMAGES',
      SizeBytes: 7 + 14,
    },
  });
});

test('each action of a transaction is recorded', async () => {
  const TransactItems = ['one', 'two'].map((id) => ({
    Put: { TableName, Item: { id: { S: id }, units: { N: '1' } } },
  }));
  await client.send(new TransactWriteItemsCommand({ TransactItems }));

  await soMany('one', 1);
  await soMany('two', 1);
});

test('reading begins at, behind or beside any record', async () => {
  for (const units of [1, 2, 3]) await put('places', units);
  const { records, shardId } = await soMany('places', 3);
  const SequenceNumber = records[1]!.dynamodb!.SequenceNumber!;

  const unitsFrom = async (ShardIteratorType: string) => {
    const ShardIterator = await iteratorOf(shardId, { ShardIteratorType, SequenceNumber });
    const { Records } = await streams.send(new GetRecordsCommand({ ShardIterator }));
    return Records!
      .filter(({ dynamodb }) => dynamodb!.Keys!.id!.S === 'places')
      .map(({ dynamodb }) => dynamodb!.NewImage!.units!.N);
  };

  await eventually(async () => expect(await unitsFrom('AT_SEQUENCE_NUMBER')).toEqual(['2', '3']));
  await eventually(async () => expect(await unitsFrom('AFTER_SEQUENCE_NUMBER')).toEqual(['3']));
  const latest = await iteratorOf(shardId, { ShardIteratorType: 'LATEST' });
  const { Records, NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator: latest }));
  expect(Records).toEqual([]);
  expect(NextShardIterator).toEqual(expect.any(String));
});

test('numbers rise within a shard', async () => {
  const shards = (await description()).Shards!;
  const read = await Promise.all(
    shards.map(async ({ ShardId }) => {
      const ShardIterator = await iteratorOf(ShardId!);
      return (await streams.send(new GetRecordsCommand({ ShardIterator }))).Records!;
    }),
  );

  for (const records of read) {
    const numbers = records.map(({ dynamodb }) => BigInt(dynamodb!.SequenceNumber!));
    expect(numbers).toEqual([...numbers].sort((left, right) => (left < right ? -1 : 1)));
  }
});

test.each([
  [
    'a stream that is not there',
    'ResourceNotFoundException',
    () => new DescribeStreamCommand({ StreamArn: `${StreamArn.slice(0, -4)}9999` }),
  ],
  [
    'a limit above 1,000',
    'ValidationException',
    async () => {
      const ShardIterator = await iteratorOf((await description()).Shards![0]!.ShardId!);
      return new GetRecordsCommand({ ShardIterator, Limit: 1_001 });
    },
  ],
  [
    'a type of iterator that is unknown',
    'ValidationException',
    async () =>
      new GetShardIteratorCommand({
        StreamArn,
        ShardId: (await description()).Shards![0]!.ShardId!,
        ShardIteratorType: 'AT_TIMESTAMP' as 'LATEST',
      }),
  ],
])('%s is refused', async (_, name, command) => {
  const sent = async () => streams.send((await command()) as any);

  await expect(sent()).rejects.toMatchObject({ name });
});
