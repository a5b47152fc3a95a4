import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  type DescribeStatementCommandOutput,
  ExecuteStatementCommand,
  GetStatementResultCommand,
  RedshiftDataClient,
} from '@aws-sdk/client-redshift-data';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { Client } from 'pg';
import type { Door } from '../../local/door/door';
import { roleSession } from '../../local/door/principal';
import { type PostgresServer, startPostgres } from '../../local/engines/postgres';
import { openRedshift, type Redshift } from '../../local/engines/redshift';
import { openS3 } from '../../local/engines/s3';
import { type Endpoint, given, type LocalEndpoint, local, startEndpoint, uniqueName, whereGiven } from './endpoint';

const { describe, test } = whereGiven('WORKGROUP', 'DATABASE', 'ADMIN_SECRET_ARN', 'BUCKET', 'COPY_ROLE_ARN');
const secret = given('ADMIN_SECRET_ARN') ?? 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:admin';
const copyRole = given('COPY_ROLE_ARN') ?? 'arn:aws:iam::000000000000:role/Copy';
const loader = 'arn:aws:iam::000000000000:role/service/Loader';
const bucket = given('BUCKET') ?? 'lake';
/** Where the role of COPY may read and list, and where it may not. */
const home = `contract/${uniqueName()}`;
const to = { WorkgroupName: given('WORKGROUP') ?? 'finance', Database: given('DATABASE') ?? 'warehouse' };
const asAdmin = { ...to, SecretArn: secret };
/** The suite's own schema; its statements call it `sales`. */
const schema = uniqueName().replaceAll('-', '_');

let folder: string;
let postgres: PostgresServer;
let redshift: Redshift;
let endpoint: Endpoint;
let client: RedshiftDataClient;
let s3: S3Client;
let duckdb: DuckDBConnection;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  chmodSync(folder, 0o755);
  endpoint = await startEndpoint(openWarehouse);
  client = new RedshiftDataClient(endpoint.client);
  s3 = new S3Client({ ...endpoint.client, forcePathStyle: true });
  duckdb = await (await DuckDBInstance.create(':memory:')).connect();
  endpoint.cleanUp(() => run(['drop schema if exists sales cascade']));
});

