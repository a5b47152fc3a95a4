import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  CreateDeliveryStreamCommand,
  DeleteDeliveryStreamCommand,
  DescribeDeliveryStreamCommand,
  type ExtendedS3DestinationConfiguration,
  FirehoseClient,
  PutRecordBatchCommand,
  PutRecordCommand,
} from '@aws-sdk/client-firehose';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { DuckDBInstance } from '@duckdb/node-api';
import { type FirehoseEngine, openFirehose } from '../../local/engines/firehose';
import { openGlue } from '../../local/engines/glue';
import { openS3, type S3Engine } from '../../local/engines/s3';
import { type Endpoint, eventually, given, isLocal, local, startEndpoint, uniqueName, whereGiven } from './endpoint';

const role = given('FIREHOSE_ROLE_ARN') ?? 'arn:aws:iam::000000000000:role/delivery';
const bucket = given('BUCKET') ?? 'lake';
/** What this run writes lies under it. */
const home = `${uniqueName()}/`;
let directory: string;
let endpoint: Endpoint;
let client: FirehoseClient;
let s3Client: S3Client;
let s3: S3Engine;
let firehose: FirehoseEngine;
let billed: Record<string, number>;
let count = 0;

beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'firehose-'));
  endpoint = await startEndpoint(async () => {
    s3 = await openS3({ directory: path.join(directory, 's3') });
    await s3.call('CreateBucket', { Bucket: bucket });
    const glue = await openGlue();
    await glue.call('CreateDatabase', { DatabaseInput: { Name: 'lake' } });
    await glue.call('CreateTable', { DatabaseName: 'lake', TableInput: lines });
    billed = {};
    firehose = await openFirehose({
      directory: path.join(directory, 'firehose'),
      s3: (_, operation, input) => s3.call(operation, input),
      table: glue.table,
      onConsumed: (stream, kilobytes) => {
        billed[stream] = (billed[stream] ?? 0) + kilobytes;
      },
      throttle: (stream, index) => stream.startsWith('throttled') && index % 2 === 1,
    });
    return [firehose, s3];
  });
  client = new FirehoseClient(endpoint.client);
  s3Client = new S3Client({ ...endpoint.client, forcePathStyle: true });
  endpoint.cleanUp(async () => {
    for (const Key of await keysUnder(home)) await s3Client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  });
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  s3Client.destroy();
  fs.rmSync(directory, { recursive: true, force: true });
});

const lines = {
  Name: 'sale_lines',
  StorageDescriptor: {
    Columns: [
      { Name: 'sku', Type: 'string' },
      { Name: 'quantity', Type: 'int' },
      { Name: 'net', Type: 'bigint' },
      { Name: 'weight', Type: 'double' },
      { Name: 'gift', Type: 'boolean' },
      { Name: 'day', Type: 'date' },
      { Name: 'occurred_at', Type: 'timestamp' },
      { Name: 'price', Type: 'decimal(10,2)' },
    ],
  },
  PartitionKeys: [{ Name: 'accepted_date', Type: 'date' }],
};

const plain: ExtendedS3DestinationConfiguration = {
  BucketARN: `arn:aws:s3:::${bucket}`,
  RoleARN: role,
  Prefix: `${home}plain/`,
  BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 60 },
};

/** What the lake's streams look like. */
const lake: ExtendedS3DestinationConfiguration = {
  ...plain,
  Prefix: 'sale_lines/accepted_date=!{partitionKeyFromQuery:accepted_date}/',
  ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/',
  BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 60 },
  DynamicPartitioningConfiguration: { Enabled: true, RetryOptions: { DurationInSeconds: 300 } },
  ProcessingConfiguration: {
    Enabled: true,
    Processors: [
      { Type: 'RecordDeAggregation', Parameters: [{ ParameterName: 'SubRecordType', ParameterValue: 'JSON' }] },
      {
        Type: 'MetadataExtraction',
        Parameters: [
          { ParameterName: 'MetadataExtractionQuery', ParameterValue: '{accepted_date: .accepted_date}' },
          { ParameterName: 'JsonParsingEngine', ParameterValue: 'JQ-1.6' },
        ],
      },
    ],
  },
  DataFormatConversionConfiguration: {
    Enabled: true,
    SchemaConfiguration: { RoleARN: role, DatabaseName: 'lake', TableName: 'sale_lines' },
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'SNAPPY' } } },
  },
};

