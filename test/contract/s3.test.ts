import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CreateKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import {
  type BucketLocationConstraint,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListObjectVersionsCommand,
  NoSuchKey,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { openKms } from '../../local/engines/kms';
import { openS3 } from '../../local/engines/s3';
import { type Endpoint, startEndpoint, uniqueName } from './endpoint';

let folder: string;
let endpoint: Endpoint;
let s3: S3Client;
let kms: KMSClient;
/** Without versions. */
let plain: string;
let versioned: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  endpoint = await startEndpoint(async () => [await openS3({ directory: folder }), await openKms()]);
  // As functions do: a bucket then needs no name of its own in DNS.
  s3 = new S3Client({ ...endpoint.client, forcePathStyle: true });
  kms = new KMSClient(endpoint.client);
  plain = await newBucket();
  versioned = await newBucket();
  const VersioningConfiguration = { Status: 'Enabled' as const };
  await s3.send(new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration }));
});

afterAll(async () => {
  await endpoint.close();
  s3.destroy();
  kms.destroy();
  rmSync(folder, { recursive: true, force: true });
});

async function newBucket(): Promise<string> {
  const Bucket = uniqueName();
  const { region } = endpoint.client;
  const CreateBucketConfiguration = { LocationConstraint: region as BucketLocationConstraint };
  // The first region of all has no name here.
  await s3.send(new CreateBucketCommand({ Bucket, ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration }) }));
  endpoint.cleanUp(async () => {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    for (const { Key, VersionId } of [...Versions, ...DeleteMarkers] as { Key: string; VersionId: string }[])
      await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
    await s3.send(new DeleteBucketCommand({ Bucket }));
  });
  return Bucket;
}

const put = (Key: string, Body: string | Uint8Array | Readable, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ Bucket: plain, Key, Body, ...more }));

async function textOf(Key: string, Bucket = plain, VersionId?: string): Promise<string> {
  const version = VersionId === undefined ? {} : { VersionId };
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...version }));
  return Body!.transformToString();
}

const list = (Prefix: string, more: Partial<ListObjectsV2CommandInput> = {}) =>
  s3.send(new ListObjectsV2Command({ Bucket: plain, Prefix, ...more }));

/** The error that a call ends in. */
const failure = (call: Promise<unknown>): Promise<any> =>
  call.then(
    () => Promise.reject(new Error('the call succeeded')),
    (error) => error,
  );

const status = (httpStatusCode: number) => ({ httpStatusCode });

