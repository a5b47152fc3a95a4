import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { attemptColumn, type SnapshotTable, snapshotColumn } from '../../../base/domain/snapshot-tables';
import { inParallel } from '../../../base/runtime/in-parallel';
import type { InputFile, Manifest, StoredFile } from './snapshot';

export interface SnapshotBuckets {
  readonly lake: string;
  readonly snapshots: string;
  /** Where Athena leaves results: what is unloaded waits here until it is copied, longer than a copied part is locked. */
  readonly results: string;
}

const callsAtOnce = 32;
/** The folder of what is on its way, in the results' bucket. */
export const underWay = 'snapshots';

/** The objects of snapshots. Everything that is written is written whole, under a name that says what it is. */
export class SnapshotFiles {
  constructor(
    private readonly s3: S3Client,
    private readonly buckets: SnapshotBuckets,
  ) {}

  /** The names of all snapshots, oldest first. */
  async snapshots(): Promise<string[]> {
    const listed = await this.list(this.buckets.snapshots, 'manifests/');
    return listed.map(({ key }) => key.replace(/^manifests\/(.*)\.json$/, '$1')).sort();
  }

  /** Their manifests, in the same order. */
  async manifests(snapshots: readonly string[]): Promise<Manifest[]> {
    const manifests = new Map<string, Manifest>();
    await inParallel(snapshots, callsAtOnce, async (snapshot) => {
      manifests.set(snapshot, JSON.parse(await this.read(this.buckets.snapshots, `manifests/${snapshot}.json`)));
    });
    return snapshots.map((snapshot) => manifests.get(snapshot)!);
  }

  /** The first date of the lake's table. */
  async firstDate(table: SnapshotTable): Promise<string | undefined> {
    const prefix = `${table.source.name}/${table.source.partition.column}=`;
    const { Contents } = await this.s3.send(
      new ListObjectsV2Command({ Bucket: this.buckets.lake, Prefix: prefix, MaxKeys: 1 }),
    );
    return Contents?.[0]?.Key?.slice(prefix.length).split('/')[0];
  }

  /** The keys of a lake's table from a date on, up to and with the one that the time is in. */
  async keysOf(table: SnapshotTable, from: string | undefined, upTo: Date): Promise<string[]> {
    const prefix = `${table.source.name}/${table.source.partition.column}=`;
    const last = `${prefix}${upTo.toISOString().slice(0, 10)}/`;
    return (await this.list(this.buckets.lake, prefix, from))
      .filter(({ key, bytes }) => bytes > 0 && (key < last || key.startsWith(last)))
      .map(({ key }) => key);
  }

  /** Files of the lake as they are now; one that is gone has no version. */
  async versionsOf(keys: readonly string[]): Promise<InputFile[]> {
    const found = new Map<string, InputFile>();
    await inParallel(keys, callsAtOnce, async (key) => {
      const head = await this.s3.send(new HeadObjectCommand({ Bucket: this.buckets.lake, Key: key })).catch((error) => {
        if (error.$metadata?.httpStatusCode === 404) return undefined;
        throw error;
      });
      found.set(key, {
        key,
        versionId: head === undefined ? 'gone' : (head.VersionId ?? 'null'),
        bytes: head?.ContentLength ?? 0,
      });
    });
    return keys.map((key) => found.get(key)!);
  }

  /** Names the exact files that Athena reads as `<inputs table>` under this attempt. */
  async putInputs(table: SnapshotTable, attempt: string, files: readonly InputFile[]): Promise<void> {
    // No file is no partition: an empty list would be one of nothing.
    if (files.length === 0) return;
    await this.s3.send(
      new PutObjectCommand({
        Bucket: this.buckets.results,
        Key: `${inputsFolder(table)}${attemptColumn}=${attempt}/files.txt`,
        ContentType: 'text/plain',
        Body: files.map(({ key }) => `s3://${this.buckets.lake}/${key}\n`).join(''),
      }),
    );
  }

