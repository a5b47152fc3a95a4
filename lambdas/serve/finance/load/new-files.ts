import type { _Object } from '@aws-sdk/client-s3';
import { partitionColumn, type RowTable, rowTables } from '../../../base/domain/sale-rows';
import { chunksOf } from '../../../base/runtime/chunks';

/** A file of the lake. */
export interface LakeFile {
  readonly key: string;
  readonly table: RowTable['name'];
  readonly acceptedDate: string;
  readonly bytes: number;
  readonly writtenAt: Date | undefined;
}

/**
 * One load takes at most this many files and bytes. Every file's name stands twice in the transaction, in statements of
 * at most 100 KB each; its bytes are what is lost when it fails.
 */
export const maximumFiles = 250;
export const maximumBytes = 2 * 1_024 ** 3;

const fileName = new RegExp(
  `^(${rowTables.map(({ name }) => name).join('|')})/${partitionColumn}=(\\d{4}-\\d{2}-\\d{2})/[A-Za-z0-9._-]{1,160}$`,
);

/** Reads an object of the lake as a file of one of its tables; undefined for anything else that lies there. */
export function lakeFileOf(object: _Object): LakeFile | undefined {
  const [key, table, acceptedDate] = fileName.exec(object.Key ?? '') ?? [];
  if (key === undefined || acceptedDate === undefined || !object.Size) return undefined;
  return {
    key,
    table: table as RowTable['name'],
    acceptedDate,
    bytes: object.Size,
    writtenAt: object.LastModified,
  };
}

/**
 * The date from which the lake must be listed, or undefined for all of it. A file appears at most `lookBackDays` after its
 * date, and files are loaded in the order of their dates: so whatever is older than the newest date in the ledger by more
 * than that was there, and was taken, when that date was loaded. No clock is asked, so a loader that stood still for a
 * year goes on where it stopped.
 */
export function listFrom(newestLoadedDate: string | null | undefined, lookBackDays: number): string | undefined {
  if (newestLoadedDate === null || newestLoadedDate === undefined) return undefined;
  const date = new Date(`${newestLoadedDate.slice(0, 10)}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - lookBackDays);
  return date.toISOString().slice(0, 10);
}

/** Files that are not in the ledger, oldest date first, whatever their table. */
export function newFiles(offered: readonly LakeFile[], loaded: ReadonlySet<string>): LakeFile[] {
  return offered
    .filter(({ key }) => !loaded.has(key))
    .sort((a, b) => compare(a.acceptedDate, b.acceptedDate) || compare(a.key, b.key));
}

/** Cuts files, in order, into loads. A file above the limit is a load of its own. */
export function loadsOf(files: readonly LakeFile[]): LakeFile[][] {
  return [...chunksOf(files, { most: maximumFiles, bytes: maximumBytes, sizeOf: ({ bytes }) => bytes })];
}

/** How long the oldest of these files has been waiting for the ledger. */
export function lagMinutes(waiting: readonly LakeFile[], now: Date): number {
  const oldest = Math.min(...waiting.map(({ writtenAt }) => writtenAt?.getTime() ?? now.getTime()), now.getTime());
  return Math.floor((now.getTime() - oldest) / 60_000);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
