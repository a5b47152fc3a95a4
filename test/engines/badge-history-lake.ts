import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { badgeHistory, type HistoryRow } from '../../lambdas/base/domain/badge-history';
import { lakeViewQuery } from '../../lambdas/base/domain/lake-views';
import { localAccount } from '../../local/engines/engine';
import { openFirehose } from '../../local/engines/firehose';
import { openGlue } from '../../local/engines/glue';
import { openS3 } from '../../local/engines/s3';
import type { Rig } from '../engine-rig';

const database = 'tillstream_local';

/** The lake behind the rig's badges: Firehose, Glue and files, as the template has them in what matters to rows. */
export interface HistoryLake {
  /** What Firehose took, as it was put: repeats too. */
  readonly taken: readonly HistoryRow[];
  /** Answers what the view of the history says, from the files: each row once, with its earliest time. */
  rows(): Promise<HistoryRow[]>;
  /** Runs a query of the history on the same files. */
  query(text: string): Promise<Record<string, any>[]>;
}

export const historyStreamName = 'badge-history';

export async function openHistoryLake(rig: Rig): Promise<HistoryLake> {
  const directory = mkdtempSync(join(tmpdir(), 'tillstream-history-'));
  const taken: HistoryRow[] = [];
  const s3 = await openS3({ directory: join(directory, 's3') });
  const glue = await openGlue();
  const firehose = await openFirehose({
    directory: join(directory, 'firehose'),
    s3: (_, operation, input) => s3.call(operation, input),
    table: (name, table) => glue.table(name, table),
  });
  rig.attach('s3', s3);
  rig.attach('firehose', {
    ...firehose,
    async call(operation, input) {
      const output = await firehose.call(operation, input);
      if (operation === 'PutRecordBatch')
        for (const { Data } of input.Records)
          for (const line of Buffer.from(Data, 'base64').toString().trimEnd().split('\n')) taken.push(JSON.parse(line));
      return output;
    },
    async close() {
      await firehose.close();
      rmSync(directory, { recursive: true, force: true });
    },
  });
  const { name, columns, partition } = badgeHistory;
  await s3.call('CreateBucket', { Bucket: 'lake' });
  await glue.call('CreateDatabase', { DatabaseInput: { Name: database } });
  await glue.call('CreateTable', {
    DatabaseName: database,
    TableInput: {
      Name: name,
      TableType: 'EXTERNAL_TABLE',
      PartitionKeys: [{ Name: partition.column, Type: 'string' }],
      StorageDescriptor: { Columns: columns.map((column) => ({ Name: column.name, Type: column.type })) },
    },
  });
  const role = `arn:aws:iam::${localAccount}:role/firehose`;
  await firehose.call('CreateDeliveryStream', {
    DeliveryStreamName: historyStreamName,
    DeliveryStreamType: 'DirectPut',
    ExtendedS3DestinationConfiguration: {
      BucketARN: 'arn:aws:s3:::lake',
      RoleARN: role,
      Prefix: `${name}/${partition.column}=!{partitionKeyFromQuery:${partition.column}}/`,
      ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
      DynamicPartitioningConfiguration: { Enabled: true },
      ProcessingConfiguration: {
        Enabled: true,
        Processors: [
          {
            Type: 'RecordDeAggregation',
            Parameters: [{ ParameterName: 'SubRecordType', ParameterValue: 'JSON' }],
          },
          {
            Type: 'MetadataExtraction',
            Parameters: [
              {
                ParameterName: 'MetadataExtractionQuery',
                ParameterValue: `{${partition.column}:.${partition.column}}`,
              },
              { ParameterName: 'JsonParsingEngine', ParameterValue: 'JQ-1.6' },
            ],
          },
        ],
      },
      DataFormatConversionConfiguration: {
        Enabled: true,
        InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: { CaseInsensitive: true } } },
        OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'SNAPPY' } } },
        SchemaConfiguration: { DatabaseName: database, TableName: name, RoleARN: role, VersionId: 'LATEST' },
      },
    },
  });

  async function query(text: string) {
    await firehose.flush();
    const { Contents = [] } = await s3.call('ListObjectsV2', { Bucket: 'lake' });
    const keys: string[] = Contents.map(({ Key }: { Key: string }) => Key);
    const errors = keys.filter((key) => key.startsWith('errors/'));
    if (errors.length > 0) throw new Error(`rows were not converted: ${errors.join(', ')}`);
    const files = keys.map((key) => `'${s3.fileOf('lake', key)}'`);
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    try {
      await connection.run(
        `CREATE VIEW ${name} AS SELECT *, regexp_extract(filename, '${partition.column}=([0-9-]+)', 1) AS ${partition.column}
         FROM read_parquet([${files.join(', ')}], hive_partitioning = false, filename = true)`,
      );
      return (await connection.runAndReadAll(text)).getRowObjectsJson() as Record<string, any>[];
    } finally {
      connection.closeSync();
    }
  }

  return {
    taken,
    query,
    async rows() {
      const names = badgeHistory.columns.map((column) => column.name).join(', ');
      const rows = await query(
        `SELECT ${names} FROM (${lakeViewQuery(badgeHistory)}) AS badges ORDER BY kind, item, position, day, order_id`,
      );
      return rows as HistoryRow[];
    },
  };
}