describe('an object', () => {
  test('comes back as it was put, with what was said of it', async () => {
    const Body = Buffer.from([0, 255, 13, 10, 128]);
    const before = Date.now();

    const written = await put('as/put', Body, { ContentType: 'application/x-thing', Metadata: { room: 'refine' } });
    const read = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'as/put' }));

    expect(Buffer.from(await read.Body!.transformToByteArray())).toEqual(Body);
    expect(read).toMatchObject({
      ContentLength: 5,
      ContentType: 'application/x-thing',
      Metadata: { room: 'refine' },
      ETag: written.ETag,
    });
    expect(Math.abs(read.LastModified!.getTime() - before)).toBeLessThan(60_000);
    // Without versioning there is no version, by which it is seen whether an object was put again meanwhile.
    expect(read.VersionId).toBeUndefined();
  });

  test('is text, bytes, a stream or nothing', async () => {
    await put('kinds/text', '{"größe":1}', { ContentType: 'application/json' });
    await put('kinds/empty', Buffer.alloc(0));
    await put('kinds/stream', Readable.from([Buffer.from('one '), Buffer.from('two')]), { ContentLength: 7 });

    expect(await textOf('kinds/text')).toBe('{"größe":1}');
    expect(await textOf('kinds/empty')).toBe('');
    expect(await textOf('kinds/stream')).toBe('one two');
  });

  test('of some megabytes is whole', async () => {
    const Body = Buffer.alloc(6_000_000, 'tillstream ');

    await put('large', Body);

    const { Body: read } = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'large' }));
    const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    expect(digest(await read!.transformToByteArray())).toBe(digest(Body));
  });

  test.each([
    'held/refine-dedup/shardId-000000000000/49590338271490256608559692538361571095921575989136588898.json',
    'sale_lines/accepted_date=2026-11-22/lake-1-2026-11-22-10-15-30-0a1b.parquet',
    'aws/lambda/0a1b/shardId-000000000000/2026/11/22/2026-11-22T10.15.30-0a1b',
    'a b+c/größe&?#%25~!*()\'".json',
    '日本/🛒',
  ])('may be called %s', async (Key) => {
    await put(Key, 'here');

    expect(await textOf(Key)).toBe('here');
    expect((await list(Key)).Contents!.map((object) => object.Key)).toEqual([Key]);
    await s3.send(new DeleteObjectCommand({ Bucket: plain, Key }));
    expect((await list(Key)).Contents).toBeUndefined();
  });

  test('is described without its body, to the same second', async () => {
    await put('described', 'body', { ContentType: 'text/plain' });

    const described = await s3.send(new HeadObjectCommand({ Bucket: plain, Key: 'described' }));
    const read = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'described' }));

    expect(described).toMatchObject({ ContentLength: 4, ContentType: 'text/plain', ETag: read.ETag });
    expect(described.LastModified).toEqual(read.LastModified);
    expect(described.LastModified!.getMilliseconds()).toBe(0);
  });

  test('put again is replaced', async () => {
    await put('again', 'one', { Metadata: { first: 'yes' } });
    await put('again', 'two');

    const read = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'again' }));

    expect(await read.Body!.transformToString()).toBe('two');
    expect(read.Metadata).toEqual({});
  });

  test('is read in part, and copied', async () => {
    await put('copied/from', 'abcdef');

    await s3.send(new CopyObjectCommand({ Bucket: plain, Key: 'copied/to', CopySource: `${plain}/copied/from` }));

    const part = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'copied/to', Range: 'bytes=2-3' }));
    expect([await part.Body!.transformToString(), part.ContentRange]).toEqual(['cd', 'bytes 2-3/6']);
  });

  test('whose bytes are not those that were announced is refused', async () => {
    const other = { ContentMD5: createHash('md5').update('other').digest('base64') };
    const sum = { ChecksumSHA256: createHash('sha256').update('other').digest('base64') };

    expect(await failure(put('broken', 'body', other))).toMatchObject({ name: 'BadDigest', $metadata: status(400) });
    expect(await failure(put('broken', 'body', sum))).toMatchObject({ name: 'BadDigest', $metadata: status(400) });
    expect(await failure(textOf('broken'))).toMatchObject({ name: 'NoSuchKey' });
  });
});

describe('a put on condition', () => {
  test('that there is nothing yet keeps what is there', async () => {
    const first = await put('once', 'first', { IfNoneMatch: '*' });

    const second = await failure(put('once', 'second', { IfNoneMatch: '*' }));

    expect(first.ETag).toBe(`"${createHash('md5').update('first').digest('hex')}"`);
    expect(second).toMatchObject({ name: 'PreconditionFailed', $metadata: status(412) });
    expect(await textOf('once')).toBe('first');
  });

  test('has one winner among many at a time', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        put('raced', `body ${index}`, { IfNoneMatch: '*' }).then(
          () => index,
          (error) => error.name as string,
        ),
      ),
    );

    const winners = outcomes.filter((outcome) => typeof outcome === 'number');
    expect(winners).toHaveLength(1);
    // One that was under way at the same moment may be told to try again.
    for (const outcome of outcomes.filter((one) => typeof one === 'string'))
      expect(outcome).toMatch(/^(PreconditionFailed|ConditionalRequestConflict)$/);
    expect(await textOf('raced')).toBe(`body ${winners[0]}`);
  });

  test('of what it replaces needs that very object', async () => {
    const { ETag } = await put('matched', 'one');

    await put('matched', 'two', { IfMatch: ETag! });
    const late = await failure(put('matched', 'three', { IfMatch: ETag! }));

    expect(late).toMatchObject({ name: 'PreconditionFailed', $metadata: status(412) });
    expect(await textOf('matched')).toBe('two');
  });
});

