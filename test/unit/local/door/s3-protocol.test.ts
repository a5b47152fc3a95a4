import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { assert, property, string, uniqueArray } from 'fast-check';
import type { Door } from '../../../../local/door/door';
import { decodeS3 } from '../../../../local/door/s3-protocol';
import { fromXml, toXml } from '../../../../local/door/xml';
import { openS3, type S3Engine } from '../../../../local/engines/s3';
import { administratorOf, allow, functionOf, openTestDoor } from './test-door';

let directory: string;
let engine: S3Engine;
let door: Door;
let client: S3Client;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'door-s3-'));
  engine = await openS3({ directory });
  await engine.call('CreateBucket', { Bucket: 'lake' });
  door = await openTestDoor([engine]);
  client = new S3Client(administratorOf(door));
});

afterEach(async () => {
  client.destroy();
  await door.close();
  await engine.close();
  rmSync(directory, { recursive: true });
});

const put = (Key: string, Body: string | Buffer | Readable, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket: 'lake', Key, Body, ...more }));

async function textOf(Key: string, more: object = {}): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'lake', Key, ...more }));
  return Body!.transformToString();
}

const nameOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error) => error.name,
  );

test('an object comes back as it was put, with its headers and metadata', async () => {
  const key = 'held/date=2026-11-22/a b+c&d=é%2F.json';

  const { ETag } = await put(key, '{"a":1}', {
    ...{ ContentType: 'application/json', CacheControl: 'no-store', Metadata: { reason: 'conflict' } },
    ...{ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:eu-west-1:000000000000:key/1' },
  });
  const got = await client.send(new GetObjectCommand({ Bucket: 'lake', Key: key }));
  const head = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key: key }));

  expect(await got.Body!.transformToString()).toBe('{"a":1}');
  for (const answer of [got, head]) {
    expect(answer).toMatchObject({
      ...{ ContentType: 'application/json', CacheControl: 'no-store', ContentLength: 7, ETag },
      ...{ Metadata: { reason: 'conflict' }, ServerSideEncryption: 'aws:kms', LastModified: expect.any(Date) },
    });
  }
});

test('a stream is put in chunks with a checksum behind it', async () => {
  const chunks = [Buffer.alloc(70_000, 'a'), Buffer.alloc(70_000, 'b'), Buffer.from('\r\n0\r\n')];

  await put('streamed', Readable.from(chunks), { ContentLength: 140_005 });

  expect(await textOf('streamed')).toBe(Buffer.concat(chunks).toString());
});

test.each(['SHA256', 'SHA1', 'CRC32', 'CRC64NVME'])(
  'a body with a %s checksum is accepted',
  async (ChecksumAlgorithm) => {
    await put('checked', 'content', { ChecksumAlgorithm });

    expect(await textOf('checked')).toBe('content');
  },
);

test('a body that does not fit its checksum is refused', async () => {
  const ChecksumSHA256 = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

  expect(await nameOf(put('checked', 'content', { ChecksumSHA256 }))).toBe('BadDigest');
});

test('a body in chunks is put together, and refused where its trailing checksum differs or a chunk is cut', () => {
  const decode = (body: string) =>
    decodeS3({
      ...{ method: 'PUT', path: '/lake/k', query: '', body: Buffer.from(body) },
      headers: { host: '127.0.0.1', 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
    }).input.Body?.toString();
  const trailer = 'x-amz-checksum-sha256:7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=';

  expect(decode(`3\r\ncon\r\n4\r\ntent\r\n0\r\n${trailer}\r\n\r\n`)).toBe('content');
  expect(() => decode(`7\r\nCONTENT\r\n0\r\n${trailer}\r\n\r\n`)).toThrow(/SHA256/);
  expect(() => decode('9\r\ncontent')).toThrow(/terminated unexpectedly/);
});

test('an object is not put over another where that is forbidden', async () => {
  await put('once', 'first', { IfNoneMatch: '*' });

  expect(await nameOf(put('once', 'second', { IfNoneMatch: '*' }))).toBe('PreconditionFailed');
  expect(await textOf('once')).toBe('first');
});

test('a part of an object can be read', async () => {
  await put('digits', '0123456789');

  const answer = await client.send(new GetObjectCommand({ Bucket: 'lake', Key: 'digits', Range: 'bytes=2-4' }));

  expect(await answer.Body!.transformToString()).toBe('234');
  expect([answer.$metadata.httpStatusCode, answer.ContentRange]).toEqual([206, 'bytes 2-4/10']);
});

test('absent objects and buckets are told by name', async () => {
  const absent = { Bucket: 'lake', Key: 'absent' };

  expect(await nameOf(client.send(new GetObjectCommand(absent)))).toBe('NoSuchKey');
  expect(await nameOf(client.send(new HeadObjectCommand(absent)))).toBe('NotFound');
  expect(await nameOf(client.send(new ListObjectsV2Command({ Bucket: 'nothing' })))).toBe('NoSuchBucket');
  expect(await nameOf(client.send(new HeadBucketCommand({ Bucket: 'nothing' })))).toBe('NotFound');
  expect(await nameOf(client.send(new HeadBucketCommand({ Bucket: 'lake' })))).toBe('done');
});

test('buckets are created and listed', async () => {
  await client.send(new CreateBucketCommand({ Bucket: 'second' }));

  const { Buckets } = await client.send(new ListBucketsCommand({}));

  expect(Buckets!.map(({ Name }) => Name)).toEqual(['lake', 'second']);
});

test('a listing is cut into pages and folders', async () => {
  for (const key of ['a/1 & 2', 'a/<3>', 'b/4', 'c']) await put(key, key);

  const first = await client.send(new ListObjectsV2Command({ Bucket: 'lake', Prefix: 'a/', MaxKeys: 1 }));
  const second = await client.send(
    new ListObjectsV2Command({ Bucket: 'lake', Prefix: 'a/', ContinuationToken: first.NextContinuationToken! }),
  );
  const folders = await client.send(new ListObjectsV2Command({ Bucket: 'lake', Delimiter: '/' }));
  const encoded = await client.send(new ListObjectsV2Command({ Bucket: 'lake', Prefix: 'a/', EncodingType: 'url' }));

  expect([first.IsTruncated, first.Contents?.map(({ Key }) => Key)]).toEqual([true, ['a/1 & 2']]);
  expect([second.IsTruncated, second.Contents]).toEqual([false, [expect.objectContaining({ Key: 'a/<3>', Size: 5 })]]);
  expect(folders.CommonPrefixes).toEqual([{ Prefix: 'a/' }, { Prefix: 'b/' }]);
  expect(folders.Contents).toEqual([expect.objectContaining({ Key: 'c', LastModified: expect.any(Date) })]);
  expect(encoded.Contents?.map(({ Key }) => Key)).toEqual(['a/1%20%26%202', 'a/%3C3%3E']);
});

test('objects are copied and deleted, one by one and together', async () => {
  await put('one two', 'content', { Metadata: { kept: 'yes' } });

  const copy = await client.send(new CopyObjectCommand({ Bucket: 'lake', Key: 'copy', CopySource: 'lake/one%20two' }));
  const { Metadata } = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key: 'copy' }));
  await client.send(new DeleteObjectCommand({ Bucket: 'lake', Key: 'one two' }));
  const { Deleted } = await client.send(
    new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects: [{ Key: 'copy' }, { Key: 'a&b' }] } }),
  );

  expect(copy.CopyObjectResult?.ETag).toMatch(/^"[0-9a-f]{32}"$/);
  expect(Metadata).toEqual({ kept: 'yes' });
  expect(Deleted).toEqual([{ Key: 'copy' }, { Key: 'a&b' }]);
  expect((await client.send(new ListObjectsV2Command({ Bucket: 'lake' }))).KeyCount).toBe(0);
});