  unloadLocation(table: SnapshotTable, attempt: string): string {
    return `s3://${this.buckets.results}/${underWay}/unloaded/${attempt}/${table.name}/`;
  }

  /** What an attempt has unloaded, and where it will lie. */
  async unloaded(table: SnapshotTable, attempt: string, snapshot: string): Promise<StoredFile[]> {
    const listed = await this.list(this.buckets.results, `${underWay}/unloaded/${attempt}/${table.name}/`);
    return listed.map(({ key, bytes }, place) => ({
      key: `${snapshotFolder(table, snapshot)}part-${String(place).padStart(5, '0')}.parquet`,
      unloadedKey: key,
      bytes,
    }));
  }

  /** Decides for an attempt, unless another one was decided for: answers the one that is. */
  async decide(manifest: Manifest): Promise<Manifest> {
    const key = decisionKey(manifest.snapshot);
    try {
      await this.s3.send(
        new PutObjectCommand({
          Bucket: this.buckets.results,
          Key: key,
          IfNoneMatch: '*',
          ContentType: 'application/json',
          Body: JSON.stringify(manifest),
        }),
      );
      return manifest;
    } catch (error) {
      if (!/^(PreconditionFailed|ConditionalRequestConflict)$/.test((error as Error).name)) throw error;
      return JSON.parse(await this.read(this.buckets.results, key));
    }
  }

  async decided(snapshot: string): Promise<Manifest | undefined> {
    try {
      return JSON.parse(await this.read(this.buckets.results, decisionKey(snapshot)));
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  /** Copies what was unloaded to where it stays. Refuses when anything else lies there. */
  async store(table: SnapshotTable, { snapshot, tables }: Manifest): Promise<void> {
    const { files } = tables[table.name];
    const own = new Set(files.map(({ key }) => key));
    const there = await this.list(this.buckets.snapshots, snapshotFolder(table, snapshot));
    const foreign = there.find(({ key }) => !own.has(key));
    if (foreign !== undefined) throw new Error(`${foreign.key} is not of snapshot ${snapshot}: nothing is added to it`);
    await inParallel(files, callsAtOnce, async ({ key, unloadedKey }) => {
      await this.s3.send(
        new CopyObjectCommand({
          Bucket: this.buckets.snapshots,
          Key: key,
          CopySource: `${this.buckets.results}/${unloadedKey}`,
        }),
      );
    });
  }

  /** The last call of a snapshot: with it, it is there. */
  async publish(manifest: Manifest): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({
        Bucket: this.buckets.snapshots,
        Key: `manifests/${manifest.snapshot}.json`,
        ContentType: 'application/json',
        Body: JSON.stringify(manifest, null, 1),
      }),
    );
  }

  private async list(bucket: string, prefix: string, from?: string): Promise<{ key: string; bytes: number }[]> {
    const found: { key: string; bytes: number }[] = [];
    let next: string | undefined;
    do {
      const page = await this.s3.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          // Dates sort as text, and a directory's files sort behind its own name.
          ...(from === undefined ? {} : { StartAfter: `${prefix}${from}` }),
          ...(next === undefined ? {} : { ContinuationToken: next }),
        }),
      );
      for (const { Key = '', Size = 0 } of page.Contents ?? []) found.push({ key: Key, bytes: Size });
      next = page.NextContinuationToken;
    } while (next !== undefined);
    return found;
  }

  private async read(bucket: string, key: string): Promise<string> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Body!.transformToString();
  }
}

/** Where the lists of input files lie, in the results' bucket. */
export function inputsFolder(table: SnapshotTable): string {
  return `${underWay}/inputs/${table.inputs}/`;
}

function snapshotFolder(table: SnapshotTable, snapshot: string): string {
  return `${table.source.name}/${snapshotColumn}=${snapshot}/`;
}

function decisionKey(snapshot: string): string {
  return `${underWay}/decided/${snapshot}.json`;
}
