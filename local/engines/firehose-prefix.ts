import { randomBytes, randomUUID } from 'node:crypto';
import { AwsError } from './engine';

/** What the expressions in a prefix are filled from. */
export interface PrefixValues {
  /** Arrival of the oldest record in the object. */
  readonly arrived: number;
  readonly partition: Readonly<Record<string, string>>;
  /** `processing-failed` or `format-conversion-failed`, in an ErrorOutputPrefix. */
  readonly errorOutputType?: string;
}

/** A prefix with its expressions understood. */
export interface Prefix {
  /** Names of the partition keys that it uses. */
  readonly partitionKeys: readonly string[];
  readonly namesErrorType: boolean;
  readonly hasExpressions: boolean;
  evaluate(values: PrefixValues): string;
}

const dateFields = ['yyyy', 'MM', 'dd', 'HH', 'mm', 'ss'] as const;

/** Parses a Prefix or ErrorOutputPrefix; what it cannot evaluate it refuses now rather than at the first delivery. */
export function parsePrefix(text: string): Prefix {
  const partitionKeys: string[] = [];
  let namesErrorType = false;
  const parts: ((values: PrefixValues) => string)[] = [];
  // Odd places hold what stands between !{ and }.
  const pieces = text.split(/!\{([^}]*)\}/);
  pieces.forEach((piece, place) => {
    if (place % 2 === 0) {
      parts.push(() => piece);
      return;
    }
    const [namespace, ...rest] = piece.split(':');
    const value = rest.join(':');
    if (namespace === 'partitionKeyFromQuery') {
      partitionKeys.push(value);
      parts.push(({ partition }) => partition[value] ?? '');
    } else if (namespace === 'timestamp') {
      parts.push(timeFormat(value));
    } else if (piece === 'firehose:error-output-type') {
      namesErrorType = true;
      parts.push(({ errorOutputType }) => errorOutputType ?? '');
    } else if (piece === 'firehose:random-string') {
      parts.push(() => randomBytes(16).toString('base64').replace(/[+/=]/g, '').slice(0, 11));
    } else {
      throw new AwsError('InvalidArgumentException', `prefix expression !{${piece}} is not modelled locally`);
    }
  });
  const hasExpressions = pieces.length > 1;
  // Firehose appends the hour to a prefix that says nothing itself.
  if (!hasExpressions) parts.push(timeFormat('yyyy/MM/dd/HH/'));
  return {
    partitionKeys,
    namesErrorType,
    hasExpressions,
    evaluate: (values) => parts.map((part) => part(values)).join(''),
  };
}

/** `<prefix><stream>-<version>-<time>-<uuid><extension>`, as Firehose names its objects. */
export function objectKey(prefix: Prefix, values: PrefixValues, stream: string, extension: string): string {
  const time = timeFormat('yyyy-MM-dd-HH-mm-ss')(values);
  return `${prefix.evaluate(values)}${stream}-1-${time}-${randomUUID()}${extension}`;
}

/** The part of Java's DateTimeFormatter that prefixes are made of: six numeric fields, quoted text, and signs. */
function timeFormat(pattern: string): (values: PrefixValues) => string {
  const tokens = pattern.match(/'[^']*'|[A-Za-z]+|[^A-Za-z']+/g) ?? [];
  for (const token of tokens) {
    if (/^[A-Za-z]/.test(token) && !dateFields.some((field) => field === token)) {
      const message = `timestamp pattern ${token} is not modelled locally: use ${dateFields.join(', ')}`;
      throw new AwsError('InvalidArgumentException', message);
    }
  }
  return ({ arrived }) => {
    const [yyyy = '', MM = '', dd = '', HH = '', mm = '', ss = ''] = new Date(arrived).toISOString().split(/[-T:.]/);
    const fields: Record<string, string> = { yyyy, MM, dd, HH, mm, ss };
    return tokens.map((token) => fields[token] ?? token.replaceAll("'", '')).join('');
  };
}
