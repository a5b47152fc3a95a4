import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  type QueryExecution,
  StartQueryExecutionCommand,
  type StartQueryExecutionCommandInput,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Door } from '../../local/door/door';
import { roleSession } from '../../local/door/principal';
import { Athena } from '../../local/engines/athena';
import { type GlueEngine, openGlue } from '../../local/engines/glue';
import { openS3 } from '../../local/engines/s3';
import { type Endpoint, given, local, startEndpoint, uniqueName, whereGiven } from './endpoint';

const { describe, test } = whereGiven('ATHENA_WORKGROUP', 'ATHENA_DATABASE', 'BUCKET');
const bucket = given('BUCKET') ?? 'lake';
const database = given('ATHENA_DATABASE') ?? 'retail';
/** Its configuration is enforced, and its results lie in BUCKET under `results/`. */
const workgroup = given('ATHENA_WORKGROUP') ?? 'analysts';
const home = `contract/${uniqueName()}`;
/** The suite's own table; its queries call it `sales`. */
const table = uniqueName().replaceAll('-', '_');

let folder: string;
let endpoint: Endpoint;
let client: AthenaClient;
let s3: S3Client;
let duckdb: DuckDBConnection;
let glue: GlueEngine;
let athena: Athena;
let door: Door;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  endpoint = await startEndpoint(openLake, {
    lookup: { keyOf: () => undefined, workgroupOf: (id) => athena.workgroupOf(id) },
  });
  client = new AthenaClient(endpoint.client);
  s3 = new S3Client({ ...endpoint.client, forcePathStyle: true });
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  await createTable();
  await putRows('2026-11-20', "select 'one' as id, 1::bigint as net, timestamp '2026-11-20 10:00:00' as accepted_at");
  await putRows(
    '2026-11-21',
    "select 'two' as id, 2::bigint as net, timestamp '2026-11-21 10:00:00.25' as accepted_at",
  );
  // A file of before there was the column, and one that has more columns and in another order.
  await putRows('2026-11-22', "select 'three' as id, 3::bigint as net");
  await putRows(
    '2026-11-22',
    "select 'x' as other, timestamp '2026-11-22 10:00:00.123' as accepted_at, null::bigint as net, 'fo\"ur' as id",
  );
  await putRows(
    '2019-01-01',
    "select 'before the projection' as id, 9::bigint as net, timestamp '2019-01-01' as accepted_at",
  );
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  s3.destroy();
  rmSync(folder, { recursive: true, force: true });
});

async function openLake(opened: Door) {
  door = opened;
  const files = await openS3({ directory: join(folder, 's3') });
  await files.call('CreateBucket', { Bucket: bucket });
  glue = await openGlue();
  await glue.call('CreateDatabase', { DatabaseInput: { Name: database } });
  athena = new Athena({
    call: (callerArn, service, operation, input) =>
      door.call(
        callerArn.includes(':role/')
          ? roleSession(callerArn.split('/').pop()!, 'athena')
          : { arn: callerArn, administrator: true },
        service,
        operation,
        input,
      ),
    fileOf: (name, key) => files.fileOf(name, key),
    onScanned: door.meter.athena,
  });
  await athena.call('CreateWorkGroup', {
    Name: workgroup,
    Configuration: {
      EnforceWorkGroupConfiguration: true,
      ResultConfiguration: { OutputLocation: `s3://${bucket}/results/` },
    },
  });
  return [files, glue, athena];
}

const columns = [
  ['id', 'string'],
  ['net', 'bigint'],
  ['accepted_at', 'timestamp'],
  ['added_later', 'string'],
] as const;
const parameters = {
  'projection.enabled': 'true',
  'projection.day.type': 'date',
  'projection.day.format': 'yyyy-MM-dd',
  'projection.day.range': '2020-01-01,NOW',
  'storage.location.template': `s3://${bucket}/${home}/sales/day=\${day}/`,
};

