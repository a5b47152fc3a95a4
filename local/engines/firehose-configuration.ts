import { AwsError } from './engine';
import { type Prefix, parsePrefix } from './firehose-prefix';

/** A delivery stream's configuration, understood and checked. */
export interface StreamConfiguration {
  readonly bucket: string;
  /** Put on every object. */
  readonly encryption: { readonly ServerSideEncryption?: 'aws:kms'; readonly SSEKMSKeyId?: string };
  readonly bufferBytes: number;
  readonly bufferSeconds: number;
  readonly prefix: Prefix;
  readonly errorPrefix: Prefix | undefined;
  readonly gzip: boolean;
  readonly separatesRecords: boolean;
  readonly appendsDelimiter: boolean;
  /** Partition key to the path of the field that it is taken from. Undefined without dynamic partitioning. */
  readonly partitionKeys: Readonly<Record<string, readonly string[]>> | undefined;
  readonly conversion: { readonly database: string; readonly table: string; readonly roleArn: string } | undefined;
}

const megabyte = 1024 * 1024;

/** Reads an ExtendedS3DestinationConfiguration. Every property and value that is not modelled is refused. */
export function parseConfiguration(given: any): StreamConfiguration {
  only(given, 'ExtendedS3DestinationConfiguration', {
    required: ['BucketARN', 'RoleARN'],
    allowed: [
      'BufferingHints',
      'CloudWatchLoggingOptions',
      'CompressionFormat',
      'DataFormatConversionConfiguration',
      'DynamicPartitioningConfiguration',
      'EncryptionConfiguration',
      'ErrorOutputPrefix',
      'Prefix',
      'ProcessingConfiguration',
      'S3BackupMode',
    ],
  });
  oneOf(given.S3BackupMode, 'S3BackupMode', ['Disabled']);
  const conversion = parseConversion(given.DataFormatConversionConfiguration);
  const compression = oneOf(given.CompressionFormat, 'CompressionFormat', ['UNCOMPRESSED', 'GZIP']);
  if (conversion !== undefined && compression === 'GZIP') {
    refuse('CompressionFormat must be UNCOMPRESSED when data format conversion is enabled: got GZIP');
  }
  const partitioned = parseSwitch(given.DynamicPartitioningConfiguration, 'DynamicPartitioningConfiguration', [
    'RetryOptions',
  ]);
  const processors = parseProcessors(given.ProcessingConfiguration, partitioned);
  const prefix = parsePrefix(given.Prefix ?? '');
  const errorPrefix = given.ErrorOutputPrefix === undefined ? undefined : parsePrefix(given.ErrorOutputPrefix);
  const needsErrorPrefix = partitioned || conversion !== undefined || prefix.hasExpressions;
  if (needsErrorPrefix && errorPrefix?.namesErrorType !== true) {
    refuse('ErrorOutputPrefix must be given, with !{firehose:error-output-type}, for this stream');
  }
  if (prefix.namesErrorType) refuse('Prefix cannot contain !{firehose:error-output-type}');
  const defined = Object.keys(processors.partitionKeys ?? {});
  if (partitioned && !sameNames(defined, prefix.partitionKeys)) {
    refuse(`Prefix must use every partition key and no other: got ${prefix.partitionKeys}, defined are ${defined}`);
  }
  if (!partitioned && prefix.partitionKeys.length > 0) refuse('Prefix has partition keys without dynamic partitioning');
  return {
    bucket: String(given.BucketARN).replace(/^arn:aws:s3:::/, ''),
    encryption: parseEncryption(given.EncryptionConfiguration),
    ...parseBuffering(given.BufferingHints, partitioned, conversion !== undefined),
    prefix,
    errorPrefix,
    gzip: compression === 'GZIP',
    ...processors,
    conversion,
  };
}

function parseBuffering(hints: any, partitioned: boolean, converted: boolean) {
  if (hints !== undefined) only(hints, 'BufferingHints', { allowed: ['SizeInMBs', 'IntervalInSeconds'] });
  const size = Number(hints?.SizeInMBs ?? (converted ? 128 : partitioned ? 64 : 5));
  const seconds = Number(hints?.IntervalInSeconds ?? 300);
  const leastSize = partitioned || converted ? 64 : 1;
  const leastSeconds = partitioned ? 60 : 0;
  if (!(size >= leastSize && size <= 128))
    refuse(`SizeInMBs ${size} is out of range: ${leastSize} to 128 for this stream`);
  if (!(seconds >= leastSeconds && seconds <= 900)) {
    refuse(`IntervalInSeconds ${seconds} is out of range: ${leastSeconds} to 900 for this stream`);
  }
  return { bufferBytes: size * megabyte, bufferSeconds: seconds };
}

function parseEncryption(given: any): StreamConfiguration['encryption'] {
  if (given === undefined) return {};
  only(given, 'EncryptionConfiguration', { allowed: ['KMSEncryptionConfig', 'NoEncryptionConfig'] });
  const key = given.KMSEncryptionConfig?.AWSKMSKeyARN;
  return key === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key };
}

