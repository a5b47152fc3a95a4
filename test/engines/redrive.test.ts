import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { failureOf, readHeldObject } from '../../bin/redrive/held-object';
import { type RedriveOptions, redriveHeld } from '../../bin/redrive/redrive-held';
import { kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { objectsOf, recordsOf } from '../engine-rig/shard';

let rig: Rig;
let lines: string[];
beforeEach(async () => {
  lines = [];
  rig = await startRig();
  const { dynamodb, kinesis, s3 } = rig.engines;
  await dynamodb.call('CreateTable', {
    TableName: 'claims',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
  await kinesis.call('CreateStream', { StreamName: 'sales', ShardCount: 1 });
  await s3.call('CreateBucket', { Bucket: 'held' });
  await s3.call('PutBucketVersioning', { Bucket: 'held', VersioningConfiguration: { Status: 'Enabled' } });
  rig.serve('dedup', dedup());
});
afterEach(() => rig.close());

const dedup = () =>
  rig.container('../lambdas/refine/dedup/handler', {
    CLAIMS_TABLE_NAME: 'claims',
    CLAIM_DAYS: '16',
    SALES_STREAM_NAME: 'sales',
    HELD_BUCKET_NAME: 'held',
  });

const redrive = (options: Partial<RedriveOptions> = {}) =>
  redriveHeld(new S3Client({ ...rig.client, forcePathStyle: true }), new LambdaClient(rig.client), {
    bucket: 'held',
    functionName: 'dedup',
    prefixes: ['held/', 'aws/lambda/'],
    maximumAgeDays: 14,
    dryRun: false,
    now: Date.now(),
    print: (line) => lines.push(line),
    ...options,
  });

/** What Lambda writes when it gives a batch up. */
async function giveUp(event: object, change: { payload?: unknown; functionName?: string } = {}): Promise<string> {
  const { payload = JSON.stringify(event), functionName = 'dedup' } = change;
  const Key = 'aws/lambda/6a1f/shardId-000000000000/2026/11/22/2026-11-22T10.15.30-8c1d';
  const Body = Buffer.from(
    JSON.stringify({
      requestContext: {
        functionArn: `arn:aws:lambda:eu-west-1:000000000000:function:${functionName}`,
        condition: 'RetryAttemptsExhausted',
      },
      version: '1.0',
      payload,
    }),
  );
  await rig.engines.s3.call('PutObject', { Bucket: 'held', Key, Body });
  return Key;
}

const transactionsInSales = async () =>
  (await recordsOf(rig, 'sales')).map((text) => JSON.parse(text).transactionId as string).sort();

test.each([
  ['text', (event: object) => JSON.stringify(event)],
  ['an object', (event: object) => event],
])('a batch that was given up, with its payload as %s, is processed and taken out', async (_, wrap) => {
  const event = kinesisEvent(someSales(3));
  await giveUp(event, { payload: wrap(event) });

  const result = await redrive();

  expect(result).toEqual({ done: 1, records: 3, left: 0, heldAgain: 0 });
  expect(await transactionsInSales()).toEqual(['T-1', 'T-2', 'T-3']);
  expect(await objectsOf(rig, 'held', 'aws/')).toEqual({});
});

test('positions survive: what was claimed before the batch was given up is handed over, its repeats are not', async () => {
  const event = kinesisEvent(someSales(3));
  rig.crash({ operation: 'kinesis:PutRecords', when: 'before' });
  await expect(dedup().invoke(event)).rejects.toThrow('killed');
  await dedup().invoke(kinesisEvent(someSales(3), { firstSequence: 100 }));
  expect(await transactionsInSales()).toEqual([]);
  await giveUp(event);

  await redrive();
  await giveUp(event);
  await redrive();

  expect(new Set(await transactionsInSales())).toEqual(new Set(['T-1', 'T-2', 'T-3']));
  expect((await rig.engines.dynamodb.call('Scan', { TableName: 'claims' })).Count).toBe(3);
});

test('a batch that fails again stays', async () => {
  await giveUp(kinesisEvent(someSales(3)));
  rig.throttle({ operation: 'dynamodb:BatchExecuteStatement', statement: 1 });

  const result = await redrive();

  expect(result).toMatchObject({ done: 0, left: 1 });
  expect(lines[0]).toMatch(/^left aws\/lambda\/.*: the function gave back records from \d+ on$/);
  expect(Object.keys(await objectsOf(rig, 'held', 'aws/'))).toHaveLength(1);
});

test('a function that dies leaves the object where it is', async () => {
  await giveUp(kinesisEvent(someSales(3)));
  rig.crash({ operation: 'kinesis:PutRecords', when: 'after' });

  expect(await redrive()).toMatchObject({ done: 0, left: 1 });

  rig.serve('dedup', dedup());
  expect(await redrive()).toMatchObject({ done: 1, left: 0 });
  expect(new Set(await transactionsInSales())).toEqual(new Set(['T-1', 'T-2', 'T-3']));
});

test('a record that is held again stays held', async () => {
  await dedup().invoke(kinesisEvent(['no sale', aSale()]));

  const result = await redrive();

  expect(result).toEqual({ done: 0, records: 1, left: 0, heldAgain: 1 });
  expect(Object.keys(await objectsOf(rig, 'held', 'held/'))).toHaveLength(1);
});

test('a conflict is not touched unless it is asked for, and is a conflict again then', async () => {
  await dedup().invoke(kinesisEvent([aSale(), aSale({ note: 'another body' })]));

  expect(await redrive()).toMatchObject({ done: 0, records: 0 });
  expect(await redrive({ prefixes: ['conflicts/'] })).toMatchObject({ heldAgain: 1 });

  expect(await transactionsInSales()).toEqual(['T-1']);
  expect(Object.keys(await objectsOf(rig, 'held', 'conflicts/'))).toHaveLength(1);
});

test('what is meant for another function is left', async () => {
  await giveUp(kinesisEvent([aSale()]), { functionName: 'other' });

  expect(await redrive()).toMatchObject({ done: 0, left: 1 });
  expect(lines[0]).toContain('it is for the function other');
});

test('what was held too long ago is left, since its claims may be gone', async () => {
  await giveUp(kinesisEvent([aSale()]));

  const result = await redrive({ now: Date.now() + 20 * 86_400_000 });

  expect(result).toMatchObject({ done: 0, left: 1 });
  expect(lines[0]).toContain('it was held 20 days ago, and at most 14 are allowed');
});

test('a dry run sends and takes out nothing', async () => {
  const Key = await giveUp(kinesisEvent(someSales(3)));

  const result = await redrive({ dryRun: true });

  expect(result).toMatchObject({ done: 1, records: 3 });
  expect(lines).toEqual([`would send ${Key}: 3 records`]);
  expect(await transactionsInSales()).toEqual([]);
  expect(Object.keys(await objectsOf(rig, 'held', 'aws/'))).toEqual([Key]);
});

test('more objects than one page of a listing are all sent', async () => {
  const { Records } = kinesisEvent(someSales(1_010));
  for (const [index, record] of Records.entries())
    await rig.engines.s3.call('PutObject', {
      Bucket: 'held',
      Key: `held/shardId-000000000000/${String(index).padStart(6, '0')}.json`,
      Body: Buffer.from(JSON.stringify({ payload: JSON.stringify({ Records: [record] }) })),
    });

  expect(await redrive({ dryRun: true })).toMatchObject({ done: 1_010 });
});

describe('what is no held event is named', () => {
  test.each([
    ['{', 'the object is not JSON'],
    ['{}', 'the object has no payload'],
    ['{"payload":"{"}', 'the payload is not JSON'],
    ['{"payload":"{}"}', 'the payload has no Records'],
    ['{"payload":{"Records":[]}}', 'the payload has no Records'],
  ])('%s', (text, message) => {
    expect(() => readHeldObject(text)).toThrow(message);
  });

  test.each([
    [{ Payload: 'null' }, undefined],
    [{ Payload: '{"batchItemFailures":[]}' }, undefined],
    [{ Payload: '{"batchItemFailures":[{"itemIdentifier":"7"}]}' }, 'the function gave back records from 7 on'],
    [{ FunctionError: 'Unhandled', Payload: '{"errorType":"TypeError"}' }, 'the function failed: TypeError'],
  ])('the answer %j', (answer, failure) => {
    expect(failureOf(answer)).toBe(failure);
  });
});