describe('encryption', () => {
  test('with a key is told at the put and at every read', async () => {
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: plain }));
    const SSEKMSKeyId = KeyMetadata!.Arn!;
    endpoint.cleanUp(() => kms.send(new ScheduleKeyDeletionCommand({ KeyId: SSEKMSKeyId, PendingWindowInDays: 7 })));
    const encryption = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId, BucketKeyEnabled: true } as const;

    const written = await put('sealed', 'body', encryption);
    const read = await s3.send(new GetObjectCommand({ Bucket: plain, Key: 'sealed' }));
    const described = await s3.send(new HeadObjectCommand({ Bucket: plain, Key: 'sealed' }));

    for (const answer of [written, read, described]) expect(answer).toMatchObject(encryption);
    expect(await read.Body!.transformToString()).toBe('body');
  });
});

describe('a listing', () => {
  const keys = ['a', 'a/1', 'a/2', 'a0', 'b/1', 'b/c/1', 'ä', '\uFFFD', '🛒'].map((key) => `listed/${key}`);

  beforeAll(async () => {
    for (const key of [...keys].reverse()) await put(key, key);
  });

  test('gives keys in the order of their bytes, each with its size, tag and time', async () => {
    const { Contents, KeyCount, IsTruncated, NextContinuationToken } = await list('listed/');

    expect(Contents!.map(({ Key }) => Key)).toEqual(keys);
    expect(Contents![0]).toMatchObject({
      Size: 8,
      ETag: `"${createHash('md5').update(keys[0]!).digest('hex')}"`,
      LastModified: expect.any(Date),
    });
    expect([KeyCount, IsTruncated, NextContinuationToken]).toEqual([keys.length, false, undefined]);
  });

  test.each([1, 2, 3, 9, 10])('is read in pages of %d, without gap or repeat', async (MaxKeys) => {
    const seen: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await list('listed/', { MaxKeys, ...(ContinuationToken && { ContinuationToken }) });
      expect(page.IsTruncated).toBe(page.NextContinuationToken !== undefined);
      seen.push(...page.Contents!.map(({ Key }) => Key));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);

    expect(seen).toEqual(keys);
  });

  test('is paged by the SDK too', async () => {
    const seen: (string | undefined)[] = [];

    for await (const { Contents = [] } of paginateListObjectsV2(
      { client: s3, pageSize: 4 },
      { Bucket: plain, Prefix: 'listed/' },
    ))
      seen.push(...Contents.map(({ Key }) => Key));

    expect(seen).toEqual(keys);
  });

  test('starts after a text, whether that is a key or not', async () => {
    const behind = async (StartAfter: string) =>
      (await list('listed/', { StartAfter })).Contents!.map(({ Key }) => Key);

    expect(await behind('listed/a0')).toEqual(keys.slice(4));
    expect(await behind('listed/b')).toEqual(keys.slice(4));
    expect(await behind('listed/')).toEqual(keys);
  });

  test('goes on from its token, not from the start that was given with it', async () => {
    const StartAfter = 'listed/a';
    const first = await list('listed/', { StartAfter, MaxKeys: 3 });

    const second = await list('listed/', { StartAfter, ContinuationToken: first.NextContinuationToken! });

    expect(first.Contents!.map(({ Key }) => Key)).toEqual(keys.slice(1, 4));
    expect(second.Contents!.map(({ Key }) => Key)).toEqual(keys.slice(4));
  });

  test('folds what lies under a delimiter', async () => {
    const { Contents, CommonPrefixes, KeyCount } = await list('listed/', { Delimiter: '/', MaxKeys: 4 });

    expect(Contents!.map(({ Key }) => Key)).toEqual(['listed/a', 'listed/a0']);
    expect(CommonPrefixes).toEqual([{ Prefix: 'listed/a/' }, { Prefix: 'listed/b/' }]);
    expect(KeyCount).toBe(4);
  });

  test('of nothing has no contents', async () => {
    const nothing = await list(uniqueName());

    expect(nothing).toMatchObject({ KeyCount: 0, IsTruncated: false });
    expect(nothing.Contents).toBeUndefined();
  });

  test('with a token that was never given is refused', async () => {
    expect(await failure(list('listed/', { ContinuationToken: 'never given' }))).toMatchObject({
      name: 'InvalidArgument',
      $metadata: status(400),
    });
  });
});

