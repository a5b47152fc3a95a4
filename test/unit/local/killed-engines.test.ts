import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../../local/engines/engine';
import { openFirehose } from '../../../local/engines/firehose';
import { openGlue } from '../../../local/engines/glue';
import { type InfluxDb, openInfluxDb } from '../../../local/engines/influxdb';
import { openTimestream } from '../../../local/engines/timestream';
import { WriteAheadLog } from '../../../local/engines/write-ahead-log';

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
