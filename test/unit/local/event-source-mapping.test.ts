import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsError } from '../../../local/engines/engine';
import {
  failed,
  firstShard,
  letters,
  MappingRig,
  mappingId,
  partly,
  type Seen,
  stream,
  streamArn,
  succeeded,
  until,
} from './mapping-rig';

let rig: MappingRig;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mapping-'));
});

afterEach(async () => {
  await rig.close();
  rmSync(directory, { recursive: true });
});

const named = (records: readonly Seen[], ...texts: string[]) =>
  texts.map((text) => records.find((record) => record.text === text));
const reports = { FunctionResponseTypes: ['ReportBatchItemFailures'] };
const bucket = { DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::held' } } };

/** An answer that waits until it is told. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, answer: () => opened.then(() => succeeded) };
}

describe('delivery', () => {
  test('an event is as Lambda sends it', async () => {
    rig = await MappingRig.open();
    const before = Date.now() / 1000;
    await rig.put(['ü "quoted"'], 'key "ö"');

    await rig.start();
    await rig.idle();

    const tip = rig.kinesis.tip(stream, firstShard);
    expect(rig.events).toEqual([
      {
        Records: [
          {
            kinesis: {
              kinesisSchemaVersion: '1.0',
              partitionKey: 'key "ö"',
              sequenceNumber: tip,
              data: Buffer.from('ü "quoted"').toString('base64'),
              approximateArrivalTimestamp: expect.any(Number),
            },
            eventSource: 'aws:kinesis',
            eventVersion: '1.0',
            eventID: `${firstShard}:${tip}`,
            eventName: 'aws:kinesis:record',
            invokeIdentityArn: 'arn:aws:iam::000000000000:role/dedup',
            awsRegion: 'eu-west-1',
            eventSourceARN: streamArn,
          },
        ],
      },
    ]);
    const arrival = rig.events[0].Records[0].kinesis.approximateArrivalTimestamp;
    expect(arrival).toBeGreaterThanOrEqual(before);
    expect(arrival).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test('records gather while an invocation is running, up to the batch size, and keep their order', async () => {
    rig = await MappingRig.open();
    const { open, answer } = gate();
    rig.answer = (_records, call) => (call === 1 ? answer() : succeeded);
    await rig.start({ BatchSize: 4 });
    await rig.put(['a']);
    await until(() => rig.calls.length === 1);
    for (const letter of letters('b', 'g')) await rig.put([letter]);
    const state = rig.mapping.state();

    open();
    await rig.idle();

    expect(state).toMatchObject({ delivered: 0, behind: 7, inFlight: 1 });
    expect(rig.texts).toEqual([['a'], ['b', 'c', 'd', 'e'], ['f', 'g']]);
    expect(rig.mapping.state()).toMatchObject({ delivered: 7, behind: 0, inFlight: 0, retries: 0, iteratorAgeMs: 0 });
  });

  test('one batch per shard is in flight, and shards do not wait for each other', async () => {
    rig = await MappingRig.open(2);
    const { open, answer } = gate();
    rig.answer = answer;
    await rig.put(letters('a', 'z'));

    await rig.start({ BatchSize: 2 });
    await until(() => rig.calls.length === 2);
    const inFlight = rig.mapping.state().inFlight;
    open();
    await rig.idle();

    expect(inFlight).toBe(2);
    expect(rig.texts.flat().sort()).toEqual(letters('a', 'z'));
  });

  test('with a parallelization factor batches of one shard run side by side, a key never does', async () => {
    rig = await MappingRig.open();
    const running = new Map<string, number>();
    let most = 0;
    rig.answer = async (records) => {
      const keys = new Set(records.map(({ key }) => key));
      for (const key of keys) running.set(key, (running.get(key) ?? 0) + 1);
      expect([...running.values()].every((count) => count <= 1)).toBe(true);
      most = Math.max(most, rig.mapping.state().inFlight);
      await new Promise((tick) => setTimeout(tick, 2));
      for (const key of keys) running.set(key, 0);
      return succeeded;
    };
    for (let round = 0; round < 10; round++)
      for (const key of letters('a', 'e')) await rig.put([`${key}${round}`], key);

    await rig.start({ ParallelizationFactor: 3, BatchSize: 4 });
    await rig.idle();

    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
    for (const key of letters('a', 'e')) {
      const texts = rig.calls.flat().filter((record) => record.key === key);
      expect(texts.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, round) => `${key}${round}`));
    }
  });

  test('an event is never larger than 6 MB, however many records are waiting', async () => {
    rig = await MappingRig.open();
    const sizes: number[] = [];
    const texts = Array.from({ length: 11 }, (_, index) => String(index).padEnd(900_000, '.'));
    for (const text of texts) await rig.put([text], 'k');
    await rig.start({ BatchSize: 100 });
    await rig.idle();

    for (const event of rig.events) sizes.push(Buffer.byteLength(JSON.stringify(event)));

    expect(Math.max(...sizes)).toBeLessThanOrEqual(6 * 1024 * 1024);
    expect(rig.calls.map((records) => records.length)).toEqual([5, 5, 1]);
    expect(rig.texts.flat()).toEqual(texts);
  });

  test('a mapping that starts at LATEST leaves out what was there before, and only that', async () => {
    rig = await MappingRig.open();
    await rig.put(['old']);
    await rig.split();
    await rig.put(['old too']);

    await rig.start({ StartingPosition: 'LATEST' });
    const idle = rig.mapping.idle();
    await rig.put(['new']);
    await rig.idle();

    expect(idle).toBe(true);
    expect(rig.texts).toEqual([['new']]);
  });

  test('children of a split are read after all of their parent is processed', async () => {
    rig = await MappingRig.open();
    const { open, answer } = gate();
    rig.answer = (_records, call) => (call === 1 ? answer() : succeeded);
    await rig.start({ BatchSize: 2 });
    await rig.put(['a', 'b', 'c'], 'k');
    await until(() => rig.calls.length === 1);

    await rig.split();
    await rig.put(['d', 'e'], 'k');
    const idle = rig.mapping.idle();
    open();
    await rig.idle();

    expect(idle).toBe(false);
    expect(rig.texts).toEqual([['a', 'b'], ['c'], ['d', 'e']]);
  });

  test('the child of a merge waits for both of its parents', async () => {
    rig = await MappingRig.open(2);
    const { open, answer } = gate();
    const [low, high] = ['a', 'b'];
    let listed = 0;
    rig.fault = (operation) => {
      if (operation === 'ListShards') listed += 1;
    };
    rig.answer = ([record]) => (record!.key === high ? answer() : succeeded);
    await rig.start();
    await rig.put(['1'], low);
    await rig.put(['2'], high);
    await until(() => rig.calls.length === 2);
    const [first, second] = rig.kinesis.shardIds(stream);

    await rig.kinesis.call('MergeShards', { StreamName: stream, ShardToMerge: first, AdjacentShardToMerge: second });
    await rig.put(['3'], low);
    await until(() => listed === 2);
    // The first parent is drained: a child that does not wait for the second would come within these turns.
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    const before = rig.texts.flat();
    open();
    await rig.idle();

    expect(before.sort()).toEqual(['1', '2']);
    expect(rig.texts.at(-1)).toEqual(['3']);
  });
});

describe('failures', () => {
  test('a failed batch is sent again as it was, before anything that follows it', async () => {
    rig = await MappingRig.open();
    rig.answer = (_records, call) => (call <= 2 ? failed : succeeded);
    await rig.put(letters('a', 'e'));

    await rig.start({ BatchSize: 3 });
    await rig.idle();

    expect(rig.texts).toEqual([letters('a', 'c'), letters('a', 'c'), letters('a', 'c'), ['d', 'e']]);
    expect(rig.mapping.state()).toMatchObject({ delivered: 5, retries: 2 });
  });

  test('the next try begins at the lowest record that was reported', async () => {
    rig = await MappingRig.open();
    rig.answer = (records, call) => (call === 1 ? partly(...named(records, 'd', 'b')) : succeeded);
    await rig.put(letters('a', 'd'));

    await rig.start(reports);
    await rig.idle();

    expect(rig.texts).toEqual([letters('a', 'd'), letters('b', 'd')]);
  });

  test('without ReportBatchItemFailures the answer says nothing', async () => {
    rig = await MappingRig.open();
    rig.answer = (records) => partly(records[0]);
    await rig.put(['a', 'b']);

    await rig.start();
    await rig.idle();

    expect(rig.texts).toEqual([['a', 'b']]);
  });

  test('bisecting finds the one record that fails, and holds that alone', async () => {
    rig = await MappingRig.open();
    rig.answer = (records) => (records.some(({ text }) => text === 'f') ? failed : succeeded);
    await rig.put(letters('a', 'h'));

    await rig.start({ BisectBatchOnFunctionError: true, MaximumRetryAttempts: 0, ...bucket });
    await rig.idle();

    expect(rig.texts).toEqual([
      letters('a', 'h'),
      letters('a', 'd'),
      letters('e', 'h'),
      ['e', 'f'],
      ['e'],
      ['f'],
      ['g', 'h'],
    ]);
    expect(rig.mapping.state()).toMatchObject({ delivered: 7, held: 1 });
  });

  test('a split costs no retry: what is left is still tried as often as allowed', async () => {
    rig = await MappingRig.open();
    rig.answer = (records) => (records.some(({ text }) => text === 'a') ? failed : succeeded);
    await rig.put(['a', 'b']);

    await rig.start({ BisectBatchOnFunctionError: true, MaximumRetryAttempts: 2, ...bucket });
    await rig.idle();

    expect(rig.texts).toEqual([['a', 'b'], ['a'], ['a'], ['a'], ['b']]);
  });

  test('with both, the batch is bisected at the record that was reported, which costs no retry', async () => {
    rig = await MappingRig.open();
    rig.answer = (records, call) => (call <= 2 ? partly(...named(records, call === 1 ? 'b' : 'c')) : succeeded);
    await rig.put(letters('a', 'd'));

    await rig.start({ ...reports, BisectBatchOnFunctionError: true, MaximumRetryAttempts: 0, ...bucket });
    await rig.idle();

    expect(rig.texts).toEqual([letters('a', 'd'), letters('b', 'd'), ['c', 'd']]);
    expect(rig.objects).toEqual([]);
  });

  test('a throttled invocation costs no retry', async () => {
    rig = await MappingRig.open();
    rig.answer = (_records, call) => {
      if (call <= 3) throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
      return succeeded;
    };
    await rig.put(['a']);

    await rig.start({ MaximumRetryAttempts: 0, ...bucket });
    await rig.idle();

    expect(rig.mapping.state()).toMatchObject({ delivered: 1, held: 0 });
    expect(rig.problems).toContain('TooManyRequestsException: Rate Exceeded.');
  });

  test('a batch without tries left lies in the failure destination, and the next one goes on', async () => {
    rig = await MappingRig.open();
    rig.answer = (records) => (records[0]!.text === 'a' ? failed : succeeded);
    await rig.put(letters('a', 'd'));

    await rig.start(
      { BatchSize: 3, MaximumRetryAttempts: 2, ...bucket },
      { now: () => Date.UTC(2026, 10, 22, 9, 8, 7) },
    );
    await rig.idle();

    const [first, , last] = rig.calls[0]!;
    const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
    expect(rig.texts).toEqual([letters('a', 'c'), letters('a', 'c'), letters('a', 'c'), ['d']]);
    expect(rig.mapping.state()).toMatchObject({ delivered: 1, held: 3, dropped: 0, behind: 0 });
    expect(rig.objects).toEqual([
      {
        Bucket: 'held',
        Key: expect.stringMatching(
          new RegExp(`^aws/lambda/${mappingId}/${firstShard}/2026/11/22/2026-11-22T09\\.08\\.07-${uuid}$`),
        ),
        body: {
          requestContext: {
            requestId: expect.stringMatching(new RegExp(uuid)),
            functionArn: 'arn:aws:lambda:eu-west-1:000000000000:function:dedup',
            condition: 'RetryAttemptsExhausted',
            approximateInvokeCount: 3,
          },
          responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
          version: '1.0',
          timestamp: '2026-11-22T09:08:07.000Z',
          KinesisBatchInfo: {
            shardId: firstShard,
            startSequenceNumber: first!.sequenceNumber,
            endSequenceNumber: last!.sequenceNumber,
            approximateArrivalOfFirstRecord: expect.any(String),
            approximateArrivalOfLastRecord: expect.any(String),
            batchSize: 3,
            streamArn,
          },
          payload: expect.any(String),
        },
      },
    ]);
    expect(JSON.parse(rig.objects[0]!.body.payload)).toEqual(rig.events[0]);
  });

  test('reported records without tries left are held without those before them', async () => {
    rig = await MappingRig.open();
    rig.answer = (records) => partly(...named(records, 'b'));
    await rig.put(letters('a', 'c'));

    await rig.start({ ...reports, MaximumRetryAttempts: 0, ...bucket });
    await rig.idle();

    const { body } = rig.objects[0]!;
    expect(body.responseContext.functionError).toBeNull();
    expect(body.KinesisBatchInfo).toMatchObject({
      batchSize: 2,
      startSequenceNumber: rig.calls[0]![1]!.sequenceNumber,
    });
    expect(rig.mapping.state()).toMatchObject({ delivered: 1, held: 2 });
  });

  test('records that are too old are held without being tried', async () => {
    rig = await MappingRig.open();
    let now = Date.now();
    await rig.put(['a', 'b']);
    now += 61_000;

    await rig.start({ MaximumRecordAgeInSeconds: 60, ...bucket }, { now: () => now });
    await rig.idle();

    expect(rig.calls).toEqual([]);
    expect(rig.objects[0]!.body.requestContext.condition).toBe('RecordAgeExceeded');
    expect(rig.objects[0]!.body).not.toHaveProperty('responseContext');
    expect(rig.mapping.state()).toMatchObject({ delivered: 0, held: 2 });
  });

  test('retries without limit end when the records are too old', async () => {
    rig = await MappingRig.open();
    let now = Date.now();
    rig.answer = (_records, call) => {
      if (call === 5) now += 61_000;
      return failed;
    };
    await rig.put(['a']);

    await rig.start({ MaximumRecordAgeInSeconds: 60, ...bucket }, { now: () => now });
    await rig.idle();

    expect(rig.calls).toHaveLength(5);
    expect(rig.mapping.state()).toMatchObject({ held: 1, retries: 4 });
  });

  test('without a failure destination what is given up is counted as dropped', async () => {
    rig = await MappingRig.open();
    rig.answer = () => failed;
    await rig.put(['a', 'b']);

    await rig.start({ MaximumRetryAttempts: 0 });
    await rig.idle();

    expect(rig.mapping.state()).toMatchObject({ delivered: 0, held: 0, dropped: 2 });
  });

  test('a record is not passed before it lies in the failure destination', async () => {
    rig = await MappingRig.open();
    let refusals = 0;
    rig.answer = (records) => (records[0]!.text === 'a' ? failed : succeeded);
    rig.fault = (operation) => {
      if (operation !== 'PutObject' || refusals === 3) return;
      refusals += 1;
      expect(rig.calls).toHaveLength(1);
      throw new AwsError('AccessDenied', 'role dedup may not s3:PutObject', 403);
    };
    await rig.put(['a', 'b']);

    await rig.start({ BatchSize: 1, MaximumRetryAttempts: 0, ...bucket });
    await rig.idle();

    expect(refusals).toBe(3);
    expect(rig.objects).toHaveLength(1);
    expect(rig.texts).toEqual([['a'], ['b']]);
    expect(rig.problems).toContain('AccessDenied: role dedup may not s3:PutObject');
  });

  test.each(['GetRecords', 'GetShardIterator'])(
    'a failing %s is tried again and shown meanwhile',
    async (operation) => {
      rig = await MappingRig.open();
      let refusals = 0;
      rig.fault = (called) => {
        if (called !== operation || refusals === 3) return;
        refusals += 1;
        throw new AwsError('ExpiredIteratorException', 'Iterator expired.');
      };
      await rig.put(['a']);

      await rig.start();
      await rig.idle();

      expect(rig.texts).toEqual([['a']]);
      expect(rig.problems).toEqual(Array(3).fill('ExpiredIteratorException: Iterator expired.'));
      expect(rig.mapping.state().problem).toBeUndefined();
    },
  );

  test('a mapping whose role may not list the shards does not start', async () => {
    rig = await MappingRig.open();
    rig.fault = () => {
      throw new AwsError('AccessDeniedException', 'role dedup may not kinesis:ListShards');
    };

    await expect(rig.start()).rejects.toThrow('may not kinesis:ListShards');
  });
});

describe('running', () => {
  test('a run goes on after the last checkpoint', async () => {
    rig = await MappingRig.open();
    await rig.put(['a', 'b']);
    await rig.start({}, { directory });
    await rig.idle();
    await rig.mapping.stop();
    await rig.put(['c']);

    await rig.start({}, { directory });
    await rig.idle();

    expect(rig.texts).toEqual([['a', 'b'], ['c']]);
  });

  test('a run goes on with the children of a shard that was drained before', async () => {
    rig = await MappingRig.open();
    await rig.put(['a']);
    await rig.start({}, { directory });
    await rig.split();
    await rig.put(['b']);
    await rig.idle();
    await rig.mapping.stop();
    await rig.put(['c']);

    await rig.start({}, { directory });
    await rig.idle();

    expect(rig.texts).toEqual([['a'], ['b'], ['c']]);
  });

  test('what was in flight when it stopped is not forgotten', async () => {
    rig = await MappingRig.open();
    rig.answer = () => failed;
    await rig.put(['a']);
    await rig.start({}, { directory });
    await until(() => rig.calls.length > 2);
    await rig.mapping.stop();
    const before = rig.calls.length;
    rig.answer = () => succeeded;

    await rig.start({}, { directory });
    await rig.idle();

    expect(rig.texts.slice(before)).toEqual([['a']]);
  });

  test('a paused mapping starts nothing until it is resumed', async () => {
    rig = await MappingRig.open();
    const { open, answer } = gate();
    rig.answer = (_records, call) => (call === 1 ? answer() : succeeded);
    await rig.start({ BatchSize: 1 });
    await rig.put(['a', 'b']);
    await until(() => rig.calls.length === 1);

    rig.mapping.pause();
    open();
    await until(() => rig.mapping.state().delivered === 1);
    await rig.put(['c']);
    const { delivered, behind, inFlight } = rig.mapping.state();
    rig.mapping.resume();
    await rig.idle();

    expect({ delivered, behind, inFlight }).toEqual({ delivered: 1, behind: 2, inFlight: 0 });
    expect(rig.texts).toEqual([['a'], ['b'], ['c']]);
  });

  test('a mapping that is not enabled begins paused', async () => {
    rig = await MappingRig.open();
    await rig.put(['a']);

    await rig.start({ Enabled: false });
    const { behind } = rig.mapping.state();
    rig.mapping.resume();
    await rig.idle();

    expect(behind).toBe(1);
    expect(rig.texts).toEqual([['a']]);
  });

  test('the age of the oldest record that waits is told', async () => {
    rig = await MappingRig.open();
    const { open, answer } = gate();
    rig.answer = answer;
    let now = Date.now();
    await rig.start({}, { now: () => now });
    await rig.put(['a']);
    await until(() => rig.calls.length === 1);

    now += 90_000;
    const { iteratorAgeMs } = rig.mapping.state();
    open();
    await rig.idle();

    expect(iteratorAgeMs).toBeGreaterThan(80_000);
    expect(rig.mapping.state().iteratorAgeMs).toBe(0);
  });
});

test.each([
  [{ TumblingWindowInSeconds: 60 }, 'TumblingWindowInSeconds 60'],
  [{ FilterCriteria: { Filters: [] } }, 'FilterCriteria'],
  [
    { StartingPosition: 'AT_TIMESTAMP' },
    'StartingPosition "AT_TIMESTAMP" is not allowed in the local run: use TRIM_HORIZON',
  ],
  [{ EventSourceArn: `${streamArn}/consumer/fast:1` }, 'EventSourceArn'],
  [{ EventSourceArn: 'arn:aws:sqs:eu-west-1:000000000000:queue' }, 'EventSourceArn'],
  [{ DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:eu-west-1:000000000000:q' } } }, 'DestinationConfig'],
  [{ DestinationConfig: { OnSuccess: { Destination: 'arn:aws:s3:::held' } } }, 'DestinationConfig'],
  [{ FunctionResponseTypes: ['Other'] }, 'FunctionResponseTypes'],
  [{ BatchSize: 10_001 }, 'BatchSize 10001 is not allowed in the local run: use 1 to 10000'],
  [{ MaximumBatchingWindowInSeconds: 301 }, 'MaximumBatchingWindowInSeconds'],
  [{ ParallelizationFactor: 11 }, 'ParallelizationFactor'],
  [{ MaximumRetryAttempts: -2 }, 'MaximumRetryAttempts'],
  [{ MaximumRecordAgeInSeconds: 59 }, 'MaximumRecordAgeInSeconds 59'],
  [{ BisectBatchOnFunctionError: 'yes' }, 'BisectBatchOnFunctionError'],
])('a mapping with %j is refused', async (properties, message) => {
  rig = await MappingRig.open();

  await expect(rig.start(properties)).rejects.toThrow(message);
});