/** Locally in the catalog, elsewhere by the statement that puts it there. */
async function createTable(): Promise<void> {
  const location = `s3://${bucket}/${home}/sales/`;
  if (glue === undefined) {
    endpoint.cleanUp(() => run('drop table sales'));
    const properties = Object.entries(parameters).map(([name, value]) => `'${name}'='${value}'`);
    await succeed(
      `create external table sales (${columns.map((column) => column.join(' ')).join(', ')}) partitioned by (day string) stored as parquet location '${location}' tblproperties (${properties.join(', ')})`,
    );
    return;
  }
  await glue.call('CreateTable', {
    DatabaseName: database,
    TableInput: {
      Name: table,
      TableType: 'EXTERNAL_TABLE',
      Parameters: parameters,
      PartitionKeys: [{ Name: 'day', Type: 'string' }],
      StorageDescriptor: {
        Columns: columns.map(([Name, Type]) => ({ Name, Type })),
        Location: location,
        InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
      },
    },
  });
}

async function putRows(day: string, select: string, key = `sales/day=${day}/${uniqueName()}.parquet`): Promise<void> {
  const file = join(folder, `${uniqueName()}.parquet`);
  await duckdb.run(`copy (${select}) to '${file}' (format parquet)`);
  const object = { Bucket: bucket, Key: `${home}/${key}` };
  await s3.send(new PutObjectCommand({ ...object, Body: readFileSync(file) }));
  endpoint.cleanUp(() => s3.send(new DeleteObjectCommand(object)));
}

const ownName = (sql: string): string =>
  sql.replaceAll(/\bsales\b/g, table).replaceAll('HOME', `s3://${bucket}/${home}`);

async function start(sql: string, more: Partial<StartQueryExecutionCommandInput> = {}, by = client): Promise<string> {
  const { QueryExecutionId } = await by.send(
    new StartQueryExecutionCommand({
      QueryString: ownName(sql),
      QueryExecutionContext: { Database: database },
      WorkGroup: workgroup,
      ...more,
    }),
  );
  return QueryExecutionId!;
}

async function finish(QueryExecutionId: string, by = client): Promise<QueryExecution> {
  for (;;) {
    const { QueryExecution: found } = await by.send(new GetQueryExecutionCommand({ QueryExecutionId }));
    if (!/QUEUED|RUNNING/.test(found!.Status!.State!)) return found!;
    await new Promise((later) => setTimeout(later, glue === undefined ? 200 : 5));
  }
}

const run = async (sql: string, more: Partial<StartQueryExecutionCommandInput> = {}, by = client) =>
  finish(await start(sql, more, by), by);

async function succeed(sql: string, more: Partial<StartQueryExecutionCommandInput> = {}): Promise<QueryExecution> {
  const execution = await run(sql, more);
  expect([execution.Status!.State, execution.Status!.StateChangeReason]).toEqual(['SUCCEEDED', undefined]);
  return execution;
}

async function rowsOf(QueryExecutionId: string): Promise<(string | undefined)[][]> {
  const { ResultSet } = await client.send(new GetQueryResultsCommand({ QueryExecutionId }));
  return ResultSet!.Rows!.map(({ Data }) => Data!.map(({ VarCharValue }) => VarCharValue));
}

const select = async (sql: string, more: Partial<StartQueryExecutionCommandInput> = {}) =>
  rowsOf((await succeed(sql, more)).QueryExecutionId!);

