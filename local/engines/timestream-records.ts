import { AwsError } from './engine';

/** How DuckDB keeps what Timestream calls by these names. */
export const measureTypes = { BIGINT: 'BIGINT', DOUBLE: 'DOUBLE', VARCHAR: 'VARCHAR', BOOLEAN: 'BOOLEAN' } as const;
export type MeasureType = keyof typeof measureTypes;

export interface Measure {
  readonly name: string;
  readonly type: MeasureType;
  readonly value: string;
}

/** A record, with what it shares with others of its call. Time, name and dimensions are its identity. */
export interface TimestreamRecord {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly measureName: string;
  /** In the order of their names. */
  readonly dimensions: readonly (readonly [name: string, value: string])[];
  readonly measures: readonly Measure[];
  readonly version: bigint;
}

const mostRecords = 100;
const mostDimensions = 128;
const mostMeasures = 256;
const mostBytes = 2_048;
const nanosecondsPer: Readonly<Record<string, bigint>> = {
  NANOSECONDS: 1n,
  MICROSECONDS: 1_000n,
  MILLISECONDS: 1_000_000n,
  SECONDS: 1_000_000_000n,
};

/** The records of a call of WriteRecords; what is wrong with the call as a whole throws, and then nothing is written. */
export function recordsOf({ CommonAttributes = {}, Records }: any): TimestreamRecord[] {
  if (!Array.isArray(Records) || Records.length === 0) throw invalid('Records: got none, allowed: 1 to 100');
  if (Records.length > mostRecords) throw invalid(`Records: got ${Records.length}, allowed: 1 to ${mostRecords}`);
  return Records.map((record, index) => recordOf(CommonAttributes, record, `Records[${index}]`));
}

function recordOf(common: any, own: any, at: string): TimestreamRecord {
  for (const member of Object.keys(own))
    if (member !== 'Dimensions' && common[member] !== undefined)
      throw invalid(`${at}.${member}: got it in the record and in the common attributes, allowed: once`);
  const merged = { ...common, ...own };
  const { MeasureName, TimeUnit = 'MILLISECONDS', Version = 1 } = merged;
  if (typeof MeasureName !== 'string' || MeasureName === '' || bytes(MeasureName) > 256)
    throw invalid(`${at}.MeasureName: got '${MeasureName}', allowed: 1 to 256 bytes`);
  const unit = nanosecondsPer[TimeUnit];
  if (unit === undefined)
    throw invalid(`${at}.TimeUnit: got '${TimeUnit}', allowed: ${Object.keys(nanosecondsPer).join(', ')}`);
  if (!/^\d{1,19}$/.test(merged.Time ?? '')) throw invalid(`${at}.Time: got '${merged.Time}', allowed: a whole number`);
  if (!Number.isSafeInteger(Version) || Version < 1)
    throw invalid(`${at}.Version: got ${Version}, allowed: whole numbers from 1`);
  return {
    time: BigInt(merged.Time) * unit,
    measureName: MeasureName,
    dimensions: dimensionsOf([...(common.Dimensions ?? []), ...(own.Dimensions ?? [])], at),
    measures: measuresOf(merged, at),
    version: BigInt(Version),
  };
}

function dimensionsOf(given: readonly any[], at: string): TimestreamRecord['dimensions'] {
  if (given.length === 0 || given.length > mostDimensions)
    throw invalid(`${at}.Dimensions: got ${given.length}, allowed: 1 to ${mostDimensions}`);
  const dimensions = given.map(({ Name, Value, DimensionValueType = 'VARCHAR' }): [string, string] => {
    checkName(Name, `${at}.Dimensions`);
    if (DimensionValueType !== 'VARCHAR')
      throw invalid(`${at}.Dimensions.${Name}: got the type ${DimensionValueType}, allowed: VARCHAR`);
    if (typeof Value !== 'string' || Value === '') throw invalid(`${at}.Dimensions.${Name}: got no value`);
    return [Name, Value];
  });
  dimensions.sort(([one], [other]) => (one < other ? -1 : 1));
  for (const [place, [name]] of dimensions.entries())
    if (dimensions[place + 1]?.[0] === name) throw invalid(`${at}.Dimensions.${name}: got it twice, allowed: once`);
  return dimensions;
}

function measuresOf({ MeasureValueType = 'DOUBLE', MeasureValue, MeasureValues = [] }: any, at: string): Measure[] {
  if (MeasureValueType !== 'MULTI') {
    const type = typeOf(MeasureValueType, at);
    return [checked({ name: `measure_value::${type.toLowerCase()}`, type, value: MeasureValue }, at)];
  }
  if (MeasureValues.length === 0 || MeasureValues.length > mostMeasures)
    throw invalid(`${at}.MeasureValues: got ${MeasureValues.length}, allowed: 1 to ${mostMeasures}`);
  return (MeasureValues as any[]).map(({ Name, Value, Type }) => {
    checkName(Name, `${at}.MeasureValues`);
    return checked({ name: Name, type: typeOf(Type, at), value: Value }, at);
  });
}

function typeOf(type: string, at: string): MeasureType {
  if (Object.hasOwn(measureTypes, type)) return type as MeasureType;
  throw invalid(
    `${at}: the measure type '${type}' is not modelled locally: use ${Object.keys(measureTypes).join(', ')}`,
  );
}

const patterns: Readonly<Record<MeasureType, RegExp>> = {
  BIGINT: /^-?\d{1,19}$/,
  DOUBLE: /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/,
  BOOLEAN: /^(true|false)$/i,
  VARCHAR: /^/,
};

function checked(measure: Measure, at: string): Measure {
  const { name, type, value } = measure;
  if (typeof value !== 'string' || !patterns[type].test(value))
    throw invalid(`${at}.${name}: got '${String(value).slice(0, 40)}', allowed: ${type} as text`);
  return measure;
}

function checkName(name: unknown, at: string): void {
  if (typeof name !== 'string' || !/^[A-Za-z_][\w.-]*$/.test(name) || bytes(name) > 60)
    throw invalid(`${at}: got the name '${name}', allowed: letters, digits, _, - and ., at most 60 bytes`);
  if (/^(time|measure_name|measure_value.*|ts_.*)$/.test(name)) throw invalid(`${at}: the name '${name}' is reserved`);
}

/** Why a record is larger than Timestream takes; it is then refused by itself. */
export function tooLarge({ dimensions, measures }: TimestreamRecord): string | undefined {
  const ofSeries = dimensions.reduce((sum, [name, value]) => sum + bytes(name) + bytes(value), 0);
  if (ofSeries > mostBytes) return `The size of the dimensions exceeds ${mostBytes} bytes.`;
  const ofMeasures = measures.reduce((sum, { name, value }) => sum + bytes(name) + bytes(value), 0);
  return ofSeries + ofMeasures > mostBytes ? `The size of the record exceeds ${mostBytes} bytes.` : undefined;
}

const bytes = (text: string): number => Buffer.byteLength(text);

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