describe('deletion', () => {
  test('is done once, and again does no harm', async () => {
    await put('gone', 'body');
    const remove = () => s3.send(new DeleteObjectCommand({ Bucket: plain, Key: 'gone' }));

    const first = await remove();
    const second = await remove();

    expect([first.$metadata, second.$metadata]).toMatchObject([status(204), status(204)]);
    expect(await failure(textOf('gone'))).toMatchObject({ name: 'NoSuchKey' });
  });

  test('of several tells each', async () => {
    await put('several/1', 'x');
    const Objects = [{ Key: 'several/1' }, { Key: 'several/absent' }];

    const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket: plain, Delete: { Objects } }));

    expect(Deleted!.map(({ Key }) => Key).sort()).toEqual(['several/1', 'several/absent']);
    expect(Errors).toBeUndefined();
    expect((await list('several/')).KeyCount).toBe(0);
  });
});

describe('with versions', () => {
  test('every put is another version, which can still be read after it is replaced and deleted', async () => {
    const object = { Bucket: versioned, Key: 'kept' };
    const one = await s3.send(new PutObjectCommand({ ...object, Body: 'one' }));
    const two = await s3.send(new PutObjectCommand({ ...object, Body: 'two' }));
    const current = await s3.send(new HeadObjectCommand(object));

    const removed = await s3.send(new DeleteObjectCommand(object));

    expect(one.VersionId).not.toBe(two.VersionId);
    expect(current.VersionId).toBe(two.VersionId);
    expect(removed).toMatchObject({ DeleteMarker: true, VersionId: expect.any(String) });
    expect(await failure(textOf('kept', versioned))).toMatchObject({ name: 'NoSuchKey' });
    expect(await textOf('kept', versioned, one.VersionId)).toBe('one');
    expect(await textOf('kept', versioned, two.VersionId)).toBe('two');
  });

  test('what was deleted may be put where nothing must be', async () => {
    const object = { Bucket: versioned, Key: 'returned', IfNoneMatch: '*' };
    await s3.send(new PutObjectCommand({ ...object, Body: 'one' }));
    await s3.send(new DeleteObjectCommand({ Bucket: versioned, Key: 'returned' }));

    await s3.send(new PutObjectCommand({ ...object, Body: 'two' }));

    expect(await textOf('returned', versioned)).toBe('two');
  });
});

describe('what is absent', () => {
  test('is an error of its own kind', async () => {
    const object = { Bucket: plain, Key: uniqueName() };

    const read = await failure(s3.send(new GetObjectCommand(object)));
    const described = await failure(s3.send(new HeadObjectCommand(object)));

    expect(read).toBeInstanceOf(NoSuchKey);
    expect(read).toMatchObject({ $metadata: status(404) });
    // An answer to HEAD has no body, and so no name of its own.
    expect(described).toMatchObject({ name: 'NotFound', $metadata: status(404) });
  });

  test('may be a whole bucket', async () => {
    const object = { Bucket: uniqueName(), Key: 'x' };
    const { Bucket } = object;

    const named = { name: 'NoSuchBucket', $metadata: status(404) };
    expect(await failure(s3.send(new PutObjectCommand({ ...object, Body: 'x' })))).toMatchObject(named);
    expect(await failure(s3.send(new GetObjectCommand(object)))).toMatchObject(named);
    expect(await failure(s3.send(new DeleteObjectCommand(object)))).toMatchObject(named);
    expect(await failure(s3.send(new ListObjectsV2Command({ Bucket })))).toMatchObject(named);
    expect(await failure(s3.send(new HeadBucketCommand({ Bucket })))).toMatchObject({ name: 'NotFound' });
  });
});
