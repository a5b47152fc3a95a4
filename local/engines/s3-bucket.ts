import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AwsError } from './engine';
import { compareKeys } from './s3-listing';

/** One version of an object, or a delete marker (which has no file). */
export interface StoredVersion {
  readonly versionId: string;
  /** Relative to the engine's folder. */
  readonly file?: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** ContentType, ContentEncoding, ServerSideEncryption and so on: answered as they were put. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/** What a put brings besides its body. */
export type NewVersion = Pick<StoredVersion, 'size' | 'etag' | 'metadata' | 'headers'>;

type JournalEntry =
  | { readonly created: number }
  | { readonly versioning: 'Enabled' | 'Suspended' }
  | { readonly key: string; readonly versions: StoredVersion[] };

/** The version of objects that were put while the bucket had no versioning. */
export const nullVersion = 'null';

/**
 * One bucket: live objects are plain files under its folder; older versions, metadata and keys that no file can be
 * named after lie under `.meta`. Every change is one synchronous step, so a condition and what hangs on it are atomic.
 */
export class Bucket {
  readonly created: number;
  versioning: 'Enabled' | 'Suspended' | undefined;
  /** Versions per key, the newest last. */
  readonly objects = new Map<string, StoredVersion[]>();
  private sorted: string[] | undefined;
  private readonly journal: string;

  constructor(
    private readonly directory: string,
    readonly name: string,
  ) {
    this.journal = path.join(directory, '.meta', `${name}.jsonl`);
    let created = Date.now();
    fs.mkdirSync(path.join(directory, name), { recursive: true });
    fs.mkdirSync(path.join(directory, '.meta'), { recursive: true });
    for (const entry of readJournal(this.journal)) {
      if ('created' in entry) created = entry.created;
      else if ('versioning' in entry) this.versioning = entry.versioning;
      else if (entry.versions.length === 0) this.objects.delete(entry.key);
      else this.objects.set(entry.key, entry.versions);
    }
    this.created = created;
    this.reconcile();
    this.rewriteJournal();
  }

  /** Live keys in S3's order. */
  sortedKeys(): readonly string[] {
    this.sorted ??= [...this.objects.keys()].filter((key) => this.current(key)).sort(compareKeys);
    return this.sorted;
  }

  /** The newest version, unless that is a delete marker. */
  current(key: string): StoredVersion | undefined {
    const newest = this.objects.get(key)?.at(-1);
    return newest?.file === undefined ? undefined : newest;
  }

  setVersioning(status: 'Enabled' | 'Suspended'): void {
    this.versioning = status;
    this.record({ versioning: status });
  }

  /** Makes a finished temporary file the newest version of a key. */
  put(key: string, temporary: string, version: NewVersion): StoredVersion {
    const kept = this.archived(key);
    const file = this.place(key, temporary);
    const stored = { versionId: this.newVersionId(), file, lastModified: Date.now(), ...version };
    this.settle(key, [...kept, stored]);
    return stored;
  }

  /** Deletes a key: for good without versioning, by a marker with it. Answers the marker, if there is one. */
  remove(key: string): StoredVersion | undefined {
    const current = this.current(key);
    if (this.versioning === undefined) {
      if (current?.file !== undefined) this.unlink(current.file);
      this.settle(key, []);
      return undefined;
    }
    const kept = this.archived(key);
    if (current?.file !== undefined) this.unlink(current.file);
    const marker = { versionId: this.newVersionId(), size: 0, etag: '', lastModified: Date.now() };
    const stored: StoredVersion = { ...marker, metadata: {}, headers: {} };
    this.settle(key, [...kept, stored]);
    return stored;
  }

  /** Deletes one version for good; the one before it becomes the newest. */
  removeVersion(key: string, versionId: string): StoredVersion | undefined {
    const versions = this.objects.get(key) ?? [];
    const removed = versions.find((version) => version.versionId === versionId);
    if (removed === undefined) return undefined;
    if (removed.file !== undefined) this.unlink(removed.file);
    const rest = versions.filter((version) => version !== removed);
    const newest = rest.at(-1);
    if (versions.at(-1) === removed && newest?.file !== undefined) {
      rest[rest.length - 1] = { ...newest, file: this.place(key, path.join(this.directory, newest.file)) };
    }
    this.settle(key, rest);
    return removed;
  }

  /** The versions that stay when a new one comes, the newest of them copied out of the way of its successor. */
  private archived(key: string): StoredVersion[] {
    const versions = this.objects.get(key) ?? [];
    if (this.versioning === undefined) return [];
    const current = versions.at(-1);
    return versions.flatMap((version) => {
      // Without versioning enabled, a new object replaces the null version and leaves the others.
      if (this.versioning === 'Suspended' && version.versionId === nullVersion) {
        if (version !== current && version.file !== undefined) this.unlink(version.file);
        return [];
      }
      if (version !== current || version.file === undefined) return [version];
      const archive = path.join('.meta', this.name, 'versions', `${version.versionId}-${hash(key)}`);
      fs.mkdirSync(path.dirname(path.join(this.directory, archive)), { recursive: true });
      fs.copyFileSync(
        path.join(this.directory, version.file),
        path.join(this.directory, archive),
        fs.constants.COPYFILE_FICLONE,
      );
      return [{ ...version, file: archive }];
    });
  }

