import { AwsError } from './engine';
import type { StoredVersion } from './s3-bucket';

/** Members of requests that change nothing here: integrity is checked by the door, ownership has one account. */
const withoutEffect =
  /^(Bucket|Key|ExpectedBucketOwner|ExpectedSourceBucketOwner|ContentLength|Checksum\w+|RequestPayer)$/;

const written = [
  'Body',
  'CacheControl',
  'ContentDisposition',
  'ContentEncoding',
  'ContentLanguage',
  'ContentMD5',
  'ContentType',
  'Expires',
  'IfMatch',
  'IfNoneMatch',
  'Metadata',
  'ServerSideEncryption',
  'SSEKMSKeyId',
  'BucketKeyEnabled',
];

const modelled: Readonly<Record<string, readonly string[]>> = {
  CreateBucket: ['CreateBucketConfiguration', 'ObjectOwnership'],
  PutBucketVersioning: ['VersioningConfiguration', 'ContentMD5'],
  PutObject: written,
  CopyObject: [...written.filter((name) => name !== 'Body'), 'CopySource', 'MetadataDirective'],
  HeadObject: ['VersionId', 'IfMatch', 'IfNoneMatch'],
  GetObject: ['VersionId', 'IfMatch', 'IfNoneMatch', 'Range'],
  DeleteObject: ['VersionId'],
  DeleteObjects: ['Delete', 'ContentMD5'],
  ListObjectsV2: ['Prefix', 'Delimiter', 'MaxKeys', 'ContinuationToken', 'StartAfter', 'FetchOwner', 'EncodingType'],
};

/** Whether the engine knows a member of a request: what it does not know it must refuse, not ignore. */
export function requestInputs(operation: string, name: string): boolean {
  return withoutEffect.test(name) || (modelled[operation]?.includes(name) ?? false);
}

const storedHeaders = [
  'CacheControl',
  'ContentDisposition',
  'ContentEncoding',
  'ContentLanguage',
  'ContentType',
  'Expires',
];
const encryptionHeaders = ['ServerSideEncryption', 'SSEKMSKeyId', 'BucketKeyEnabled'];

function picked(from: any, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
}

/** The headers that an object keeps from its put. */
export const headersOf = (input: any) => picked(input, [...storedHeaders, ...encryptionHeaders]);
/** Of these, the ones on encryption. */
export const encryptionInput = (input: any) => picked(input, encryptionHeaders);
/** What an answer to a put says on encryption. */
export const encryptionOf = (version: StoredVersion) => picked(version.headers, encryptionHeaders);
/** An entity tag as it is sent. */
export const quoted = (etag: string) => `"${etag}"`;
/** Whether a condition on entity tags holds. */
export const sameTag = (tag: string, etag: string) => tag === '*' || tag.replaceAll('"', '') === etag;

/** A key that S3 accepts. */
export function keyOf(key: unknown): string {
  if (typeof key !== 'string' || key === '')
    throw new AwsError('InvalidArgument', 'the key is missing: 1 to 1024 bytes');
  if (Buffer.byteLength(key) > 1024) throw new AwsError('KeyTooLongError', 'Your key is too long');
  return key;
}

/** A body as a Buffer, not copied. */
export function bodyOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new AwsError('InvalidArgument', 'the body is not a Buffer');
}

/** Bucket, key and version of a `CopySource`. */
export function parseCopySource(source: unknown): { Bucket: string; Key: string; VersionId?: string } {
  const match = /^\/?([^/]+)\/(.+?)(?:\?versionId=(.+))?$/s.exec(String(source));
  if (match === null) throw new AwsError('InvalidArgument', `copy source ${String(source)} is not bucket/key`);
  const [, bucket, key, versionId] = match;
  const parsed = { Bucket: bucket!, Key: decodeURIComponent(key!) };
  return versionId === undefined ? parsed : { ...parsed, VersionId: versionId };
}

/** First and last byte of a range, or undefined where S3 answers the whole object. */
export function parseRange(range: unknown, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(String(range ?? ''));
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const suffix = match[1] === '';
  const start = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = suffix || match[2] === '' ? size - 1 : Math.min(size - 1, Number(match[2]));
  if (!suffix && match[2] !== '' && Number(match[2]) < start) return undefined;
  if (start > end) {
    throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416, { ActualObjectSize: size });
  }
  return { start, end };
}

/** How keys are written in a listing: as they are, or percent-encoded for readers of XML 1.0. */
export function keyEncoding(type: unknown): (key: string) => string {
  if (type === undefined) return (key) => key;
  if (type === 'url') return (key) => encodeURIComponent(key).replaceAll('%2F', '/');
  throw new AwsError('InvalidArgument', `encoding type ${String(type)} is unknown: use url`);
}
