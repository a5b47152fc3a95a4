/** The properties of AWS::Lambda::EventSourceMapping that the local run models, with Lambda's defaults filled in. */
export interface MappingProperties {
  readonly streamArn: string;
  /** Who has the stream, and by which name tips know it there. */
  readonly service: 'kinesis' | 'dynamodb';
  readonly stream: string;
  readonly functionArn: string;
  readonly batchSize: number;
  /** How long a shard's records gather before a batch that is not full is handed over. */
  readonly windowMs: number;
  /** Batches of one shard that may be in flight at a time. */
  readonly lanes: number;
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST';
  /** -1: without limit. */
  readonly maxRetries: number;
  /** -1: without limit. */
  readonly maxAgeSeconds: number;
  readonly bisect: boolean;
  readonly reportsItems: boolean;
  /** The bucket for what cannot be processed. Without one it is gone. */
  readonly failureBucket: string | undefined;
  readonly enabled: boolean;
}

// Whoever looks on is to see things happen.
const longestWindowMs = 1_000;

type Values = Readonly<Record<string, any>>;

const modelled = [
  'BatchSize',
  'BisectBatchOnFunctionError',
  'DestinationConfig',
  'Enabled',
  'EventSourceArn',
  'FunctionName',
  'FunctionResponseTypes',
  'MaximumBatchingWindowInSeconds',
  'MaximumRecordAgeInSeconds',
  'MaximumRetryAttempts',
  'ParallelizationFactor',
  'StartingPosition',
];

/** Reads resolved properties. Whatever has no model here is refused, never ignored. */
export function mappingProperties(values: Values, account: string, region: string): MappingProperties {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && !modelled.includes(name)) throw refused(name, value, `nothing: it has no local model`);
  }
  const streamArn = text(values, 'EventSourceArn');
  const source = sourceOf(streamArn);
  if (source === undefined)
    throw refused(
      'EventSourceArn',
      streamArn,
      "the ARN of a Kinesis stream (not of a consumer) or of a table's stream",
    );
  const functionName = text(values, 'FunctionName');
  const startingPosition = values.StartingPosition;
  if (startingPosition !== 'TRIM_HORIZON' && startingPosition !== 'LATEST')
    throw refused('StartingPosition', startingPosition, 'TRIM_HORIZON or LATEST');
  const types = values.FunctionResponseTypes ?? [];
  if (!Array.isArray(types) || types.some((type) => type !== 'ReportBatchItemFailures'))
    throw refused('FunctionResponseTypes', types, 'a list of ReportBatchItemFailures');
  const maxAgeSeconds = number(values, 'MaximumRecordAgeInSeconds', -1, -1, 604_800);
  if (maxAgeSeconds >= 0 && maxAgeSeconds < 60)
    throw refused('MaximumRecordAgeInSeconds', maxAgeSeconds, '-1, or 60 to 604800');
  return {
    streamArn,
    ...source,
    functionArn: functionName.startsWith('arn:')
      ? functionName
      : `arn:aws:lambda:${region}:${account}:function:${functionName}`,
    batchSize: number(values, 'BatchSize', 100, 1, 10_000),
    windowMs: Math.min(number(values, 'MaximumBatchingWindowInSeconds', 0, 0, 300) * 1_000, longestWindowMs),
    lanes: number(values, 'ParallelizationFactor', 1, 1, 10),
    startingPosition,
    maxRetries: number(values, 'MaximumRetryAttempts', -1, -1, 10_000),
    maxAgeSeconds,
    bisect: flag(values, 'BisectBatchOnFunctionError', false),
    reportsItems: types.length > 0,
    failureBucket: failureBucket(values.DestinationConfig),
    enabled: flag(values, 'Enabled', true),
  };
}

/** Whose stream it is; undefined for what cannot be read. */
export function sourceOf(streamArn: string): Pick<MappingProperties, 'service' | 'stream'> | undefined {
  const stream = /^arn:aws:kinesis:[^:]+:\d{12}:stream\/([^/]+)$/.exec(streamArn)?.[1];
  if (stream !== undefined) return { service: 'kinesis', stream };
  const isTables = /^arn:aws:dynamodb:[^:]+:\d{12}:table\/[^/]+\/stream\/[^/]+$/.test(streamArn);
  return isTables ? { service: 'dynamodb', stream: streamArn } : undefined;
}

function failureBucket(config: any): string | undefined {
  if (config === undefined) return undefined;
  const { OnFailure, ...others } = config;
  const destination = OnFailure?.Destination;
  const bucket = /^arn:aws:s3:::([^/]+)$/.exec(destination ?? '')?.[1];
  if (bucket === undefined || Object.keys(others).length > 0)
    throw refused('DestinationConfig', config, 'OnFailure with the ARN of an S3 bucket as Destination');
  return bucket;
}

function text(values: Values, name: string): string {
  const value = values[name];
  if (typeof value !== 'string') throw refused(name, value, 'a text');
  return value;
}

function number(values: Values, name: string, otherwise: number, least: number, most: number): number {
  const value = values[name] ?? otherwise;
  if (!Number.isInteger(value) || value < least || value > most) throw refused(name, value, `${least} to ${most}`);
  return value;
}

function flag(values: Values, name: string, otherwise: boolean): boolean {
  const value = values[name] ?? otherwise;
  if (typeof value !== 'boolean') throw refused(name, value, 'true or false');
  return value;
}

function refused(name: string, value: unknown, allowed: string): Error {
  const words = JSON.stringify(value);
  return new Error(`event source mapping: ${name} ${words} is not allowed in the local run: use ${allowed}`);
}