beforeEach(async () => {
  await succeed(['drop schema if exists sales cascade', 'create schema sales']);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  s3.destroy();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A namespace with a workgroup, and a bucket of which the role of COPY may read all but what lies under `closed/`. */
async function openWarehouse(door: Door) {
  postgres = await startPostgres({ directory: join(folder, 'postgres') });
  const files = await openS3({ directory: join(folder, 's3') });
  await files.call('CreateBucket', { Bucket: bucket });
  redshift = openRedshift({
    postgres,
    s3: (roleArn, operation, input) =>
      door.call(roleSession(roleArn.split('/').pop()!, 'redshift'), 's3', operation, input),
    fileOf: (name, key) => files.fileOf(name, key),
  });
  const { serverless, data } = redshift;
  const names = { namespaceName: 'finance', dbName: 'warehouse', adminPasswordSecretArn: secret, iamRoles: [copyRole] };
  await serverless.call('CreateNamespace', { ...names, defaultIamRoleArn: copyRole });
  await serverless.call('CreateWorkgroup', { workgroupName: 'finance', namespaceName: 'finance' });
  door.registerRole('Copy', [
    {
      Statement: [
        { Effect: 'Allow', Action: 's3:ListBucket', Resource: `arn:aws:s3:::${bucket}` },
        { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${home}/*` },
        { Effect: 'Deny', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${home}/closed/*` },
      ],
    },
  ]);
  return [data, serverless, files];
}

async function put(key: string, Body: string | Buffer): Promise<void> {
  const object = { Bucket: bucket, Key: `${home}/${key}` };
  await s3.send(new PutObjectCommand({ ...object, Body }));
  endpoint.cleanUp(() => s3.send(new DeleteObjectCommand(object)));
}

/** The manifest's entry for a file. */
const entryOf = (key: string, bytes: number) => ({
  url: `s3://${bucket}/${home}/${key}`,
  mandatory: true,
  meta: { content_length: bytes },
});

/** Writes rows as Parquet and answers the manifest's entry for them. */
async function putParquet(key: string, select: string) {
  const file = join(folder, `${uniqueName()}.parquet`);
  await duckdb.run(`copy (${select}) to '${file}' (format parquet)`);
  const body = readFileSync(file);
  await put(key, body);
  return entryOf(key, body.length);
}

const putManifest = (...entries: object[]): Promise<void> => put('manifest.json', JSON.stringify({ entries }));
const copy = (table: string): string =>
  `copy ${table} from 's3://${bucket}/${home}/manifest.json' iam_role '${copyRole}' format as parquet manifest`;
const inOwnSchema = (sql: string): string => sql.replaceAll(/\bsales\b/g, schema);

async function run(sqls: string[], where: any = asAdmin, by = client): Promise<DescribeStatementCommandOutput> {
  const { Id } = await by.send(new BatchExecuteStatementCommand({ ...where, Sqls: sqls.map(inOwnSchema) }));
  let description: DescribeStatementCommandOutput;
  do description = await by.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
  while (!/FINISHED|FAILED|ABORTED/.test(description.Status!));
  return description;
}

async function succeed(sqls: string[], where: any = asAdmin): Promise<DescribeStatementCommandOutput> {
  const description = await run(sqls, where);
  expect([description.Status, description.Error]).toEqual(['FINISHED', undefined]);
  return description;
}

async function select(sql: string, where: any = asAdmin, more: any = {}, by = client): Promise<unknown[][]> {
  const command = new ExecuteStatementCommand({ ...where, Sql: inOwnSchema(sql), WaitTimeSeconds: 30, ...more });
  const { Id } = await by.send(command);
  const { Status, Error: error } = await by.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
  if (Status !== 'FINISHED') throw new Error(error);
  const { Records } = await by.send(new GetStatementResultCommand({ Id }));
  return Records!.map((record) => record.map((field) => (field.isNull ? null : Object.values(field)[0])));
}

describe('a statement', () => {
  test('gives typed fields', async () => {
    const sql = `select 7::bigint as "Big", 1.5::float8 as f, true as yes, cast(12.30 as decimal(18,2)) as money, null::int as none,
      'text' as word, date '2010-01-02' as day, timestamp '2026-11-22 10:15:30.5' as at`;
    const { Id, Status } = await client.send(
      new ExecuteStatementCommand({ ...to, SecretArn: secret, Sql: sql, WaitTimeSeconds: 30 }),
    );

    const { Records, ColumnMetadata, TotalNumRows } = await client.send(new GetStatementResultCommand({ Id }));

    expect(Status).toBe('FINISHED');
    expect(Records).toEqual([
      [
        { longValue: 7 },
        { doubleValue: 1.5 },
        { booleanValue: true },
        { stringValue: '12.30' },
        { isNull: true },
        { stringValue: 'text' },
        { stringValue: '2010-01-02' },
        { stringValue: '2026-11-22 10:15:30.5' },
      ],
    ]);
    expect(ColumnMetadata![0]).toMatchObject({ name: 'big', typeName: 'int8' });
    expect(ColumnMetadata![3]).toMatchObject({ typeName: 'numeric', precision: 18, scale: 2 });
    expect(TotalNumRows).toBe(1);
  });

  test('takes named parameters as strings', async () => {
    const Parameters = [{ name: 'day', value: '2026-11-22' }];

    const rows = await select("select date '2026-11-23' > :day, cast(:day as date)", asAdmin, { Parameters });

    expect(rows).toEqual([[true, '2026-11-22']]);
  });

  test('that names no parameter given is refused', async () => {
    const command = new ExecuteStatementCommand({ ...to, Sql: 'select 1', Parameters: [{ name: 'day', value: 'x' }] });

    await expect(client.send(command)).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('sent again with the same token is run once', async () => {
    await succeed(['create table sales.t (a int)']);
    const command = new ExecuteStatementCommand({
      ...asAdmin,
      Sql: inOwnSchema('insert into sales.t values (1)'),
      ClientToken: uniqueName(),
      WaitTimeSeconds: 30,
    });

    const first = await client.send(command);
    const again = await client.send(command);

    expect(again.Id).toBe(first.Id);
    expect(await select('select count(*) from sales.t')).toEqual([[1]]);
  });

  test('with many rows is answered in pages', async () => {
    await succeed([
      'create table sales.t (a bigint)',
      'insert into sales.t select row_number() over (order by a.oid, b.oid) from pg_proc a, pg_proc b limit 2500',
    ]);
    const { Id } = await client.send(
      new ExecuteStatementCommand({
        ...asAdmin,
        Sql: inOwnSchema('select a from sales.t order by a'),
        WaitTimeSeconds: 30,
      }),
    );

    const first = await client.send(new GetStatementResultCommand({ Id }));
    const second = await client.send(new GetStatementResultCommand({ Id, NextToken: first.NextToken }));

    expect(first).toMatchObject({ TotalNumRows: 2500 });
    expect(second.Records![0]).toEqual([{ longValue: first.Records!.length + 1 }]);
  });

  local.test('that waits for a lock can be cancelled', async () => {
    await succeed(['create table sales.t (a int)']);
    const holder = await lockElsewhere(inOwnSchema('sales.t'));
    const { Id } = await client.send(
      new ExecuteStatementCommand({ ...asAdmin, Sql: inOwnSchema('select * from sales.t') }),
    );
    await until(async () => (await client.send(new DescribeStatementCommand({ Id }))).Status === 'STARTED');

    await client.send(new CancelStatementCommand({ Id }));
    const { Status } = await client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
    await holder.release();

    expect(Status).toBe('ABORTED');
  });

  test('of an unknown id, workgroup or database says so', async () => {
    const unknownId = client.send(new DescribeStatementCommand({ Id: randomUUID() }));
    const unknownGroup = client.send(
      new ExecuteStatementCommand({ ...to, WorkgroupName: uniqueName(), Sql: 'select 1' }),
    );

    await expect(unknownId).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(unknownGroup).rejects.toMatchObject({ name: 'ValidationException' });
    expect(await run(['select 1'], { ...asAdmin, Database: 'other' })).toMatchObject({
      Status: 'FAILED',
      Error: expect.stringContaining('database "other" does not exist'),
    });
  });
});

describe('a batch', () => {
  test('is one transaction: a failing statement undoes those before it and stops those after it', async () => {
    await succeed(['create table sales.t (a int not null)']);

    const description = await run(['insert into sales.t values (1)', 'insert into sales.t values (null)', 'select 1']);

    expect(description).toMatchObject({
      Status: 'FAILED',
      Error: expect.stringMatching(/^Query #2 failed with ERROR: null value/),
    });
    expect(description.SubStatements!.map(({ Status }) => Status)).toEqual(['FINISHED', 'FAILED', 'ABORTED']);
    expect(await select('select count(*) from sales.t')).toEqual([[0]]);
  });

  test('can be stopped by a guard, and tells that it was the guard', async () => {
    await succeed(['create table sales.loaded (file varchar(64))', "insert into sales.loaded values ('one')"]);
    const guardAgainst = (file: string) =>
      `SELECT 1 / CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS none\nFROM sales.loaded\nWHERE file = '${file}'`;

    const open = await run([guardAgainst('two'), "insert into sales.loaded values ('two')"]);
    const stopped = await run(['lock sales.loaded', guardAgainst('one'), "insert into sales.loaded values ('three')"]);

    expect(open.Status).toBe('FINISHED');
    expect(stopped.Status).toBe('FAILED');
    expect(stopped.SubStatements!.map(({ Status }) => Status)).toEqual(['FINISHED', 'FAILED', 'ABORTED']);
    // Redshift and PostgreSQL have different words for it.
    expect(stopped.SubStatements![1]!.Error).toMatch(/divi(de|sion) by zero/i);
    expect(await select('select count(*) from sales.loaded')).toEqual([[2]]);
  });

  test('has an id, a row count and a result for each statement', async () => {
    const { SubStatements } = await succeed([
      'create table sales.t (a int)',
      'insert into sales.t values (1), (2)',
      'select sum(a) from sales.t',
    ]);

    const { Records } = await client.send(new GetStatementResultCommand({ Id: SubStatements![2]!.Id }));

    expect(SubStatements!.map(({ HasResultSet, ResultRows }) => [HasResultSet, ResultRows])).toEqual([
      [false, -1],
      [false, 2],
      [true, 1],
    ]);
    expect(Records).toEqual([[{ longValue: 3 }]]);
  });

  test('holds 1 to 40 statements', async () => {
    const tooMany = client.send(new BatchExecuteStatementCommand({ ...asAdmin, Sqls: Array(41).fill('select 1') }));

    await expect(tooMany).rejects.toMatchObject({ name: 'ValidationException' });
  });

  test('that locks a table first sees what the batch before it committed', async () => {
    await succeed(['create table sales.loaded (file varchar(64))', 'create table sales.t (file varchar(64))']);
    const load = [
      'lock sales.loaded',
      "insert into sales.t select 'one' where not exists (select 1 from sales.loaded where file = 'one')",
      "insert into sales.loaded select 'one' where not exists (select 1 from sales.loaded where file = 'one')",
    ];

    await Promise.all([succeed(load), succeed(load), succeed(load)]);

    expect(await select('select (select count(*) from sales.t), (select count(*) from sales.loaded)')).toEqual([
      [1, 1],
    ]);
  });

  test('leaves no temporary table to the next', async () => {
    await succeed(['create temp table staged (a int)']);

    expect(await run(['select * from staged'])).toMatchObject({ Status: 'FAILED' });
  });
});

local.describe('a caller without the secret', () => {
  const clientOf = (roleName: string) => new RedshiftDataClient((endpoint as LocalEndpoint).clientAs(roleName));

  test('is the database user of its role, and unknown until that user is made', async () => {
    const nobody = clientOf('Nobody');

    expect(await run(['select 1'], to, nobody)).toMatchObject({
      Status: 'FAILED',
      Error: expect.stringContaining('user "iamr:nobody" does not exist'),
    });
  });

  test('may do what it was granted, and nothing else', async () => {
    const reader = clientOf('Reader');
    await succeed([
      'create table sales.open (a int)',
      'create table sales.closed (a int)',
      'create user "IAMR:Reader" password disable',
      'grant usage on schema sales to "IAMR:Reader"',
      'grant select on sales.open to "IAMR:Reader"',
    ]);

    expect(await select('select count(*) from sales.open', to, {}, reader)).toEqual([[0]]);
    expect(await select('select current_user', to, {}, reader)).toEqual([['iamr:reader']]);
    expect(await run(['select * from sales.closed'], to, reader)).toMatchObject({
      Error: expect.stringContaining('permission denied for relation closed'),
    });
    expect(await run(['insert into sales.open values (1)'], to, reader)).toMatchObject({
      Error: expect.stringContaining('permission denied'),
    });
  });
});

describe('COPY', () => {
  beforeEach(async () => {
    await succeed([
      'create table sales.lines (id varchar(8) not null, line bigint, net decimal(18,2), day date, at timestamp, primary key (id, line))',
    ]);
  });

  const row = (id: string, line: number) =>
    `select '${id}' as any_name, ${line}::bigint as l, 12.50::decimal(18,2) as n, date '2010-01-02' as d, timestamp '2026-11-22 10:15:30.123' as t`;

  test('loads every row of every file of the manifest, by position', async () => {
    const first = await putParquet('day=2026-11-22/a.parquet', `${row('one', 1)} union all ${row('one', 1)}`);
    const second = await putParquet(
      'day=2026-11-22/b.parquet',
      `select '' as z, 2::bigint, null::decimal(18,2), null::date, null::timestamp`,
    );
    await putManifest(first, second);

    const { SubStatements } = await succeed([copy('sales.lines')]);

    expect(SubStatements![0]!.ResultRows).toBe(3);
    expect(await select('select * from sales.lines order by id desc')).toEqual([
      ['one', 1, '12.50', '2010-01-02', '2026-11-22 10:15:30.123'],
      ['one', 1, '12.50', '2010-01-02', '2026-11-22 10:15:30.123'],
      ['', 2, null, null, null],
    ]);
  });

  test('is undone with its batch', async () => {
    await putManifest(await putParquet('a.parquet', row('one', 1)));

    const { Status } = await run([copy('sales.lines'), 'select 1 / 0']);

    expect(Status).toBe('FAILED');
    expect(await select('select count(*) from sales.lines')).toEqual([[0]]);
  });

  test('and MERGE bring the newest row of each key, once, however often the file is loaded', async () => {
    await putManifest(await putParquet('a.parquet', `${row('one', 1)} union all ${row('two', 1)}`));
    const load = [
      'create temp table staged (like sales.lines)',
      copy('staged'),
      `merge into sales.lines using staged on sales.lines.id = staged.id and sales.lines.line = staged.line
        when matched then update set net = staged.net + 1
        when not matched then insert (id, line, net) values (staged.id, staged.line, staged.net)`,
    ];

    await succeed(load);
    await succeed(load);

    expect(await select('select id, net from sales.lines order by id')).toEqual([
      ['one', '13.50'],
      ['two', '13.50'],
    ]);
  });

  test.each([
    [
      'a column more',
      `select *, 1 as extra from (${row('one', 1)})`,
      'Unmatched number of columns between table and file. Table columns: 5, Data columns: 6',
    ],
    [
      'another type',
      `select any_name, l::int, n, d, t from (${row('one', 1)})`,
      "incompatible Parquet schema for column 'line'. Column type: BIGINT",
    ],
    [
      'another scale',
      `select any_name, l, n::decimal(18,3), d, t from (${row('one', 1)})`,
      "column 'net'. Column type: NUMERIC(18,2)",
    ],
    [
      'more bytes than the column has',
      row('ééééé', 1),
      'The length of the data column id is longer than the length defined in the table. Table: 8, Data: 10',
    ],
  ])('refuses a file with %s', async (_, rows, message) => {
    await putManifest(await putParquet('a.parquet', rows));

    const { Error: error } = await run([copy('sales.lines')]);

    expect(error).toContain(message);
  });

  test("refuses a file whose length is not the manifest's, one that is missing, and one that its role may not read", async () => {
    const entry = await putParquet('a.parquet', row('one', 1));

    await putManifest({ ...entry, meta: { content_length: 1 } });
    expect((await run([copy('sales.lines')])).Error).toContain('content_length');
    await putManifest({ ...entry, url: entryOf('gone.parquet', 1).url });
    expect((await run([copy('sales.lines')])).Error).toContain('Status 404');
    await putManifest(await putParquet('closed/a.parquet', row('one', 1)));
    expect((await run([copy('sales.lines')])).Error).toContain('Status 403,Error AccessDenied');
  });

  test('passes over a missing file that is not mandatory', async () => {
    await putManifest(await putParquet('a.parquet', row('one', 1)), {
      ...entryOf('gone.parquet', 1),
      mandatory: false,
    });

    await succeed([copy('sales.lines')]);

    expect(await select('select count(*) from sales.lines')).toEqual([[1]]);
  });

  test('refuses a role that the namespace does not have', async () => {
    await putManifest(await putParquet('a.parquet', row('one', 1)));

    const { Error: error } = await run([copy('sales.lines').replace(copyRole, loader)]);

    expect(error).toContain('Not authorized to assume role');
  });
});

describe('COPY of packed CSV', () => {
  beforeEach(async () => {
    await succeed(['create table sales.lines (id varchar(8), amount bigint, line integer, day date, at timestamp)']);
  });

  const copyCsv = (table: string): string =>
    `COPY ${table} FROM 's3://${bucket}/${home}/manifest.json'\nIAM_ROLE '${copyRole}'\nFORMAT AS CSV GZIP EMPTYASNULL MANIFEST`;
  /** Writes parts and a manifest of them, without lengths. */
  async function putParts(...parts: string[]): Promise<void> {
    for (const [number, part] of parts.entries()) await put(`${number}.csv.gz`, gzipSync(part, { level: 1 }));
    await putManifest(
      ...parts.map((_, number) => ({ url: `s3://${bucket}/${home}/${number}.csv.gz`, mandatory: true })),
    );
  }
  const lines = () => select('select * from sales.lines order by line');

  test('loads every row of every part into a temporary table, which the rest of its batch reads', async () => {
    await putParts('one,-9007199254740991,1,2026-11-22,2026-11-22 10:15:30.123\n', 'two,0,2,,\n,,3,,\n');

    const { SubStatements } = await succeed([
      'create temp table staged (like sales.lines)',
      copyCsv('staged'),
      'insert into sales.lines select * from staged',
    ]);

    expect(SubStatements!.map(({ ResultRows }) => ResultRows).slice(1)).toEqual([3, 3]);
    // An empty cell is null, in text as well.
    expect(await lines()).toEqual([
      ['one', -9007199254740991, 1, '2026-11-22', '2026-11-22 10:15:30.123'],
      ['two', 0, 2, null, null],
      [null, null, 3, null, null],
    ]);
  });

  test('takes commas, quotes and line breaks in a quoted cell as they are', async () => {
    await putParts('"a,""b""\nc",1,1,,\n');

    await succeed([copyCsv('sales.lines')]);

    expect(await lines()).toEqual([['a,"b"\nc', 1, 1, null, null]]);
  });

  test.each([
    ['a cell more', 'one,1,1,,,\n'],
    ['a cell fewer', 'one,1,1,\n'],
    ['text for a number', 'one,a,1,,\n'],
    ['a day that the calendar has not', 'one,1,1,2026-02-30,\n'],
    ['more bytes than the column has', 'ééééé,1,1,,\n'],
  ])('refuses all parts for one row with %s', async (_, row) => {
    await putParts('good,1,1,,\n', row);

    const { Error: error } = await run([copyCsv('sales.lines')]);

    expect(error).toContain('Load into table');
    expect(await lines()).toEqual([]);
  });

  test('refuses a part that is not packed, and one that is missing', async () => {
    await putParts('good,1,1,,\n');
    await put('0.csv.gz', 'one,1,1,,\n');
    const unpacked = await run([copyCsv('sales.lines')]);
    await putManifest({ url: `s3://${bucket}/${home}/gone.csv.gz`, mandatory: true });
    const gone = await run([copyCsv('sales.lines')]);

    expect([unpacked.Status, gone.Status]).toEqual(['FAILED', 'FAILED']);
    expect(await lines()).toEqual([]);
  });

  test('is undone with its batch', async () => {
    await putParts('one,1,1,,\n');

    const { Status } = await run([copyCsv('sales.lines'), 'select 1 / 0']);

    expect(Status).toBe('FAILED');
    expect(await lines()).toEqual([]);
  });
});

test('keys are not enforced, but the length of text in bytes is', async () => {
  await succeed(['create table sales.t (a varchar(4) primary key)', "insert into sales.t values ('x'), ('x')"]);

  const { Error: error } = await run(["insert into sales.t values ('ééé')"]);

  expect(await select('select count(*) from sales.t')).toEqual([[2]]);
  expect(error).toContain('value too long for type character varying(4)');
});

test('MERGE refuses a source with two rows for one', async () => {
  await succeed([
    'create table sales.t (a int)',
    'insert into sales.t values (1)',
    'create table sales.s (a int)',
    'insert into sales.s values (1), (1)',
  ]);

  const { Error: error } = await run([
    'merge into sales.t using sales.s on sales.t.a = sales.s.a when matched then update set a = 2 when not matched then insert values (sales.s.a)',
  ]);

  expect(error).toContain('Found multiple matches to update the same tuple');
});

test('functions of Redshift are there', async () => {
  const rows = await select(
    "select nvl(null, 2), dateadd(day, 1, timestamp '2026-11-22'), datediff(hour, timestamp '2026-11-22', timestamp '2026-11-23'), len('é'), getdate() <= sysdate + interval '1 minute'",
  );

  expect(rows).toEqual([[2, '2026-11-23 00:00:00', 24, 1, true]]);
});

local.test('the contents are every row of every table, and what was sent to it', async () => {
  await succeed(['create table sales.t (a varchar(32))', "insert into sales.t values ('planted')"]);

  const found: string[] = [];
  for await (const { where, text } of redshift.data.contents())
    if (text.includes('planted')) found.push(where.split(' ')[0]!);

  expect(found).toContain(inOwnSchema('warehouse.sales.t'));
  expect(found).toContain('statement');
});

/** Holds an exclusive lock on a table in a session of its own. */
async function lockElsewhere(table: string): Promise<{ release(): Promise<void> }> {
  const holder = new Client({ connectionString: redshift.warehouseUrl() });
  await holder.connect();
  await holder.query('begin');
  await holder.query(`lock table ${table}`);
  return { release: () => holder.end() };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((later) => setImmediate(later));
}
