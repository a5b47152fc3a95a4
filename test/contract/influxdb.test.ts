/**
 * What the platform needs of the time series database. With INFLUXDB_URL the same suite runs against a real one: InfluxDB 1
 * without authentication (Debian packages one), except for what only InfluxDB 2 has (tokens, buckets and its error shapes),
 * or, with INFLUXDB_USERNAME, INFLUXDB_PASSWORD and INFLUXDB_ORGANIZATION of its first user, InfluxDB 2.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type InfluxDb, openInfluxDb } from '../../local/engines/influxdb';
import { type LocalEndpoint, startLocal, uniqueName } from './endpoint';

const {
  INFLUXDB_URL: external,
  INFLUXDB_USERNAME: username,
  INFLUXDB_PASSWORD: password = '',
  INFLUXDB_ORGANIZATION: organization = '',
} = process.env;
const onlyLocal = external === undefined ? describe : describe.skip;
const onlyTwo = external === undefined || username !== undefined ? describe : describe.skip;
const database = uniqueName();
const start = 1_763_800_200n * 1_000_000_000n; // 2025-11-22T08:30:00Z
const user =
  username === undefined
    ? { username: 'admin', password: 'correct-horse', organization: 'retailer', bucket: database }
    : { username, password, organization, bucket: database };

let folder: string;
let influx: InfluxDb;
let endpoint: LocalEndpoint;
let url: string;
let session: Record<string, string>;
let admin: Record<string, string>;
let measurements = 0;

beforeAll(async () => {
  if (external !== undefined && username === undefined) {
    url = external;
    admin = {};
    await fetch(`${url}/query`, { method: 'POST', body: new URLSearchParams({ q: `CREATE DATABASE "${database}"` }) });
    return;
  }
  if (external !== undefined) url = external;
  else await openLocal();
  session = {
    cookie: (await signIn(user.username, user.password)).headers.get('set-cookie')!.split(';')[0]!,
    'content-type': 'application/json',
  };
  if (external !== undefined)
    await api('POST', 'buckets', { orgID: await orgId(), name: database, retentionRules: [] });
  admin = as(await mint(['read', 'write']));
});

afterAll(async () => {
  if (external !== undefined && username === undefined) {
    await fetch(`${url}/query`, { method: 'POST', body: new URLSearchParams({ q: `DROP DATABASE "${database}"` }) });
    return;
  }
  if (external !== undefined) {
    for (const id of mintedIds) await api('DELETE', `authorizations/${id}`);
    await api('DELETE', `buckets/${(await bucketOf(database)).id}`);
    return;
  }
  await endpoint.close();
  await influx.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The local database behind the door, which takes its requests without an AWS signature. */
async function openLocal(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  await open();
  endpoint = await startLocal(async () => [], {
    influx: {
      async handle({ query, ...request }) {
        const { status, ...answer } = await influx.handle({ ...request, query: new URLSearchParams(query) });
        return { statusCode: status, ...answer };
      },
    },
  });
  url = endpoint.client.endpoint!;
}

async function open(): Promise<void> {
  influx = await openInfluxDb({ directory: folder });
  influx.provision(user);
}

const signIn = (name: string, password: string) =>
  fetch(`${url}/api/v2/signin`, { method: 'POST', headers: { authorization: `Basic ${btoa(`${name}:${password}`)}` } });

