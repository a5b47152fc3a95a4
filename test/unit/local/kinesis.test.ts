import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KinesisEngine, type KinesisOptions, openKinesis } from '../../../local/engines/kinesis';

const StreamName = 'sales';
const ShardId = 'shardId-000000000000';
let kinesis: KinesisEngine;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kinesis-'));
});

afterEach(async () => {
  await kinesis.close();
  rmSync(directory, { recursive: true });
});

async function withStream(options: KinesisOptions, shards = 1): Promise<void> {
  kinesis = await openKinesis(options);
  await kinesis.call('CreateStream', { StreamName, ShardCount: shards });
}

function records(count: number, bytes = 10) {
  return Array.from({ length: count }, (_, index) => ({
    PartitionKey: `k-${index}`,
    Data: Buffer.from(`record ${index}`.padEnd(bytes, '.')).toString('base64'),
  }));
}

async function read(from = 'TRIM_HORIZON', more: object = {}): Promise<any[]> {
  const start = { StreamName, ShardId, ShardIteratorType: from, ...more };
  let { ShardIterator } = await kinesis.call('GetShardIterator', start);
  const all: any[] = [];
  for (;;) {
    const { Records, NextShardIterator } = await kinesis.call('GetRecords', { ShardIterator });
    all.push(...Records);
    if (Records.length === 0 || NextShardIterator === undefined) return all;
    ShardIterator = NextShardIterator;
  }
}

test('a shard takes 1,000 records a second, and names the others one by one', async () => {
  let now = 1_790_000_000_000;
  await withStream({ now: () => now });
  const send = (count: number) => kinesis.call('PutRecords', { StreamName, Records: records(count) });
  await send(500);
  await send(400);

  const full = await send(200);
  now += 50;
  const later = await send(60);

  expect(full.FailedRecordCount).toBe(100);
  expect(full.Records[99]).toHaveProperty('SequenceNumber');
  expect(full.Records[100]).toEqual({
    ErrorCode: 'ProvisionedThroughputExceededException',
    ErrorMessage: 'Rate exceeded for shard shardId-000000000000 in stream sales under account 000000000000.',
  });
  expect(later.FailedRecordCount).toBe(10);
  await expect(kinesis.call('PutRecord', { StreamName, ...records(1)[0]! })).rejects.toMatchObject({
    code: 'ProvisionedThroughputExceededException',
  });
  expect(await read()).toHaveLength(1050);
});

test('a shard takes 1 MiB a second', async () => {
  await withStream({ now: () => 1_790_000_000_000 });

  const { FailedRecordCount } = await kinesis.call('PutRecords', { StreamName, Records: records(5, 250_000) });

  expect(FailedRecordCount).toBe(1);
});

test('without limits nothing is throttled', async () => {
  await withStream({ now: () => 1_790_000_000_000, limits: false });

  for (let call = 0; call < 5; call++) {
    const { FailedRecordCount } = await kinesis.call('PutRecords', { StreamName, Records: records(500) });
    expect(FailedRecordCount).toBe(0);
  }
});

test('a fault throttles the records that it names', async () => {
  await withStream({ throttle: (stream, index) => stream === StreamName && index === 1 });

  const { FailedRecordCount, Records } = await kinesis.call('PutRecords', { StreamName, Records: records(3) });

  expect(FailedRecordCount).toBe(1);
  expect(Records.map(({ ErrorCode }: any) => ErrorCode !== undefined)).toEqual([false, true, false]);
  expect((await read()).map(({ PartitionKey }) => PartitionKey)).toEqual(['k-0', 'k-2']);
});