describe('a query', () => {
  test('answers its rows below a row of names, every value as text and null as nothing', async () => {
    const rows = await select(
      "select id, net, accepted_at, added_later, day from sales where day = '2026-11-22' order by net",
    );

    expect(rows).toEqual([
      ['id', 'net', 'accepted_at', 'added_later', 'day'],
      ['three', '3', undefined, undefined, '2026-11-22'],
      ['fo"ur', undefined, '2026-11-22 10:00:00.123', undefined, '2026-11-22'],
    ]);
  });

  test('tells the types of its columns', async () => {
    const { QueryExecutionId } = await succeed(
      "select id, sum(net) as net, max(accepted_at) as latest, avg(net) as mean, count(*) as many, date '2026-01-01' as d, cast(1.5 as decimal(10,2)) as amount, true as yes from sales group by id order by id limit 1",
    );

    const { ResultSet } = await client.send(new GetQueryResultsCommand({ QueryExecutionId }));

    const types = ResultSet!.ResultSetMetadata!.ColumnInfo!.map(({ Name, Type }) => `${Name} ${Type}`);
    expect(types.join(', ')).toBe(
      'id varchar, net bigint, latest timestamp, mean double, many bigint, d date, amount decimal, yes boolean',
    );
    expect(await rowsOf(QueryExecutionId!)).toContainEqual([
      'fo"ur',
      undefined,
      '2026-11-22 10:00:00.123',
      undefined,
      '1',
      '2026-01-01',
      '1.50',
      'true',
    ]);
  });

  test('sees the partitions that the projection leads to, and no others', async () => {
    expect(await select('select count(*) as n, sum(net) as net from sales')).toEqual([
      ['n', 'net'],
      ['4', '6'],
    ]);
    expect(await select("select count(*) as n from sales where day = '2019-01-01'")).toEqual([['n'], ['0']]);
  });

  test('of one day scans less than one of all days', async () => {
    const day = await succeed("select sum(net) from sales where day = '2026-11-20'");
    const all = await succeed('select sum(net) from sales');

    expect(day.Statistics!.DataScannedInBytes).toBeGreaterThan(0);
    expect(day.Statistics!.DataScannedInBytes).toBeLessThan(all.Statistics!.DataScannedInBytes!);
  });

  test('is answered in pages', async () => {
    const { QueryExecutionId } = await succeed('select id from sales order by id');

    const first = await client.send(new GetQueryResultsCommand({ QueryExecutionId, MaxResults: 3 }));
    const second = await client.send(
      new GetQueryResultsCommand({ QueryExecutionId, MaxResults: 3, NextToken: first.NextToken }),
    );

    const texts = [first, second].map(({ ResultSet }) => ResultSet!.Rows!.map(({ Data }) => Data![0]!.VarCharValue));
    expect(texts).toEqual([
      ['id', 'fo"ur', 'one'],
      ['three', 'two'],
    ]);
    expect(second.NextToken).toBeUndefined();
  });

  test('takes parameters, which are literals', async () => {
    const sql = 'select id from sales where day = ? and net > ?';

    expect(await select(sql, { ExecutionParameters: ["'2026-11-21'", '1'] })).toEqual([['id'], ['two']]);
    expect((await run(sql, { ExecutionParameters: ["'2026-11-21'"] })).Status).toMatchObject({ State: 'FAILED' });
  });

  test('sent again with its token is not run again, and another one with that token is refused', async () => {
    const ClientRequestToken = randomUUID();

    const first = await start('select 1', { ClientRequestToken });
    const again = await start('select 1', { ClientRequestToken });

    expect(again).toBe(first);
    await expect(start('select 2', { ClientRequestToken })).rejects.toMatchObject({ name: 'InvalidRequestException' });
  });

  test('leaves its result where the workgroup says, as CSV', async () => {
    const execution = await succeed("select id, added_later from sales where day = '2026-11-22' order by id", {
      ResultConfiguration: { OutputLocation: `s3://${bucket}/elsewhere/` },
    });

    const location = execution.ResultConfiguration!.OutputLocation!;
    const { Body } = await s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: location.slice(`s3://${bucket}/`.length) }),
    );
    expect(location).toMatch(new RegExp(`^s3://${bucket}/results/.*${execution.QueryExecutionId}.csv$`));
    expect(await Body!.transformToString()).toBe('"id","added_later"\n"fo""ur",\n"three",\n');
  });

  test.each([
    ['an unknown table', 'select * from nowhere', /TABLE_NOT_FOUND/],
    ['an unknown column', 'select nothing from sales', /nothing/],
    ['no statement at all', 'selec 1', /selec/i],
    ['two statements', 'select 1; select 2', /;/],
    ['a whole number that is too large', 'select sum(9223372036854775807) from sales', /overflow|OUT_OF_RANGE/i],
  ])('with %s fails and says so', async (_, sql, message) => {
    const { State, StateChangeReason } = (await run(sql)).Status!;

    expect(State).toBe('FAILED');
    expect(StateChangeReason).toMatch(message);
  });

  test('that failed has no result', async () => {
    const { QueryExecutionId } = await run('select * from nowhere');

    const results = client.send(new GetQueryResultsCommand({ QueryExecutionId }));

    await expect(results).rejects.toMatchObject({ name: 'InvalidRequestException' });
  });

  test('can be stopped', async () => {
    const QueryExecutionId = await start(
      'select count(*) from sales a, sales b, sales c, sales d, sales e, sales f, sales g, sales h, sales i, sales j, sales k, sales l',
    );

    await client.send(new StopQueryExecutionCommand({ QueryExecutionId }));

    expect((await finish(QueryExecutionId)).Status!.State).toBe('CANCELLED');
  });

  test('of an unknown id or workgroup is refused', async () => {
    const unknown = { QueryExecutionId: randomUUID() };

    for (const command of [new GetQueryExecutionCommand(unknown), new StopQueryExecutionCommand(unknown)])
      await expect(client.send(command as GetQueryExecutionCommand)).rejects.toMatchObject({
        name: 'InvalidRequestException',
      });
    await expect(start('select 1', { WorkGroup: uniqueName() })).rejects.toMatchObject({
      name: 'InvalidRequestException',
    });
  });
});

