import type { Context, EventBridgeEvent } from 'aws-lambda';
import { holdsCardNumber } from '../../../base/runtime/card-number-search';
import { redshiftDataClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { guardStopped, type Warehouse, warehouse } from '../warehouse';
import { csvRows, NotCsv } from './csv-rows';
import { type DroppedFile, mappingFor, placeOf } from './dropped-files';
import { gateways } from './gateways/all';
import type { GatewayMapping } from './gateways/mapping';
import { Issues, shown } from './issue';
import { copiedCells, loadedBatchesQuery, loadedFileQuery, loadStatements, overtakenGuards } from './load';
import { listWaiting, putForCopy, putOutcome, readFile } from './settlement-bucket';
import { SettlementFile } from './settlement-file';

const bucketName = requireEnv('SETTLEMENT_BUCKET_NAME');
const stagingBucketName = requireEnv('MANIFEST_BUCKET_NAME');
const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const copyRoleArn = requireEnv('COPY_ROLE_ARN');
const redshiftData = redshiftDataClient();
const s3 = s3Client();

// A file is not begun without this much time; a million rows take a good part of it.
const timeForFileMs = 5 * 60_000;
// Whoever is overtaken by another run looks again. Being overtaken twice by the same file is not possible.
const attempts = 3;
// Names of batches in one query of at most 100 KB.
const batchesAsked = 500;

export interface SettlementOutcome {
  readonly loaded: number;
  readonly repeated: number;
  readonly held: number;
  /** Files for which there was no time; whoever needs them all calls again. */
  readonly left: number;
}
type Verdict = 'loaded' | 'repeated' | 'held' | 'gone';

/**
 * Takes a settlement file that a gateway dropped: checks it whole, then loads it whole, in one transaction. Called for
 * each file as it is dropped, and by schedule, without one, for those that have no outcome yet: a lost event, a crash.
 *
 * On repeat, or beside another run: content that is in the ledger stops the transaction and changes nothing; the same
 * outcome is written again. On bad data (a row, the header, a batch that came with another file, a card number in a cell):
 * nothing is loaded, a report beside the file names row and field, the file stays and an alarm tells; a mended file is
 * another file. On failure, wherever: a file is in the ledger whole or not at all, and the next run goes on.
 */
export async function handler(
  event: Partial<EventBridgeEvent<'Object Created', { object: { key: string } }>>,
  context: Context,
): Promise<SettlementOutcome> {
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  const dropped = event.detail?.object.key;
  const outcome = { loaded: 0, repeated: 0, held: 0, left: 0 };
  const failures: unknown[] = [];
  try {
    const waiting = dropped === undefined ? await listWaiting(s3, bucketName) : [{ key: dropped }];
    for (const [at, { key }] of waiting.entries()) {
      if (dropped === undefined && context.getRemainingTimeInMillis() < timeForFileMs) {
        outcome.left = waiting.length - at;
        break;
      }
      try {
        const verdict = await settle(ledger, key);
        if (verdict !== 'gone') outcome[verdict]++;
      } catch (error) {
        // The others need not wait for it.
        failures.push(error);
      }
    }
  } finally {
    countMetrics({ FilesLoaded: outcome.loaded, FilesRepeated: outcome.repeated, FilesHeld: outcome.held });
  }
  if (failures.length > 0) throw failures[0];
  return outcome;
}

async function settle(ledger: Warehouse, key: string): Promise<Verdict> {
  const place = holdsCardNumber(key) ? undefined : placeOf(key);
  const mapping = place === undefined ? undefined : mappingFor(place.folder, gateways);
  if (mapping === undefined) return refuse(key);
  for (let attempt = 1; ; attempt++) {
    const verdict = await settleOnce(ledger, key, mapping);
    if (verdict !== 'overtaken') return verdict;
    if (attempt === attempts) throw new Error(`${shown(key)} was overtaken ${attempts} times`);
    log.info('another run was faster: looks again', { key: shown(key) });
  }
}

/** A file that lies where no gateway drops one. */
async function refuse(key: string): Promise<Verdict> {
  const object = await readFile(s3, bucketName, key);
  if (object === undefined) return 'gone';
  object.body.destroy();
  const issues = new Issues();
  issues.add({
    problem: 'the file lies in no folder of a gateway, or its name is odd',
    got: key,
    allowed: `incoming/${gateways.map(({ gateway }) => gateway).join('|')}/ and a name of letters, digits and . _ - = @ + ( )`,
  });
  return hold({ key, etag: object.etag }, undefined, issues);
}

async function settleOnce(ledger: Warehouse, key: string, mapping: GatewayMapping): Promise<Verdict | 'overtaken'> {
  const object = await readFile(s3, bucketName, key);
  if (object === undefined) return 'gone';
  const dropped = { key, etag: object.etag };

  const file = new SettlementFile(mapping);
  const { rows, digest: digestOf } = csvRows(object.body);
  try {
    for await (const cells of rows) if (!file.take(cells)) return hold(dropped, mapping, file.issues);
    file.end();
  } catch (error) {
    if (!(error instanceof NotCsv)) throw error;
    file.issues.add({ row: file.totals.rows + 1, problem: `the file is no CSV: ${error.message}` });
  }
  if (file.issues.count > 0) return hold(dropped, mapping, file.issues);

  const digest = digestOf();
  const content = { gateway: mapping.gateway, digest, batches: file.batches, ...file.totals };
  const [[loadedAs] = []] = await ledger.rows(loadedFileQuery(digest));
  if (loadedAs !== undefined) {
    await putOutcome(s3, bucketName, 'loaded', dropped, { ...content, loadedAs });
    log.info('settlement is in the ledger already', { key: shown(key), digest });
    return 'repeated';
  }
  for (let first = 0; first < file.batches.length; first += batchesAsked) {
    const query = loadedBatchesQuery(mapping.gateway, digest, file.batches.slice(first, first + batchesAsked));
    for (const [batch, other] of await ledger.rows(query))
      file.issues.add({
        field: mapping.batch[0]!,
        problem: `the batch came with another file, ${other}`,
        got: batch ?? '',
        allowed: 'a batch that is not in the ledger',
      });
  }
  if (file.issues.count > 0) return hold(dropped, mapping, file.issues);

  const manifestUrl = await stage(dropped, file, digest);
  if (manifestUrl === undefined) return 'overtaken';
  try {
    const { totals } = file;
    await ledger.run(
      loadStatements({ digest, objectKey: key, manifestUrl, copyRoleArn, totals, loadedAt: new Date() }),
    );
  } catch (error) {
    if (!overtakenGuards.some((guard) => guardStopped(error, guard))) throw error;
    return 'overtaken';
  }
  await putOutcome(s3, bucketName, 'loaded', dropped, content);
  log.info('settlement loaded', { key: shown(key), digest, rows: file.totals.rows });
  return 'loaded';
}

/** Writes the checked rows for COPY; undefined where the file was replaced meanwhile. */
async function stage({ key, etag }: DroppedFile, file: SettlementFile, digest: string): Promise<string | undefined> {
  const object = await readFile(s3, bucketName, key, etag);
  if (object === undefined) return undefined;
  const { rows, digest: digestOf } = csvRows(object.body);
  async function* lines() {
    let rowNumber = 0;
    for await (const cells of rows) {
      if (rowNumber > 0) yield copiedCells(file.lineOf(cells, rowNumber));
      rowNumber++;
    }
    if (digestOf() !== digest) throw new Error(`${shown(key)} is not what it was when it was checked`);
  }
  return putForCopy(s3, stagingBucketName, digest, lines());
}

async function hold(file: DroppedFile, mapping: GatewayMapping | undefined, issues: Issues): Promise<Verdict> {
  const report = await putOutcome(s3, bucketName, 'held', file, {
    file: shown(file.key),
    report: mapping?.report ?? null,
    issues: issues.count,
    told: issues.told,
  });
  log.warn('settlement held', { report: shown(report), issues: issues.count });
  return 'held';
}
