import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import { AwsError } from '../engines/engine';
import { awsChunkedTrailers, decodeAwsChunked } from './aws-chunked';
import { decodePercent } from './canonical-request';
import type { HttpRequest } from './http';
import { fromXml } from './xml';

/** A call of the S3 engine, in the SDK's shapes. */
export interface S3Call {
  readonly operation: string;
  readonly input: Record<string, unknown>;
}

/** Reads an S3 request (path style, or virtual host under `localhost`) as a call of the engine. */
export function decodeS3(request: HttpRequest): S3Call {
  const { bucket, key } = address(request);
  const query = new URLSearchParams(request.query);
  query.delete('x-id');
  const signed = [...query.keys()].filter((name) => /^x-amz-/i.test(name));
  for (const name of signed) query.delete(name);

  if (bucket === '') return exactly(request, query, [], 'ListBuckets', {});
  return key === '' ? onBucket(request, query, bucket) : onObject(request, query, bucket, key);
}

type Query = URLSearchParams;

function onBucket(request: HttpRequest, query: Query, Bucket: string): S3Call {
  switch (request.method) {
    case 'GET':
      if (query.has('versioning')) return exactly(request, query, ['versioning'], 'GetBucketVersioning', { Bucket });
      if (query.has('location')) return exactly(request, query, ['location'], 'GetBucketLocation', { Bucket });
      if (query.get('list-type') === '2')
        return exactly(request, query, ['list-type', ...listing.keys()], 'ListObjectsV2', {
          Bucket,
          ...listInput(query),
        });
      break;
    case 'HEAD':
      return exactly(request, query, [], 'HeadBucket', { Bucket });
    case 'PUT':
      if (query.has('versioning'))
        return exactly(request, query, ['versioning'], 'PutBucketVersioning', {
          Bucket,
          VersioningConfiguration: xmlBody(request),
        });
      return exactly(request, query, [], 'CreateBucket', {
        Bucket,
        ...(request.body.length === 0 ? {} : { CreateBucketConfiguration: xmlBody(request) }),
      });
    case 'POST':
      if (query.has('delete'))
        return exactly(request, query, ['delete'], 'DeleteObjects', { Bucket, Delete: deletion(request) });
      break;
    case 'DELETE':
      return exactly(request, query, [], 'DeleteBucket', { Bucket });
  }
  throw notImplemented(`${request.method} of a bucket with the query '${request.query}'`);
}

function onObject(request: HttpRequest, query: Query, Bucket: string, Key: string): S3Call {
  const versionId = query.get('versionId');
  const input = { Bucket, Key, ...(versionId === null ? {} : { VersionId: versionId }) };
  switch (request.method) {
    case 'GET':
      return exactly(request, query, ['versionId'], 'GetObject', input);
    case 'HEAD':
      return exactly(request, query, ['versionId'], 'HeadObject', input);
    case 'DELETE':
      return exactly(request, query, ['versionId'], 'DeleteObject', input);
    case 'PUT':
      if (request.headers['x-amz-copy-source'] !== undefined)
        return exactly(request, query, [], 'CopyObject', { Bucket, Key });
      return exactly(request, query, [], 'PutObject', { Bucket, Key, Body: checkedBody(request) });
  }
  throw notImplemented(`${request.method} of an object`);
}

/** A call, once it is sure that every query parameter and header is known: what is not modelled must not be ignored. */
function exactly(
  request: HttpRequest,
  query: Query,
  allowed: readonly string[],
  operation: string,
  input: Record<string, unknown>,
): S3Call {
  for (const name of query.keys()) {
    if (!allowed.includes(name)) throw notImplemented(`${operation} with the query parameter '${name}'`);
  }
  return { operation, input: { ...input, ...headerInput(request, operation) } };
}

const listing = new Map([
  ['prefix', 'Prefix'],
  ['delimiter', 'Delimiter'],
  ['max-keys', 'MaxKeys'],
  ['continuation-token', 'ContinuationToken'],
  ['start-after', 'StartAfter'],
  ['fetch-owner', 'FetchOwner'],
  ['encoding-type', 'EncodingType'],
]);

function listInput(query: Query): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [name, value] of query) {
    const member = listing.get(name);
    if (member === 'MaxKeys') input[member] = Number(value);
    else if (member !== undefined) input[member] = value;
  }
  return input;
}

