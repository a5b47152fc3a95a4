import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import { redshiftDataClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { guardStopped, type Warehouse, warehouse } from '../warehouse';
import { listLake } from './lake-files';
import { loadedFilesQuery, loadGuard, loadOf, loadStatements, newestLoadedDateQuery, numberStatements } from './load';
import { type LakeFile, lagMinutes, listFrom, loadsOf, newFiles } from './new-files';

const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const lakeBucketName = requireEnv('LAKE_BUCKET_NAME');
const manifestBucketName = requireEnv('MANIFEST_BUCKET_NAME');
const copyRoleArn = requireEnv('COPY_ROLE_ARN');
const lookBackDays = Number(requireEnv('LOOK_BACK_DAYS'));
const redshiftData = redshiftDataClient();
const s3 = s3Client();

// A load is not begun without this much time to wait for it.
const timeForLoadMs = 30_000;
// Each pass lists the lake anew. Passes end when nothing is new; this bounds a loader that others keep overtaking.
const maximumPasses = 10;

export interface LoadOutcome {
  readonly filesLoaded: number;
  readonly loads: number;
  /** Files that the ledger still lacks; whoever needs them all calls again. */
  readonly left: number;
}

/**
 * Brings the lake's new files into the ledger, load by load, until nothing is new or the time is nearly over; the
 * answer says what is left. Runs by schedule; it takes no input, so a run that was missed is made good by the next.
 *
 * On repeat, or beside another run: a load is one transaction that records its files and stops where one is recorded, so
 * each file's rows are booked once. On bad data: a file that does not fit fails its load, which is retried with the next
 * run and alarmed; nothing of it is booked. On failure, wherever: a load is in the ledger whole or not at all.
 */
export async function handler(_event: unknown, context: Context): Promise<LoadOutcome> {
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  let filesLoaded = 0;
  let loads = 0;
  let left = 0;
  let failed = 1;
  try {
    passes: for (let pass = 1; pass <= maximumPasses; pass++) {
      const waiting = await filesWaitingFor(ledger);
      left = waiting.length;
      if (pass === 1) countMetrics({ LedgerLagMinutes: lagMinutes(waiting, new Date()) });
      if (waiting.length === 0) break;
      for (const files of loadsOf(waiting)) {
        if (context.getRemainingTimeInMillis() < timeForLoadMs) break passes;
        if (!(await load(ledger, files))) break;
        filesLoaded += files.length;
        loads += 1;
        left -= files.length;
      }
    }
    failed = 0;
    return { filesLoaded, loads, left };
  } finally {
    countMetrics({ FilesLoaded: filesLoaded, LoadFailed: failed });
  }
}

async function filesWaitingFor(ledger: Warehouse): Promise<LakeFile[]> {
  const [[newestDate, unnumbered] = []] = await ledger.rows(newestLoadedDateQuery);
  if (Number(unnumbered) > 0) await ledger.run(numberStatements);
  const from = listFrom(newestDate, lookBackDays);
  // The ledger last: a file that is loaded between the two is not seen as new.
  const offered = await listLake(s3, lakeBucketName, from);
  const loaded = offered.length === 0 ? [] : await ledger.rows(loadedFilesQuery(from));
  return newFiles(offered, new Set(loaded.map(([key]) => key ?? '')));
}

/** Loads these files in one transaction; false when another run has loaded one of them meanwhile. */
async function load(ledger: Warehouse, files: readonly LakeFile[]): Promise<boolean> {
  const next = loadOf(files, lakeBucketName, new Date());
  for (const { key, body } of next.manifests)
    await s3.send(
      new PutObjectCommand({ Bucket: manifestBucketName, Key: key, ContentType: 'application/json', Body: body }),
    );
  try {
    await ledger.run(loadStatements(next, manifestBucketName, copyRoleArn));
  } catch (error) {
    if (!guardStopped(error, loadGuard)) throw error;
    log.info('another run has loaded these files', { load: next.id });
    return false;
  }
  log.info('loaded', { load: next.id, files: files.length });
  return true;
}
