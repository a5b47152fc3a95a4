import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  ListTagsForStreamCommand,
  MergeShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  type Shard,
  SplitShardCommand,
  StartStreamEncryptionCommand,
  waitUntilStreamExists,
  waitUntilStreamNotExists,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { openKinesis } from '../../local/engines/kinesis';
import { type Endpoint, eventually, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
/** Over HTTP/1.1, as functions call. */
let client: KinesisClient;
/** Over HTTP/2, as the SDK calls Kinesis unless it is told otherwise. */
let unconfigured: KinesisClient;

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [await openKinesis({ limits: false })]);
  client = new KinesisClient({ ...endpoint.client, requestHandler: new NodeHttpHandler() });
  unconfigured = new KinesisClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  unconfigured.destroy();
});

interface Created {
  readonly StreamName: string;
  readonly StreamARN: string;
}

async function created(shards: number | 'on demand', on = endpoint, by = client): Promise<Created> {
  const StreamName = uniqueName();
  await by.send(
    new CreateStreamCommand(
      shards === 'on demand'
        ? { StreamName, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }
        : { StreamName, ShardCount: shards },
    ),
  );
  on.cleanUp(() => by.send(new DeleteStreamCommand({ StreamName })));
  await active(StreamName, by);
  const { StreamDescriptionSummary } = await by.send(new DescribeStreamSummaryCommand({ StreamName }));
  return { StreamName, StreamARN: StreamDescriptionSummary!.StreamARN! };
}

async function active(StreamName: string, by = client): Promise<void> {
  await waitUntilStreamExists({ client: by, maxWaitTime: 120, minDelay: 1, maxDelay: 2 }, { StreamName });
}

async function shardsOf(StreamARN: string): Promise<readonly Shard[]> {
  return (await client.send(new ListShardsCommand({ StreamARN }))).Shards!;
}

async function put(StreamARN: string, texts: readonly string[], key = (text: string) => text, by = client) {
  const Records = texts.map((text) => ({ PartitionKey: key(text), Data: Buffer.from(text) }));
  return by.send(new PutRecordsCommand({ StreamARN, Records }));
}

