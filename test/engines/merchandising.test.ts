import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Sale } from '../../lambdas/base/domain/sale';
import { type InfluxDb, openInfluxDb } from '../../local/engines/influxdb';
import { influxDbTotals } from '../../local/store-totals';
import { type Container, crashPoints, kinesisEvent, type Rig, startRig } from '../engine-rig';
import { aSale, someSales } from '../engine-rig/sales';
import { deliver, objectsOf } from '../engine-rig/shard';

const endpoint = 'tillstream.timestream-influxdb.test';
const password = 'correctHorseBatteryStaple';
const databases = ['merchandising', 'merchandising_items'] as const;

let rig: Rig;
let folder: string;
let influx: InfluxDb;
let outcomes: any[];
let secretArns: Record<'firstUser' | 'write' | 'read', string>;
/** What went over the network beside AWS's own calls: `POST /write`. */
let network: string[];
/** The container that makes this call of the network dies there. */
let crashAt: { readonly call: number; readonly when: 'before' | 'after' } | undefined;
let kill: () => void;
let instead: (path: string, call: number) => Response | undefined;

const realFetch = globalThis.fetch;
beforeEach(async () => {
  rig = await startRig();
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  influx = await openInstance('first');
  outcomes = [];
  instead = () => undefined;
  crashAt = undefined;
  network = [];
  globalThis.fetch = overTheNetwork as typeof fetch;
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
  secretArns = {
    firstUser: await createSecret('first-user', { username: 'tillstream', password }),
    write: await createSecret('write-token', { unset: 'placeholder' }),
    read: await createSecret('read-token', { unset: 'placeholder' }),
  };
  rig.forget();
});
afterEach(async () => {
  globalThis.fetch = realFetch;
  await influx.close();
  await rig.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openInstance(name: string): Promise<InfluxDb> {
  const opened = await openInfluxDb({ directory: join(folder, name) });
  opened.provision({ username: 'tillstream', password, organization: 'tillstream', bucket: 'merchandising' });
  return opened;
}

async function createSecret(Name: string, value: object): Promise<string> {
  return (await rig.engines.secretsmanager.call('CreateSecret', { Name, SecretString: JSON.stringify(value) })).ARN;
}

async function secretOf(name: keyof typeof secretArns): Promise<any> {
  const { SecretString } = await rig.engines.secretsmanager.call('GetSecretValue', { SecretId: secretArns[name] });
  return JSON.parse(SecretString);
}

/** The functions' network: the instance, and the address at which CloudFormation waits. */
async function overTheNetwork(address: string, { method = 'GET', headers = {}, body = '' }: any): Promise<Response> {
  const { host, pathname, searchParams } = new URL(address);
  const call = network.push(`${method} ${pathname}`);
  const due = crashAt?.call === call ? crashAt.when : undefined;
  if (due === 'before') return die();
  const response = instead(pathname, call) ?? (await answer());
  return due === 'after' ? die() : response;

  async function answer(): Promise<Response> {
    if (host === 'cloudformation.test') {
      outcomes.push(JSON.parse(body));
      return new Response();
    }
    expect(host).toBe(`${endpoint}:8086`);
    return ask(method, pathname, searchParams, headers, body);
  }
}

async function ask(method: string, path: string, query: URLSearchParams, headers: any, body = ''): Promise<Response> {
  const answer = await influx.handle({ method, path, query, headers, body: Buffer.from(body) });
  return new Response(answer.body.length === 0 ? null : String(answer.body), {
    status: answer.status,
    headers: answer.headers,
  });
}

/** Of a container that has died, nothing is heard any more. */
function die(): Promise<never> {
  kill();
  return new Promise(() => {});
}

/** A container that a crash on the network ends as well; a function that answers nothing has done its whole batch. */
function open(directory: string, environment: Readonly<Record<string, string>>): Container {
  const container = rig.container(`../lambdas/serve/merchandising/influxdb/${directory}/handler`, {
    INFLUXDB_ENDPOINT: endpoint,
    SALES_DATABASE: databases[0],
    ITEMS_DATABASE: databases[1],
    WRITE_TOKEN_SECRET_ARN: secretArns.write,
    ...environment,
  });
  let dead = false;
  const death = new Promise<never>((_, reject) => {
    kill = () => {
      dead = true;
      reject(new Error('the container was killed on the network'));
    };
  });
  death.catch(() => {});
  return {
    lines: container.lines,
    metric: container.metric,
    get crashed() {
      return dead || container.crashed;
    },
    invoke: async <Result>(event: unknown) =>
      ((await Promise.race([container.invoke(event), death])) ?? { batchItemFailures: [] }) as Result,
  };
}

const write = () => open('write', { HELD_BUCKET_NAME: 'held' });
const mint = () =>
  open('mint-tokens', {
    ORGANIZATION: 'tillstream',
    FIRST_USER_SECRET_ARN: secretArns.firstUser,
    READ_TOKEN_SECRET_ARN: secretArns.read,
  });

const deployment = (change: object = {}) => ({
  RequestType: 'Create',
  RequestId: 'request',
  ResponseURL: 'https://cloudformation.test/outcome',
  StackId: 'stack',
  LogicalResourceId: 'Tokens',
  ResourceProperties: { revision: '1', salesRetentionDays: '0', itemsRetentionDays: '0' },
  ...change,
});
const retention = (salesRetentionDays: number, itemsRetentionDays: number) =>
  deployment({
    RequestType: 'Update',
    PhysicalResourceId: 'stack/Tokens',
    ResourceProperties: { salesRetentionDays: `${salesRetentionDays}`, itemsRetentionDays: `${itemsRetentionDays}` },
  });

/** Runs the deployment step, then forgets that it was there. */
async function deploy(event: object = deployment()): Promise<void> {
  await mint().invoke(event);
  expect(outcomes.splice(0)).toMatchObject([{ Status: 'SUCCESS' }]);
  rig.forget();
  network = [];
}

async function query(text: string, database: string = databases[0]): Promise<any> {
  const { token } = await secretOf('read');
  const search = new URLSearchParams({ db: database, q: text });
  return (await ask('GET', '/query', search, { authorization: `Token ${token}` })).json();
}

type Sums = Record<string, Record<string, number>>;
const columns = ['net', 'units', 'lines', 'discount', 'tax', 'transactions'] as const;

/** What a reader is told, by tags. */
async function told(database: (typeof databases)[number] = databases[0]): Promise<Sums> {
  const items = database === 'merchandising_items';
  const asked = columns.filter((column) => !items || column !== 'transactions');
  const sums = asked.map((column) => `SUM(${column}) AS ${column}`).join(', ');
  const by = items ? 'region, sku' : 'region, category, type';
  const { results } = await query(`SELECT ${sums} FROM ${items ? 'items' : 'sales'} GROUP BY ${by}`, database);
  expect(results[0].error).toBeUndefined();
  return Object.fromEntries(
    (results[0].series ?? []).map(({ tags, columns: names, values }: any) => [
      Object.values(tags).join(' '),
      Object.fromEntries(asked.map((column) => [column, values[0][names.indexOf(column)]])),
    ]),
  );
}

/** What it should be, computed from the sales without any of the code under test. */
function expected(sales: readonly Sale[], items = false): Sums {
  const sums: Sums = {};
  for (const { type, region, lines } of sales) {
    const sign = type === 'return' ? -1 : 1;
    for (const { sku, category, quantity, unitPrice, discount = 0, tax = 0 } of lines) {
      const name = items ? `${region} ${sku}` : `${category ?? 'uncategorized'} ${region} ${type}`;
      sums[name] ??= Object.fromEntries(columns.filter((c) => !items || c !== 'transactions').map((c) => [c, 0]));
      const sum = sums[name] as Record<string, number>;
      sum.net! += sign * (quantity * unitPrice - discount);
      sum.units! += sign * quantity;
      sum.lines! += 1;
      sum.discount! += sign * discount;
      sum.tax! += sign * tax;
    }
    if (items) continue;
    // The transaction is counted with the category that is first by name.
    const [first] = lines.map(({ category }) => category ?? 'uncategorized').sort();
    sums[`${first} ${region} ${type}`]!.transactions! += 1;
  }
  return sums;
}

async function expectExact(sales: readonly Sale[]): Promise<void> {
  expect(await told()).toEqual(expected(sales));
  expect(await told('merchandising_items')).toEqual(expected(sales, true));
}

const categories = ['kitchen', 'garden', 'toys, games', 'a=b "c"', 'back\u00e4rea', undefined];
/** Sales of few series and minutes, in several categories, with returns. */
const batch = someSales(60, (index) => ({
  type: index % 7 === 0 ? 'return' : 'sale',
  region: `region-${index % 2}`,
  occurredAt: `2026-11-22T10:1${index % 3}:${10 + (index % 40)}.123Z`,
  lines: [0, 1, 2].slice(0, 1 + (index % 3)).map((place) => {
    const category = categories[(index + place) % categories.length];
    return {
      line: place + 1,
      sku: `SKU-${(index * 3 + place) % 11}`,
      quantity: 1 + (index % 4),
      unitPrice: 100 + index,
      ...(index % 2 === 0 ? { discount: 5, tax: 7 } : {}),
      ...(category === undefined ? {} : { category }),
    };
  }),
}));

describe('repeats change nothing', () => {
  beforeEach(() => deploy());

  test('every sale is counted', async () => {
    const container = write();

    await container.invoke(kinesisEvent(batch));

    await expectExact(batch);
    expect(container.metric('PointsWritten')).toBeGreaterThan(batch.length);
    expect(container.metric('PointsBeyondRetention')).toBe(0);
    expect(container.metric('Held')).toBe(0);
  });

  test('the run report asks for the same: transactions, lines, units and net', async () => {
    await write().invoke(kinesisEvent([...batch, ...batch]));

    const sums = Object.values(expected(batch));
    const sum = (column: string) => sums.reduce((total, row) => total + row[column]!, 0);
    expect(await influxDbTotals((influxQl) => query(influxQl))).toEqual({
      transactions: batch.length,
      lines: sum('lines'),
      units: sum('units'),
      net: { EUR: sum('net') },
    });
  });

  test('the run report says when it got no answer', async () => {
    const answers = [{ code: 'unauthorized', message: 'no such token' }, { results: [{ error: 'no such database' }] }];

    for (const answer of answers) await expect(influxDbTotals(async () => answer)).rejects.toThrow('no such');
  });

  test('a batch delivered twice', async () => {
    const container = write();
    await container.invoke(kinesisEvent(batch));

    await container.invoke(kinesisEvent(batch));

    await expectExact(batch);
  });

  test('a batch cut differently the second time', async () => {
    const { Records } = kinesisEvent(batch);

    await write().invoke({ Records: Records.slice(0, 25) });
    await write().invoke({ Records: Records.slice(10, 50) });
    await write().invoke({ Records: Records.slice(3) });

    await expectExact(batch);
  });

  test('sales under new sequence numbers: in the same batch, later, and from another shard', async () => {
    const container = write();

    await container.invoke(kinesisEvent([...batch, ...batch]));
    await container.invoke(kinesisEvent([...batch].reverse(), { firstSequence: 1_000 }));
    await write().invoke(kinesisEvent(batch, { shard: 1, firstSequence: 5_000 }));

    await expectExact(batch);
  });

  test('a sale of a thousand lines, at no price, of long ago', async () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => ({
      line: index,
      sku: `SKU-${index}`,
      quantity: 1,
      unitPrice: 0,
    }));
    const sales = someSales(20, () => ({ occurredAt: '2010-01-01T00:00:00Z', lines }));

    await write().invoke(kinesisEvent(sales));

    await expectExact(sales);
    expect(network.filter((call) => call === 'POST /write')).toHaveLength(1 + 2);
  });
});