async function create(destination: ExtendedS3DestinationConfiguration, name = uniqueName()): Promise<string> {
  const stream = { DeliveryStreamName: name };
  const input = { ...stream, ExtendedS3DestinationConfiguration: destination };
  await client.send(new CreateDeliveryStreamCommand({ DeliveryStreamType: 'DirectPut', ...input }));
  endpoint.cleanUp(() => client.send(new DeleteDeliveryStreamCommand(stream)));
  await eventually(async () => {
    const { DeliveryStreamDescription } = await client.send(new DescribeDeliveryStreamCommand(stream));
    expect(DeliveryStreamDescription!.DeliveryStreamStatus).toBe('ACTIVE');
  }, 120);
  return name;
}

async function keysUnder(prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3Client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key!);
}

async function objects(prefix: string): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for (const Key of await keysUnder(prefix)) {
    const { Body } = await s3Client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    found[Key] = Buffer.from(await Body!.transformToByteArray());
  }
  return found;
}

const put = (DeliveryStreamName: string, ...records: string[]) =>
  client.send(
    new PutRecordBatchCommand({ DeliveryStreamName, Records: records.map((text) => ({ Data: Buffer.from(text) })) }),
  );

const row = (fields: object = {}) => JSON.stringify({ sku: 'S1', accepted_date: '2026-11-22', ...fields });

