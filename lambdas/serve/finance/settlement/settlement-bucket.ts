import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { csvLine } from './csv-rows';
import { type DroppedFile, incoming, outcomeFolders, outcomeKey, waitingFiles } from './dropped-files';
import { rowsOfPart } from './load';

/** The file as it comes, one version of it from beginning to end; undefined where there is none any more. */
export async function readFile(
  s3: S3Client,
  bucketName: string,
  key: string,
  etag?: string,
): Promise<{ readonly etag: string; readonly body: Readable } | undefined> {
  try {
    const object = await s3.send(
      new GetObjectCommand({ Bucket: bucketName, Key: key, ...(etag === undefined ? {} : { IfMatch: etag }) }),
    );
    return { etag: object.ETag ?? '', body: object.Body as Readable };
  } catch (error) {
    // Removed, or replaced while it was read: then the new one has an event of its own.
    if (['NoSuchKey', 'PreconditionFailed'].includes((error as Error).name)) return undefined;
    throw error;
  }
}

/** Files that were dropped and have no outcome yet. */
export async function listWaiting(s3: S3Client, bucketName: string): Promise<DroppedFile[]> {
  const list = async (Prefix: string) => {
    const found: { key: string; etag: string; bytes: number; writtenAt: Date }[] = [];
    let next: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucketName,
          Prefix,
          ...(next === undefined ? {} : { ContinuationToken: next }),
        }),
      );
      for (const { Key: key = '', ETag: etag = '', Size: bytes = 0, LastModified } of page.Contents ?? [])
        found.push({ key, etag, bytes, writtenAt: LastModified ?? new Date(0) });
      next = page.NextContinuationToken;
    } while (next !== undefined);
    return found;
  };
  const dropped = await list(incoming);
  const outcomes = new Set<string>();
  for (const folder of Object.values(outcomeFolders)) for (const { key } of await list(folder)) outcomes.add(key);
  return waitingFiles(dropped, outcomes);
}

export async function putOutcome(
  s3: S3Client,
  bucketName: string,
  outcome: keyof typeof outcomeFolders,
  file: DroppedFile,
  content: object,
): Promise<string> {
  const Key = outcomeKey(outcome, file);
  const Body = `${JSON.stringify(content, null, 2)}\n`;
  await s3.send(new PutObjectCommand({ Bucket: bucketName, Key, ContentType: 'application/json', Body }));
  return Key;
}

/**
 * Writes rows as files for COPY, and the manifest that names them last; answers where that lies. The same content makes
 * the same files, so whoever does it twice, or beside another, overwrites like with like.
 */
export async function putForCopy(
  s3: S3Client,
  bucketName: string,
  digest: string,
  rows: AsyncIterable<readonly (string | number | undefined)[]>,
): Promise<string> {
  const folder = `manifests/settlement/${digest}`;
  const urls: string[] = [];
  const put = async (Key: string, Body: Buffer | string) => {
    await s3.send(new PutObjectCommand({ Bucket: bucketName, Key, Body }));
    return `s3://${bucketName}/${Key}`;
  };
  let lines: string[] = [];
  const putPart = async () => {
    urls.push(await put(`${folder}/${urls.length}.csv.gz`, gzipSync(lines.join(''), { level: 1 })));
    lines = [];
  };
  for await (const cells of rows) {
    lines.push(csvLine(cells));
    if (lines.length === rowsOfPart) await putPart();
  }
  if (lines.length > 0) await putPart();
  const manifest = JSON.stringify({ entries: urls.map((url) => ({ url, mandatory: true })) });
  return put(`${folder}/manifest.json`, manifest);
}
