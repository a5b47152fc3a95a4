import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type DynamoDbEngine, openDynamoDb } from '../../../local/engines/dynamodb';

let nowMs: number;
let engine: DynamoDbEngine;
let streamArn: string;
let folder: string | undefined;

const start = Date.parse('2026-11-28T10:00:00.250Z');

beforeEach(async () => {
  nowMs = start;
  folder = undefined;
  engine = await openDynamoDb({ now: () => nowMs });
  streamArn = await createTable(engine);
});

afterEach(async () => {
  await engine.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

async function createTable(on: DynamoDbEngine, StreamViewType = 'NEW_AND_OLD_IMAGES'): Promise<string> {
  const { TableDescription } = await on.call('CreateTable', {
    TableName: 'positions',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    StreamSpecification: { StreamEnabled: true, StreamViewType },
  });
  await on.call('UpdateTimeToLive', {
    TableName: 'positions',
    TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' },
  });
  return TableDescription.LatestStreamArn;
}

function put(id: string, units = 1, more: object = {}, on = engine) {
  return on.call('PutItem', { TableName: 'positions', Item: item(id, units, more) });
}

const item = (id: string, units = 1, more: object = {}) => ({ id: { S: id }, units: { N: String(units) }, ...more });
const key = (id: string) => ({ TableName: 'positions', Key: { id: { S: id } } });
const add = (id: string, more: object = {}) => ({
  ...key(id),
  UpdateExpression: 'ADD units :one',
  ExpressionAttributeValues: { ':one': { N: '1' } },
  ...more,
});

/** All records that are left, shard by shard. */
async function shards(on = engine, arn = streamArn): Promise<any[][]> {
  const { StreamDescription } = await on.call('DescribeStream', { StreamArn: arn });
  return Promise.all(
    StreamDescription.Shards.map(async ({ ShardId }: any) => {
      const from = { StreamArn: arn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
      const records: any[] = [];
      for (let { ShardIterator } = await on.call('GetShardIterator', from); ; ) {
        const page = await on.call('GetRecords', { ShardIterator });
        if (page.Records.length === 0) return records;
        records.push(...page.Records);
        ShardIterator = page.NextShardIterator;
      }
    }),
  );
}

const records = async () => (await shards()).flat();
/** What happened to each item, in order: the event's name and the units before and after. */
async function history(id: string) {
  const mine = (await records()).filter(({ dynamodb }) => dynamodb.Keys.id.S === id);
  return mine.map(({ eventName, dynamodb: { OldImage, NewImage } }) =>
    [eventName, OldImage?.units?.N, NewImage?.units?.N].join(' '),
  );
}

describe('every change has its record', () => {
  test('by puts, updates and deletes', async () => {
    await put('a', 1);
    await put('a', 2);
    await engine.call('UpdateItem', add('a'));
    await engine.call('DeleteItem', key('a'));

    expect(await history('a')).toEqual(['INSERT  1', 'MODIFY 1 2', 'MODIFY 2 3', 'REMOVE 3 ']);
  });

  test('by batches, statements and transactions', async () => {
    await engine.call('BatchWriteItem', { RequestItems: { positions: [{ PutRequest: { Item: item('a') } }] } });
    await engine.call('BatchExecuteStatement', {
      Statements: [
        {
          Statement: `INSERT INTO "positions" VALUE {'id': ?, 'units': ?}`,
          Parameters: [{ S: 'b' }, { N: '1' }],
        },
        {
          Statement: 'UPDATE "positions" SET "units" = ? WHERE "id" = ?',
          Parameters: [{ N: '5' }, { S: 'a' }],
        },
      ],
    });
    await engine.call('TransactWriteItems', { TransactItems: [{ Update: add('a') }, { Update: add('b') }] });

    expect(await history('a')).toEqual(['INSERT  1', 'MODIFY 1 5', 'MODIFY 5 6']);
    expect(await history('b')).toEqual(['INSERT  1', 'MODIFY 1 2']);
  });

  test('by expiry, in the name of the service', async () => {
    await put('gone', 1, { expires: { N: String(start / 1000 - 10) } });

    await engine.expire();

    const [{ userIdentity }, removed] = await records();
    expect(userIdentity).toBeUndefined();
    expect(removed).toMatchObject({
      eventName: 'REMOVE',
      userIdentity: { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' },
    });
  });
});

describe('there is no record', () => {
  test('for a write that changes nothing', async () => {
    await put('a', 1, { tags: { SS: ['x', 'y'] }, deep: { M: { one: { L: [{ N: '1' }] }, two: { S: 't' } } } });

    await put('a', 1, { deep: { M: { two: { S: 't' }, one: { L: [{ N: '1' }] } } }, tags: { SS: ['y', 'x'] } });
    await engine.call('UpdateItem', { ...add('a'), ExpressionAttributeValues: { ':one': { N: '0' } } });
    await engine.call('DeleteItem', key('absent'));

    expect(await history('a')).toEqual(['INSERT  1']);
  });

  test('for a write whose condition fails, or whose transaction is cancelled', async () => {
    await put('a');
    const never = { ConditionExpression: 'attribute_not_exists(id)' };

    await expect(engine.call('UpdateItem', add('a', never))).rejects.toThrow('The conditional request failed');
    await expect(
      engine.call('TransactWriteItems', { TransactItems: [{ Update: add('b') }, { Update: add('a', never) }] }),
    ).rejects.toThrow('Transaction cancelled');

    expect(await records()).toHaveLength(1);
  });

  test('where there is no stream', async () => {
    await engine.call('CreateTable', {
      TableName: 'still',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    });
    await engine.call('PutItem', { TableName: 'still', Item: item('a') });

    expect(await records()).toEqual([]);
  });
});

test('a record tells all that AWS tells', async () => {
  await put('a', 12);

  expect(await records()).toEqual([
    {
      eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventName: 'INSERT',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'eu-west-1',
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(start / 1000),
        Keys: { id: { S: 'a' } },
        NewImage: { id: { S: 'a' }, units: { N: '12' } },
        SequenceNumber: expect.stringMatching(/^\d{21,40}$/),
        // The keys are 3 bytes, the image 10.
        SizeBytes: 13,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    },
  ]);
});

test.each([
  ['KEYS_ONLY', [[], []]],
  ['NEW_IMAGE', [['NewImage'], ['NewImage']]],
  ['OLD_IMAGE', [[], ['OldImage']]],
  ['NEW_AND_OLD_IMAGES', [['NewImage'], ['NewImage', 'OldImage']]],
])('a stream of %s holds these images', async (view, expected) => {
  await engine.call('DeleteTable', { TableName: 'positions' });
  streamArn = await createTable(engine, view);
  await put('a', 1);
  await put('a', 2);

  const images = (await records()).map(({ dynamodb }) =>
    Object.keys(dynamodb)
      .filter((name) => name.endsWith('Image'))
      .sort(),
  );

  expect(images).toEqual(expected);
});

test('items lie in several shards, each in one, in the order of its changes', async () => {
  const ids = Array.from({ length: 40 }, (_, index) => `item-${index}`);
  for (let units = 0; units < 3; units++) for (const id of ids) await put(id, units);

  const all = await shards();

  expect(all.length).toBeGreaterThan(1);
  expect(all.every((shard) => shard.length > 0)).toBe(true);
  for (const id of ids) {
    const homes = all.filter((shard) => shard.some(({ dynamodb }) => dynamodb.Keys.id.S === id));
    expect(homes).toHaveLength(1);
    expect(await history(id)).toEqual(['INSERT  0', 'MODIFY 0 1', 'MODIFY 1 2']);
  }
  for (const shard of all) {
    const numbers = shard.map(({ dynamodb }) => BigInt(dynamodb.SequenceNumber));
    expect(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!)).toBe(true);
  }
});

test('the history of each item ends in what the table holds, whatever is written', async () => {
  const id = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.record({ do: fc.constant('put' as const), id, units: fc.nat(2) }),
    fc.record({ do: fc.constantFrom('add' as const, 'delete' as const, 'transfer' as const), id, units: fc.nat(2) }),
  );
  const run = async (steps: readonly { do: string; id: string; units: number }[]) => {
    const own = await openDynamoDb();
    const arn = await createTable(own);
    for (const { do: what, id: one, units } of steps) {
      if (what === 'put') await put(one, units, {}, own);
      else if (what === 'add') await own.call('UpdateItem', add(one));
      else if (what === 'delete') await own.call('DeleteItem', key(one));
      else {
        const other = one === 'a' ? 'b' : 'a';
        const TransactItems = [{ Update: add(one) }, { Delete: key(other) }];
        await own.call('TransactWriteItems', { TransactItems });
      }
    }
    const replica = new Map<string, any>();
    for (const { dynamodb } of (await shards(own, arn)).flat()) {
      const known = replica.get(dynamodb.Keys.id.S);
      expect(dynamodb.OldImage).toEqual(known);
      expect(dynamodb.NewImage).not.toEqual(known);
      replica.set(dynamodb.Keys.id.S, dynamodb.NewImage);
    }
    const { Items } = await own.call('Scan', { TableName: 'positions' });
    const left = [...replica.values()].filter((image) => image !== undefined);
    expect(left).toHaveLength(Items.length);
    expect(left).toEqual(expect.arrayContaining(Items));
    await own.close();
  };

  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), run), { seed: 20261128, numRuns: 50 });
});

