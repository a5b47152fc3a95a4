import {
  type ColumnInfo,
  DescribeEndpointsCommand as DescribeQueryEndpointsCommand,
  QueryCommand,
  TimestreamQueryClient,
} from '@aws-sdk/client-timestream-query';
import {
  CreateDatabaseCommand,
  CreateTableCommand,
  DeleteDatabaseCommand,
  DeleteTableCommand,
  DescribeEndpointsCommand,
  DescribeTableCommand,
  RejectedRecordsException,
  TimestreamWriteClient,
  UpdateTableCommand,
  WriteRecordsCommand,
  type WriteRecordsCommandInput,
} from '@aws-sdk/client-timestream-write';
import { openTimestream } from '../../local/engines/timestream';
import { type Endpoint, eventually, local, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let writer: TimestreamWriteClient;
let reader: TimestreamQueryClient;
const reports: { place: { BucketName: string; Key: string }; body: string }[] = [];
const rejectedLater: [database: string, table: string, count: number][] = [];
const DatabaseName = uniqueName();
const retention = { MemoryStoreRetentionPeriodInHours: 24, MagneticStoreRetentionPeriodInDays: 30 };

beforeAll(async () => {
  endpoint = await startEndpoint(async (door) => [
    await openTimestream({
      address: () => new URL(door.url).hostname,
      report: async (place, body) => reports.push({ place, body }),
      onRejectedLater: (...told) => rejectedLater.push(told),
    }),
  ]);
  writer = new TimestreamWriteClient(endpoint.client);
  reader = new TimestreamQueryClient(endpoint.client);
  await writer.send(new CreateDatabaseCommand({ DatabaseName }));
  endpoint.cleanUp(() => writer.send(new DeleteDatabaseCommand({ DatabaseName })));
});
afterAll(async () => {
  writer.destroy();
  reader.destroy();
  await endpoint.close();
});

type Write = Omit<WriteRecordsCommandInput, 'DatabaseName'>;

/** A table of its own for each test. */
async function table(more: object = {}): Promise<string> {
  const TableName = uniqueName();
  const properties = {
    RetentionProperties: retention,
    MagneticStoreWriteProperties: { EnableMagneticStoreWrites: true },
  };
  await writer.send(new CreateTableCommand({ DatabaseName, TableName, ...properties, ...more }));
  endpoint.cleanUp(() => writer.send(new DeleteTableCommand({ DatabaseName, TableName })));
  return TableName;
}

const write = (given: Write) => writer.send(new WriteRecordsCommand({ DatabaseName, ...given }));

/** Which of the records were refused, and by which version. */
async function refused(given: Write) {
  const error = await write(given).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(RejectedRecordsException);
  return (error as RejectedRecordsException).RejectedRecords!.map(({ RecordIndex, Reason, ExistingVersion }) => ({
    RecordIndex,
    Reason,
    ExistingVersion,
  }));
}

const now = Date.now();
const minutesAgo = (minutes: number) => String(now - minutes * 60_000);
const net = (value: number) => [{ Name: 'net', Value: String(value), Type: 'BIGINT' as const }];
const region = (Value: string) => [{ Name: 'region', Value }];
const shared = { MeasureName: 'sales', MeasureValueType: 'MULTI' as const };

async function rows(QueryString: string): Promise<{ columns: ColumnInfo[]; rows: (string | null)[][] }> {
  const { ColumnInfo = [], Rows = [] } = await reader.send(new QueryCommand({ QueryString }));
  const text = Rows.map(({ Data = [] }) => Data.map(({ ScalarValue }) => ScalarValue ?? null));
  return { columns: ColumnInfo, rows: text };
}

/** Asks until that is answered: what was written is read a little later. */
const expectRows = (query: string, expected: unknown) =>
  eventually(async () => expect((await rows(query)).rows).toEqual(expected));

const named = (TableName: string) => `"${DatabaseName}"."${TableName}"`;

test('both services say where they are', async () => {
  for (const client of [writer, reader] as any[]) {
    const Command = client === writer ? DescribeEndpointsCommand : DescribeQueryEndpointsCommand;
    const { Endpoints } = await client.send(new Command({}));

    expect(Endpoints).toEqual([
      { Address: expect.stringMatching(/^[\w.:-]+$/), CachePeriodInMinutes: expect.any(Number) },
    ]);
  }
});

describe('records', () => {
  test('are written with what they share, and read by type', async () => {
    const TableName = await table();
    const measures = [
      ...net(5),
      { Name: 'share', Value: '0.5', Type: 'DOUBLE' as const },
      { Name: 'key', Value: `it's "x"`, Type: 'VARCHAR' as const },
      { Name: 'first', Value: 'true', Type: 'BOOLEAN' as const },
    ];
    const Time = `${minutesAgo(1)}123456`;

    const { RecordsIngested } = await write({
      TableName,
      CommonAttributes: { ...shared, TimeUnit: 'NANOSECONDS', Dimensions: [{ Name: 'channel', Value: 'web' }] },
      Records: [{ Time, Dimensions: region('eu'), MeasureValues: measures }],
    });

    expect(RecordsIngested).toMatchObject({ Total: 1, MemoryStore: 1 });
    const moment = `${new Date(Number(minutesAgo(1))).toISOString().slice(0, 23).replace('T', ' ')}123456`;
    const asked = 'region, channel, measure_name, time, net, share, key, first, to_milliseconds(time) AS at';
    await expectRows(`SELECT ${asked} FROM ${named(TableName)}`, [
      ['eu', 'web', 'sales', moment, '5', '0.5', `it's "x"`, 'true', minutesAgo(1)],
    ]);
    const { columns } = await rows(`SELECT ${asked} FROM ${named(TableName)}`);
    expect(columns.map(({ Name, Type }) => [Name, Type!.ScalarType])).toEqual([
      ...['region', 'channel', 'measure_name'].map((name) => [name, 'VARCHAR']),
      ['time', 'TIMESTAMP'],
      ['net', 'BIGINT'],
      ['share', 'DOUBLE'],
      ['key', 'VARCHAR'],
      ['first', 'BOOLEAN'],
      ['at', 'BIGINT'],
    ]);
  });

  test('of the same time, name and dimensions are one, and a higher version replaces it', async () => {
    const TableName = await table();
    const record = (value: number) => ({ Time: minutesAgo(2), Dimensions: region('eu'), MeasureValues: net(value) });
    const at = (Version: number, value: number) => ({
      TableName,
      CommonAttributes: { ...shared, Version },
      Records: [record(value)],
    });

    await write(at(2, 5));
    await write(at(2, 5));
    expect(await refused(at(2, 6))).toMatchObject([{ RecordIndex: 0 }]);
    expect(await refused(at(1, 6))).toMatchObject([{ RecordIndex: 0, ExistingVersion: 2 }]);
    await write(at(3, 7));

    await expectRows(`SELECT net FROM ${named(TableName)}`, [['7']]);
  });

  test('that are refused stop no others of their call', async () => {
    const TableName = await table();
    const dimension = region('eu');

    const found = await refused({
      TableName,
      CommonAttributes: shared,
      Records: [
        { Time: minutesAgo(3), Dimensions: dimension, MeasureValues: net(1) },
        { Time: minutesAgo(31 * 24 * 60), Dimensions: dimension, MeasureValues: net(2) },
        { Time: minutesAgo(-60), Dimensions: dimension, MeasureValues: net(4) },
        { Time: minutesAgo(4), Dimensions: dimension, MeasureValues: net(8) },
      ],
    });

    expect(found.map(({ RecordIndex }) => RecordIndex)).toEqual([1, 2]);
    for (const { Reason, ExistingVersion } of found) {
      expect(Reason).toContain('outside the time range');
      expect(ExistingVersion).toBeUndefined();
    }
    await expectRows(`SELECT sum(net) AS net, count(net) AS n FROM ${named(TableName)}`, [['9', '2']]);
  });

  test('older than the memory store go into the magnetic store, where it takes writes', async () => {
    const TableName = await table();
    const Records = [{ Time: minutesAgo(3 * 24 * 60), Dimensions: region('eu'), MeasureValues: net(1) }];

    const { RecordsIngested } = await write({ TableName, CommonAttributes: shared, Records });
    await writer.send(
      new UpdateTableCommand({
        DatabaseName,
        TableName,
        MagneticStoreWriteProperties: { EnableMagneticStoreWrites: false },
      }),
    );

    expect(RecordsIngested).toMatchObject({ Total: 1, MagneticStore: 1 });
    const { Table } = await writer.send(new DescribeTableCommand({ DatabaseName, TableName }));
    expect(Table).toMatchObject({ TableName, TableStatus: 'ACTIVE', RetentionProperties: retention });
    expect(await refused({ TableName, CommonAttributes: { ...shared, Version: 2 }, Records })).toHaveLength(1);
  });

  test('must have a dimension that the table is partitioned by', async () => {
    const CompositePartitionKey = [{ Type: 'DIMENSION', Name: 'region', EnforcementInRecord: 'REQUIRED' }];
    const TableName = await table({ Schema: { CompositePartitionKey } });
    const Records = [{ Time: minutesAgo(1), Dimensions: [{ Name: 'channel', Value: 'web' }], MeasureValues: net(1) }];

    await expect(write({ TableName, CommonAttributes: shared, Records })).rejects.toThrow();
  });

  test.each<[string, (TableName: string) => Write, string]>([
    ['a table that is not there', () => ({ TableName: 'none', Records: [{}] }), 'ResourceNotFoundException'],
    ['no records', (TableName) => ({ TableName, Records: [] }), 'ValidationException'],
    [
      'more than a hundred records',
      (TableName) => ({
        TableName,
        CommonAttributes: { ...shared, Dimensions: region('eu'), MeasureValues: net(1) },
        Records: Array.from({ length: 101 }, (_, place) => ({ Time: String(now - place) })),
      }),
      'ValidationException',
    ],
    [
      'an empty dimension',
      (TableName) => ({
        TableName,
        CommonAttributes: shared,
        Records: [{ Time: minutesAgo(1), Dimensions: region(''), MeasureValues: net(1) }],
      }),
      'ValidationException',
    ],
  ])('with %s are refused as a whole', async (_, given, name) => {
    await expect(write(given(await table()))).rejects.toMatchObject({ name });
  });
});

describe('queries', () => {
  let TableName: string;
  const start = Math.floor((now - 6 * 3_600_000) / 3_600_000) * 3_600_000;
  beforeAll(async () => {
    TableName = await table();
    const Records = Array.from({ length: 90 }, (_, place) => ({
      Time: String(start + place * 120_000 + 30_000),
      Dimensions: [
        { Name: 'region', Value: place % 3 === 0 ? "eu'west" : 'us' },
        { Name: 'sku', Value: `SKU-${place % 7}` },
      ],
      MeasureValues: net(place),
    }));
    await write({ TableName, CommonAttributes: shared, Records });
    await expectRows(`SELECT count(net) AS n FROM ${named(TableName)}`, [['90']]);
  });

  test('add up by dimension, between two times, of some values', async () => {
    const query = `SELECT region, sum(net) AS net, count(net) AS n FROM ${named(TableName)}
      WHERE measure_name = 'sales' AND time >= from_milliseconds(${start}) AND time < from_milliseconds(${start + 3_600_000})
        AND region IN ('eu''west', 'us') GROUP BY region ORDER BY region`;

    expect((await rows(query)).rows).toEqual([
      ["eu'west", '135', '10'],
      ['us', '300', '20'],
    ]);
  });

  test('add up by windows, which may begin at any minute', async () => {
    const query = `SELECT to_milliseconds(bin(time - 30m, 60m)) AS at, sum(net) AS net FROM ${named(TableName)}
      GROUP BY bin(time - 30m, 60m) ORDER BY 1`;

    expect((await rows(query)).rows).toEqual([
      [String(start - 3_600_000), '105'],
      [String(start), '885'],
      [String(start + 3_600_000), '1785'],
      [String(start + 2 * 3_600_000), '1230'],
    ]);
  });

  test('group by a part of a text', async () => {
    const query = `SELECT split_part(sku, '-', 2) AS number, count(net) AS lines FROM ${named(TableName)}
      WHERE sku IN ('SKU-5', 'SKU-4') GROUP BY split_part(sku, '-', 2) ORDER BY 1`;
    const bySku = `SELECT sku, count(net) AS lines FROM ${named(TableName)} WHERE sku IN ('SKU-5', 'SKU-4') GROUP BY sku ORDER BY 1`;

    const { rows: expected } = await rows(bySku);
    expect(expected).toHaveLength(2);
    expect((await rows(query)).rows).toEqual(expected.map(([sku, lines]) => [sku!.replace('SKU-', ''), lines]));
  });

  test('rank, and take the newest', async () => {
    const ranked = `SELECT sku, net FROM (SELECT sku, net, row_number() OVER (ORDER BY net DESC, sku) AS place
      FROM (SELECT sku, sum(net) AS net FROM ${named(TableName)} GROUP BY sku)) WHERE place <= 2 ORDER BY place`;
    const newest = `SELECT region, max_by(net, time) AS net, to_milliseconds(max(time)) AS at FROM ${named(TableName)}
      WHERE time >= ago(1d) AND time < now() GROUP BY region ORDER BY region`;

    expect((await rows(ranked)).rows).toEqual([
      ['SKU-5', '611'],
      ['SKU-4', '598'],
    ]);
    expect((await rows(newest)).rows).toEqual([
      ["eu'west", '87', String(start + 87 * 120_000 + 30_000)],
      ['us', '89', String(start + 89 * 120_000 + 30_000)],
    ]);
  });

  test('are answered in pages, to the end, whoever asks again', async () => {
    const QueryString = `SELECT net FROM ${named(TableName)} ORDER BY net`;
    const found: string[] = [];
    let NextToken: string | undefined;
    do {
      const input = { QueryString, MaxRows: 40, ...(NextToken === undefined ? {} : { NextToken }) };
      const page = await reader.send(new QueryCommand(input));
      found.push(...(page.Rows ?? []).map(({ Data }) => Data![0]!.ScalarValue!));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);

    expect(found).toEqual(Array.from({ length: 90 }, (_, place) => String(place)));
  });

  test('that were sent before under the same token are not run again', async () => {
    const sent = { QueryString: `SELECT count(net) AS n FROM ${named(TableName)}`, ClientToken: uniqueName() };

    const first = await reader.send(new QueryCommand(sent));
    const again = await reader.send(new QueryCommand(sent));

    expect(again.QueryId).toBe(first.QueryId);
  });

  test.each([
    ['of no column', (name: string) => `SELECT nope FROM ${name}`, "Column 'nope' does not exist"],
    ['of a table that is not there', () => `SELECT net FROM "${DatabaseName}"."none"`, ''],
    ['that are no query', () => 'DROP TABLE x', ''],
    ['that go on with another page of another query', (name: string) => `SELECT net FROM ${name}`, ''],
  ])('%s are refused', async (why, query, message) => {
    const input = { QueryString: query(named(TableName)), ...(why.includes('page') ? { NextToken: 'unknown' } : {}) };

    await expect(reader.send(new QueryCommand(input))).rejects.toMatchObject({
      name: expect.stringMatching(/^(ValidationException|ResourceNotFoundException)$/),
      message: expect.stringContaining(message),
    });
  });
});

local.describe('the local Timestream', () => {
  test('reports what the magnetic store did not keep where the table says', async () => {
    const S3Configuration = { BucketName: 'held', ObjectKeyPrefix: 'rejected/', EncryptionOption: 'SSE_S3' };
    const MagneticStoreRejectedDataLocation = { S3Configuration };
    const TableName = await table({
      MagneticStoreWriteProperties: { EnableMagneticStoreWrites: true, MagneticStoreRejectedDataLocation },
    });
    const late = (value: number) => ({
      TableName,
      CommonAttributes: shared,
      Records: [{ Time: minutesAgo(3 * 24 * 60), Dimensions: region('eu'), MeasureValues: net(value) }],
    });

    await write(late(1));
    await write(late(2));

    await expectRows(`SELECT net FROM ${named(TableName)}`, [['1']]);
    expect(rejectedLater).toEqual([[DatabaseName, TableName, 1]]);
    expect(reports).toMatchObject([{ place: { BucketName: 'held', Key: expect.stringMatching(/^rejected\//) } }]);
    expect(JSON.parse(reports[0]!.body).errors).toMatchObject([{ ExistingVersion: 1 }]);
  });

  test.each<[string, (name: string) => string, string]>([
    ['all columns', (name) => `SELECT * FROM ${name}`, "'SELECT *'"],
    ['a function', (name) => `SELECT approx_distinct(net) FROM ${name}`, "the function 'approx_distinct'"],
    ['a file', () => `SELECT 1 FROM 'file.csv'`, "'FROM file.csv'"],
    ['a division', (name) => `SELECT net / 2 FROM ${name}`, "'/ 2 FROM"],
    ['another statement', () => 'SHOW DATABASES', "a query that begins with 'SHOW'"],
  ])('says what it does not model: %s', async (_, query, what) => {
    const QueryString = query(named(await table()));

    await expect(rows(QueryString)).rejects.toThrow(`the local Timestream does not model ${what}`);
  });
});