function parseConversion(given: any): StreamConfiguration['conversion'] {
  const where = 'DataFormatConversionConfiguration';
  const parts = ['SchemaConfiguration', 'InputFormatConfiguration', 'OutputFormatConfiguration'];
  if (given === undefined || !parseSwitch({ Enabled: true, ...given }, where, parts)) return undefined;
  only(given, where, { required: parts, allowed: ['Enabled'] });
  const schema = given.SchemaConfiguration;
  only(schema, 'SchemaConfiguration', {
    required: ['DatabaseName', 'TableName', 'RoleARN'],
    allowed: ['CatalogId', 'Region', 'VersionId'],
  });
  oneOf(schema.VersionId, 'SchemaConfiguration.VersionId', ['LATEST']);
  only(given.InputFormatConfiguration, 'InputFormatConfiguration', { required: ['Deserializer'] });
  only(given.InputFormatConfiguration.Deserializer, 'Deserializer', { required: ['OpenXJsonSerDe'] });
  const input = given.InputFormatConfiguration.Deserializer.OpenXJsonSerDe;
  only(input, 'OpenXJsonSerDe', { allowed: ['CaseInsensitive', 'ConvertDotsInJsonKeysToUnderscores'] });
  oneOf(input.CaseInsensitive, 'CaseInsensitive', [true]);
  oneOf(input.ConvertDotsInJsonKeysToUnderscores, 'ConvertDotsInJsonKeysToUnderscores', [false]);
  only(given.OutputFormatConfiguration, 'OutputFormatConfiguration', { required: ['Serializer'] });
  only(given.OutputFormatConfiguration.Serializer, 'Serializer', { required: ['ParquetSerDe'] });
  const output = given.OutputFormatConfiguration.Serializer.ParquetSerDe;
  only(output, 'ParquetSerDe', { allowed: ['Compression'] });
  oneOf(output.Compression, 'ParquetSerDe.Compression', ['SNAPPY']);
  return { database: schema.DatabaseName, table: schema.TableName, roleArn: schema.RoleARN };
}

function parseProcessors(given: any, partitioned: boolean) {
  const parsed = {
    separatesRecords: false,
    appendsDelimiter: false,
    partitionKeys: undefined as StreamConfiguration['partitionKeys'],
  };
  if (parseSwitch(given, 'ProcessingConfiguration', ['Processors'])) {
    for (const processor of given.Processors ?? []) {
      only(processor, 'Processor', { required: ['Type'], allowed: ['Parameters'] });
      const parameters = parametersOf(processor);
      switch (processor.Type) {
        case 'RecordDeAggregation':
          only(parameters, 'RecordDeAggregation', { required: ['SubRecordType'] });
          oneOf(parameters.SubRecordType, 'SubRecordType', ['JSON']);
          parsed.separatesRecords = true;
          break;
        case 'MetadataExtraction':
          only(parameters, 'MetadataExtraction', { required: ['MetadataExtractionQuery', 'JsonParsingEngine'] });
          oneOf(parameters.JsonParsingEngine, 'JsonParsingEngine', ['JQ-1.6']);
          parsed.partitionKeys = parseQuery(parameters.MetadataExtractionQuery!);
          break;
        case 'AppendDelimiterToRecord':
          only(parameters, 'AppendDelimiterToRecord', { allowed: ['Delimiter'] });
          oneOf(parameters.Delimiter, 'Delimiter', ['\\n', '\n']);
          parsed.appendsDelimiter = true;
          break;
        default:
          refuse(`processor ${processor.Type} is not modelled locally`);
      }
    }
  }
  if ((parsed.separatesRecords || parsed.partitionKeys !== undefined) && !partitioned) {
    refuse('RecordDeAggregation and MetadataExtraction need dynamic partitioning');
  }
  if (partitioned && parsed.partitionKeys === undefined) refuse('dynamic partitioning needs MetadataExtraction');
  return parsed;
}

/** The JQ that is understood: an object of plain paths, `{day: .day, "shop": .place.shop}`. */
export function parseQuery(query: string): Readonly<Record<string, readonly string[]>> {
  const keys: Record<string, readonly string[]> = {};
  const body = /^\s*\{(.*)\}\s*$/s.exec(query)?.[1];
  for (const pair of body?.split(',') ?? ['']) {
    const match = /^\s*(?:(\w+)|"(\w+)")\s*:\s*((?:\.[A-Za-z_]\w*)+)\s*$/.exec(pair);
    if (match === null) {
      refuse(`metadata extraction query ${query} is not modelled locally: use {key: .field, other: .path.to.field}`);
    }
    keys[match[1] ?? match[2]!] = match[3]!.slice(1).split('.');
  }
  return keys;
}

function parametersOf(processor: any): Record<string, string> {
  return Object.fromEntries(
    (processor.Parameters ?? []).map(({ ParameterName, ParameterValue }: any) => [ParameterName, ParameterValue]),
  );
}

function parseSwitch(given: any, where: string, more: readonly string[]): boolean {
  if (given === undefined) return false;
  only(given, where, { allowed: ['Enabled', ...more] });
  return oneOf(given.Enabled, `${where}.Enabled`, [false, true]);
}

/** The value, if it is one of these; the first of them, if there is none. */
function oneOf<T>(given: unknown, where: string, allowed: readonly T[]): T {
  if (given === undefined) return allowed[0]!;
  if (!allowed.includes(given as T))
    refuse(`${where} ${JSON.stringify(given)} is not modelled locally: use ${allowed}`);
  return given as T;
}

function only(
  given: any,
  where: string,
  { required = [], allowed = [] }: { readonly required?: readonly string[]; readonly allowed?: readonly string[] },
): void {
  const missing = required.find((name) => given?.[name] === undefined);
  if (missing !== undefined) refuse(`${where}.${missing} is missing`);
  const surplus = Object.keys(given).find(
    (name) => given[name] !== undefined && !required.includes(name) && !allowed.includes(name),
  );
  if (surplus !== undefined) refuse(`${where}.${surplus} is not modelled locally`);
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  const names = new Set(others);
  return some.length === names.size && some.every((name) => names.has(name));
}

function refuse(message: string): never {
  throw new AwsError('InvalidArgumentException', `firehose: ${message}`);
}
