import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDynamoDb } from '../../../local/engines/dynamodb';
import type { Engine } from '../../../local/engines/engine';
import { openFirehose } from '../../../local/engines/firehose';
import { openGlue } from '../../../local/engines/glue';
import { type InfluxDb, openInfluxDb } from '../../../local/engines/influxdb';
import { openKinesis } from '../../../local/engines/kinesis';
import { openTimestream } from '../../../local/engines/timestream';
import { WriteAheadLog } from '../../../local/engines/write-ahead-log';
import { WriteBehind, type WrittenChange } from '../../../local/engines/write-behind';

/** A killed process leaves its files as they are at that moment: a copy of the folder, taken while the engine runs. */
let folder: string;
let copies = 0;
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});
const leftOf = (directory: string): string => {
  const copy = join(folder, `copy-${++copies}`);
  cpSync(directory, copy, { recursive: true });
  return copy;
};

describe('Firehose', () => {
  const put = (engine: Engine, text: string) =>
    engine.call('PutRecord', { DeliveryStreamName: 'lines', Record: { Data: Buffer.from(text).toString('base64') } });
  const bodies: string[] = [];
  let down = false;
  beforeEach(() => {
    bodies.length = 0;
    down = false;
  });
  const open = async (directory: string) => {
    const { table } = await openGlue();
    const s3 = async (_role: string, _operation: string, { Body }: { Body: Buffer }) => {
      if (down) throw new Error('S3 is down');
      bodies.push(Body.toString());
    };
    const engine = await openFirehose({ directory, table, s3 });
    closing.push(() => engine.close());
    const destination = { BucketARN: 'arn:aws:s3:::lake', RoleARN: 'arn:aws:iam::000000000000:role/delivery' };
    await engine.call('CreateDeliveryStream', {
      DeliveryStreamName: 'lines',
      ExtendedS3DestinationConfiguration: destination,
    });
    return engine;
  };

  test('delivers what it had taken when it was killed, and what it takes then', async () => {
    const directory = join(folder, 'firehose');
    const engine = await open(directory);
    await put(engine, 'one+');
    await put(engine, 'two+');

    const next = await open(leftOf(directory));
    await put(next, 'three');
    await next.flush();

    expect(bodies).toEqual(['one+two+three']);
  });

  test('does not deliver again what was delivered before, and leaves no file of it', async () => {
    const directory = join(folder, 'firehose');
    const engine = await open(directory);
    await put(engine, 'one');
    await engine.flush();
    expect(readdirSync(directory)).toEqual(['tmp']);
    await put(engine, 'two');

    const next = await open(leftOf(directory));
    await next.flush();

    expect(bodies).toEqual(['one', 'two']);
  });

  test('keeps what could not be delivered', async () => {
    const directory = join(folder, 'firehose');
    const engine = await open(directory);
    await put(engine, 'one+');
    down = true;
    await expect(engine.flush()).rejects.toThrow('S3 is down');
    await put(engine, 'two');

    down = false;
    const next = await open(leftOf(directory));
    await next.flush();

    expect(bodies).toEqual(['one+two']);
  });
});

test('Timestream has every record that it had taken when it was killed, once, and goes on with its columns', async () => {
  const open = async (directory: string) => {
    const engine = await openTimestream({ directory, address: () => 'localhost' });
    closing.push(() => engine.close());
    return engine;
  };
  const named = { DatabaseName: 'sales', TableName: 'sales' };
  const write = (engine: Engine, region: string, measures: Readonly<Record<string, number>>, Version = 1) =>
    engine.call('WriteRecords', {
      ...named,
      CommonAttributes: { MeasureName: 'sales', MeasureValueType: 'MULTI', Version },
      Records: [
        {
          Time: '1795342530987',
          Dimensions: [{ Name: 'region', Value: region }],
          MeasureValues: Object.entries(measures).map(([Name, value]) => ({
            Name,
            Value: String(value),
            Type: 'BIGINT',
          })),
        },
      ],
    });
  const engine = await open(join(folder, 'timestream'));
  await engine.call('CreateDatabase', { DatabaseName: 'sales' });
  await engine.call('CreateTable', {
    ...named,
    MagneticStoreWriteProperties: { EnableMagneticStoreWrites: true },
  });
  await write(engine, 'eu', { net: 1 });
  await write(engine, 'eu', { net: 2 }, 2);
  await write(engine, 'us', { net: 3, units: 4 });

  const next = await open(leftOf(join(folder, 'timestream')));
  await write(next, 'eu', { net: 2 }, 2);
  await write(next, 'asia', { net: 5, units: 6, tax: 7 });

  const QueryString = 'SELECT region, net, units, tax FROM "sales"."sales" ORDER BY region';
  const { Rows } = await next.call('Query', { QueryString });
  expect(Rows.map(({ Data }: any) => Data.map(({ ScalarValue = null }) => ScalarValue))).toEqual([
    ['asia', '5', '6', '7'],
    ['eu', '2', null, null],
    ['us', '3', '4', null],
  ]);
});