async function api(method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(`${url}/api/v2/${path}`, {
    method,
    headers: session,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, ...(response.status === 204 ? {} : ((await response.json()) as object)) };
}

const orgId = async (): Promise<string> => (await api('GET', `orgs?org=${user.organization}`)).orgs[0].id;
const findBucket = async (name: string) => api('GET', `buckets?orgID=${await orgId()}&name=${name}`);
const bucketOf = async (name: string) => (await findBucket(name)).buckets[0];
const mintedIds: string[] = [];

/** A new token for a bucket. */
async function mint(actions: readonly string[], name = database): Promise<{ id: string; token: string }> {
  const { id: bucket, orgID } = await bucketOf(name);
  const permissions = actions.map((action) => ({ action, resource: { type: 'buckets', id: bucket, orgID } }));
  const { id, token } = await api('POST', 'authorizations', { orgID, description: actions.join(), permissions });
  mintedIds.push(id);
  return { id, token };
}

const as = ({ token }: { readonly token: string }) => ({ authorization: `Token ${token}` });

const newMeasurement = (): string => `m${++measurements}`;

async function write(lines: string | Buffer, more = '', headers: Record<string, string> = admin): Promise<Response> {
  return fetch(`${url}/write?db=${database}${more}`, { method: 'POST', headers, body: lines as any });
}

async function succeed(...lines: string[]): Promise<void> {
  const response = await write(lines.join('\n'));
  expect([response.status, await response.text()]).toEqual([204, '']);
}

/** The series of the first statement. */
async function query(q: string, more: Record<string, string> = { epoch: 's' }): Promise<any> {
  return (await queryAll(q, more)).results[0].series;
}

async function queryAll(q: string, more: Record<string, string> = {}, headers = admin): Promise<any> {
  const response = await fetch(`${url}/query?${new URLSearchParams({ db: database, q, ...more })}`, { headers });
  return response.json();
}

/** A time some seconds after the start, for a line. */
const at = (seconds: number): bigint => start + BigInt(seconds) * 1_000_000_000n;
/** The same as a condition and as an answer in whole seconds. */
const epoch = (seconds: number): number => Number(at(seconds) / 1_000_000_000n);
const from = (seconds: number): string => `time >= ${at(seconds)}`;

test('a server that is up answers a ping', async () => {
  const response = await fetch(`${url}/ping`);

  expect(response.status).toBe(204);
  expect(response.headers.get('x-influxdb-version')).toBeTruthy();
});

describe('a write', () => {
  test('gives back every kind of field, its tags and its time to the nanosecond', async () => {
    const m = newMeasurement();

    await succeed(`${m},tag\\ one=a\\,b float=1.5,int=-7i,text="say \\"hi\\"",flag=t ${start + 1n}`);

    expect(await query(`SELECT * FROM ${m}`, {})).toEqual([
      {
        name: m,
        columns: ['time', 'flag', 'float', 'int', 'tag one', 'text'],
        values: [['2025-11-22T08:30:00.000000001Z', true, 1.5, -7, 'a,b', 'say "hi"']],
      },
    ]);
  });

  test('of the same series and time merges the fields, the last value of each winning, in one batch and in several', async () => {
    const m = newMeasurement();

    await succeed(`${m},a=1,b=2 x=1i,y=1i ${start}`, `${m},b=2,a=1 y=2i ${start}`);
    expect(await query(`SELECT x, y FROM ${m}`)).toMatchObject([{ values: [[epoch(0), 1, 2]] }]);
    await succeed(`${m},a=1,b=2 y=3i,z="new" ${start}`, `${m},a=1 x=9i ${start}`);

    expect(await query(`SELECT x, y, z FROM ${m} WHERE b = '2'`)).toMatchObject([
      { values: [[epoch(0), 1, 3, 'new']] },
    ]);
    expect(await query(`SELECT COUNT(x) FROM ${m}`)).toMatchObject([{ values: [[0, 2]] }]);
  });

  test('keeps 64-bit integers exact', async () => {
    const m = newMeasurement();
    await succeed(`${m} x=9007199254740993i ${start}`);

    const response = await fetch(`${url}/query?${new URLSearchParams({ db: database, q: `SELECT x FROM ${m}` })}`, {
      headers: admin,
    });

    expect(await response.text()).toContain('9007199254740993');
  });

  test.each([
    ['s', 1_000_000_000n],
    ['ms', 1_000_000n],
    ['u', 1_000n],
    ['ns', 1n],
  ])('counts time in %s', async (precision, nanoseconds) => {
    const m = newMeasurement();

    const { status } = await write(`${m} x=1 ${start / nanoseconds}`, `&precision=${precision}`);

    expect(status).toBe(204);
    expect(await query(`SELECT x FROM ${m}`)).toMatchObject([{ values: [[epoch(0), 1]] }]);
  });

  test('may be compressed', async () => {
    const m = newMeasurement();

    const { status } = await write(gzipSync(`${m} x=1 ${start}`), '', { ...admin, 'content-encoding': 'gzip' });

    expect(status).toBe(204);
    expect(await query(`SELECT x FROM ${m}`)).toMatchObject([{ values: [[epoch(0), 1]] }]);
  });

  test('with a field of another type keeps the other points and says what it dropped', async () => {
    const m = newMeasurement();
    await succeed(`${m} x=1i ${at(0)}`);

    const response = await write(`${m} x="text" ${at(1)}\n${m} x=2i ${at(2)}`);

    // InfluxDB 1 answers 400, InfluxDB 2 answers 422.
    expect([400, 422]).toContain(response.status);
    expect(await response.text()).toMatch(
      /partial write: field type conflict: input field .*x.* on measurement .*m\d+.* is type string, already exists as type integer dropped=1/,
    );
    expect(await query(`SELECT x FROM ${m}`)).toMatchObject([
      {
        values: [
          [epoch(0), 1],
          [epoch(2), 2],
        ],
      },
    ]);
  });

  test('with a line that cannot be read is refused with the line', async () => {
    const response = await write('broken');

    expect(response.status).toBe(400);
    expect(await response.text()).toContain("unable to parse 'broken': missing fields");
  });

  test('to an unknown database is refused', async () => {
    const response = await fetch(`${url}/write?db=${uniqueName()}`, { method: 'POST', headers: admin, body: 'm x=1' });

    expect(response.status).toBe(404);
  });

  test('loses nothing while others write new fields and series, and someone reads', async () => {
    const m = newMeasurement();
    const writes = Array.from({ length: 40 }, (_, index) =>
      succeed(`${m},t${index}=a,u=${index} all=1i,f${index}=2i ${at(index)}`),
    );
    const reads = Array.from({ length: 10 }, () => query(`SELECT SUM("all") FROM ${m} GROUP BY *`));

    await Promise.all([...writes, ...reads]);

    const [{ columns, values }] = await query(`SELECT SUM(*), COUNT("all") FROM ${m}`);
    expect(columns).toHaveLength(43);
    expect(values[0].slice(1)).toEqual([40, ...Array(40).fill(2), 40]);
  });

  test('of more points than a buffer holds is all there', async () => {
    const m = newMeasurement();
    const lines = Array.from({ length: 50_000 }, (_, index) => `${m},t=${index % 7} x=1i ${start + BigInt(index)}`);
    for (let index = 0; index < lines.length; index += 5_000) await succeed(...lines.slice(index, index + 5_000));
    await succeed(...lines.slice(24_000, 26_000));

    expect(await query(`SELECT SUM(x) FROM ${m}`)).toMatchObject([{ values: [[0, 50_000]] }]);
  });
});

describe('a query', () => {
  const m = 'sales';

  beforeAll(async () => {
    await succeed(
      `${m},region=eu,channel=web net=10i,rate=0.5,key="a" ${at(0)}`,
      `${m},region=eu,channel=store net=20i,rate=1.5,key="b" ${at(60)}`,
      `${m},region=us,channel=web net=40i,key="c" ${at(61)}`,
      `${m},region=us,channel=web net=-5i,rate=2.5,key="c" ${at(300)}`,
      `${m},region=ap net=7i,rate=0,key="d" ${at(601)}`,
    );
  });

  test.each([
    ['SUM(net)', 72],
    ['COUNT(net)', 5],
    ['COUNT(rate)', 4],
    ['COUNT(DISTINCT("key"))', 4],
    ['COUNT(DISTINCT "key")', 4],
    ['SUM(net) / 0', 0],
    ['MEAN(net)', 14.4],
    ['SPREAD(net)', 45],
  ])('answers %s for everything', async (expression, value) => {
    expect(await query(`SELECT ${expression} FROM ${m}`)).toMatchObject([{ name: m, values: [[0, value]] }]);
  });

  test.each([
    ['MIN(net)', -5, 300],
    ['MAX(net)', 40, 61],
    ['FIRST(rate)', 0.5, 0],
    ['LAST(rate)', 0, 601],
    ['LAST("key")', 'd', 601],
  ])('answers %s with the time of its point', async (expression, value, time) => {
    expect(await query(`SELECT ${expression} FROM ${m}`)).toMatchObject([{ values: [[epoch(time), value]] }]);
  });

  test('names its columns, calculates with sums and gives the start of its range as time', async () => {
    const q = `SELECT SUM(net), SUM(net) AS net, SUM("net") / COUNT(net), MAX(net) - MIN(net) FROM "${m}" WHERE ${from(1)}`;

    expect(await query(q)).toEqual([
      { name: m, columns: ['time', 'sum', 'net', 'sum_count', 'max_min'], values: [[epoch(1), 62, 62, 15.5, 45]] },
    ]);
  });

  test('groups by tags, sorted, where a tag that is missing is empty', async () => {
    const q = `SELECT SUM(net), COUNT(net) FROM ${m} GROUP BY region, channel`;

    expect(await query(q)).toEqual(
      [
        [{ channel: '', region: 'ap' }, 7, 1],
        [{ channel: 'store', region: 'eu' }, 20, 1],
        [{ channel: 'web', region: 'eu' }, 10, 1],
        [{ channel: 'web', region: 'us' }, 35, 2],
      ].map(([tags, sum, count]) => ({ name: m, tags, columns: ['time', 'sum', 'count'], values: [[0, sum, count]] })),
    );
    expect(await query(`SELECT SUM(net) FROM ${m} GROUP BY *`)).toHaveLength(4);
    expect(await query(`SELECT SUM(net) FROM ${m} GROUP BY * SLIMIT 3`)).toHaveLength(3);
  });

  test('groups by windows and fills those without data', async () => {
    const where = `WHERE ${from(0)} AND time < ${at(900)} GROUP BY time(5m)`;
    const windows = async (selected: string, fill: string) =>
      (await query(`SELECT ${selected} FROM ${m} ${where} ${fill}`))[0].values.map(([time, ...rest]: number[]) => [
        time! - epoch(0),
        ...rest,
      ]);
    await succeed(`gap v=1i ${at(0)}`, `gap v=2i ${at(650)}`);

    expect(await windows('SUM(net)', '')).toEqual([
      [0, 70],
      [300, -5],
      [600, 7],
    ]);
    const gap = `SELECT SUM(v), COUNT(v) FROM gap ${where}`;
    const values = async (fill: string) =>
      (await query(`${gap} ${fill}`))[0].values.map(([, ...rest]: unknown[]) => rest);
    expect(await values('')).toEqual([
      [1, 1],
      [null, 0],
      [2, 1],
    ]);
    expect(await values('fill(null)')).toEqual([
      [1, 1],
      [null, 0],
      [2, 1],
    ]);
    expect(await values('fill(none)')).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(await values('fill(0)')).toEqual([
      [1, 1],
      [0, 0],
      [2, 1],
    ]);
    expect(await values('fill(previous)')).toEqual([
      [1, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  test('gives windows from the start of the range, shifted by an offset, in each series that has data', async () => {
    const q = `SELECT COUNT(net) FROM ${m} WHERE ${from(-300)} AND time < ${at(300)} GROUP BY time(5m, 1m), region fill(0)`;

    expect(await query(q)).toEqual(
      [
        ['eu', [0, 1, 1]],
        ['us', [0, 0, 1]],
      ].map(([region, counts]) => ({
        name: m,
        tags: { region },
        columns: ['time', 'count'],
        values: (counts as number[]).map((count, index) => [epoch(-540 + 300 * index), count]),
      })),
    );
  });

  test.each([
    ["region = 'eu'", 30],
    ["region != 'eu'", 42],
    ["channel = ''", 7],
    ['region =~ /^(eu|ap)$/', 37],
    ['region !~ /^e/', 42],
    ["(region = 'eu' OR region = 'us') AND channel = 'web'", 45],
    ["region = 'eu' OR channel = 'web'", 65],
    ['net > 9 AND rate <= 1.5', 30],
    ['"key" = \'c\'', 35],
    ["net > 0 AND time <= '2025-11-22T08:31:00Z'", 30],
    ["time > '2025-11-22 08:31:00' AND time < '2025-11-22T08:35:00.1Z'", 35],
    [`time >= ${start} + 1m AND time < ${start} + 5m`, 60],
    ["absent = ''", 72],
  ])('filters by %s', async (condition, sum) => {
    expect(await query(`SELECT SUM(net) FROM ${m} WHERE ${condition}`)).toMatchObject([
      { values: [[expect.anything(), sum]] },
    ]);
  });

  test('gives points in order of time, either way, in pages, with tags as columns', async () => {
    const q = `SELECT net, region FROM ${m}`;

    expect(await query(`${q} LIMIT 2 OFFSET 1`)).toEqual([
      {
        name: m,
        columns: ['time', 'net', 'region'],
        values: [
          [epoch(60), 20, 'eu'],
          [epoch(61), 40, 'us'],
        ],
      },
    ]);
    expect(await query(`${q} ORDER BY time DESC LIMIT 1`)).toMatchObject([{ values: [[epoch(601), 7, 'ap']] }]);
    expect(
      await query(
        `SELECT SUM(net) FROM ${m} WHERE ${from(0)} AND time < ${at(900)} GROUP BY time(5m) ORDER BY time DESC LIMIT 1`,
      ),
    ).toMatchObject([{ values: [[epoch(600), 7]] }]);
  });

  test('leaves out points without any of the fields, and has no series where nothing is found', async () => {
    expect(await query(`SELECT rate FROM ${m} WHERE region = 'us'`)).toMatchObject([{ values: [[epoch(300), 2.5]] }]);
    expect(
      await queryAll(
        `SELECT SUM(net) FROM ${m} WHERE region = 'mars'; SELECT absent FROM ${m}; SELECT SUM(x) FROM absent`,
      ),
    ).toEqual({
      results: [{ statement_id: 0 }, { statement_id: 1 }, { statement_id: 2 }],
    });
  });

  test('can ask another query', async () => {
    const inner = `SELECT SUM(net) AS s FROM ${m} GROUP BY region`;

    expect(await query(`SELECT MAX(s), COUNT(s) FROM (${inner})`)).toMatchObject([
      { columns: ['time', 'max', 'count'], values: [[0, 35, 3]] },
    ]);
  });

  test.each(['SELECT SUM(key) FROM m', 'SELECT SUM(net) AS values FROM m', 'SELECT SUM(net) FROM'])(
    'that uses a reserved word as a name, or stops short, is refused: %s',
    async (q) => {
      const { status } = await fetch(`${url}/query?${new URLSearchParams({ db: database, q })}`, { headers: admin });

      expect(status).toBe(400);
    },
  );

  test.each([
    'SELECT SUM(net), net FROM sales',
    'SELECT net FROM sales GROUP BY time(1m)',
    'SELECT NONE(net) FROM sales',
  ])('that makes no sense is answered with an error: %s', async (q) => {
    expect((await queryAll(q)).results[0]).toEqual({ statement_id: 0, error: expect.any(String) });
  });

  test('of several statements is answered in order, and one that cannot be read is an error', async () => {
    const { results } = await queryAll(`SELECT COUNT(net) FROM ${m}; SHOW MEASUREMENTS LIMIT 1`);
    const unreadable = await fetch(`${url}/query?${new URLSearchParams({ db: database, q: 'SELEC' })}`, {
      headers: admin,
    });

    expect(results.map(({ statement_id }: any) => statement_id)).toEqual([0, 1]);
    expect(unreadable.status).toBe(400);
  });

  test('ends its windows now, unless it says otherwise', async () => {
    const now = BigInt(Math.floor(Date.now() / 1_000)) * 1_000_000_000n;
    await succeed(`recent v=1i ${now - 90_000_000_000n}`, `recent v=1i ${now + 86_400_000_000_000n}`);

    const [{ values }] = await query('SELECT COUNT(v) FROM recent WHERE time > now() - 1h GROUP BY time(10m)');

    expect(values.reduce((sum: number, [, count]: number[]) => sum + count!, 0)).toBe(1);
    expect(values.length).toBeLessThanOrEqual(8);
  });
});

describe('a database shows', () => {
  beforeAll(() =>
    succeed(`shown,a=1,b=x i=1i,f=1,s="t",o=true ${start}`, `shown,a=2 i=1i ${start}`, `shown_too,a=3 i=1i ${start}`),
  );

  test.each([
    [
      'SHOW MEASUREMENTS WITH MEASUREMENT =~ /^shown/',
      [{ name: 'measurements', columns: ['name'], values: [['shown'], ['shown_too']] }],
    ],
    ['SHOW TAG KEYS FROM shown', [{ name: 'shown', columns: ['tagKey'], values: [['a'], ['b']] }]],
    [
      'SHOW TAG VALUES FROM shown WITH KEY = a',
      [
        {
          name: 'shown',
          columns: ['key', 'value'],
          values: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      ],
    ],
    [
      "SHOW TAG VALUES FROM shown WITH KEY IN (a, b) WHERE a = '1'",
      [
        {
          name: 'shown',
          columns: ['key', 'value'],
          values: [
            ['a', '1'],
            ['b', 'x'],
          ],
        },
      ],
    ],
    [
      'SHOW FIELD KEYS FROM shown',
      [
        {
          name: 'shown',
          columns: ['fieldKey', 'fieldType'],
          values: [
            ['f', 'float'],
            ['i', 'integer'],
            ['o', 'boolean'],
            ['s', 'string'],
          ],
        },
      ],
    ],
    ['SHOW SERIES FROM shown', [{ columns: ['key'], values: [['shown,a=1,b=x'], ['shown,a=2']] }]],
    ['SHOW SERIES EXACT CARDINALITY FROM shown', [{ name: 'shown', columns: ['count'], values: [[2]] }]],
  ])('%s', async (q, series) => {
    expect(await query(q)).toEqual(series);
  });

  test('its name and its retention policies', async () => {
    const [{ values }] = await query('SHOW DATABASES');
    const [policies] = await query(`SHOW RETENTION POLICIES ON "${database}"`);

    expect(values).toContainEqual([database]);
    expect(policies.columns).toEqual(['name', 'duration', 'shardGroupDuration', 'replicaN', 'default']);
    expect(policies.values[0]).toEqual(['autogen', '0s', '168h0m0s', 1, true]);
  });
});

onlyTwo('a token', () => {
  test('is needed, and must be right', async () => {
    const without = await write('m x=1', '', {});
    const wrong = await write('m x=1', '', as({ token: 'wrong' }));
    const password = await signIn(user.username, 'wrong');

    expect([without.status, wrong.status, password.status]).toEqual([401, 401, 401]);
    expect(await without.json()).toEqual({ code: 'unauthorized', message: 'unauthorized access' });
  });

  test('that may only write cannot read, and one that may only read cannot write', async () => {
    const [writer, reader] = [await mint(['write']), await mint(['read'])];
    const m = newMeasurement();

    const written = await write(`${m} x=1 ${start}`, '', as(writer));
    const refused = await write(`${m} x=1 ${start}`, '', as(reader));

    expect([written.status, refused.status]).toEqual([204, 403]);
    expect(await queryAll(`SELECT x FROM ${m}`, {}, as(writer))).toEqual({
      results: [{ statement_id: 0, error: `database not found: ${database}` }],
    });
    expect(await queryAll(`SELECT x FROM ${m}`, {}, as(reader))).toMatchObject({
      results: [{ series: [{ values: [[expect.anything(), 1]] }] }],
    });
  });

  test('is taken as a Basic password, as the parameter p, and with a user before it', async () => {
    const { token } = await mint(['write']);

    const basic = await write('m x=1', '', { authorization: `Basic ${btoa(`anyone:${token}`)}` });
    const parameter = await write('m x=1', `&u=anyone&p=${encodeURIComponent(token)}`, {});
    const prefixed = await write('m x=1', '', as({ token: `anyone:${token}` }));

    expect([basic.status, parameter.status, prefixed.status]).toEqual([204, 204, 204]);
  });

  test('that was deleted or switched off opens nothing', async () => {
    const minted = await mint(['write']);
    const listed = async () =>
      (await api('GET', `authorizations?orgID=${await orgId()}`)).authorizations.map(({ id }: any) => id);

    await api('PATCH', `authorizations/${minted.id}`, { status: 'inactive' });
    const inactive = await write('m x=1', '', as(minted));
    const before = await listed();
    await api('DELETE', `authorizations/${minted.id}`);
    const deleted = await write('m x=1', '', as(minted));

    expect([inactive.status, deleted.status]).toEqual([401, 401]);
    expect(before).toContain(minted.id);
    expect(await listed()).not.toContain(minted.id);
  });

  test('for data cannot manage anything', async () => {
    const response = await fetch(`${url}/api/v2/authorizations`, {
      method: 'POST',
      headers: as(await mint(['write'])),
      body: '{}',
    });

    expect(response.status).toBe(401);
  });
});

onlyTwo('a bucket', () => {
  const made: string[] = [];

  async function makeBucket(everySeconds: number): Promise<any> {
    const retentionRules = [{ type: 'expire', everySeconds }];
    const bucket = await api('POST', 'buckets', { orgID: await orgId(), name: uniqueName(), retentionRules });
    made.push(bucket.id);
    return bucket;
  }

  afterAll(async () => {
    for (const id of made) await api('DELETE', `buckets/${id}`);
  });

  test('is found by its name, made with a retention, and changed', async () => {
    const bucket = await makeBucket(7_200);
    const changed = await api('PATCH', `buckets/${bucket.id}`, {
      retentionRules: [{ type: 'expire', everySeconds: 0 }],
    });

    expect(bucket).toMatchObject({ status: 201, retentionRules: [{ everySeconds: 7_200 }] });
    expect(changed).toMatchObject({ status: 200, name: bucket.name, retentionRules: [{ everySeconds: 0 }] });
    expect((await findBucket(bucket.name)).buckets).toMatchObject([{ id: bucket.id }]);
    expect(await findBucket(uniqueName())).toMatchObject({ status: 404 });
  });

  test('drops points that are older than it keeps them, and says so', async () => {
    const { name } = await makeBucket(7_200);
    const headers = as(await mint(['read', 'write'], name));
    const now = BigInt(Math.floor(Date.now() / 1_000)) * 1_000_000_000n;

    const response = await fetch(`${url}/write?db=${name}`, {
      method: 'POST',
      headers,
      body: `m x=1 ${now - 7_201_000_000_000n}\nm x=2 ${now}`,
    });

    // Those before 2.7.12 have other words, which our writer knows too (test/unit/merchandising).
    expect(response.status).toBe(422);
    expect(((await response.json()) as any).message).toMatch(
      /partial write: dropped 1 points outside retention policy of duration 2h0m0s - .* dropped=1/,
    );
    const { results } = await queryAll('SELECT x FROM m', { db: name, epoch: 's' }, headers);
    expect(results[0].series).toMatchObject([{ values: [[Number(now / 1_000_000_000n), 2]] }]);
  });

  test('is written by the endpoint of InfluxDB 2, and read under a database mapped to it', async () => {
    const bucket = await bucketOf(database);
    const m = newMeasurement();
    const other = uniqueName();

    const written = await fetch(`${url}/api/v2/write?org=${user.organization}&bucket=${database}&precision=s`, {
      method: 'POST',
      headers: admin,
      body: `${m} x=1 ${epoch(0)}`,
    });
    const mapped = await api('POST', 'dbrps', {
      orgID: bucket.orgID,
      bucketID: bucket.id,
      database: other,
      retention_policy: 'rp',
      default: true,
    });

    expect([written.status, mapped.status]).toEqual([204, 201]);
    expect(await query(`SELECT x FROM ${m}`, { db: other, epoch: 's' })).toMatchObject([{ values: [[epoch(0), 1]] }]);
  });
});

onlyLocal('the local database', () => {
  test('has its points, series, types and tokens again after a restart', async () => {
    const m = newMeasurement();
    await succeed(`${m},a=1 x=1i ${at(0)}`, `${m},b=2 y="t" ${at(1)}`);

    await influx.close();
    await open();
    await succeed(`${m},a=1 x=2i,y="u" ${at(0)}`, `${m},b=2,c=3 x=4i ${at(2)}`);
    const conflict = await write(`${m} x="text" ${at(3)}`);

    expect(conflict.status).toBe(422);
    expect((await query(`SELECT x, y, a, b, c FROM ${m}`))[0].values).toEqual([
      [epoch(0), 2, 'u', '1', null, null],
      [epoch(1), null, 't', null, '2', null],
      [epoch(2), 4, null, null, '2', '3'],
    ]);
  });

  test('has contents: every tag and field', async () => {
    await succeed(`planted,tag=in-a-tag text="in a field" ${start}`);

    let text = '';
    for await (const piece of influx.contents()) text += piece.text;

    expect(text).toContain('in-a-tag');
    expect(text).toContain('in a field');
  });
});