test('a run goes on where an earlier one ended', async () => {
  await withStream({ directory });
  await kinesis.call('StartStreamEncryption', { StreamName, EncryptionType: 'KMS', KeyId: 'alias/stream' });
  await kinesis.call('PutRecords', { StreamName, Records: records(30) });
  const before = await read();
  await kinesis.close();

  kinesis = await openKinesis({ directory });
  await kinesis.call('PutRecords', { StreamName, Records: records(5) });

  const after = await read();
  const last = before.at(-1).SequenceNumber;
  expect(after.slice(0, 30)).toEqual(before);
  expect(new Set(after.map(({ SequenceNumber }) => SequenceNumber)).size).toBe(35);
  expect(await read('AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: last })).toEqual(after.slice(30));
  expect(kinesis.countAfter(StreamName, ShardId, last)).toBe(5);
  const { StreamDescriptionSummary } = await kinesis.call('DescribeStreamSummary', { StreamName });
  expect(StreamDescriptionSummary).toMatchObject({ EncryptionType: 'KMS', KeyId: 'alias/stream' });
});

test('old records are read as well when only new ones are still in memory', async () => {
  await withStream({ limits: false });
  for (let call = 0; call < 4; call++) await kinesis.call('PutRecords', { StreamName, Records: records(10, 400_000) });

  const all = await read();

  expect(all).toHaveLength(40);
  const sequence = all.map(({ SequenceNumber }) => BigInt(SequenceNumber));
  expect(sequence).toEqual([...sequence].sort((a, b) => (a < b ? -1 : 1)));
  expect(Buffer.from(all[3].Data, 'base64').toString()).toBe('record 3'.padEnd(400_000, '.'));
});

test('records put at the same time are all kept, each call in its order', async () => {
  await withStream({});

  await Promise.all(Array.from({ length: 10 }, () => kinesis.call('PutRecords', { StreamName, Records: records(9) })));

  const keys = (await read()).map(({ PartitionKey }) => PartitionKey);
  expect(keys).toEqual(Array.from({ length: 10 }, () => records(9).map(({ PartitionKey }) => PartitionKey)).flat());
});

test('records put while a shard is split all arrive, in the parent or in its children', async () => {
  await withStream({});
  const puts = Array.from({ length: 20 }, (_, index) => async () => {
    await new Promise((tick) => setTimeout(tick, index));
    return kinesis.call('PutRecords', { StreamName, Records: records(9) });
  });

  const [answers] = await Promise.all([
    Promise.all(puts.map((put) => put())),
    kinesis.call('SplitShard', { StreamName, ShardToSplit: ShardId, NewStartingHashKey: String(2n ** 127n) }),
  ]);

  const written = answers.flatMap(({ Records }) => Records.map(({ SequenceNumber }: any) => SequenceNumber)).sort();
  const { Shards } = await kinesis.call('ListShards', { StreamName });
  const found: string[] = [];
  for (const shard of Shards)
    found.push(...(await read('TRIM_HORIZON', { ShardId: shard.ShardId })).map(({ SequenceNumber }) => SequenceNumber));
  expect(Shards).toHaveLength(3);
  expect(found.sort()).toEqual(written);
});

test('a listener hears of new records and of new shards, and knows where the tips are', async () => {
  await withStream({});
  const heard: boolean[] = [];
  const stop = kinesis.onRecords(StreamName, (resharded) => heard.push(resharded));

  const { SequenceNumber } = await kinesis.call('PutRecord', { StreamName, ...records(1)[0]! });
  await kinesis.call('SplitShard', { StreamName, ShardToSplit: ShardId, NewStartingHashKey: String(2n ** 127n) });
  stop();
  await kinesis.call('PutRecord', { StreamName, ...records(1)[0]! });

  expect(heard).toEqual([false, true]);
  expect(kinesis.tip(StreamName, ShardId)).toBe(SequenceNumber);
  expect(kinesis.countAfter(StreamName, ShardId)).toBe(1);
  expect(kinesis.countAfter(StreamName, ShardId, SequenceNumber)).toBe(0);
});

test('only a reader at the tip is told to be 0 milliseconds behind', async () => {
  await withStream({ now: () => 1_790_000_000_000 });
  await kinesis.call('PutRecords', { StreamName, Records: records(3) });
  const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await kinesis.call('GetShardIterator', start);

  const part = await kinesis.call('GetRecords', { ShardIterator, Limit: 2 });
  const rest = await kinesis.call('GetRecords', { ShardIterator: part.NextShardIterator, Limit: 2 });

  expect(part.MillisBehindLatest).toBeGreaterThan(0);
  expect(rest.MillisBehindLatest).toBe(0);
});

test('its contents are the decoded records with their keys', async () => {
  await withStream({});
  await kinesis.call('PutRecords', { StreamName, Records: records(2) });

  const texts: string[] = [];
  for await (const { text } of kinesis.contents()) texts.push(text);

  expect(texts).toContain('k-0\nrecord 0..');
  expect(texts).toContain('k-1\nrecord 1..');
});

test('each record is billed as whole kilobytes, in and out', async () => {
  const billed = { in: 0, out: 0 };
  await withStream({
    onConsumed: (_stream, kind, kilobytes) => {
      billed[kind] += kilobytes;
    },
  });

  await kinesis.call('PutRecords', { StreamName, Records: [...records(3), ...records(1, 1500)] });
  await read();

  expect(billed).toEqual({ in: 5, out: 5 });
});

test('an iterator dies after five minutes', async () => {
  let now = 1_790_000_000_000;
  await withStream({ now: () => now });
  const start = { StreamName, ShardId, ShardIteratorType: 'LATEST' };
  const { ShardIterator } = await kinesis.call('GetShardIterator', start);

  now += 300_001;

  await expect(kinesis.call('GetRecords', { ShardIterator })).rejects.toMatchObject({
    code: 'ExpiredIteratorException',
  });
});

test('an on-demand stream cannot be split by hand', async () => {
  await withStream({});
  await kinesis.call('UpdateStreamMode', { StreamName, StreamModeDetails: { StreamMode: 'ON_DEMAND' } });
  const split = { StreamName, ShardToSplit: ShardId, NewStartingHashKey: String(2n ** 127n) };

  await expect(kinesis.call('SplitShard', split)).rejects.toMatchObject({ code: 'ValidationException' });
});

test('what has no model is refused by name', async () => {
  await withStream({});
  const shards = { StreamName, ShardFilter: { Type: 'AT_LATEST' } };

  await expect(kinesis.call('SubscribeToShard', {})).rejects.toMatchObject({
    code: 'UnknownOperationException',
    message: expect.stringContaining("'SubscribeToShard'"),
  });
  await expect(kinesis.call('ListShards', shards)).rejects.toMatchObject({
    message: expect.stringContaining("'ShardFilter'"),
  });
});
