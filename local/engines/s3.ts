import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { Bucket, checkBucketName, type StoredVersion } from './s3-bucket';
import { contentsOf } from './s3-contents';
import {
  bodyOf,
  encryptionInput,
  encryptionOf,
  headersOf,
  keyEncoding,
  keyOf,
  parseCopySource,
  parseRange,
  quoted,
  requestInputs,
  sameTag,
} from './s3-inputs';
import { pageOf } from './s3-listing';

/** S3 on plain files: inputs and outputs are the SDK's, bodies are Buffers, times are Dates. */
export interface S3Engine extends Engine {
  readonly service: 's3';
  /** The folder with a bucket's live objects, for DuckDB and for people. */
  directoryOf(bucket: string): string;
  /** The file of a live object. Throws NoSuchKey if there is none. */
  fileOf(bucket: string, key: string): string;
  /** Calls the listener after every object that is put or copied; answers a function that ends this. */
  onPut(listener: (bucket: string, object: PutEvent) => void): () => void;
}

/** An object that was just put. */
export interface PutEvent {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** Only where the bucket has versions. */
  readonly versionId: string | undefined;
  /** Grows with every object, as hexadecimal digits. */
  readonly sequence: string;
}

type Operation = (input: any) => Promise<Record<string, unknown>>;