describe('records go after a day', () => {
  /** Enough writes that whole groups of old records can go. */
  async function write(count: number, on = engine): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, number) => put('hot', number % 2, {}, on)));
  }

  test('and not before', async () => {
    await write(1_200);
    nowMs += 23 * 3_600_000;
    await write(600);
    const all = await records();
    nowMs += 2 * 3_600_000;
    await write(2);
    const left = await records();

    expect(all).toHaveLength(1_800);
    expect(left.length).toBeLessThan(1_000);
    expect(left.length).toBeGreaterThanOrEqual(602);
    expect(left).toEqual([...all.slice(-(left.length - 2)), ...left.slice(-2)]);
  });

  test('to whoever comes too late for them this is said', async () => {
    const { StreamDescription } = await engine.call('DescribeStream', { StreamArn: streamArn });
    await write(1);
    const shard = await Promise.all(
      StreamDescription.Shards.map(({ ShardId }: any) => engine.countAfter(streamArn, ShardId)),
    ).then((counts) => StreamDescription.Shards[counts.indexOf(1)].ShardId);
    const from = { StreamArn: streamArn, ShardId: shard };
    const { ShardIterator } = await engine.call('GetShardIterator', { ...from, ShardIteratorType: 'TRIM_HORIZON' });
    const first = engine.tip(streamArn, shard);
    await write(600);
    nowMs += 25 * 3_600_000;
    await write(1);
    const late = { code: 'TrimmedDataAccessException' };
    const after = { ...from, ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: first };

    await expect(engine.call('GetShardIterator', after)).rejects.toMatchObject(late);
    nowMs = start;
    await expect(engine.call('GetRecords', { ShardIterator })).rejects.toMatchObject(late);
  });

  test('also from disk, where old ones are read from while they are there', async () => {
    folder = mkdtempSync(join(tmpdir(), 'dynamodb-'));
    const directory = join(folder, 'dynamodb');
    let disk = await openDynamoDb({ directory, now: () => nowMs });
    const arn = await createTable(disk);
    await write(11_100, disk);
    const early = (await shards(disk, arn)).flat();
    await disk.close();
    disk = await openDynamoDb({ directory, now: () => nowMs });
    const again = (await shards(disk, arn)).flat();
    nowMs += 25 * 3_600_000;
    await write(1, disk);
    await disk.close();
    disk = await openDynamoDb({ directory, now: () => nowMs });
    const late = (await shards(disk, arn)).flat();
    await disk.close();

    expect(early).toHaveLength(11_100);
    // As texts, since comparing that many objects takes seconds.
    expect(JSON.stringify(again) === JSON.stringify(early)).toBe(true);
    expect(late.length).toBeLessThan(600);
    expect(late.at(-2)).toEqual(early.at(-1));
  });
});