test('a record that is no sale is held, and stops nothing', async () => {
  await deploy();
  const container = write();

  await container.invoke(kinesisEvent(['{', ...batch, { ...aSale(), lines: [] }]));

  await expectExact(batch);
  expect(Object.values(await objectsOf(rig, 'held', 'held/')).map(({ reason }) => reason)).toEqual([
    'the record is not JSON',
    'lines are missing',
  ]);
  expect(container.metric('Held')).toBe(2);
});

test('sales older than the retention are counted, and stop nothing', async () => {
  await deploy(retention(90, 7));
  const now = new Date().toISOString();
  const recent = batch.map((sale) => ({ ...sale, occurredAt: now }));
  const old = aSale({ transactionId: 'old', occurredAt: '2010-01-01T00:00:00Z' });
  const container = write();

  await container.invoke(kinesisEvent([old, ...recent]));

  await expectExact(recent);
  expect(container.metric('PointsBeyondRetention')).toBe(2);
});

describe('failures', () => {
  beforeEach(() => deploy());
  const records = [...batch, ...batch.slice(0, 5), 'no sale'];
  const cleanCalls = { 's3:PutObject': 1, 'secretsmanager:GetSecretValue': 1 };
  const points = [
    ...crashPoints(cleanCalls),
    ...crashPoints({ '/write': 2 }).map((point) => ({ ...point, operation: 'POST /write' })),
  ];

  test('the crash points below are all the calls of a clean run', async () => {
    await write().invoke(kinesisEvent(records));

    expect(rig.calls()).toEqual(cleanCalls);
    expect(network).toEqual(['POST /write', 'POST /write']);
  });

  test.each(points)('killed $when call $call of $operation: sums are exact', async ({ operation, call, when }) => {
    if (operation === 'POST /write') crashAt = { call: call!, when };
    else rig.crash({ operation, call: call!, when });

    const invocations = await deliver(kinesisEvent(records), () => write(), [500, 17, 30]);

    expect(invocations).toBeGreaterThan(1);
    await expectExact(batch);
  });

  test.each([429, 500, 503])(
    'a write that HTTP %d refuses fails the batch, and is made good by the next',
    async (status) => {
      const container = write();
      instead = (_, call) => (call === 2 ? new Response('{"message":"not now"}', { status }) : undefined);

      await expect(container.invoke(kinesisEvent(batch))).rejects.toThrow(`HTTP ${status}`);
      await container.invoke(kinesisEvent(batch));

      await expectExact(batch);
    },
  );

  test('a token that was replaced meanwhile is read again, within the invocation', async () => {
    const container = write();
    await container.invoke(kinesisEvent(batch.slice(0, 10)));
    // As if it had been lost: the step mints another and takes the old one away.
    await rig.engines.secretsmanager.call('PutSecretValue', { SecretId: secretArns.write, SecretString: '{}' });
    await deploy();

    await container.invoke(kinesisEvent(batch));

    await expectExact(batch);
    expect(rig.calls()).toEqual({ 'secretsmanager:GetSecretValue': 1 });
  });

  test('whatever is repeated, cut or killed, sums are exact', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: batch.length - 1 }), { minLength: 1, maxLength: 40 }),
        fc.array(fc.record({ call: fc.integer({ min: 1, max: 6 }), when: fc.constantFrom('before', 'after') }), {
          maxLength: 3,
        }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
        async (picked, crashes, sizes) => {
          // Each run has a region of its own, so that all can share the database.
          const region = `region-of-run-${++run}`;
          const sales = picked.map((index) => ({ ...batch[index]!, region }));
          for (const { call, when } of crashes as (typeof crashes)[number][]) {
            network = [];
            crashAt = { call, when: when as 'before' | 'after' };
            await deliver(kinesisEvent(sales), () => write(), sizes);
          }
          await deliver(kinesisEvent(sales), () => write(), sizes);

          const unique = [...new Map(sales.map((sale) => [sale.transactionId, sale])).values()];
          const mine = Object.entries(await told()).filter(([name]) => name.includes(region));
          expect(Object.fromEntries(mine)).toEqual(expected(unique));
        },
      ),
      { numRuns: 15, seed: 20261122 },
    );
  });
});

