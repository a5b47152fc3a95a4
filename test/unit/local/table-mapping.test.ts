import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DynamoDbEngine, openDynamoDb } from '../../../local/engines/dynamodb';
import { type EventSourceMapping, startEventSourceMapping } from '../../../local/lambda/event-source-mapping';
import type { Invocation } from '../../../local/lambda/function-host';
import { failed, mappingId, succeeded, until } from './mapping-rig';

/** What a mapping of a table's stream adds to one of a Kinesis stream: the rest is the same code, and tested there. */
let nowMs: number;
let engine: DynamoDbEngine;
let streamArn: string;
let mapping: EventSourceMapping | undefined;
let directory: string;
let events: any[];
let objects: { Key: string; body: any }[];
let problems: string[];
let answer: (records: any[]) => Invocation;

beforeEach(async () => {
  nowMs = Date.parse('2026-11-28T10:00:00Z');
  engine = await openDynamoDb({ now: () => nowMs });
  const { TableDescription } = await engine.call('CreateTable', {
    TableName: 'positions',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
  });
  streamArn = TableDescription.LatestStreamArn;
  directory = mkdtempSync(join(tmpdir(), 'mapping-'));
  events = [];
  objects = [];
  problems = [];
  answer = () => succeeded;
});

afterEach(async () => {
  await mapping?.stop();
  mapping = undefined;
  await engine.close();
  rmSync(directory, { recursive: true });
});

async function start(properties: object = {}): Promise<void> {
  mapping = await startEventSourceMapping({
    id: mappingId,
    properties: {
      EventSourceArn: streamArn,
      FunctionName: 'trigger',
      StartingPosition: 'TRIM_HORIZON',
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ...properties,
    },
    roleArn: 'arn:aws:iam::000000000000:role/trigger',
    stream: (operation, input) => engine.call(operation, input),
    s3: async (_operation, { Key, Body }) => void objects.push({ Key, body: JSON.parse(Body.toString()) }),
    invoke: async (event) => {
      events.push(JSON.parse(event));
      return answer(events.at(-1).Records);
    },
    tips: engine,
    directory,
    now: () => nowMs,
    backoff: { first: 0, longest: 0 },
    onProblem: (problem) => problems.push(problem),
  });
}

const put = (id: string, units: number) =>
  engine.call('PutItem', { TableName: 'positions', Item: { id: { S: id }, units: { N: String(units) } } });
const idle = () => until(() => mapping!.idle());
const seen = () =>
  events.flatMap(({ Records }) => Records.map(({ dynamodb }: any) => [dynamodb.Keys.id.S, dynamodb.NewImage?.units.N]));

test('an event is as Lambda sends it', async () => {
  await put('a', 1);
  await put('a', 2);

  await start();
  await idle();

  expect(events).toEqual([
    {
      Records: [
        expect.objectContaining({ eventName: 'INSERT' }),
        {
          eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
          eventName: 'MODIFY',
          eventVersion: '1.1',
          eventSource: 'aws:dynamodb',
          awsRegion: 'eu-west-1',
          dynamodb: {
            ApproximateCreationDateTime: nowMs / 1000,
            Keys: { id: { S: 'a' } },
            NewImage: { id: { S: 'a' }, units: { N: '2' } },
            OldImage: { id: { S: 'a' }, units: { N: '1' } },
            SequenceNumber: expect.stringMatching(/^\d+$/),
            SizeBytes: expect.any(Number),
            StreamViewType: 'NEW_AND_OLD_IMAGES',
          },
          eventSourceARN: streamArn,
        },
      ],
    },
  ]);
});

test('what the service deleted says so', async () => {
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'units' };
  await engine.call('UpdateTimeToLive', { TableName: 'positions', TimeToLiveSpecification });
  await put('a', nowMs / 1000 - 60);
  await engine.expire();

  await start();
  await idle();

  expect(events.flatMap(({ Records }) => Records).at(-1)).toMatchObject({
    eventName: 'REMOVE',
    userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' },
  });
});

