import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { AwsError } from '../../../local/engines/engine';
import { type FirehoseEngine, type FirehoseOptions, openFirehose } from '../../../local/engines/firehose';
import { parseConfiguration, parseQuery } from '../../../local/engines/firehose-configuration';
import { documentsOf } from '../../../local/engines/firehose-documents';
import { objectKey, parsePrefix } from '../../../local/engines/firehose-prefix';
import { openGlue } from '../../../local/engines/glue';

const plain = { BucketARN: 'arn:aws:s3:::lake', RoleARN: 'arn:aws:iam::000000000000:role/delivery' };

const partitioned = {
  ...plain,
  Prefix: 'day=!{partitionKeyFromQuery:day}/',
  ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
  DynamicPartitioningConfiguration: { Enabled: true },
  ProcessingConfiguration: {
    Enabled: true,
    Processors: [
      { Type: 'RecordDeAggregation', Parameters: [{ ParameterName: 'SubRecordType', ParameterValue: 'JSON' }] },
      {
        Type: 'MetadataExtraction',
        Parameters: [
          { ParameterName: 'MetadataExtractionQuery', ParameterValue: '{"day":.day}' },
          { ParameterName: 'JsonParsingEngine', ParameterValue: 'JQ-1.6' },
        ],
      },
      { Type: 'AppendDelimiterToRecord' },
    ],
  },
};

const conversion = {
  SchemaConfiguration: { RoleARN: plain.RoleARN, DatabaseName: 'lake', TableName: 'lines', VersionId: 'LATEST' },
  InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
  OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
};

describe('configuration', () => {
  test('defaults are those of Firehose', () => {
    const configured = parseConfiguration(plain);
    const converted = parseConfiguration({
      ...plain,
      ErrorOutputPrefix: partitioned.ErrorOutputPrefix,
      DataFormatConversionConfiguration: conversion,
    });

    expect(configured).toMatchObject({ bucket: 'lake', bufferBytes: 5 * 2 ** 20, bufferSeconds: 300, gzip: false });
    expect(converted).toMatchObject({ bufferBytes: 128 * 2 ** 20, conversion: { database: 'lake', table: 'lines' } });
  });

  test.each<[string, object]>([
    ['FileExtension is not modelled', { ...plain, FileExtension: '.x' }],
    ['S3BackupMode "Enabled" is not modelled', { ...plain, S3BackupMode: 'Enabled' }],
    ['CompressionFormat "ZIP" is not modelled', { ...plain, CompressionFormat: 'ZIP' }],
    ['RoleARN is missing', { BucketARN: plain.BucketARN }],
    ['SizeInMBs 129 is out of range: 1 to 128', { ...plain, BufferingHints: { SizeInMBs: 129 } }],
    ['SizeInMBs 5 is out of range: 64 to 128', { ...partitioned, BufferingHints: { SizeInMBs: 5 } }],
    ['IntervalInSeconds 0 is out of range: 60 to 900', { ...partitioned, BufferingHints: { IntervalInSeconds: 0 } }],
    ['ErrorOutputPrefix must be given', { ...partitioned, ErrorOutputPrefix: undefined }],
    ['ErrorOutputPrefix must be given', { ...partitioned, ErrorOutputPrefix: 'errors/' }],
    ['Prefix must use every partition key', { ...partitioned, Prefix: '!{partitionKeyFromQuery:shop}/' }],
    ['needs MetadataExtraction', { ...partitioned, ProcessingConfiguration: undefined }],
    ['need dynamic partitioning', { ...partitioned, DynamicPartitioningConfiguration: { Enabled: false } }],
    ['expression !{partitionKeyFromLambda:x} is not', { ...plain, Prefix: '!{partitionKeyFromLambda:x}' }],
    ['timestamp pattern w is not modelled', { ...plain, Prefix: '!{timestamp:w}/' }],
    [
      'CompressionFormat must be UNCOMPRESSED',
      { ...partitioned, CompressionFormat: 'GZIP', DataFormatConversionConfiguration: conversion },
    ],
    [
      'processor Lambda is not modelled',
      { ...plain, ProcessingConfiguration: { Enabled: true, Processors: [{ Type: 'Lambda' }] } },
    ],
    [
      'Serializer.ParquetSerDe is missing',
      {
        ...partitioned,
        DataFormatConversionConfiguration: {
          ...conversion,
          OutputFormatConfiguration: { Serializer: { OrcSerDe: {} } },
        },
      },
    ],
    [
      'ParquetSerDe.Compression "GZIP" is not modelled',
      {
        ...partitioned,
        DataFormatConversionConfiguration: {
          ...conversion,
          OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'GZIP' } } },
        },
      },
    ],
  ])('what is not modelled or not allowed is refused: %s', (message, configuration) => {
    expect(() => parseConfiguration(configuration)).toThrow(message);
  });

  test('queries of plain paths are understood, others refused', () => {
    expect(parseQuery('{accepted_date: .accepted_date}')).toEqual({ accepted_date: ['accepted_date'] });
    expect(parseQuery('{"day":.day,shop:.place.shop}')).toEqual({ day: ['day'], shop: ['place', 'shop'] });
    for (const query of ['.day', '{day:.day|tostring}', '{day:.days[0]}', '{}', '{day: "x"}']) {
      expect(() => parseQuery(query)).toThrow(`metadata extraction query ${query} is not modelled`);
    }
  });
});