describe('the deployment step', () => {
  /** What the instance lists, by the session of its first user. */
  async function administered(path: string): Promise<any> {
    const basic = `Basic ${Buffer.from(`tillstream:${password}`).toString('base64')}`;
    const signedIn = await ask('POST', '/api/v2/signin', new URLSearchParams(), { authorization: basic });
    const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!;
    return (await ask('GET', path, new URLSearchParams(), { cookie })).json();
  }
  const tokens = async () =>
    (await administered('/api/v2/authorizations')).authorizations
      .filter(({ description }: any) => description.startsWith('tillstream-'))
      .sort((one: any, other: any) => (one.description < other.description ? -1 : 1));
  const retentionDays = async () =>
    Object.fromEntries(
      (await administered('/api/v2/buckets')).buckets.map(({ name, retentionRules }: any) => [
        name,
        (retentionRules[0]?.everySeconds ?? 0) / 86_400,
      ]),
    );
  const may = async (token: string, path: '/write' | '/query', db: string) => {
    const search = new URLSearchParams({ db, q: 'SHOW MEASUREMENTS' });
    const { status, ...response } = await ask(
      'POST',
      path,
      search,
      { authorization: `Token ${token}` },
      'x y=1i 1',
    ).then(async (got) => ({ status: got.status, text: await got.text() }));
    return status < 300 && !response.text.includes('"error"');
  };
  /** Both tokens are stored, known, and do what they are for and nothing else. */
  async function expectMinted(): Promise<void> {
    const [read, written] = await tokens();
    expect(await tokens()).toHaveLength(2);
    expect(await secretOf('read')).toEqual({ id: read.id, token: read.token });
    expect(await secretOf('write')).toEqual({ id: written.id, token: written.token });
    for (const database of databases) {
      expect([await may(written.token, '/write', database), await may(written.token, '/query', database)]).toEqual([
        true,
        false,
      ]);
      expect([await may(read.token, '/write', database), await may(read.token, '/query', database)]).toEqual([
        false,
        true,
      ]);
    }
  }

  test('creates the databases and mints a token that only writes and one that only reads', async () => {
    await mint().invoke(deployment());

    expect(outcomes).toMatchObject([{ Status: 'SUCCESS', PhysicalResourceId: 'stack/Tokens', Data: {} }]);
    await expectMinted();
  });

  test('repeated, keeps the tokens that there are', async () => {
    await deploy();
    const before = [await secretOf('read'), await secretOf('write')];

    await mint().invoke(deployment());

    expect(rig.calls()['secretsmanager:PutSecretValue']).toBeUndefined();
    expect([await secretOf('read'), await secretOf('write')]).toEqual(before);
    await expectMinted();
  });

  test('sets the retention, changes it, and gives it up', async () => {
    await deploy(retention(90, 14));
    expect(await retentionDays()).toMatchObject({ merchandising: 90, merchandising_items: 14 });

    await deploy(retention(400, 35));
    expect(await retentionDays()).toMatchObject({ merchandising: 400, merchandising_items: 35 });

    await deploy(retention(0, 0));
    expect(await retentionDays()).toMatchObject({ merchandising: 0, merchandising_items: 0 });
  });

  test('replaces a token that was minted but not stored', async () => {
    rig.crash({ operation: 'secretsmanager:PutSecretValue', when: 'before' });
    await expect(mint().invoke(deployment())).rejects.toThrow('killed');
    const [orphan] = await tokens();

    await deploy();

    await expectMinted();
    expect((await tokens()).map(({ id }: any) => id)).not.toContain(orphan.id);
  });

  test('mints anew for another instance, even if that was begun and broke off', async () => {
    await deploy();
    await influx.close();
    influx = await openInstance('second');
    rig.crash({ operation: 'secretsmanager:PutSecretValue', when: 'before' });
    await expect(mint().invoke(deployment())).rejects.toThrow('killed');

    await deploy();

    await expectMinted();
  });

  test('killed before or after any call, ends in the same', async () => {
    await mint().invoke(deployment());
    const all = network.length;
    const calls = rig.calls();
    expect([all, calls]).toEqual([11, { 'secretsmanager:GetSecretValue': 3, 'secretsmanager:PutSecretValue': 2 }]);
    const onTheNetwork = crashPoints({ network: all }).map(({ call, when }) => ({ call: call!, when }));

    for (const point of [...crashPoints(calls), ...onTheNetwork]) {
      await influx.close();
      influx = await openInstance(JSON.stringify(point).replace(/\W/g, ''));
      network = [];
      rig.forget();
      if ('operation' in point) rig.crash(point);
      else crashAt = point;

      await expect(mint().invoke(deployment())).rejects.toThrow('killed');
      crashAt = undefined;
      outcomes = [];
      await deploy();

      await expectMinted();
    }
  });

  test.each<[string, () => Promise<unknown> | unknown, string]>([
    [
      'a first user whom the instance does not know',
      () =>
        rig.engines.secretsmanager.call('PutSecretValue', {
          SecretId: secretArns.firstUser,
          SecretString: JSON.stringify({ username: 'tillstream', password: 'another' }),
        }),
      'InfluxDB refused the first user: HTTP 401',
    ],
    [
      'an instance that does not create databases',
      () => {
        instead = (path) =>
          path === '/api/v2/buckets' ? new Response('{"message":"disk full"}', { status: 500 }) : undefined;
      },
      'InfluxDB refused GET /api/v2/buckets: HTTP 500: {"message":"disk full"}',
    ],
    [
      'an instance that does not answer',
      () => {
        instead = (path) => {
          if (path.startsWith('/api')) throw new TypeError('fetch failed');
          return undefined;
        };
      },
      'fetch failed',
    ],
    [
      'a secret that cannot be written',
      () => rig.throttle({ operation: 'secretsmanager:PutSecretValue', code: 'AccessDeniedException' }),
      'AccessDeniedException',
    ],
  ])('reports %s as a failure, without a secret', async (_, arrange, reason) => {
    await arrange();

    await mint().invoke(deployment());

    expect(outcomes).toMatchObject([{ Status: 'FAILED', Reason: expect.stringContaining(reason) }]);
    expect(JSON.stringify(outcomes)).not.toContain(password);
  });

  test('deleted, leaves the instance alone', async () => {
    await deploy();

    await mint().invoke(deployment({ RequestType: 'Delete', PhysicalResourceId: 'stack/Tokens' }));

    expect(network).toEqual(['PUT /outcome']);
    await expectMinted();
  });

  test('logs no token and no password', async () => {
    const container = mint();

    await container.invoke(deployment());

    const [read, written] = await tokens();
    for (const secret of [password, read.token, written.token])
      expect(JSON.stringify([container.lines, outcomes])).not.toContain(secret);
  });
});