test('a stream can be given to a table that has none, and goes with its table', async () => {
  folder = mkdtempSync(join(tmpdir(), 'dynamodb-'));
  const directory = join(folder, 'dynamodb');
  const disk = await openDynamoDb({ directory });
  await disk.call('CreateTable', {
    TableName: 'positions',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  });
  await put('before', 1, {}, disk);
  const specification = { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' };
  const update = { TableName: 'positions', StreamSpecification: specification };

  const { TableDescription } = await disk.call('UpdateTable', update);
  await put('after', 1, {}, disk);

  const arn = TableDescription.LatestStreamArn;
  expect((await shards(disk, arn)).flat().map(({ dynamodb }) => dynamodb.Keys.id.S)).toEqual(['after']);
  await expect(disk.call('UpdateTable', update)).rejects.toThrow('already has an enabled stream');
  await disk.call('DeleteTable', { TableName: 'positions' });
  await disk.close();
  const empty = await openDynamoDb({ directory });
  await expect(empty.call('DescribeStream', { StreamArn: arn })).rejects.toMatchObject({
    code: 'ResourceNotFoundException',
  });
  const again = await createTable(empty);
  expect((await shards(empty, again)).flat()).toEqual([]);
  await empty.close();
});

test('the scan for card numbers sees what is in a stream', async () => {
  await put('a', 1, { note: { S: 'what was deleted since' } });
  await engine.call('DeleteItem', key('a'));
  const texts: string[] = [];
  for await (const { where, text } of engine.contents()) if (where.includes('stream')) texts.push(text);

  expect(texts.join('\n')).toContain('what was deleted since');
});
