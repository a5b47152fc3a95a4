import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import type { SourceName } from '../../base/domain/source-tables';
import { log } from '../../base/runtime/log';
import { readBatch } from '../../base/runtime/stream-batch';
import { read } from './apply/reading';
import type { BeatsTable } from './beats-table';
import { type Epoch, type Epochs, epochAt } from './epochs';
import { givenUpMarkId, type HeldMark, type HeldRegistry } from './held-registry';

export interface GivenUpProps {
  readonly epochs: Epochs;
  readonly beats: BeatsTable;
  readonly registry: HeldRegistry;
  readonly s3: S3Client;
  readonly heldBucket: string;
}

/** What a batch leaves a database without: all that was committed since, of records that arrived until then. */
interface Missing {
  readonly since: number;
  readonly lastArrival: number;
}

/** An object in which Lambda left a batch, and when; in milliseconds. */
interface GivenUp {
  readonly key: string;
  readonly givenUpAt: number;
}

/**
 * Lambda gives records up after three quarters of the retention, which is at least a day. Whoever is given an older record
 * than this may come right after one that was given up.
 */
export const suspiciousAgeMs = 3_600_000;
// Each may be 6 MB, and nobody waits for more of them: of what is not read, everything is taken for missing.
const mostRead = 100;
const everything: Missing = { since: 0, lastArrival: Number.POSITIVE_INFINITY };

/** To be asked before the beats of a batch are noted: whether one before it may have been given up. */
export function isSuspicious(oldestArrival: number): boolean {
  return Date.now() - oldestArrival > suspiciousAgeMs;
}

/** The batches that Lambda gave up and nobody has redriven. */
export async function listGivenUp(s3: S3Client, heldBucket: string): Promise<GivenUp[]> {
  const objects: GivenUp[] = [];
  let ContinuationToken: string | undefined;
  do {
    const answer = await s3.send(
      new ListObjectsV2Command({
        Bucket: heldBucket,
        Prefix: 'aws/lambda/',
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      }),
    );
    for (const { Key, LastModified } of answer.Contents ?? [])
      objects.push({ key: Key!, givenUpAt: LastModified?.getTime() ?? Number.POSITIVE_INFINITY });
    ContinuationToken = answer.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return objects;
}

/**
 * Marks databases of which Lambda has given batches up: they know nothing for certain from the first of those changes on,
 * whatever beats come later, until the batches have been redriven (which takes their objects away) or overtaken by a load.
 * An object that nobody redrives goes 90 days after the last day on which it could have been, and its mark with it.
 */
export class GivenUpBatches {
  readonly #read = new Map<string, ReadonlyMap<SourceName, Missing>>();

  constructor(private readonly props: GivenUpProps) {}

  /** Brings the marks to what lies in the bucket. */
  async check(databases: readonly SourceName[]): Promise<void> {
    const { beats, registry, epochs } = this.props;
    const known = await beats.read(databases);
    const objects = await listGivenUp(this.props.s3, this.props.heldBucket);
    for (const key of this.#read.keys()) if (!objects.some((object) => object.key === key)) this.#read.delete(key);
    for (const database of databases) {
      const { heldVersion, sweptEpoch } = known.get(database)!;
      const marks = objects.length === 0 ? await registry.marks(database) : [];
      if (objects.length === 0 && !marks.some(({ id }) => id === givenUpMarkId)) continue;
      const list = objects.length === 0 ? [] : await epochs.of(database);
      const mark = await this.#markOf(database, objects, list, sweptEpoch);
      await registry.revise(database, (now, item) => {
        const before = now.find(({ id }) => id === givenUpMarkId);
        // Someone else has been here since the bucket was listed, and may have seen more of it: only add to that.
        const isOutdated = item.heldVersion !== heldVersion && before !== undefined;
        if (isOutdated && (mark === undefined || mark.since >= before.since)) return { marks: now };
        if (before?.since === mark?.since && before?.epoch === mark?.epoch) return { marks: now };
        if (mark !== undefined) log.warn('batches were given up', { database, since: mark.since });
        return { marks: [...now.filter((each) => each !== before), ...(mark === undefined ? [] : [mark])] };
      });
    }
  }

  async #markOf(
    database: SourceName,
    objects: readonly GivenUp[],
    epochs: readonly Epoch[],
    sweptEpoch: number,
  ): Promise<HeldMark | undefined> {
    const sweptFrom = epochs.find(({ epoch }) => epoch === sweptEpoch)?.startedAt ?? 0;
    const open = objects.filter(({ givenUpAt }) => givenUpAt >= sweptFrom);
    const missing: Missing[] = open.length > mostRead ? [everything] : [];
    for (const { key } of open.slice(0, mostRead)) {
      const found = (await this.#missingIn(key)).get(database);
      if (found !== undefined && epochAt(epochs, found.lastArrival) >= sweptEpoch) missing.push(found);
    }
    if (missing.length === 0) return undefined;
    return {
      id: givenUpMarkId,
      since: new Date(Math.min(...missing.map(({ since }) => since))).toISOString(),
      epoch: Math.max(...missing.map(({ lastArrival }) => epochAt(epochs, lastArrival))),
    };
  }

  async #missingIn(key: string): Promise<ReadonlyMap<SourceName, Missing>> {
    let missing = this.#read.get(key);
    if (missing === undefined) {
      missing = missingOf(await this.#text(key));
      this.#read.set(key, missing);
    }
    return missing;
  }

  /** Undefined for one that has been redriven since it was listed. */
  async #text(Key: string): Promise<string | undefined> {
    const { s3, heldBucket } = this.props;
    try {
      const object = await s3.send(new GetObjectCommand({ Bucket: heldBucket, Key }));
      return await object.Body!.transformToString();
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }
}

/** What of each database is in an object of Lambda's; beats that are missing are made up for by later ones. */
function missingOf(text: string | undefined): ReadonlyMap<SourceName, Missing> {
  const missing = new Map<SourceName, Missing>();
  if (text === undefined) return missing;
  const add = (database: SourceName, since: number, arrivedAt: number) => {
    const before = missing.get(database);
    missing.set(database, {
      since: Math.min(since, before?.since ?? since),
      lastArrival: Math.max(arrivedAt, before?.lastArrival ?? arrivedAt),
    });
  };
  try {
    const { payload } = JSON.parse(text);
    const { rows, unusable } = read(readBatch(typeof payload === 'string' ? JSON.parse(payload) : payload));
    for (const { change, arrivedAt } of rows)
      add(change.database, change.commitTime === undefined ? arrivedAt : Date.parse(change.commitTime), arrivedAt);
    for (const { databases, since, arrivedAt } of unusable)
      for (const database of databases) add(database, Date.parse(since), arrivedAt);
  } catch {
    // Whatever is in it, it cannot be read.
    return new Map((['inventory', 'orders'] as const).map((database) => [database, everything]));
  }
  return missing;
}