describe('functions', () => {
  test('give what they give in Athena', async () => {
    const rows = await select(
      `select to_hex(sha256(to_utf8('a'))) as digest,
         from_big_endian_64(from_hex(substr(to_hex(sha256(to_utf8('a'))), 1, 16))) as word,
         date_diff('millisecond', timestamp '1970-01-01 00:00:00', timestamp '2026-11-20 10:00:00.001') as ms,
         7 / 2 as whole, coalesce(null, 'x') || 'y' as text, date_trunc('day', timestamp '2026-11-20 10:00:00') as day,
         date_add('day', 1, timestamp '2026-11-20 10:00:00') as tomorrow`,
    );

    expect(rows[1]).toEqual([
      'CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB',
      '-3848465438864589366',
      '1795168800001',
      '3',
      'xy',
      '2026-11-20 00:00:00.000',
      '2026-11-21 10:00:00.000',
    ]);
  });

  test('over a range of rows look back and not at the row itself', async () => {
    const rows = await select(
      `select n, sum(n) over (order by n range between 2 preceding and 1 preceding) as before
       from (values (1), (2), (2), (4)) as t (n) order by n`,
    );

    expect(rows.slice(1)).toEqual([
      ['1', undefined],
      ['2', '1'],
      ['2', '1'],
      ['4', '4'],
    ]);
  });
});