describe('InfluxDB', () => {
  const user = { username: 'admin', password: 'correct-horse', organization: 'retailer', bucket: 'sales' };
  const open = async (directory: string) => {
    const influx = await openInfluxDb({ directory });
    influx.provision(user);
    closing.push(() => influx.close());
    return influx;
  };
  const request = async (influx: InfluxDb, method: string, path: string, query: string, headers: object, body = '') => {
    const answer = await influx.handle({
      method,
      path,
      query: new URLSearchParams(query),
      headers: headers as Record<string, string>,
      body: Buffer.from(body),
    });
    expect([path, answer.status]).toEqual([path, expect.any(Number)]);
    return answer;
  };
  const session = async (influx: InfluxDb) => {
    const basic = Buffer.from(`${user.username}:${user.password}`).toString('base64');
    const { headers } = await request(influx, 'POST', '/api/v2/signin', '', { authorization: `Basic ${basic}` });
    return { cookie: String(Object.entries(headers).find(([name]) => name.toLowerCase() === 'set-cookie')![1]) };
  };
  const write = async (influx: InfluxDb, lines: string) => {
    const query = 'org=retailer&bucket=sales&precision=s';
    const { status } = await request(influx, 'POST', '/api/v2/write', query, await session(influx), lines);
    expect(status).toBe(204);
  };
  const points = async (influx: InfluxDb) => {
    let text = '';
    for await (const { where, text: piece } of influx.contents()) if (where.endsWith('/m')) text += `${piece}\n`;
    return text.split('\n').filter((line) => /^\d/.test(line));
  };

  test('has every point that it had taken when it was killed, once', async () => {
    const directory = join(folder, 'influxdb');
    const influx = await open(directory);
    await write(influx, 'm,a=1 x=1i 1');
    expect(await points(influx)).toHaveLength(1);
    await write(influx, 'm,a=1 x=2i 1\nm,a=2,b=3 x=1i,y="t" 2');

    const next = await open(leftOf(directory));
    await write(next, 'm,a=2,b=3 z=1 3');

    expect((await points(next)).sort()).toEqual(['0 1000000000 2  ', '1 2000000000 1 t ', '1 3000000000   1']);
  });

  test('keeps no log of what it has stored', async () => {
    const directory = join(folder, 'influxdb');
    const influx = await open(directory);
    await write(influx, 'm x=1 1');
    expect(readdirSync(directory)).toContain('points.log.1');

    await points(influx);

    expect(readdirSync(directory).filter((name) => name.startsWith('points.log'))).toEqual([]);
  });
});

describe('DynamoDB', () => {
  const TableName = 'claims';
  const open = async (directory: string) => {
    const engine = await openDynamoDb({ directory: join(directory, 'dynamodb') });
    closing.push(() => engine.close());
    return engine;
  };
  const put = (engine: Engine, id: string, times: number) =>
    engine.call('PutItem', { TableName, Item: { id: { S: id }, times: { N: String(times) } } });
  const times = async (engine: Engine) => {
    const { Items } = await engine.call('Scan', { TableName });
    return Object.fromEntries(Items.map((item: any) => [item.id.S, Number(item.times.N)]));
  };

  test('has every item that it had answered for when it was killed, and its stream', async () => {
    const directory = join(folder, 'state');
    const engine = await open(directory);
    await engine.call('CreateTable', {
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    });
    await put(engine, 'a', 1);
    await put(engine, 'b', 1);
    await put(engine, 'a', 2);
    await engine.call('DeleteItem', { TableName, Key: { id: { S: 'b' } } });

    const left = leftOf(directory);
    const next = await open(left);

    expect(await times(next)).toEqual({ a: 2 });
    const { LatestStreamArn } = (await next.call('DescribeTable', { TableName })).Table;
    const counted = next.shardIds(LatestStreamArn).map((shard) => next.countAfter(LatestStreamArn, shard));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(4);
    await put(next, 'c', 1);
    expect(await times(await open(leftOf(left)))).toEqual({ a: 2, c: 1 });
  });
});

