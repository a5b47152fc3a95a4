import { randomUUID } from 'node:crypto';
import { HeadObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import { compactedName, lakeViewColumns, lakeViewQuery, oneRowPerKeyOfDate } from '../../../base/domain/lake-views';
import { lakeViews, partitionColumn, type RowTable } from '../../../base/domain/sale-rows';
import { type LakeQueries, lakeQueries } from '../../../base/runtime/athena';
import { athenaClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { dateOf, differenceOf } from '../snapshot/snapshot';
import { type Statement, statementOf, statementQuery, unload } from '../snapshot/snapshot-queries';
import { type CompactedDate, compactedBefore, datesOf, dueDates, fingerprintOf } from './compaction';

const lakeBucketName = requireEnv('LAKE_BUCKET_NAME');
const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const fileDelayDays = Number(requireEnv('FILE_DELAY_DAYS'));
const s3 = s3Client();
const athena = athenaClient();

// A date is not begun without this much time to compact it.
const timeForDateMs = 60_000;
const sums: Readonly<Record<RowTable['name'], readonly string[]>> = {
  sale_lines: ['net'],
  sale_tenders: ['signed_amount'],
};

export interface CompactOutcome {
  readonly dates: number;
  /** Dates that are due and not compacted yet, for want of time. */
  readonly left: number;
}

/**
 * Writes the many small files of old dates together and has the views read what it wrote. It takes no input.
 *
 * No file is ever taken away, so whoever is in the middle of a query, the ledger's loader and the manifests of snapshots
 * keep what they go by; compacted files lie where none of them looks. A view changes whole, from one statement to the
 * next. On repeat or after a crash: a date counts as compacted by its mark, the last write, made when the compacted rows
 * were found to be the delivered ones; without it the date is compacted anew, into a folder of its own. A file that comes
 * later than any can: its date's mark is no longer that of its files, so the next run has the views read the delivered
 * files again, from that date on, before it compacts it anew. Beside another run: the list of a date's compacted files is
 * replaced only as this run found it before it read a row, so what a mark vouches for is never taken back by older rows;
 * the slower run leaves the date to the faster.
 */
export async function handler(_event: unknown, context: Context): Promise<CompactOutcome> {
  const queries = lakeQueries(athena, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  let failed = 1;
  let done = 0;
  let left = 0;
  try {
    for (const { view, table } of lakeViews) {
      let dates = await look(table);
      // First of all, in case a file has come to a date that the view takes for compacted.
      if (dates.some(({ wasCompacted }) => wasCompacted)) await point(queries, view, table, dates);
      const due = dueDates(dates, new Date().toISOString().slice(0, 10), fileDelayDays);
      for (const date of due) {
        if (context.getRemainingTimeInMillis() < timeForDateMs) {
          left += 1;
          continue;
        }
        if (await compact(queries, table, date)) done += 1;
      }
      if (due.length === 0) continue;
      dates = await look(table);
      await point(queries, view, table, dates);
    }
    failed = 0;
    if (done > 0) log.info('compacted', { dates: done, left });
    return { dates: done, left };
  } finally {
    countMetrics({ CompactionFailed: failed, DatesCompacted: done });
  }
}

async function look(table: RowTable): Promise<CompactedDate[]> {
  const marked = `compacted/marks/${table.name}/`;
  const keys = await list(`${table.name}/${partitionColumn}=`);
  return datesOf(
    keys,
    (await list(marked)).map((key) => key.slice(marked.length)),
    dateOf,
  );
}

/** Has the view read compacted files as far as all dates are compacted. */
async function point(
  queries: LakeQueries,
  view: string,
  table: RowTable,
  dates: readonly CompactedDate[],
): Promise<void> {
  await queries.run(`CREATE OR REPLACE VIEW ${view} AS\n${lakeViewQuery(table, compactedBefore(dates))}`);
}

/** False when another run has compacted the date meanwhile. */
async function compact(queries: LakeQueries, table: RowTable, { date, keys }: CompactedDate): Promise<boolean> {
  const listKey = `compacted/lists/${table.name}/${partitionColumn}=${date}/files.txt`;
  const before = await tagOf(listKey);
  const folder = `compacted/files/${table.name}/${partitionColumn}=${date}/${randomUUID()}/`;
  const columns = table.columns.map(({ name }) => name);
  const delivered = oneRowPerKeyOfDate(table, date);
  await queries.run(unload(delivered, `s3://${lakeBucketName}/${folder}`));
  const files = (await list(folder)).map((key) => `s3://${lakeBucketName}/${key}\n`).join('');
  try {
    await put(listKey, files, before === undefined ? { IfNoneMatch: '*' } : { IfMatch: before });
  } catch (error) {
    if (!/^(PreconditionFailed|ConditionalRequestConflict)$/.test((error as Error).name)) throw error;
    log.info('another run compacts this date', { table: table.name, date });
    return false;
  }
  const compacted = `SELECT ${columns.join(', ')} FROM ${compactedName(table)} WHERE ${partitionColumn} = '${date}'`;
  const difference = differenceOf(
    await state(queries, table, delivered, date),
    await state(queries, table, compacted, date),
  );
  if (difference !== undefined)
    throw new Error(`${table.name} of ${date}, compacted: ${difference.replace('the manifest says', 'delivered was')}`);
  await put(`compacted/marks/${table.name}/${date}/${fingerprintOf(keys)}`, `${keys.length} files\n`);
  return true;
}

async function state(queries: LakeQueries, table: RowTable, rows: string, date: string): Promise<Statement> {
  const columns = lakeViewColumns(table).slice(0, -1);
  const [row] = await queries.rows(statementQuery(rows, columns, sums[table.name], new Date(date)));
  if (row === undefined) throw new Error('the statement of a date has no row');
  return statementOf(row, sums[table.name]);
}

/** What an object is now; undefined while there is none. */
async function tagOf(key: string): Promise<string | undefined> {
  try {
    return (await s3.send(new HeadObjectCommand({ Bucket: lakeBucketName, Key: key }))).ETag;
  } catch (error) {
    if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return undefined;
    throw error;
  }
}

async function put(
  key: string,
  body: string,
  condition: { IfMatch?: string; IfNoneMatch?: string } = {},
): Promise<void> {
  await s3.send(
    new PutObjectCommand({ Bucket: lakeBucketName, Key: key, ContentType: 'text/plain', Body: body, ...condition }),
  );
}

async function list(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let next: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: lakeBucketName,
        Prefix: prefix,
        ...(next === undefined ? {} : { ContinuationToken: next }),
      }),
    );
    for (const { Key, Size } of page.Contents ?? []) if (Key !== undefined && Size) keys.push(Key);
    next = page.NextContinuationToken;
  } while (next !== undefined);
  return keys;
}