test('prefixes are filled in from arrival, partition and error', () => {
  const prefix = parsePrefix(
    "a/!{timestamp:yyyy'-'MM-dd/HH}/!{partitionKeyFromQuery:day}/!{firehose:error-output-type}/",
  );
  const arrived = Date.UTC(2026, 10, 22, 9, 5, 7);
  const values = { arrived, partition: { day: 'd' }, errorOutputType: 'processing-failed' };

  const key = objectKey(prefix, values, 'lines', '.parquet');

  const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  const expected = `^a/2026-11-22/09/d/processing-failed/lines-1-2026-11-22-09-05-07-${uuid}\\.parquet$`;
  expect(key).toMatch(new RegExp(expected));
  expect(parsePrefix('x').evaluate(values)).toBe('x2026/11/22/09/');
});

test('a document over several lines is one', () => {
  const documents = documentsOf('{"a":\n {"b": "}"}}\n{"a":2} rest\n{"a":3');

  expect(documents).toEqual([
    { text: '{"a":{"b":"}"}}', value: { a: { b: '}' } } },
    { text: '{"a":2}', value: { a: 2 } },
    { text: 'rest', value: undefined },
    { text: '{"a":3', value: undefined },
  ]);
});

describe('buffers', () => {
  let directory: string;
  let firehose: FirehoseEngine;
  let objects: { readonly Key: string; readonly Body: Buffer; readonly roleArn: string }[];
  let down: boolean;
  let arrived: () => void;

  async function start(): Promise<FirehoseEngine> {
    const glue = await openGlue();
    const options: FirehoseOptions = {
      directory,
      table: glue.table,
      async s3(roleArn, _, { Key, Body }) {
        if (down) throw new AwsError('SlowDown', 'Please reduce your request rate.', 503);
        objects.push({ Key, Body, roleArn });
        arrived();
      },
    };
    return openFirehose(options);
  }

  beforeEach(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'firehose-'));
    objects = [];
    down = false;
    arrived = () => {};
    firehose = await start();
  });

  afterEach(async () => {
    await firehose.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const create = (ExtendedS3DestinationConfiguration: object, DeliveryStreamName = 'stream') =>
    firehose.call('CreateDeliveryStream', { DeliveryStreamName, ExtendedS3DestinationConfiguration });
  const put = (text: string, DeliveryStreamName = 'stream') =>
    firehose.call('PutRecord', { DeliveryStreamName, Record: { Data: Buffer.from(text).toString('base64') } });
  const bodies = () => objects.map(({ Body }) => Body.toString());
  const nextObject = () =>
    new Promise<void>((resolve) => {
      arrived = resolve;
    });

  async function scan(): Promise<string> {
    let all = '';
    for await (const { text } of firehose.contents()) all += `${text}\n`;
    return all;
  }

  test('nothing is delivered before its time, everything by a flush', async () => {
    await create(plain);
    await put('a');
    await put('b');

    expect(objects).toEqual([]);
    await firehose.flush();

    expect(bodies()).toEqual(['ab']);
    expect(objects[0]!.roleArn).toBe(plain.RoleARN);
    await firehose.flush();
    expect(objects).toHaveLength(1);
  });

  test('a full buffer is delivered by itself', async () => {
    await create({ ...plain, BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 900 } });
    const delivered = nextObject();
    await put('x'.repeat(600 * 1024));
    await put('y'.repeat(600 * 1024));

    await delivered;

    expect(objects[0]!.Body).toHaveLength(1200 * 1024);
  });

  test('a buffer whose interval is over is delivered by itself', async () => {
    await create({ ...plain, BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 } });
    const delivered = nextObject();

    await put('a');
    await delivered;

    expect(bodies()).toEqual(['a']);
  });

  test('each partition is an object', async () => {
    await create(partitioned);
    await put('{"day":"1"}{"day":"2"}');
    await put('{"day":"1","n":2}');

    await firehose.flush();

    const found = objects.map(({ Key, Body }) => [Key.split('/')[0], Body.toString()]);
    expect(found).toEqual([
      ['day=1', '{"day":"1"}\n{"day":"1","n":2}\n'],
      ['day=2', '{"day":"2"}\n'],
    ]);
  });

  test('more than 500 partitions at a time go to the errors', async () => {
    await create(partitioned);
    const days = Array.from({ length: 501 }, (_, n) => `{"day":${n}}`);
    await put(days.slice(0, 400).join('\n'));
    await put(days.slice(400).join('\n'));

    await firehose.flush();

    const failed = objects.filter(({ Key }) => Key.startsWith('errors/processing-failed/'));
    expect(objects).toHaveLength(501);
    expect(failed).toHaveLength(1);
    expect(JSON.parse(failed[0]!.Body.toString()).rawData).toBe(Buffer.from('{"day":500}').toString('base64'));
  });

  test('what S3 does not take stays, is seen by a scan, and goes with the next flush', async () => {
    await create(plain);
    await put('needle');
    down = true;

    await expect(firehose.flush()).rejects.toMatchObject({ code: 'SlowDown' });
    await put('+more');
    expect(await scan()).toContain('needle');
    down = false;
    await firehose.flush();

    expect(bodies()).toEqual(['needle+more']);
    expect(await scan()).not.toContain('needle');
  });

  test('what is not delivered when the engine closes is delivered by the next', async () => {
    await create(partitioned);
    await put('{"day":"1"}\nnot json');
    await firehose.close();
    firehose = await start();
    await create(partitioned);
    await put('{"day":"1","n":2}');

    await firehose.flush();
    await firehose.close();

    expect(bodies().sort()).toEqual([
      expect.stringContaining('"rawData":"bm90IGpzb24="'),
      '{"day":"1"}\n{"day":"1","n":2}\n',
    ]);
    expect(fs.readdirSync(directory)).toEqual(['tmp']);
    firehose = await start();
  });

  test('a table that is missing, or has types that are not modelled, is refused at creation', async () => {
    const converted = { ...partitioned, DataFormatConversionConfiguration: conversion };

    await expect(create(converted)).rejects.toMatchObject({
      code: 'InvalidArgumentException',
      message: 'firehose: Database lake not found.',
    });
    await firehose.close();
    const glue = await openGlue();
    await glue.call('CreateDatabase', { DatabaseInput: { Name: 'lake' } });
    const StorageDescriptor = { Columns: [{ Name: 'tags', Type: 'array<string>' }] };
    await glue.call('CreateTable', { DatabaseName: 'lake', TableInput: { Name: 'lines', StorageDescriptor } });
    firehose = await openFirehose({ directory, table: glue.table, s3: async () => {} });

    await expect(create(converted)).rejects.toThrow('glue type array<string> of lake.lines.tags is not modelled');
  });

  test('what is not modelled is refused by name', async () => {
    await expect(firehose.call('UpdateDestination', {})).rejects.toThrow('firehose UpdateDestination is not modelled');
    await expect(
      firehose.call('CreateDeliveryStream', { DeliveryStreamName: 'x', DeliveryStreamType: 'KinesisStreamAsSource' }),
    ).rejects.toThrow('DeliveryStreamType KinesisStreamAsSource is not modelled');
  });
});