describe('UNLOAD', () => {
  test('writes the rows as Parquet, under a prefix where nothing is', async () => {
    const unload =
      "unload (select id, sum(net) as net from sales group by id) to 'HOME/unloaded/' with (format = 'PARQUET', compression = 'SNAPPY')";

    await succeed(unload);

    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${home}/unloaded/` }));
    for (const { Key } of Contents) endpoint.cleanUp(() => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key })));
    const files: string[] = [];
    for (const { Key } of Contents) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
      files.push(join(folder, uniqueName()));
      writeFileSync(files.at(-1)!, await Body!.transformToByteArray());
    }
    const reader = await duckdb.runAndReadAll(`select id, net from read_parquet(['${files.join("','")}']) order by id`);
    expect(reader.getRows()).toEqual([
      ['fo"ur', null],
      ['one', 1n],
      ['three', 3n],
      ['two', 2n],
    ]);
    expect((await run(unload)).Status!.StateChangeReason).toMatch(/HIVE_PATH_ALREADY_EXISTS/);
  });
});

describe('a view', () => {
  test('is made, made anew, and read like a table', async () => {
    endpoint.cleanUp(() => run('drop view if exists sales_view'));
    const read = "select count(*) as n from sales_view where day = '2026-11-22'";

    await succeed(ownName('create or replace view sales_view as select id, day from sales'));
    const first = await select(read);
    await succeed(ownName('create or replace view sales_view as select id, day, net from sales where net > 0'));

    expect(first[1]).toEqual(['2']);
    expect((await select(read))[1]).toEqual(['1']);
  });
});

local.describe('locally', () => {
  const numbersOf = async (sql: string) => {
    const { QueryExecutionId } = await succeed(sql);
    return athena.filesScanned(QueryExecutionId!).length;
  };

  test('what is scanned can be counted: the files of a day, through a view and its window too', async () => {
    await succeed(
      'create or replace view once as select id, day from (select id, day, row_number() over (partition by day, id order by net) as n from sales) as numbered where n = 1',
    );

    expect(await numbersOf("select count(id) from sales where day = '2026-11-20'")).toBe(1);
    expect(await numbersOf("select count(id) from once where day = '2026-11-22'")).toBe(2);
    expect(await numbersOf("select count(id) from once where day between '2026-11-21' and '2026-11-22'")).toBe(3);
    expect(await numbersOf("select count(id) from sales where day > '2027'")).toBe(0);
  });

  test('a table that lists its files reads these, and asks for its partition', async () => {
    await glue.call('CreateTable', {
      DatabaseName: database,
      TableInput: {
        Name: 'listed',
        Parameters: {
          'projection.enabled': 'true',
          'projection.week.type': 'injected',
          'storage.location.template': `s3://${bucket}/${home}/lists/week=\${week}/`,
        },
        PartitionKeys: [{ Name: 'week', Type: 'string' }],
        StorageDescriptor: {
          Columns: columns.map(([Name, Type]) => ({ Name, Type })),
          Location: `s3://${bucket}/${home}/lists/`,
          InputFormat: 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat',
        },
      },
    });
    await putRows('', "select 'five' as id, 5::bigint as net", 'anywhere/a.parquet');
    const list = { Bucket: bucket, Key: `${home}/lists/week=2026-W47/files.txt` };
    await s3.send(new PutObjectCommand({ ...list, Body: ownName('HOME/anywhere/a.parquet\n') }));

    expect(await select("select id, week from listed where week = '2026-W47'")).toEqual([
      ['id', 'week'],
      ['five', '2026-W47'],
    ]);
    for (const sql of ['select id from listed', "select id from listed where week >= '2026-W47'"])
      expect((await run(sql)).Status!.StateChangeReason).toMatch(/CONSTRAINT_VIOLATION.*week/);
  });

  test('a caller needs the rights on the catalog, the files and the result himself', async () => {
    const arnsOf = (...keys: string[]) => keys.map((key) => `arn:aws:s3:::${bucket}/${key}`);
    const rights = {
      query: {
        Effect: 'Allow',
        Action: ['athena:StartQueryExecution', 'athena:GetQueryExecution'],
        Resource: `arn:aws:athena:eu-west-1:000000000000:workgroup/${workgroup}`,
      },
      catalog: { Effect: 'Allow', Action: ['glue:GetDatabase', 'glue:GetTable'], Resource: '*' },
      list: { Effect: 'Allow', Action: 's3:ListBucket', Resource: `arn:aws:s3:::${bucket}` },
      files: { Effect: 'Allow', Action: 's3:GetObject', Resource: arnsOf(`${home}/sales/*`) },
      result: { Effect: 'Allow', Action: 's3:PutObject', Resource: arnsOf('results/*') },
    } as const;
    const without = async (left: keyof typeof rights) => {
      const roleName = `Without-${left}`;
      const Statement = Object.entries(rights).flatMap(([name, statement]) => (name === left ? [] : [statement]));
      const keys = door.registerFunctionRole({ functionName: roleName, roleName, policies: [{ Statement }] });
      const caller = new AthenaClient({ ...endpoint.client, credentials: keys });
      try {
        const { Status } = await run('select id from sales', {}, caller);
        return Status!.StateChangeReason ?? Status!.State;
      } catch (error) {
        return (error as Error).message;
      } finally {
        caller.destroy();
      }
    };

    expect(await without('query')).toMatch(/athena:StartQueryExecution/);
    expect(await without('catalog')).toMatch(/glue:GetDatabase/);
    expect(await without('list')).toMatch(/s3:ListBucket/);
    expect(await without('files')).toMatch(/s3:GetObject/);
    expect(await without('result')).toMatch(/s3:PutObject/);
    expect(await without('' as keyof typeof rights)).toBe('SUCCEEDED');
  });

  test('a workgroup stops a query that would read more than it allows', async () => {
    await athena.call('CreateWorkGroup', {
      Name: 'small',
      Configuration: {
        BytesScannedCutoffPerQuery: 10,
        ResultConfiguration: { OutputLocation: `s3://${bucket}/results/` },
      },
    });

    expect((await run('select id from sales', { WorkGroup: 'small' })).Status).toMatchObject({
      State: 'CANCELLED',
      StateChangeReason: 'Bytes scanned limit was exceeded',
    });
  });

  test('a file whose column has another type fails the query', async () => {
    await putRows('2026-11-25', "select 'bad' as id, 'text' as net");
    expect((await run("select net from sales where day = '2026-11-25'")).Status!.StateChangeReason).toMatch(
      /HIVE_BAD_DATA: Field net's type VARCHAR/,
    );
  });

  test('a view whose query no longer gives its columns is refused as stale', async () => {
    await succeed('create or replace view stale as select id, day from sales');
    const { Table } = await glue.call('GetTable', { DatabaseName: database, Name: 'stale' });
    const text = Buffer.from(/View: (\S+)/.exec(Table.ViewOriginalText)![1]!, 'base64').toString();
    const other = Buffer.from(text.replace('"type":"varchar"', '"type":"bigint"')).toString('base64');
    await glue.call('UpdateTable', {
      DatabaseName: database,
      TableInput: {
        Name: 'stale',
        TableType: 'VIRTUAL_VIEW',
        Parameters: Table.Parameters,
        ViewOriginalText: `/* Presto View: ${other} */`,
      },
    });

    expect((await run("select * from stale where day = '2026-11-22'")).Status!.StateChangeReason).toMatch(
      /stale.*id varchar.*id bigint/,
    );
  });

  test.each([
    ['select net::varchar from sales', /'::'/],
    ["select * from read_csv('/etc/passwd')", /function 'read_csv'/],
    ["select * from '/etc/passwd'", /TABLE_NOT_FOUND/],
    ['select * exclude (net) from sales', /'exclude'/],
    ['select id from sales qualify row_number() over (order by id) = 1', /'qualify'/],
    ['insert into sales values (1)', /INSERT is not modelled/],
    ['select strftime(accepted_at) from sales', /function 'strftime'/],
    ["unload (select 1) to 'HOME/x/' with (format = 'CSV')", /format = csv/i],
    ['create table x as select 1', /CREATE is not modelled/],
  ])('%s is refused by name', async (sql, message) => {
    const { State, StateChangeReason } = (await run(sql)).Status!;

    expect([State, StateChangeReason]).toEqual(['FAILED', expect.stringMatching(message)]);
  });
});