/** Opens the store in a folder, with what an earlier run left there. */
export async function openS3({ directory }: { readonly directory: string }): Promise<S3Engine> {
  const root = path.resolve(directory);
  const temporary = path.join(root, '.meta', 'tmp');
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  const buckets = new Map<string, Bucket>();
  for (const entry of fs.readdirSync(root, { withFileTypes: true })) {
    if (entry.isDirectory() && !entry.name.startsWith('.')) buckets.set(entry.name, new Bucket(root, entry.name));
  }
  const listeners = new Set<(bucket: string, object: PutEvent) => void>();
  let puts = 0;

  function bucketOf(name: unknown): Bucket {
    const bucket = buckets.get(checkBucketName(name));
    if (bucket === undefined) throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404);
    return bucket;
  }

  /** The version that a read means, under the read's conditions. */
  function versionFor({ Bucket: name, Key, VersionId, IfMatch, IfNoneMatch }: any): StoredVersion & { file: string } {
    const bucket = bucketOf(name);
    const versions = bucket.objects.get(keyOf(Key)) ?? [];
    const version =
      VersionId === undefined ? versions.at(-1) : versions.find(({ versionId }) => versionId === VersionId);
    if (version === undefined && VersionId !== undefined) {
      throw new AwsError('NoSuchVersion', 'The specified version does not exist.', 404, { Key, VersionId });
    }
    if (version?.file === undefined) {
      if (VersionId !== undefined) {
        throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
      }
      throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404, { Key });
    }
    if (IfMatch !== undefined && !sameTag(IfMatch, version.etag)) throw preconditionFailed('If-Match');
    if (IfNoneMatch !== undefined && (IfNoneMatch === '*' || sameTag(IfNoneMatch, version.etag))) {
      throw new AwsError('NotModified', 'Not Modified', 304);
    }
    return { ...version, file: version.file };
  }

  /** Writes a body beside the objects, then makes it the key's newest version if the conditions hold at that moment. */
  async function store(input: any, body: Buffer, version: Pick<StoredVersion, 'metadata' | 'headers'>) {
    const bucket = bucketOf(input.Bucket);
    const key = keyOf(input.Key);
    const md5 = createHash('md5').update(body).digest();
    if (input.ContentMD5 !== undefined && input.ContentMD5 !== md5.toString('base64')) {
      throw new AwsError('BadDigest', 'The Content-MD5 you specified did not match what we received.');
    }
    checkWriteConditions(bucket, key, input);
    const file = path.join(temporary, randomUUID());
    await writeFile(file, body);
    try {
      // Again, since other writers may have come first while the file was written.
      checkWriteConditions(bucket, key, input);
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
    const stored = bucket.put(key, file, { size: body.length, etag: md5.toString('hex'), ...version });
    const { size, etag, versionId } = stored;
    const sequence = (BigInt(Date.now()) * 65_536n + BigInt(puts++ % 65_536))
      .toString(16)
      .toUpperCase()
      .padStart(18, '0');
    const put = { key, size, etag, versionId: bucket.versioning === undefined ? undefined : versionId, sequence };
    for (const listener of listeners) listener(bucket.name, put);
    return { bucket, stored };
  }

  const operations: Record<string, Operation> = {
    async CreateBucket({ Bucket: name }) {
      if (buckets.has(checkBucketName(name))) {
        const message = 'Your previous request to create the named bucket succeeded and you already own it.';
        throw new AwsError('BucketAlreadyOwnedByYou', message, 409, { BucketName: name });
      }
      buckets.set(name, new Bucket(root, name));
      return { Location: `http://${name}.s3.amazonaws.com/` };
    },

    async HeadBucket({ Bucket: name }) {
      bucketOf(name);
      return { BucketRegion: localRegion };
    },

    async ListBuckets() {
      const all = [...buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      const Buckets = all.map(({ name, created }) => ({ Name: name, CreationDate: new Date(created) }));
      return { Buckets, Owner: { ID: localAccount } };
    },

    async PutBucketVersioning({ Bucket: name, VersioningConfiguration }) {
      const status = VersioningConfiguration?.Status;
      if (status !== 'Enabled' && status !== 'Suspended') {
        const got = `versioning status ${String(status)} is unknown: use Enabled or Suspended`;
        throw new AwsError('IllegalVersioningConfigurationException', got);
      }
      bucketOf(name).setVersioning(status);
      return {};
    },

    async GetBucketVersioning({ Bucket: name }) {
      const { versioning } = bucketOf(name);
      return versioning === undefined ? {} : { Status: versioning };
    },

    async PutObject(input) {
      const body = bodyOf(input.Body);
      const { bucket, stored } = await store(input, body, {
        metadata: input.Metadata ?? {},
        headers: headersOf(input),
      });
      return { ETag: quoted(stored.etag), ...versionIdOf(bucket, stored), ...encryptionOf(stored) };
    },

    async CopyObject(input) {
      const source = parseCopySource(input.CopySource);
      const version = versionFor(source);
      const body = await readFile(path.join(root, version.file));
      const replaced = { metadata: input.Metadata ?? {}, headers: headersOf(input) };
      const kept = { metadata: version.metadata, headers: { ...version.headers, ...encryptionInput(input) } };
      const { bucket, stored } = await store(input, body, input.MetadataDirective === 'REPLACE' ? replaced : kept);
      const from = bucketOf(source.Bucket).versioning === undefined ? {} : { CopySourceVersionId: version.versionId };
      const CopyObjectResult = { ETag: quoted(stored.etag), LastModified: new Date(stored.lastModified) };
      return { CopyObjectResult, ...from, ...versionIdOf(bucket, stored), ...encryptionOf(stored) };
    },

    async HeadObject(input) {
      return describe(bucketOf(input.Bucket), versionFor(input));
    },

    async GetObject(input) {
      const version = versionFor(input);
      const description = describe(bucketOf(input.Bucket), version);
      const file = path.join(root, version.file);
      const range = parseRange(input.Range, version.size);
      if (range === undefined) return { ...description, Body: await readFile(file) };
      const body = Buffer.alloc(range.end - range.start + 1);
      const handle = await open(file);
      try {
        await handle.read(body, 0, body.length, range.start);
      } finally {
        await handle.close();
      }
      const ContentRange = `bytes ${range.start}-${range.end}/${version.size}`;
      return { ...description, Body: body, ContentLength: body.length, ContentRange };
    },

    async DeleteObject({ Bucket: name, Key, VersionId }) {
      const bucket = bucketOf(name);
      if (VersionId !== undefined) {
        const removed = bucket.removeVersion(keyOf(Key), VersionId);
        return { VersionId, ...(removed !== undefined && removed.file === undefined ? { DeleteMarker: true } : {}) };
      }
      const marker = bucket.remove(keyOf(Key));
      return marker === undefined ? {} : { DeleteMarker: true, VersionId: marker.versionId };
    },

    async DeleteObjects({ Bucket: name, Delete }) {
      bucketOf(name);
      const objects: { Key: string; VersionId?: string }[] = Delete?.Objects ?? [];
      if (objects.length === 0 || objects.length > 1000) {
        throw new AwsError('MalformedXML', `${objects.length} objects to delete: 1 to 1000 are allowed`);
      }
      const Deleted: Record<string, unknown>[] = [];
      for (const { Key, VersionId } of objects) {
        const answer = await operations.DeleteObject!({ Bucket: name, Key, VersionId });
        const marker = answer.DeleteMarker ? { DeleteMarker: true, DeleteMarkerVersionId: answer.VersionId } : {};
        Deleted.push({ Key, ...(VersionId === undefined ? {} : { VersionId }), ...marker });
      }
      return Delete.Quiet ? {} : { Deleted };
    },

    async ListObjectsV2(input) {
      const bucket = bucketOf(input.Bucket);
      const { Prefix: prefix = '', Delimiter: delimiter, StartAfter: startAfter, ContinuationToken: token } = input;
      const maxKeys = Math.min(Number(input.MaxKeys ?? 1000), 1000);
      const encode = keyEncoding(input.EncodingType);
      const page = pageOf(bucket.sortedKeys(), { prefix, delimiter, maxKeys, startAfter, token });
      const Contents = page.keys.map((Key) => {
        const { etag, size, lastModified } = bucket.current(Key)!;
        return {
          Key: encode(Key),
          ETag: quoted(etag),
          Size: size,
          LastModified: new Date(lastModified),
          StorageClass: 'STANDARD',
        };
      });
      return {
        Name: bucket.name,
        Prefix: encode(prefix),
        MaxKeys: maxKeys,
        KeyCount: page.keys.length + page.prefixes.length,
        IsTruncated: page.nextToken !== undefined,
        Contents,
        CommonPrefixes: page.prefixes.map((found) => ({ Prefix: encode(found) })),
        ...(input.EncodingType === undefined ? {} : { EncodingType: input.EncodingType }),
        ...(delimiter === undefined ? {} : { Delimiter: encode(delimiter) }),
        ...(startAfter === undefined ? {} : { StartAfter: encode(startAfter) }),
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(page.nextToken === undefined ? {} : { NextContinuationToken: page.nextToken }),
      };
    },
  };

  return {
    service: 's3',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined) throw new AwsError('NotImplemented', `s3 ${operation} is not modelled locally`, 501);
      const surplus = Object.keys(input).find((name) => input[name] !== undefined && !requestInputs(operation, name));
      if (surplus !== undefined) {
        throw new AwsError('NotImplemented', `s3 ${operation} with ${surplus} is not modelled locally`, 501);
      }
      return run(input);
    },
    contents: () => contentsOf(root, buckets.values()),
    directoryOf: (bucket) => path.join(root, bucketOf(bucket).name),
    fileOf: (bucket, key) => path.join(root, versionFor({ Bucket: bucket, Key: key }).file),
    onPut(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      listeners.clear();
    },
  };
}