const headerMembers = new Map([
  ['if-match', 'IfMatch'],
  ['if-none-match', 'IfNoneMatch'],
  ['range', 'Range'],
  ['cache-control', 'CacheControl'],
  ['content-disposition', 'ContentDisposition'],
  ['content-encoding', 'ContentEncoding'],
  ['content-language', 'ContentLanguage'],
  ['content-md5', 'ContentMD5'],
  ['content-type', 'ContentType'],
  ['expires', 'Expires'],
  ['x-amz-copy-source', 'CopySource'],
  ['x-amz-metadata-directive', 'MetadataDirective'],
  ['x-amz-server-side-encryption', 'ServerSideEncryption'],
  ['x-amz-server-side-encryption-aws-kms-key-id', 'SSEKMSKeyId'],
  ['x-amz-server-side-encryption-bucket-key-enabled', 'BucketKeyEnabled'],
  ['x-amz-expected-bucket-owner', 'ExpectedBucketOwner'],
  ['x-amz-object-ownership', 'ObjectOwnership'],
  ['x-amz-tagging', 'Tagging'],
  ['x-amz-object-lock-mode', 'ObjectLockMode'],
  ['x-amz-object-lock-retain-until-date', 'ObjectLockRetainUntilDate'],
  ['x-amz-object-lock-legal-hold', 'ObjectLockLegalHoldStatus'],
]);
/** Those of the transport and of checksums, which are checked here, and not for the engine. */
const ignoredHeaders =
  /^x-amz-(date|content-sha256|security-token|user-agent|decoded-content-length|trailer|checksum-.+|sdk-checksum-algorithm|request-payer)$/;
/** Those that describe an object's content only when one is written. */
const writes = new Set(['PutObject', 'CopyObject']);
const described = new Set(['ContentType', 'ContentEncoding', 'ContentLanguage', 'ContentDisposition', 'CacheControl']);

function headerInput({ headers }: HttpRequest, operation: string): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  const metadata: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name] as string;
    const member = headerMembers.get(name);
    if (member === 'BucketKeyEnabled') input[member] = value === 'true';
    else if (member === 'ContentEncoding') {
      const real = value.replace(/\s*aws-chunked\s*,?\s*/, '').replace(/,\s*$/, '');
      if (real !== '' && writes.has(operation)) input[member] = real;
    } else if (member !== undefined) {
      if (!described.has(member) || writes.has(operation)) input[member] = value;
    } else if (name.startsWith('x-amz-meta-')) metadata[name.slice('x-amz-meta-'.length)] = value;
    else if (name.startsWith('x-amz-') && !ignoredHeaders.test(name))
      throw notImplemented(`${operation} with the header '${name}'`);
  }
  if (Object.keys(metadata).length > 0) input.Metadata = metadata;
  return input;
}

function address({ path, headers: { host = '' } }: HttpRequest): { bucket: string; key: string } {
  const name = host.split(':')[0]!;
  if (name.endsWith('.localhost')) {
    const bucket = name.slice(0, -'.localhost'.length).replace(/\.s3$/, '');
    return { bucket, key: decodePercent(path.slice(1)) };
  }
  const slash = path.indexOf('/', 1);
  if (slash === -1) return { bucket: decodePercent(path.slice(1)), key: '' };
  return { bucket: decodePercent(path.slice(1, slash)), key: decodePercent(path.slice(slash + 1)) };
}

function deletion(request: HttpRequest): unknown {
  const { Object: objects = [], Quiet } = xmlBody(request) as Record<string, unknown>;
  return { Objects: Array.isArray(objects) ? objects : [objects], ...(Quiet === 'true' ? { Quiet: true } : {}) };
}

function xmlBody(request: HttpRequest): unknown {
  try {
    return fromXml(checkedBody(request).toString('utf8'));
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw new AwsError('MalformedXML', `The XML you provided was not well-formed: ${(error as Error).message}`);
  }
}

/** The body out of its transport encoding, checked against the checksums that came with it. */
function checkedBody({ headers, body }: HttpRequest): Buffer {
  const chunked = headers['x-amz-content-sha256'] === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  const content = chunked ? decodeAwsChunked(body) : body;
  const declared = headers['x-amz-decoded-content-length'];
  if (chunked && declared !== undefined && Number(declared) !== content.length)
    throw new AwsError(
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length header',
    );
  const sums: Record<string, unknown> = chunked ? { ...headers, ...awsChunkedTrailers(body) } : headers;
  for (const [name, compute] of checksums) {
    const said = sums[`x-amz-checksum-${name}`];
    if (said !== undefined && said !== compute(content))
      throw new AwsError('BadDigest', `The ${name.toUpperCase()} you specified did not match the calculated checksum.`);
  }
  return content;
}

/** Those that Node can compute; CRC32C and CRC64NVME are not checked. Older releases of Node 20 have no CRC32. */
const checksums = new Map<string, (content: Buffer) => string>([
  ['sha256', (content) => createHash('sha256').update(content).digest('base64')],
  ['sha1', (content) => createHash('sha1').update(content).digest('base64')],
]);
const { crc32 } = zlib as { crc32?: (data: Buffer) => number };
if (crc32 !== undefined) {
  checksums.set('crc32', (content) => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(content));
    return sum.toString('base64');
  });
}

function notImplemented(what: string): AwsError {
  return new AwsError('NotImplemented', `${what} is not modelled`, 501);
}
