import { randomUUID } from 'node:crypto';
import type { AwsError } from '../engines/engine';
import type { HttpAnswer } from './http';
import type { S3Call } from './s3-protocol';
import { toXml } from './xml';

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Members of outputs that travel as headers. */
const outputHeaders = new Map([
  ['AcceptRanges', 'accept-ranges'],
  ['BucketKeyEnabled', 'x-amz-server-side-encryption-bucket-key-enabled'],
  ['BucketRegion', 'x-amz-bucket-region'],
  ['CacheControl', 'cache-control'],
  ['ContentDisposition', 'content-disposition'],
  ['ContentEncoding', 'content-encoding'],
  ['ContentLanguage', 'content-language'],
  ['ContentLength', 'content-length'],
  ['ContentRange', 'content-range'],
  ['ContentType', 'content-type'],
  ['CopySourceVersionId', 'x-amz-copy-source-version-id'],
  ['DeleteMarker', 'x-amz-delete-marker'],
  ['ETag', 'etag'],
  ['Expires', 'expires'],
  ['LastModified', 'last-modified'],
  ['Location', 'location'],
  ['SSEKMSKeyId', 'x-amz-server-side-encryption-aws-kms-key-id'],
  ['ServerSideEncryption', 'x-amz-server-side-encryption'],
  ['VersionId', 'x-amz-version-id'],
]);

/** Writes what the engine answered as S3 would. */
export function encodeS3({ operation }: S3Call, output: any): HttpAnswer {
  switch (operation) {
    case 'ListBuckets':
      return xmlAnswer('ListAllMyBucketsResult', {
        Owner: output.Owner,
        Buckets: { Bucket: output.Buckets },
      });
    case 'ListObjectsV2':
      return xmlAnswer('ListBucketResult', output);
    case 'DeleteObjects':
      return xmlAnswer('DeleteResult', { Deleted: output.Deleted, Error: output.Errors });
    case 'GetBucketVersioning':
      return xmlAnswer('VersioningConfiguration', output);
    case 'GetBucketLocation':
      return xmlAnswer('LocationConstraint', output.LocationConstraint);
    case 'CopyObject': {
      const { CopyObjectResult, ...rest } = output;
      const answer = xmlAnswer('CopyObjectResult', CopyObjectResult);
      return { ...answer, headers: { ...headersOf(rest), ...answer.headers } };
    }
    case 'GetObject':
      return {
        statusCode: output.ContentRange === undefined ? 200 : 206,
        headers: headersOf(output),
        body: output.Body as Buffer,
      };
    case 'DeleteObject':
    case 'DeleteBucket':
      return { statusCode: 204, headers: headersOf(output), body: '' };
    default:
      return { statusCode: 200, headers: headersOf(output ?? {}), body: '' };
  }
}

/** Writes an error as S3 would. A HEAD request has no body, so its SDK sees the status only. */
export function encodeS3Error({ code, message, statusCode, fields }: AwsError, method: string): HttpAnswer {
  const requestId = randomUUID();
  const content = { Code: code, Message: message, ...fields, RequestId: requestId };
  const bodiless = method === 'HEAD' || statusCode === 304;
  return {
    statusCode,
    headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId },
    body: bodiless ? '' : toXml('Error', content),
  };
}

function xmlAnswer(root: string, content: unknown): HttpAnswer {
  return { statusCode: 200, headers: { 'content-type': 'application/xml' }, body: toXml(root, content, namespace) };
}

function headersOf(output: any): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name in output) {
    const header = outputHeaders.get(name);
    const value = output[name];
    if (header === undefined || value === undefined) continue;
    headers[header] = value instanceof Date ? value.toUTCString() : String(value);
  }
  for (const name in output.Metadata) headers[`x-amz-meta-${name}`] = output.Metadata[name];
  return headers;
}