test('what is written while it runs comes too, each item in its order, and a stopped mapping goes on where it was', async () => {
  await start({ BatchSize: 3 });
  for (let units = 0; units < 5; units++) for (const id of ['a', 'b', 'c', 'd']) await put(id, units);
  await idle();
  await mapping!.stop();
  for (const id of ['a', 'b', 'c', 'd']) await put(id, 5);
  await start({ BatchSize: 3 });
  await idle();

  for (const id of ['a', 'b', 'c', 'd'])
    expect(seen().filter(([key]) => key === id)).toEqual(['0', '1', '2', '3', '4', '5'].map((units) => [id, units]));
  expect(events.every(({ Records }) => Records.length <= 3)).toBe(true);
  expect(mapping!.state()).toMatchObject({ behind: 0, held: 0, dropped: 0 });
});

test('a batch is tried again from the first record that failed, and held at last with its records', async () => {
  answer = (records) => {
    const bad = records.find(({ dynamodb }) => dynamodb.NewImage.units.N === '2');
    const batchItemFailures = bad === undefined ? [] : [{ itemIdentifier: bad.dynamodb.SequenceNumber }];
    return { payload: JSON.stringify({ batchItemFailures }) };
  };
  for (const units of [1, 2, 3]) await put('a', units);

  await start({
    MaximumRetryAttempts: 1,
    BisectBatchOnFunctionError: true,
    DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::held' } },
  });
  await idle();

  const [{ Key, body }] = objects as [any];
  expect(Key).toMatch(
    new RegExp(`^aws/lambda/${mappingId}/shardId-\\d+-\\d+/2026/11/28/2026-11-28T10\\.00\\.00-[0-9a-f-]{36}$`),
  );
  expect(body).toMatchObject({
    requestContext: { condition: 'RetryAttemptsExhausted' },
    DDBStreamBatchInfo: {
      shardId: expect.stringMatching(/^shardId-/),
      approximateArrivalOfFirstRecord: '2026-11-28T10:00:00Z',
      streamArn,
    },
  });
  expect(body.KinesisBatchInfo).toBeUndefined();
  const { Records } = JSON.parse(body.payload);
  expect(Records[0].dynamodb.NewImage.units.N).toBe('2');
  expect(body.DDBStreamBatchInfo.batchSize).toBe(Records.length);
});

test('records that are too old are held', async () => {
  await put('a', 1);
  nowMs += 120_000;
  await put('a', 2);

  await start({
    MaximumRecordAgeInSeconds: 60,
    DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::held' } },
  });
  await idle();

  expect(objects.map(({ body }) => body.requestContext.condition)).toEqual(['RecordAgeExceeded']);
  expect(seen()).toEqual([['a', '2']]);
});

test('a reader that was away for longer than records live goes on with the oldest that is left, and says so', async () => {
  await put('a', 0);
  await start();
  await idle();
  await mapping!.stop();
  await Promise.all(Array.from({ length: 600 }, (_, units) => put('a', units + 1)));
  nowMs += 25 * 3_600_000;
  await put('a', 601);
  events = [];

  await start({ BatchSize: 1_000 });
  await idle();

  expect(problems.join()).toContain('TrimmedDataAccessException');
  const units = seen().map(([, value]) => Number(value));
  expect(units.length).toBeLessThan(600);
  expect(units).toEqual(Array.from({ length: units.length }, (_, index) => 602 - units.length + index));
});

test('with LATEST, what was there before does not come', async () => {
  await put('a', 1);

  await start({ StartingPosition: 'LATEST' });
  await put('a', 2);
  await idle();

  expect(seen()).toEqual([['a', '2']]);
});

test('a function that fails blocks its shard only', async () => {
  const ids = Array.from({ length: 20 }, (_, index) => `item-${index}`);
  let down = true;
  answer = (records) => {
    const blocked = records.some(({ dynamodb }) => dynamodb.Keys.id.S === 'item-0');
    return down && blocked ? failed : succeeded;
  };
  for (const id of ids) await put(id, 1);

  await start();
  await until(() => mapping!.state().delivered > 0 && mapping!.state().retries > 2);
  const { delivered, behind } = mapping!.state();
  down = false;
  await idle();

  expect(delivered + behind).toBe(20);
  expect(behind).toBeGreaterThan(0);
  expect(mapping!.state()).toMatchObject({ delivered: 20, behind: 0 });
});

test('a stream that is not there is refused', async () => {
  await expect(start({ EventSourceArn: streamArn.replace('positions', 'absent') })).rejects.toThrow('not found');
  await expect(start({ EventSourceArn: 'arn:aws:sqs:eu-west-1:000000000000:queue' })).rejects.toThrow(
    "the ARN of a Kinesis stream (not of a consumer) or of a table's stream",
  );
});