describe('Kinesis', () => {
  const StreamName = 'sales';
  const open = async (directory: string) => {
    const engine = await openKinesis({ directory });
    closing.push(() => engine.close());
    return engine;
  };
  const put = (engine: Engine, text: string) =>
    engine.call('PutRecord', { StreamName, PartitionKey: 'a', Data: Buffer.from(text).toString('base64') });
  const texts = async (engine: Engine, from: object = { ShardIteratorType: 'TRIM_HORIZON' }) => {
    const place = { StreamName, ShardId: 'shardId-000000000000', ...from };
    const { ShardIterator } = await engine.call('GetShardIterator', place);
    const { Records } = await engine.call('GetRecords', { ShardIterator });
    return Records.map(({ Data }: any) => Buffer.from(Data, 'base64').toString());
  };

  test('has every record that it had answered for when it was killed, and goes on behind them', async () => {
    const directory = join(folder, 'state');
    const engine = await open(directory);
    await engine.call('CreateStream', { StreamName, ShardCount: 1 });
    await put(engine, 'one');
    await put(engine, 'two');

    const next = await open(leftOf(directory));
    await put(next, 'three');

    expect(await texts(next)).toEqual(['one', 'two', 'three']);
    expect(await texts(next, { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: 0 })).toEqual(['one', 'two', 'three']);
  });

  test('has nothing of a stream that was deleted when another of its name is made', async () => {
    const directory = join(folder, 'state');
    const engine = await open(directory);
    for (const text of ['old', 'new']) {
      await engine.call('CreateStream', { StreamName, ShardCount: 1 });
      await put(engine, text);
      if (text === 'old') await engine.call('DeleteStream', { StreamName });
    }

    expect(await texts(engine)).toEqual(['new']);
    expect(await texts(await open(leftOf(directory)))).toEqual(['new']);
  });
});