describe('the catalog', () => {
  test('tables are found by any case of their name', async () => {
    const glue = await openGlue();
    await glue.call('CreateDatabase', { DatabaseInput: { Name: 'Lake' } });
    const StorageDescriptor = { Columns: [{ Name: 'sku', Type: 'string' }] };
    await glue.call('CreateTable', { DatabaseName: 'lake', TableInput: { Name: 'Lines', StorageDescriptor } });

    const { Table } = await glue.call('GetTable', { DatabaseName: 'LAKE', Name: 'lines' });
    const { TableVersions } = await glue.call('GetTableVersions', { DatabaseName: 'lake', TableName: 'lines' });

    expect(Table).toMatchObject({ Name: 'lines', DatabaseName: 'lake', StorageDescriptor, PartitionKeys: [] });
    expect(TableVersions).toMatchObject([{ VersionId: Table.VersionId }]);
  });

  test('names are given once, and unknown ones are not found', async () => {
    const glue = await openGlue();
    await glue.call('CreateDatabase', { DatabaseInput: { Name: 'lake' } });

    await expect(glue.call('CreateDatabase', { DatabaseInput: { Name: 'lake' } })).rejects.toMatchObject({
      code: 'AlreadyExistsException',
    });
    await expect(glue.call('GetTable', { DatabaseName: 'lake', Name: 'x' })).rejects.toMatchObject({
      code: 'EntityNotFoundException',
    });
    await expect(
      glue.call('CreateTable', { DatabaseName: 'lake', TableInput: { Name: 'x', ViewText: 'y' } }),
    ).rejects.toThrow('glue TableInput with ViewText is not modelled');
  });
});