function checkWriteConditions(bucket: Bucket, key: string, { IfMatch, IfNoneMatch }: any): void {
  const current = bucket.current(key);
  if (IfNoneMatch !== undefined && IfNoneMatch !== '*') {
    throw new AwsError('NotImplemented', `If-None-Match ${IfNoneMatch} on a write: only * is implemented`, 501);
  }
  if (IfNoneMatch === '*' && current !== undefined) throw preconditionFailed('If-None-Match');
  if (IfMatch === undefined) return;
  if (current === undefined) throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404, { Key: key });
  if (!sameTag(IfMatch, current.etag)) throw preconditionFailed('If-Match');
}

function preconditionFailed(Condition: string): AwsError {
  const message = 'At least one of the pre-conditions you specified did not hold';
  return new AwsError('PreconditionFailed', message, 412, { Condition });
}

function describe(bucket: Bucket, version: StoredVersion): Record<string, unknown> {
  return {
    AcceptRanges: 'bytes',
    ContentLength: version.size,
    ContentType: 'binary/octet-stream',
    ETag: quoted(version.etag),
    LastModified: new Date(version.lastModified),
    Metadata: version.metadata,
    ...version.headers,
    ...versionIdOf(bucket, version),
  };
}

function versionIdOf(bucket: Bucket, version: StoredVersion): { VersionId?: string } {
  return bucket.versioning === undefined ? {} : { VersionId: version.versionId };
}