describe('changes on their way into a database', () => {
  const put = (key: string, value: unknown) => ({ type: 'put' as const, key, value });
  /** A database that takes batches when it is told to. */
  const database = () => {
    const kept = new Map<string, string>();
    const batches: number[] = [];
    const waiting: (() => void)[] = [];
    let isHeld = false;
    let isBroken = false;
    return {
      kept,
      batches,
      hold: () => {
        isHeld = true;
      },
      release: () => {
        isHeld = false;
        for (const go of waiting.splice(0)) go();
      },
      break: () => {
        isBroken = true;
      },
      mend: () => {
        isBroken = false;
      },
      write: async (changes: readonly WrittenChange[]) => {
        if (isHeld) await new Promise<void>((go) => waiting.push(go));
        if (isBroken) throw new Error('the disk is full');
        batches.push(changes.length);
        for (const change of changes)
          if (change.type === 'put') kept.set(change.key, change.value);
          else kept.delete(change.key);
      },
    };
  };
  let directory: string;
  beforeEach(() => {
    directory = join(folder, 'state');
    mkdirSync(directory);
  });
  const file = () => join(directory, 'log');

  test('each key is written once, with its last value', async () => {
    const { kept, batches, write } = database();
    const behind = await WriteBehind.open({ file: file(), write });
    for (let value = 1; value <= 50; value++) {
      behind.record(put('a', { value }));
      behind.record(put(`b${value % 2}`, value));
      behind.written();
    }
    behind.record({ type: 'del', key: 'b0' });
    behind.written();

    await behind.settled();

    expect(Object.fromEntries(kept)).toEqual({ a: '{"value":50}', b1: '49' });
    expect(batches).toEqual([3]);
    await behind.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('what comes while a batch is written is not lost with its log, and comes after it', async () => {
    const { kept, hold, release, write } = database();
    const behind = await WriteBehind.open({ file: file(), write });
    hold();
    behind.record(put('a', 1));
    behind.written();
    const settled = behind.settled();
    behind.record(put('a', 2));
    behind.record(put('b', 2));
    behind.written();

    const left = database();
    await WriteBehind.open({ file: join(leftOf(directory), 'log'), write: left.write });
    expect(Object.fromEntries(left.kept)).toEqual({ a: '2', b: '2' });

    release();
    await settled;
    expect(Object.fromEntries(kept)).toEqual({ a: '1' });
    await behind.settled();
    expect(Object.fromEntries(kept)).toEqual({ a: '2', b: '2' });
    await behind.close();
  });

  test('whoever waits for the database waits for what was there, not for all that comes meanwhile', async () => {
    const { kept, write } = database();
    let batches = 0;
    const behind = await WriteBehind.open({
      file: file(),
      write: async (changes) => {
        await write(changes);
        if (++batches > 50) return;
        behind.record(put(`more ${batches}`, 1));
        behind.written();
      },
    });
    behind.record(put('a', 1));
    behind.written();

    await behind.settled();

    expect(kept.has('a')).toBe(true);
    expect(batches).toBe(1);
    batches = 50;
    await behind.close();
  });

  test('what was recorded and not written is not there after a kill, and nothing is there by half', async () => {
    const behind = await WriteBehind.open({ file: file(), write: database().write });
    behind.record(put('whole', 1));
    behind.record(put('and its other half', 1));
    behind.written();
    behind.record(put('never answered for', 1));

    const { kept, write } = database();
    await WriteBehind.open({ file: join(leftOf(directory), 'log'), write });

    expect([...kept.keys()]).toEqual(['whole', 'and its other half']);
    await behind.close();
  });

  test('a database that takes nothing is told of, and nothing is lost', async () => {
    const broken = database();
    const behind = await WriteBehind.open({ file: file(), write: broken.write });
    broken.hold();
    behind.record(put('a', 1));
    behind.written();
    const settled = behind.settled();
    behind.record(put('b', 1));
    behind.written();
    broken.break();
    broken.release();
    await expect(settled).rejects.toThrow('the disk is full');

    broken.mend();
    expect(() => behind.written()).toThrow('the disk is full');
    await expect(behind.settled()).rejects.toThrow('the disk is full');
    expect(broken.kept.size).toBe(0);
    const { kept, write } = database();
    await WriteBehind.open({ file: file(), write });
    expect(Object.fromEntries(kept)).toEqual({ a: '1', b: '1' });
  });

  test('without a file, changes live as long as the process', async () => {
    const { kept, write } = database();
    const behind = await WriteBehind.open({ file: undefined, write });
    behind.record(put('a', 1));
    behind.written();
    await behind.settled();

    expect([...kept.keys()]).toEqual(['a']);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('what is discarded never comes', async () => {
    const { kept, write } = database();
    const behind = await WriteBehind.open({ file: file(), write });
    behind.record(put('a', 1));
    behind.written();
    behind.discard();
    await behind.settled();

    expect(kept.size).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('a log of what is in memory only', () => {
  test('holds entries in order, over restarts, whatever characters they have', () => {
    const file = join(folder, 'log');
    const first = new WriteAheadLog(file);
    first.append('one\ntwo');
    first.append('');
    const second = new WriteAheadLog(file);
    second.append('"three" \u2028');

    expect(new WriteAheadLog(file).entries()).toEqual(['one\ntwo', '', '"three" \u2028']);
  });

  test('forgets what came before the cut, not what came after', () => {
    const log = new WriteAheadLog(join(folder, 'log'));
    log.append('before');
    const forget = log.cut();
    log.append('after');

    forget();

    expect(log.entries()).toEqual(['after']);
    log.cut()();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an entry of which half was written was never taken', () => {
    const file = join(folder, 'log');
    writeFileSync(`${file}.1`, '"whole"\n"half and m');
    truncateSync(`${file}.1`, 14);

    const log = new WriteAheadLog(file);
    log.append('next');

    expect(log.entries()).toEqual(['whole', 'next']);
    expect(existsSync(`${file}.2`)).toBe(true);
  });
});