/** All records of a shard, read to its tip or, when it is closed, to its end. */
async function read(
  StreamARN: string,
  ShardId: string,
  from: object = { ShardIteratorType: 'TRIM_HORIZON' },
  by = client,
) {
  const start = new GetShardIteratorCommand({ StreamARN, ShardId, ...from } as never);
  let iterator = (await by.send(start)).ShardIterator;
  const texts: string[] = [];
  for (;;) {
    const answer = await by.send(new GetRecordsCommand({ StreamARN, ShardIterator: iterator!, Limit: 7 }));
    texts.push(...answer.Records!.map(({ Data }) => Buffer.from(Data!).toString()));
    iterator = answer.NextShardIterator;
    if (iterator === undefined) return { texts, ended: true, children: answer.ChildShards };
    if (answer.MillisBehindLatest === 0 && answer.Records!.length === 0) return { texts, ended: false };
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `r-${from + index}`);

describe('streams', () => {
  test('an on-demand stream begins with four shards that share all hash keys', async () => {
    const { StreamARN } = await created('on demand');

    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamARN }));

    expect(StreamDescription).toMatchObject({
      StreamStatus: 'ACTIVE',
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
      RetentionPeriodHours: 24,
    });
    const ranges = StreamDescription!.Shards!.map(({ HashKeyRange }) => HashKeyRange!);
    expect(ranges).toHaveLength(4);
    expect(ranges[0]!.StartingHashKey).toBe('0');
    expect(ranges[3]!.EndingHashKey).toBe(String(2n ** 128n - 1n));
    for (const [index, range] of ranges.slice(1).entries())
      expect(BigInt(range.StartingHashKey!)).toBe(BigInt(ranges[index]!.EndingHashKey!) + 1n);
  });

  test('a summary shows shards, mode and the key of encryption', async () => {
    const { StreamARN, StreamName } = await created(2);

    await client.send(
      new StartStreamEncryptionCommand({ StreamARN, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' }),
    );
    await active(StreamName);

    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamARN }));
    expect(StreamDescriptionSummary).toMatchObject({
      StreamName,
      OpenShardCount: 2,
      EncryptionType: 'KMS',
      KeyId: 'alias/aws/kinesis',
      StreamModeDetails: { StreamMode: 'PROVISIONED' },
    });
  });

  test('tags can be added and listed', async () => {
    const { StreamARN } = await created(1);

    await client.send(new AddTagsToStreamCommand({ StreamARN, Tags: { room: 'refine' } }));

    const { Tags } = await client.send(new ListTagsForStreamCommand({ StreamARN }));
    expect(Tags).toEqual([{ Key: 'room', Value: 'refine' }]);
  });

  test('a name is taken while its stream lives, and free again after it is deleted', async () => {
    const { StreamName } = await created(1);
    const again = () => client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));

    await expect(again()).rejects.toMatchObject({ name: 'ResourceInUseException' });
    await client.send(new DeleteStreamCommand({ StreamName }));
    await waitUntilStreamNotExists({ client, maxWaitTime: 120, minDelay: 1, maxDelay: 2 }, { StreamName });

    await expect(again()).resolves.toBeDefined();
    await active(StreamName);
  });

  test('an unknown stream is not found', async () => {
    const record = { StreamName: uniqueName(), PartitionKey: 'a', Data: Buffer.from('a') };

    await expect(client.send(new PutRecordCommand(record))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});

describe('records', () => {
  test('records of one key lie in one shard, in the order of their sequence numbers, and come back as they were', async () => {
    const { StreamARN } = await created(3);
    const texts = numbers(0, 30);

    const { FailedRecordCount, Records } = await put(StreamARN, texts, () => 'one-key');

    expect(FailedRecordCount).toBe(0);
    const shards = new Set(Records!.map(({ ShardId }) => ShardId!));
    expect(shards.size).toBe(1);
    const sequence = Records!.map(({ SequenceNumber }) => BigInt(SequenceNumber!));
    expect(sequence).toEqual([...sequence].sort((a, b) => (a < b ? -1 : 1)));
    expect((await read(StreamARN, [...shards][0]!)).texts).toEqual(texts);
  });

  test('records and errors are the same over HTTP/2, many calls at a time', async () => {
    const { StreamARN } = await created(1);
    const calls = Array.from({ length: 10 }, (_, call) => numbers(call * 10, call * 10 + 10));

    const answers = await Promise.all(calls.map((texts) => put(StreamARN, texts, undefined, unconfigured)));

    expect(answers.map(({ FailedRecordCount }) => FailedRecordCount)).toEqual(calls.map(() => 0));
    const { texts } = await read(StreamARN, 'shardId-000000000000', undefined, unconfigured);
    expect(texts.sort()).toEqual(numbers(0, 100).sort());
    const large = put(StreamARN, ['x'.repeat(900_000), 'y'.repeat(100_000)], () => 'k', unconfigured);
    await expect(large).resolves.toMatchObject({ FailedRecordCount: 0 });
    const nowhere = { StreamName: uniqueName(), PartitionKey: 'a', Data: Buffer.from('a') };
    await expect(unconfigured.send(new PutRecordCommand(nowhere))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  test('a key goes to the shard in whose range its MD5 lies, unless a hash key is given', async () => {
    const { StreamARN } = await created(2);
    // MD5 of 'a' begins with 0c, that of 'b' with 92.
    const data = { StreamARN, Data: Buffer.from('x') };

    const low = await client.send(new PutRecordCommand({ ...data, PartitionKey: 'a' }));
    const high = await client.send(new PutRecordCommand({ ...data, PartitionKey: 'b' }));
    const told = await client.send(new PutRecordCommand({ ...data, PartitionKey: 'b', ExplicitHashKey: '0' }));

    expect([low, high, told].map(({ ShardId }) => ShardId)).toEqual([
      'shardId-000000000000',
      'shardId-000000000001',
      'shardId-000000000000',
    ]);
  });

  test('a reader begins at the oldest record, at or after a given one, at a time, or with what comes', async () => {
    const { StreamARN } = await created(1);
    const ShardId = 'shardId-000000000000';
    const before = new Date(Date.now() - 60_000);
    const { Records } = await put(StreamARN, numbers(0, 10));
    const StartingSequenceNumber = Records![4]!.SequenceNumber!;
    const latest = new GetShardIteratorCommand({ StreamARN, ShardId, ShardIteratorType: 'LATEST' });
    const { ShardIterator } = await client.send(latest);

    await put(StreamARN, numbers(10, 12));

    const at = await read(StreamARN, ShardId, { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber });
    const after = await read(StreamARN, ShardId, {
      ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
      StartingSequenceNumber,
    });
    const since = await read(StreamARN, ShardId, { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: before });
    const coming = await client.send(new GetRecordsCommand({ ShardIterator: ShardIterator! }));
    expect(at.texts).toEqual(numbers(4, 12));
    expect(after.texts).toEqual(numbers(5, 12));
    expect(since.texts).toEqual(numbers(0, 12));
    expect(coming.Records!.map(({ Data }) => Buffer.from(Data!).toString())).toEqual(numbers(10, 12));
  });

  test('each record tells when it arrived', async () => {
    const { StreamARN } = await created(1);
    const sent = Date.now();

    await put(StreamARN, ['x']);

    const start = { StreamARN, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' } as const;
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(start));
    const { Records } = await client.send(new GetRecordsCommand({ ShardIterator: ShardIterator! }));
    expect(Math.abs(Records![0]!.ApproximateArrivalTimestamp!.getTime() - sent)).toBeLessThan(60_000);
  });

  test('a record of 1 MiB is taken, one byte more is not', async () => {
    const { StreamARN } = await created(1);
    const send = (bytes: number) =>
      client.send(new PutRecordCommand({ StreamARN, PartitionKey: 'k', Data: Buffer.alloc(bytes) }));

    await expect(send(1024 * 1024 - 1)).resolves.toHaveProperty('SequenceNumber');
    await expect(send(1024 * 1024 + 1)).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('one call takes at most 500 records', async () => {
    const { StreamARN } = await created(1);

    await expect(put(StreamARN, numbers(0, 500))).resolves.toMatchObject({ FailedRecordCount: 0 });
    await expect(put(StreamARN, numbers(0, 501))).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('one call takes more than 5 MB, but not more than 10 MiB', async () => {
    const { StreamARN } = await created(10);
    const send = (megabytes: number) =>
      client.send(
        new PutRecordsCommand({
          StreamARN,
          Records: Array.from({ length: megabytes }, (_, index) => ({
            PartitionKey: 'k',
            // One record a shard: none is asked for more than it takes in a second.
            ExplicitHashKey: String((2n ** 128n / 10n) * BigInt(index % 10) + 1n),
            Data: Buffer.alloc(1_000_000),
          })),
        }),
      );

    await expect(send(6)).resolves.toMatchObject({ FailedRecordCount: 0 });
    // By the service, or by what stands in front of it and takes no body of such a size.
    await expect(send(11)).rejects.toMatchObject({
      name: expect.stringMatching(/Invalid|Validation|RequestEntityTooLarge/),
    });
  });
});

describe('a shard that is full', () => {
  let limited: Endpoint;
  let writer: KinesisClient;

  beforeAll(async () => {
    limited = await startEndpoint(async () => [await openKinesis()]);
    writer = new KinesisClient({ ...limited.client, requestHandler: new NodeHttpHandler() });
  });

  afterAll(async () => {
    await limited.close();
    writer.destroy();
  });

  test('refuses single records of a call, each at its place, and takes them later', async () => {
    const { StreamName } = await created(1, limited, writer);
    const texts = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(900_000));
    const send = (Texts: readonly string[]) => {
      const Records = Texts.map((text) => ({ PartitionKey: 'k', Data: Buffer.from(text) }));
      return writer.send(new PutRecordsCommand({ StreamName, Records }));
    };

    const { FailedRecordCount, Records } = await eventually(async () => {
      const answer = await send(texts);
      expect(answer.FailedRecordCount).toBeGreaterThan(0);
      return answer;
    });

    const refused = Records!.filter(({ ErrorCode }) => ErrorCode !== undefined);
    expect(Records).toHaveLength(texts.length);
    expect(refused).toHaveLength(FailedRecordCount!);
    for (const record of refused)
      expect(record).toMatchObject({
        ErrorCode: 'ProvisionedThroughputExceededException',
        ErrorMessage: expect.any(String),
      });
    for (const record of Records!.filter(({ ErrorCode }) => ErrorCode === undefined))
      expect(record).toMatchObject({ SequenceNumber: expect.any(String), ShardId: 'shardId-000000000000' });
    await eventually(async () => expect(await send(texts.slice(0, 1))).toMatchObject({ FailedRecordCount: 0 }));
  });
});

describe('resharding', () => {
  test('a split shard ends after its last record and names its children, which take what comes', async () => {
    const { StreamARN, StreamName } = await created(1);
    await put(StreamARN, numbers(0, 20));

    const NewStartingHashKey = String(2n ** 127n);
    await client.send(new SplitShardCommand({ StreamARN, ShardToSplit: 'shardId-000000000000', NewStartingHashKey }));
    await active(StreamName);
    await put(StreamARN, numbers(20, 60));

    const [parent, left, right] = await shardsOf(StreamARN);
    expect(parent!.SequenceNumberRange!.EndingSequenceNumber).toBeDefined();
    expect([left!.ParentShardId, right!.ParentShardId]).toEqual([parent!.ShardId, parent!.ShardId]);
    const old = await read(StreamARN, parent!.ShardId!);
    expect(old).toMatchObject({ texts: numbers(0, 20), ended: true });
    expect(old.children!.map(({ ShardId }) => ShardId)).toEqual([left!.ShardId, right!.ShardId]);
    const children = await Promise.all([left, right].map((shard) => read(StreamARN, shard!.ShardId!)));
    expect(children.flatMap(({ texts }) => texts).sort()).toEqual(numbers(20, 60).sort());
    expect(children.every(({ texts, ended }) => texts.length > 0 && !ended)).toBe(true);
  });

  test('merged shards end, and their child has two parents', async () => {
    const { StreamARN, StreamName } = await created(2);
    await put(StreamARN, numbers(0, 20));
    const [first, second] = (await shardsOf(StreamARN)).map(({ ShardId }) => ShardId!);

    await client.send(new MergeShardsCommand({ StreamARN, ShardToMerge: first!, AdjacentShardToMerge: second! }));
    await active(StreamName);
    await put(StreamARN, numbers(20, 30));

    const child = (await shardsOf(StreamARN))[2]!;
    expect(child).toMatchObject({ ParentShardId: first, AdjacentParentShardId: second });
    const parents = await Promise.all([first, second].map((shard) => read(StreamARN, shard!)));
    expect(parents.flatMap(({ texts }) => texts).sort()).toEqual(numbers(0, 20).sort());
    expect(parents.every(({ ended }) => ended)).toBe(true);
    expect((await read(StreamARN, child.ShardId!)).texts).toEqual(numbers(20, 30));
  });
});