whereGiven('BUCKET', 'FIREHOSE_ROLE_ARN').describe('a delivery stream', () => {
  test('is described as it was created', async () => {
    // Elsewhere there is no table for the lake's rows.
    const destination = isLocal ? lake : plain;
    const name = await create(destination);

    const { DeliveryStreamDescription } = await client.send(
      new DescribeDeliveryStreamCommand({ DeliveryStreamName: name }),
    );

    expect(DeliveryStreamDescription).toMatchObject({
      DeliveryStreamName: name,
      DeliveryStreamStatus: 'ACTIVE',
      DeliveryStreamType: 'DirectPut',
      Destinations: [{ ExtendedS3DestinationDescription: { Prefix: destination.Prefix } }],
    });
    await expect(create(destination, name)).rejects.toMatchObject({ name: 'ResourceInUseException' });
  });

  test('answers every record with its id', async () => {
    const name = await create(plain);

    const one = await client.send(
      new PutRecordCommand({ DeliveryStreamName: name, Record: { Data: Buffer.from('x') } }),
    );
    const many = await put(name, 'a', 'b', 'c');

    expect(one.RecordId).toEqual(expect.any(String));
    expect(many.FailedPutCount).toBe(0);
    expect(new Set(many.RequestResponses!.map(({ RecordId }) => RecordId)).size).toBe(3);
  });

  test('that does not exist takes nothing', async () => {
    await expect(put(uniqueName(), 'x')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('takes records of 1,000 KiB, 500 of them, 4 MiB in all, and no more', async () => {
    const name = await create(plain);
    const largest = 'x'.repeat(1000 * 1024);

    await expect(put(name, largest)).resolves.toMatchObject({ FailedPutCount: 0 });
    await expect(put(name, ...Array(500).fill('x'))).resolves.toMatchObject({ FailedPutCount: 0 });
    await expect(put(name, `${largest}x`)).rejects.toThrow();
    await expect(put(name, ...Array(501).fill('x'))).rejects.toThrow();
    await expect(put(name, ...Array(5).fill(largest))).rejects.toThrow();
  });

  test('brings the bytes to the bucket as they came, joined', async () => {
    const prefix = `${home}raw/`;
    const name = await create({ ...plain, Prefix: prefix });

    await put(name, 'a\n', 'b');
    if (isLocal) await firehose.flush();

    const found = await eventually(async () => {
      const delivered = await objects(prefix);
      expect(Object.keys(delivered)).toHaveLength(1);
      return delivered;
    }, 240);
    expect(Object.keys(found)[0]).toMatch(new RegExp(`^${prefix}\\d{4}/\\d\\d/\\d\\d/\\d\\d/${name}-1-[^/.]*$`));
    expect(Object.values(found).map(String)).toEqual(['a\nb']);
  }, 300_000);
});

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowObjectsJson();
  connection.closeSync();
  return rows;
}

// What follows must not wait for the buffers, and looks at the files themselves.
local.describe('delivery', () => {
  let root: string;
  let destination: ExtendedS3DestinationConfiguration;
  let parquet: string;

  beforeEach(() => {
    root = `${home}test-${++count}/`;
    destination = { ...lake, Prefix: `${root}${lake.Prefix}`, ErrorOutputPrefix: `${root}${lake.ErrorOutputPrefix}` };
    parquet = `read_parquet('${s3.directoryOf(bucket)}/${root}sale_lines/**/*.parquet', hive_partitioning = false)`;
  });

  async function errors(type: string): Promise<Record<string, any>[]> {
    const found = Object.values(await objects(`${root}errors/${type}/`));
    return found.flatMap((body) => body.toString().trimEnd().split('\n')).map((line) => JSON.parse(line));
  }

  test("rows become Parquet with the table's types, under the date they name", async () => {
    const name = await create(destination);
    const full = {
      quantity: 6,
      net: 9_007_199_254_740_991,
      weight: 1.25,
      gift: true,
      day: '2026-11-22',
      occurred_at: '2026-11-22T10:15:30.123Z',
      price: '12.34',
    };

    await put(name, `${row(full)}\n${row({ sku: 'S2' })}\n`, row({ sku: 'S3', accepted_date: '2026-11-23' }));
    await firehose.flush();

    expect(await query(`DESCRIBE FROM ${parquet}`)).toMatchObject(
      ['VARCHAR', 'INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'DATE', 'TIMESTAMP', 'DECIMAL(10,2)'].map(
        (type, place) => ({
          column_name: lines.StorageDescriptor.Columns[place]!.Name,
          column_type: type,
        }),
      ),
    );
    const missing = { quantity: null, net: null, weight: null, gift: null, day: null, occurred_at: null, price: null };
    expect(await query(`FROM ${parquet} ORDER BY sku`)).toEqual([
      { sku: 'S1', ...full, net: '9007199254740991', occurred_at: '2026-11-22 10:15:30.123' },
      { sku: 'S2', ...missing },
      { sku: 'S3', ...missing },
    ]);
    const keys = Object.keys(await objects(root));
    expect(keys).toHaveLength(2);
    const stamp = '\\d{4}(-\\d\\d){5}-[0-9a-f-]{36}';
    expect(keys[0]).toMatch(new RegExp(`^${root}sale_lines/accepted_date=2026-11-22/${name}-1-${stamp}\\.parquet$`));
    expect(keys[1]).toContain('/accepted_date=2026-11-23/');
  });

  test('the files are compressed with Snappy', async () => {
    await put(await create(destination), row());
    await firehose.flush();

    const file = parquet.replace('read_parquet', 'parquet_metadata').replace(', hive_partitioning = false', '');
    const codecs = await query(`SELECT DISTINCT compression FROM ${file}`);

    expect(codecs).toEqual([{ compression: 'SNAPPY' }]);
  });

  test('values are brought into their types where OpenX does so', async () => {
    const name = await create(destination);

    await put(
      name,
      row({ SKU: 'UPPER', sku: undefined, quantity: '7', net: '-12', weight: '0.5', gift: 'TRUE', price: 1.005 }),
      row({ sku: 12, day: '2026-1-2', occurred_at: '2026-11-22 10:15:30.5' }),
      row({ sku: 'seconds', occurred_at: 1518033528 }),
      row({ sku: 'milliseconds', occurred_at: 1518033528123 }),
    );
    await firehose.flush();

    expect(await errors('format-conversion-failed')).toEqual([]);
    expect(await query(`FROM ${parquet} ORDER BY sku`)).toMatchObject([
      { sku: '12', day: '2026-01-02', occurred_at: '2026-11-22 10:15:30.5' },
      { sku: 'UPPER', quantity: 7, net: '-12', weight: 0.5, gift: true, price: '1.01' },
      { sku: 'milliseconds', occurred_at: '2018-02-07 19:58:48.123' },
      { sku: 'seconds', occurred_at: '2018-02-07 19:58:48' },
    ]);
  });

  test.each([
    ['quantity', 'many'],
    ['quantity', 2 ** 31],
    ['quantity', 1.5],
    ['net', [1]],
    ['weight', 'heavy'],
    ['gift', 1],
    ['day', '2026-02-30'],
    ['day', '22.11.2026'],
    ['occurred_at', '2026-11-22T10:15:30+01:00'],
    ['occurred_at', '2026-11-22 25:00:00'],
    ['price', '123456789.00'],
  ])('a row whose %s is %j goes to the errors, the rest to the lake', async (field, value) => {
    const name = await create(destination);
    const bad = row({ sku: 'bad', [field]: value });

    await put(name, `${row({ sku: 'good' })}\n${bad}`);
    await firehose.flush();

    expect(await query(`SELECT sku FROM ${parquet}`)).toEqual([{ sku: 'good' }]);
    const [error, ...others] = await errors('format-conversion-failed');
    expect(others).toEqual([]);
    expect(error).toMatchObject({
      attemptsMade: 1,
      lastErrorCode: 'DataFormatConversion.MalformedData',
      lastErrorMessage: expect.stringContaining('Data does not match the schema.'),
      arrivalTimestamp: expect.any(Number),
      dataCatalogTable: { databaseName: 'lake', tableName: 'sale_lines' },
    });
    expect(Buffer.from(error!.rawData, 'base64').toString()).toBe(bad);
  });

  test('documents are taken apart with and without line breaks', async () => {
    const name = await create(destination);

    await put(name, `${row({ sku: 'a' })}${row({ sku: 'b"}{' })}  ${row({ sku: 'c' })}\n\n${row({ sku: 'd' })}`);
    await firehose.flush();

    const skus = (await query(`FROM ${parquet} ORDER BY sku`)).map(({ sku }) => sku);
    expect(skus).toEqual(['a', 'b"}{', 'c', 'd']);
  });

  test.each([
    ['no JSON', 'not json', 'Non JSON record provided'],
    ['an array', `[${row()}]`, 'Non JSON record provided'],
    ['nothing', ' ', 'Non JSON record provided'],
    ['no partition key', '{"sku":"S1"}', 'partitionKeys values must not be null or empty'],
    ['an empty partition key', row({ accepted_date: '' }), 'partitionKeys values must not be null or empty'],
    ['501 documents', `${row()}\n`.repeat(501), '501 documents in a record: deaggregation takes at most 500'],
  ])('a record that holds %s goes to the errors', async (_, record, errorMessage) => {
    const name = await create(destination);

    await put(name, record, row({ sku: 'good' }));
    await firehose.flush();

    expect(await query(`SELECT sku FROM ${parquet}`)).toEqual([{ sku: 'good' }]);
    expect(await errors('processing-failed')).toMatchObject([
      { errorCode: 'DynamicPartitioning.MetadataExtractionFailed', errorMessage },
    ]);
  });

  test('what JSON allows and Parquet text does not is mended, not lost', async () => {
    const name = await create(destination);

    await put(name, '{"sku":"first","sku":"twice","accepted_date":"2026-11-22"}', row({ sku: 'half \ud800' }));
    await firehose.flush();

    const skus = (await query(`FROM ${parquet} ORDER BY sku`)).map(({ sku }) => sku);
    expect(skus).toEqual(['half \uFFFD', 'twice']);
  });

  test('with a delimiter and gzip if so configured', async () => {
    const name = await create({
      ...plain,
      Prefix: `${root}raw/`,
      CompressionFormat: 'GZIP',
      ProcessingConfiguration: { Enabled: true, Processors: [{ Type: 'AppendDelimiterToRecord' }] },
    });

    await put(name, 'a', 'b');
    await firehose.flush();

    const [[key, body]] = Object.entries(await objects(`${root}raw/`)) as [[string, Buffer]];
    expect(key).toMatch(/\.gz$/);
    expect(gunzipSync(body).toString()).toBe('a\nb\n');
  });

  test('objects are encrypted with the key of the stream', async () => {
    const AWSKMSKeyARN = 'arn:aws:kms:eu-west-1:000000000000:key/k';
    const EncryptionConfiguration = { KMSEncryptionConfig: { AWSKMSKeyARN } };
    const name = await create({ ...plain, Prefix: `${root}raw/`, EncryptionConfiguration });

    await put(name, 'a');
    await firehose.flush();

    const [Key] = Object.keys(await objects(`${root}raw/`));
    expect(await s3Client.send(new HeadObjectCommand({ Bucket: bucket, Key: Key! }))).toMatchObject({
      SSEKMSKeyId: AWSKMSKeyARN,
    });
  });
});

local.describe('billing and limits of speed', () => {
  test('every record is billed in steps of 5 KB', async () => {
    const name = await create(plain);

    await put(name, 'x', 'x'.repeat(5 * 1024), 'x'.repeat(5 * 1024 + 1));

    expect(billed[name]).toBe(5 + 5 + 10);
  });

  test('a throttled record is refused alone and may be sent again', async () => {
    const name = await create(plain, `throttled-${uniqueName()}`);

    const { FailedPutCount, RequestResponses } = await put(name, 'a', 'b', 'c');

    expect(FailedPutCount).toBe(1);
    expect(RequestResponses!.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      'ServiceUnavailableException',
      undefined,
    ]);
    expect(billed[name]).toBe(10);
  });
});