  /** Moves a file to where the key's live object lies; answers that place. */
  private place(key: string, from: string): string {
    const existing = this.current(key)?.file;
    const plain = existing ?? plainPath(this.name, key);
    if (plain !== undefined) {
      const target = path.join(this.directory, plain);
      try {
        fs.mkdirSync(path.dirname(target), { recursive: true });
        fs.renameSync(from, target);
        return plain;
      } catch (error) {
        // Both `a` and `a/b` may be keys, but not files.
        const code = (error as NodeJS.ErrnoException).code ?? '';
        if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ENAMETOOLONG'].includes(code)) throw error;
      }
    }
    const odd = path.join('.meta', this.name, 'odd', hash(key));
    fs.mkdirSync(path.dirname(path.join(this.directory, odd)), { recursive: true });
    fs.renameSync(from, path.join(this.directory, odd));
    return odd;
  }

  private newVersionId(): string {
    return this.versioning === 'Enabled' ? randomBytes(24).toString('base64url') : nullVersion;
  }

  private settle(key: string, versions: StoredVersion[]): void {
    const lived = this.current(key) !== undefined;
    if (versions.length === 0) this.objects.delete(key);
    else this.objects.set(key, versions);
    if (lived !== (this.current(key) !== undefined)) this.sorted = undefined;
    this.record({ key, versions });
  }

  /** Removes a file, and the folders that this empties: S3 has no folders. */
  private unlink(file: string): void {
    fs.rmSync(path.join(this.directory, file), { force: true });
    const root = path.join(this.directory, this.name);
    let parent = path.dirname(path.join(this.directory, file));
    while (parent.startsWith(root + path.sep)) {
      try {
        fs.rmdirSync(parent);
      } catch {
        return;
      }
      parent = path.dirname(parent);
    }
  }

  private record(entry: JournalEntry): void {
    fs.appendFileSync(this.journal, `${JSON.stringify(entry)}\n`);
  }

  private rewriteJournal(): void {
    const entries: JournalEntry[] = [{ created: this.created }];
    if (this.versioning !== undefined) entries.push({ versioning: this.versioning });
    for (const [key, versions] of this.objects) entries.push({ key, versions });
    fs.writeFileSync(`${this.journal}.new`, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    fs.renameSync(`${this.journal}.new`, this.journal);
  }

  /** Lets the files decide after a crash, or after somebody put files into the folder by hand. */
  private reconcile(): void {
    const known = new Set<string>();
    for (const [key, versions] of this.objects) {
      const present = versions.filter((version) => version.file === undefined || this.hasFile(version));
      if (present.length === 0) this.objects.delete(key);
      else if (present.length < versions.length) this.objects.set(key, present);
      for (const version of present) if (version.file !== undefined) known.add(version.file);
    }
    for (const file of filesUnder(path.join(this.directory, this.name))) {
      const relative = path.relative(this.directory, file);
      if (known.has(relative)) continue;
      const body = fs.readFileSync(file);
      const key = path.relative(path.join(this.directory, this.name), file).split(path.sep).join('/');
      const etag = createHash('md5').update(body).digest('hex');
      const lastModified = Math.round(fs.statSync(file).mtimeMs);
      const found = { versionId: this.newVersionId(), file: relative, size: body.length, etag, lastModified };
      this.objects.set(key, [...(this.objects.get(key) ?? []), { ...found, metadata: {}, headers: {} }]);
    }
  }

  private hasFile({ file, size }: StoredVersion): boolean {
    return fs.statSync(path.join(this.directory, file!), { throwIfNoEntry: false })?.size === size;
  }
}

/** Where a key's file lies if a file can be named after the key at all. */
function plainPath(bucket: string, key: string): string | undefined {
  const unfit = (part: string) =>
    part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > 255 || /[\\\0]|\p{Surrogate}/u.test(part);
  const parts = key.split('/');
  return parts.some(unfit) ? undefined : path.join(bucket, ...parts);
}

/** Refuses bucket names that S3 refuses; this also keeps every bucket inside the engine's folder. */
export function checkBucketName(name: unknown): string {
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes('..')) {
    throw new AwsError('InvalidBucketName', `The specified bucket is not valid: ${String(name)}`);
  }
  return name;
}

function hash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function readJournal(file: string): JournalEntry[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  // What follows the last line break is a line that a crash cut off.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as JournalEntry);
}

function* filesUnder(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(file);
    else if (entry.isFile()) yield file;
  }
}