test('versions are kept and read by their id', async () => {
  await client.send(new PutBucketVersioningCommand({ Bucket: 'lake', VersioningConfiguration: { Status: 'Enabled' } }));
  const first = await put('k', 'first');
  await put('k', 'second');

  const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: 'lake' }));

  expect(Status).toBe('Enabled');
  expect([await textOf('k'), await textOf('k', { VersionId: first.VersionId })]).toEqual(['second', 'first']);
});

test('a function is refused in the words of S3, and an absent object looks forbidden to it', async () => {
  await put('in/a', 'content');
  const reader = new S3Client(functionOf(door, 'reader', allow('s3:GetObject', 'arn:aws:s3:::lake/in/*')));
  const get = (Key: string) => reader.send(new GetObjectCommand({ Bucket: 'lake', Key })).catch((error) => error);

  const [allowed, refused, absent] = [await get('in/a'), await get('out/a'), await get('in/b')];
  reader.destroy();

  expect(await allowed.Body.transformToString()).toBe('content');
  expect([refused.name, refused.message]).toEqual([
    'AccessDenied',
    expect.stringContaining(
      'assumed-role/reader-role/reader is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::lake/out/a',
    ),
  ]);
  expect([absent.name, absent.message]).toEqual(['AccessDenied', expect.stringContaining('s3:ListBucket')]);
});

test('a wrong secret is refused in the words of S3', async () => {
  const options = administratorOf(door);
  const wrong = new S3Client({ ...options, credentials: { ...options.credentials, secretAccessKey: 'wrong' } });

  const name = await nameOf(wrong.send(new ListBucketsCommand({})));
  wrong.destroy();

  expect(name).toBe('SignatureDoesNotMatch');
});

test('what is not modelled is refused by name, not ignored', async () => {
  expect(await nameOf(put('k', 'v', { ACL: 'public-read' }))).toBe('NotImplemented');
  expect(await nameOf(put('k', 'v', { ObjectLockLegalHoldStatus: 'ON' }))).toBe('NotImplemented');
});

test('a bucket may also stand in the host name', () => {
  const request = { method: 'GET', path: '/a%20b/c', query: '', body: Buffer.alloc(0) };

  expect(decodeS3({ ...request, headers: { host: 'lake.localhost:4566' } })).toEqual({
    operation: 'GetObject',
    input: { Bucket: 'lake', Key: 'a b/c' },
  });
  expect(decodeS3({ ...request, path: '/lake/a%20b/c', headers: { host: '127.0.0.1:4566' } }).input).toEqual({
    Bucket: 'lake',
    Key: 'a b/c',
  });
});

test('text survives XML', () => {
  assert(
    property(
      uniqueArray(
        string({ unit: 'binary-ascii' }).filter((text) => text !== ''),
        { minLength: 2 },
      ),
      (texts) => {
        expect(fromXml(toXml('Root', { Item: texts }))).toEqual({ Item: texts });
      },
    ),
    { seed: 5 },
  );
  expect(() => fromXml('<Root><Item></Root>')).toThrow(/closed but not open/);
  expect(() => fromXml('<Root><Item>')).toThrow(/'Item' is not closed/);
  expect(fromXml('<?xml version="1.0"?><!-- c --><R a="1"><E/><T>&#65;&#x42;&lt;</T></R>')).toEqual({
    E: '',
    T: 'AB<',
  });
});
