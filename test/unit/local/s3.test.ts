import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { openS3, type S3Engine } from '../../../local/engines/s3';
import { openParquet } from '../../../local/engines/s3-parquet';

let directory: string;
let s3: S3Engine;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 's3-'));
  s3 = await openS3({ directory });
  await s3.call('CreateBucket', { Bucket: 'lake' });
});

afterEach(async () => {
  await s3.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const put = (Key: string, text: string, more: object = {}) =>
  s3.call('PutObject', { Bucket: 'lake', Key, Body: Buffer.from(text), ...more });
const get = (Key: string, more: object = {}) => s3.call('GetObject', { Bucket: 'lake', Key, ...more });
const text = async (Key: string, more: object = {}) => (await get(Key, more)).Body.toString();
const list = (more: object = {}) => s3.call('ListObjectsV2', { Bucket: 'lake', ...more });
const keys = (page: any) => page.Contents.map(({ Key }: { Key: string }) => Key);

async function scan(): Promise<string> {
  let all = '';
  for await (const piece of s3.contents()) all += `${piece.where}\n${piece.text}\n`;
  return all;
}

describe('objects', () => {
  test('an object is a plain file that anybody can read', async () => {
    const Key = 'sale_lines/accepted_date=2026-11-22/part 1.json';

    await put(Key, 'hello', { ContentType: 'text/plain', Metadata: { origin: 'till' } });

    expect(fs.readFileSync(path.join(directory, 'lake', Key), 'utf8')).toBe('hello');
    expect(s3.fileOf('lake', Key)).toBe(path.join(directory, 'lake', Key));
    expect(s3.directoryOf('lake')).toBe(path.join(directory, 'lake'));
    expect(await get(Key)).toMatchObject({
      Body: Buffer.from('hello'),
      ContentLength: 5,
      ContentType: 'text/plain',
      ETag: '"5d41402abc4b2a76b9719d911017c592"',
      Metadata: { origin: 'till' },
    });
  });

  test('encryption and content type are answered as they were put', async () => {
    const encryption = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:eu-west-1:000000000000:key/k' };

    const answer = await put('a', 'x', { ...encryption, ContentType: 'application/json' });

    expect(answer).toMatchObject(encryption);
    expect(await s3.call('HeadObject', { Bucket: 'lake', Key: 'a' })).toMatchObject({
      ...encryption,
      ContentType: 'application/json',
    });
  });

  test.each([
    ['bytes=1-3', 'ell', 'bytes 1-3/5'],
    ['bytes=3-', 'lo', 'bytes 3-4/5'],
    ['bytes=-2', 'lo', 'bytes 3-4/5'],
    ['bytes=0-99', 'hello', 'bytes 0-4/5'],
  ])('the range %s is cut out', async (Range, expected, ContentRange) => {
    await put('a', 'hello');

    const part = await get('a', { Range });

    expect(part.Body.toString()).toBe(expected);
    expect(part).toMatchObject({ ContentRange, ContentLength: expected.length });
  });

  test('a range behind the end is refused', async () => {
    await put('a', 'hello');

    await expect(get('a', { Range: 'bytes=5-' })).rejects.toMatchObject({ code: 'InvalidRange', statusCode: 416 });
  });

  test('missing keys and buckets are named as S3 names them', async () => {
    await expect(get('missing')).rejects.toMatchObject({ code: 'NoSuchKey', statusCode: 404 });
    await expect(s3.call('HeadBucket', { Bucket: 'other' })).rejects.toMatchObject({ code: 'NoSuchBucket' });
    await expect(s3.call('CreateBucket', { Bucket: 'lake' })).rejects.toMatchObject({ statusCode: 409 });
    await expect(s3.call('CreateBucket', { Bucket: '../up' })).rejects.toMatchObject({ code: 'InvalidBucketName' });
  });

  test('what is not modelled is refused by name', async () => {
    await expect(s3.call('GetObjectAcl', {})).rejects.toMatchObject({
      code: 'NotImplemented',
      message: 's3 GetObjectAcl is not modelled locally',
    });
    await expect(put('a', 'x', { Tagging: 'a=b' })).rejects.toMatchObject({
      code: 'NotImplemented',
      message: 's3 PutObject with Tagging is not modelled locally',
    });
  });

  test('a body that does not match its checksum is refused', async () => {
    await expect(put('a', 'x', { ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' })).rejects.toMatchObject({
      code: 'BadDigest',
    });
    await expect(get('a')).rejects.toMatchObject({ code: 'NoSuchKey' });
  });

  test('listeners hear of every object', async () => {
    const heard: string[] = [];
    const stop = s3.onPut((bucket, { key }) => heard.push(`${bucket}/${key}`));

    await put('a', 'x');
    await s3.call('CopyObject', { Bucket: 'lake', Key: 'b', CopySource: 'lake/a' });
    stop();
    await put('c', 'x');

    expect(heard).toEqual(['lake/a', 'lake/b']);
  });

  test('a copy keeps metadata unless it brings its own', async () => {
    await put('a b', 'x', { Metadata: { m: '1' }, ContentType: 'text/plain' });

    await s3.call('CopyObject', { Bucket: 'lake', Key: 'kept', CopySource: 'lake/a%20b' });
    await s3.call('CopyObject', {
      Bucket: 'lake',
      Key: 'replaced',
      CopySource: '/lake/a%20b',
      MetadataDirective: 'REPLACE',
      Metadata: { m: '2' },
    });

    expect(await get('kept')).toMatchObject({ Metadata: { m: '1' }, ContentType: 'text/plain' });
    expect(await get('replaced')).toMatchObject({ Metadata: { m: '2' }, ContentType: 'binary/octet-stream' });
  });
});

describe('conditions', () => {
  test('of many first writers exactly one wins', async () => {
    const writers = Array.from({ length: 20 }, (_, n) => put('claim', `${n}`, { IfNoneMatch: '*' }));

    const outcomes = await Promise.allSettled(writers);

    const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []));
    expect(winners).toHaveLength(1);
    expect(await text('claim')).toBe(`${winners[0]}`);
    const lost = outcomes.find((outcome) => outcome.status === 'rejected') as PromiseRejectedResult;
    expect(lost.reason).toMatchObject({ code: 'PreconditionFailed', statusCode: 412 });
    expect(fs.readdirSync(path.join(directory, '.meta', 'tmp'))).toEqual([]);
  });

  test('a write on condition of a tag needs that tag', async () => {
    const { ETag } = await put('a', 'one');

    await put('a', 'two', { IfMatch: ETag });

    await expect(put('a', 'three', { IfMatch: ETag })).rejects.toMatchObject({ code: 'PreconditionFailed' });
    await expect(put('none', 'x', { IfMatch: ETag })).rejects.toMatchObject({ code: 'NoSuchKey' });
    expect(await text('a')).toBe('two');
  });
});

describe('keys', () => {
  test.each(['../../escape', '/absolute', 'a//b', './a', 'a/..', 'dir/', '\\..\\up', 'a\0b', 'é'.repeat(300)])(
    'the key %j stays inside the folder and comes back',
    async (Key) => {
      await put(Key, 'x');

      expect(await text(Key)).toBe('x');
      expect(keys(await list())).toEqual([Key]);
      expect(s3.fileOf('lake', Key).startsWith(directory + path.sep)).toBe(true);
      await s3.call('DeleteObject', { Bucket: 'lake', Key });
      expect(keys(await list())).toEqual([]);
    },
  );

  test('a key may be the folder of another, whichever came first', async () => {
    await put('a', '1');
    await put('a/b', '2');
    await put('c/d', '3');
    await put('c', '4');

    const all = await Promise.all(['a', 'a/b', 'c/d', 'c'].map((Key) => text(Key)));

    expect(all).toEqual(['1', '2', '3', '4']);
  });

  test('deleting the last object of a folder removes the folder', async () => {
    await put('x/y/z', '1');

    await s3.call('DeleteObject', { Bucket: 'lake', Key: 'x/y/z' });

    expect(fs.readdirSync(path.join(directory, 'lake'))).toEqual([]);
  });

  test('too long a key is refused', async () => {
    await expect(put('k'.repeat(1025), 'x')).rejects.toMatchObject({ code: 'KeyTooLongError' });
  });
});

describe('listing', () => {
  test('keys come in the order of their bytes', async () => {
    const unsorted = ['b', 'a/2', '\u{1F600}', 'a', '\uFF5E', 'a/10', 'é', 'Z'];
    for (const key of unsorted) await put(key, 'x');

    const listed = keys(await list());

    expect(listed).toEqual([...unsorted].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test('pages of one cover everything once, prefixes included', async () => {
    for (const key of ['a/1', 'a/2', 'b', 'c/1', 'c/2', 'd']) await put(key, 'x');
    const seen: string[] = [];

    for (let ContinuationToken: string | undefined, more = true; more; ) {
      const page: any = await list({ MaxKeys: 1, Delimiter: '/', ContinuationToken });
      seen.push(...keys(page), ...page.CommonPrefixes.map(({ Prefix }: { Prefix: string }) => Prefix));
      expect(page.KeyCount).toBe(1);
      ContinuationToken = page.NextContinuationToken;
      more = page.IsTruncated;
    }

    expect(seen).toEqual(['a/', 'b', 'c/', 'd']);
  });

  test('a prefix and a start narrow the listing', async () => {
    for (const key of ['a', 'b/1', 'b/2', 'b/3', 'c']) await put(key, 'x');

    expect(keys(await list({ Prefix: 'b/' }))).toEqual(['b/1', 'b/2', 'b/3']);
    expect(keys(await list({ Prefix: 'b/', StartAfter: 'b/1' }))).toEqual(['b/2', 'b/3']);
    expect(await list({ StartAfter: 'b/1', Delimiter: '/' })).toMatchObject({ CommonPrefixes: [{ Prefix: 'b/' }] });
    await expect(list({ ContinuationToken: '%%' })).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  test('keys are percent-encoded for those who ask', async () => {
    await put('a b/c+d', 'x');

    const page = await list({ EncodingType: 'url', Prefix: 'a b/' });

    expect(keys(page)).toEqual(['a%20b/c%2Bd']);
    expect(page).toMatchObject({ EncodingType: 'url', Prefix: 'a%20b/' });
  });

  test('deleting many answers each', async () => {
    await put('a', 'x');

    const answer = await s3.call('DeleteObjects', {
      Bucket: 'lake',
      Delete: { Objects: [{ Key: 'a' }, { Key: 'b' }] },
    });

    expect(answer.Deleted).toEqual([{ Key: 'a' }, { Key: 'b' }]);
    expect(keys(await list())).toEqual([]);
  });
});

describe('versions', () => {
  beforeEach(async () => {
    await s3.call('PutBucketVersioning', { Bucket: 'lake', VersioningConfiguration: { Status: 'Enabled' } });
  });

  test('an overwritten object is still there under its version', async () => {
    const first = await put('manifest', 'one');
    const second = await put('manifest', 'two');

    expect(first.VersionId).not.toBe(second.VersionId);
    expect(await text('manifest')).toBe('two');
    expect(await text('manifest', { VersionId: first.VersionId })).toBe('one');
    expect(fs.readdirSync(path.join(directory, 'lake'))).toEqual(['manifest']);
  });

  test('a deletion hides the object, and deleting the deletion brings it back', async () => {
    const { VersionId } = await put('manifest', 'one');

    const deletion = await s3.call('DeleteObject', { Bucket: 'lake', Key: 'manifest' });

    expect(deletion).toMatchObject({ DeleteMarker: true });
    await expect(get('manifest')).rejects.toMatchObject({ code: 'NoSuchKey' });
    expect(keys(await list())).toEqual([]);
    expect(await text('manifest', { VersionId })).toBe('one');
    await s3.call('DeleteObject', { Bucket: 'lake', Key: 'manifest', VersionId: deletion.VersionId });
    expect(await text('manifest')).toBe('one');
    expect(keys(await list())).toEqual(['manifest']);
  });

  test('deleting the newest version uncovers the one before', async () => {
    await put('manifest', 'one');
    const { VersionId } = await put('manifest', 'two');

    await s3.call('DeleteObject', { Bucket: 'lake', Key: 'manifest', VersionId });

    expect(await text('manifest')).toBe('one');
    await expect(get('manifest', { VersionId })).rejects.toMatchObject({ code: 'NoSuchVersion' });
  });

  test('objects from before versioning have the null version', async () => {
    await s3.call('CreateBucket', { Bucket: 'older' });
    await s3.call('PutObject', { Bucket: 'older', Key: 'a', Body: Buffer.from('one') });
    await s3.call('PutBucketVersioning', { Bucket: 'older', VersioningConfiguration: { Status: 'Enabled' } });

    await s3.call('PutObject', { Bucket: 'older', Key: 'a', Body: Buffer.from('two') });

    const old = await s3.call('GetObject', { Bucket: 'older', Key: 'a', VersionId: 'null' });
    expect(old.Body.toString()).toBe('one');
  });
});

describe('reopening', () => {
  const reopen = async () => {
    await s3.close();
    s3 = await openS3({ directory });
  };

  test('everything is as it was', async () => {
    await s3.call('PutBucketVersioning', { Bucket: 'lake', VersioningConfiguration: { Status: 'Enabled' } });
    const first = await put('../odd', 'one', { Metadata: { m: '1' } });
    await put('../odd', 'two');
    await put('gone', 'x');
    await s3.call('DeleteObject', { Bucket: 'lake', Key: 'gone' });

    await reopen();

    expect(keys(await list())).toEqual(['../odd']);
    expect(await get('../odd', { VersionId: first.VersionId })).toMatchObject({ Metadata: { m: '1' } });
    expect(await text('../odd')).toBe('two');
    expect(await s3.call('GetBucketVersioning', { Bucket: 'lake' })).toEqual({ Status: 'Enabled' });
  });

  test('a file put there by hand is an object, a vanished file is none', async () => {
    await put('vanished', 'x');
    fs.rmSync(path.join(directory, 'lake', 'vanished'));
    fs.writeFileSync(path.join(directory, 'lake', 'found'), 'hello');

    await reopen();

    expect(keys(await list())).toEqual(['found']);
    expect((await get('found')).ETag).toBe('"5d41402abc4b2a76b9719d911017c592"');
  });
});

describe('contents', () => {
  test('keys, metadata, old versions, gzip and the rows of Parquet files are all visible', async () => {
    await s3.call('PutBucketVersioning', { Bucket: 'lake', VersioningConfiguration: { Status: 'Enabled' } });
    await put('needle-in-key', 'x', { Metadata: { m: 'needle-in-metadata' } });
    await put('versioned', 'needle-in-old-version');
    await put('versioned', 'x');
    await s3.call('PutObject', { Bucket: 'lake', Key: 'zip', Body: gzipSync('needle-in-gzip') });
    const json = path.join(directory, 'rows.json');
    fs.writeFileSync(json, '{"name":"needle-in-parquet"}\n{"name":"second"}');
    const parquet = await openParquet();
    await parquet.write(json, [{ name: 'name', type: 'VARCHAR' }], path.join(directory, 'rows.parquet'));
    parquet.close();
    const Body = fs.readFileSync(path.join(directory, 'rows.parquet'));
    await s3.call('PutObject', { Bucket: 'lake', Key: 'rows.parquet', Body });

    const all = await scan();

    for (const place of ['key', 'metadata', 'old-version', 'gzip', 'parquet'])
      expect(all).toContain(`needle-in-${place}`);
  });

  test('what lies across two pieces of a large object is found whole', async () => {
    const large = Buffer.alloc(8 * 1024 * 1024 + 1000, 'x');
    large.write('needle', 8 * 1024 * 1024 - 3);
    await s3.call('PutObject', { Bucket: 'lake', Key: 'large', Body: large });

    const all = await scan();

    expect(all).toContain('needle');
  });
});
