import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cardNumbersIn, type Finding, filesBelow, plantedControls, scanContents } from './card-number-scan';
import type { Run } from './run';
import type { IngestTotals, Sender } from './sender';
import { type StockSummary, stockSummary } from './stock-summary';
import {
  financeTotals,
  influxDbTotals,
  inventoryTotals,
  lakeTotals,
  liveAnalyticsTotals,
  type StoreTotals,
} from './store-totals';

/** What a run did, by the account of each part itself. */
export interface Report {
  readonly ingest: IngestTotals;
  readonly dedup: { readonly unique: number; readonly duplicates: number; readonly conflicts: number };
  readonly stores: Readonly<Record<'merchandising' | 'finance' | 'lake' | 'inventory', StoreTotals>>;
  readonly stock: StockSummary;
  readonly vault: { readonly cards: number };
  /** Places outside the vault where a card number that was sent was found. */
  readonly cardNumbersOutsideVault: number;
  readonly cardNumberFindings: readonly Finding[];
  /** Records given up or not understood, which wait for redrive. */
  readonly held: number;
  /** Calls of function code, by service and operation. */
  readonly calls: Readonly<Record<string, number>>;
  readonly billed: unknown;
  readonly salesPerSecond: number;
  readonly seconds: { readonly boot: number; readonly ingest: number; readonly drain: number };
}

export async function storeTotals(run: Run): Promise<Report['stores']> {
  const { account, endpoints } = run;
  const [merchandising, finance, lake, inventory] = await Promise.all([
    merchandisingTotals(run),
    financeTotals(endpoints.warehouseUrl),
    lakeTotals(join(endpoints.lakeDir, 'sale_lines', '**', '*.parquet')),
    inventoryTotals(
      (operation, input) => account.engines.dynamodb.call(operation, input),
      run.valueOf('Inventory', 'POSITIONS_TABLE_NAME'),
    ),
  ]);
  return { merchandising, finance, lake, inventory };
}

function merchandisingTotals({ account, endpoints }: Run): Promise<StoreTotals> {
  const { timeseriesUrl, timestreamDatabase } = endpoints;
  if (timestreamDatabase !== undefined)
    return liveAnalyticsTotals(
      (operation, input) => account.engines.timestream.call(operation, input),
      timestreamDatabase,
    );
  return influxDbTotals(async (influxQl) => (await fetch(`${timeseriesUrl}&q=${encodeURIComponent(influxQl)}`)).json());
}

/** What dedup has claimed and held, and how much else is held. */
export interface Settled {
  readonly claims: number;
  readonly conflicts: number;
  readonly held: number;
}

/** Call after draining. */
export async function settledIn(run: Run): Promise<Settled> {
  const objects = await heldObjects(run);
  const conflicts = objects.filter(({ key }) => key.startsWith('conflicts/')).length;
  const claims = await countItems(run, run.valueOf('Refine', 'CLAIMS_TABLE_NAME'));
  return { claims, conflicts, held: objects.length - conflicts };
}

/**
 * Call after draining. What was `before`, kept from earlier runs, does not count as dedup's work of this one; the stores
 * and the vault answer for all they hold.
 */
export async function reportOf(
  run: Run,
  sender: Sender,
  seconds: Report['seconds'],
  before: Settled,
  signal?: AbortSignal,
): Promise<Report> {
  const { account } = run;
  const metered = account.door.meter.snapshot();
  const stores = await storeTotals(run);
  const { claims, conflicts: allConflicts, held } = await settledIn(run);
  const unique = claims - before.claims;
  const conflicts = allConflicts - before.conflicts;
  const findings = await scanForCardNumbers(run, sender.cardNumbers, signal);
  const { totals } = sender;
  return {
    ingest: totals,
    dedup: { unique, duplicates: totals.accepted - unique - conflicts, conflicts },
    stores,
    stock: await stockSummary(run),
    vault: { cards: await countCards(run) },
    cardNumbersOutsideVault: findings.length,
    cardNumberFindings: findings.slice(0, 20),
    held,
    calls: metered.calls.functions,
    billed: metered.billed,
    salesPerSecond: Math.round(unique / Math.max(seconds.ingest + seconds.drain, 0.01)),
    seconds,
  };
}

/** Everything held in the rooms' buckets: conflicts, records that were not understood, and batches that were given up. */
async function heldObjects({ account }: Run): Promise<{ readonly bucket: string; readonly key: string }[]> {
  const { s3 } = account.engines;
  const { Buckets } = await s3.call('ListBuckets', {});
  const found: { bucket: string; key: string }[] = [];
  for (const { Name: bucket } of Buckets)
    for (const Prefix of ['conflicts/', 'held/', 'aws/lambda/']) {
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.call('ListObjectsV2', {
          Bucket: bucket,
          Prefix,
          ...(ContinuationToken && { ContinuationToken }),
        });
        for (const { Key: key } of page.Contents ?? []) found.push({ bucket, key });
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    }
  return found;
}

/** A card has an item under each version of the index key while that is changed: those of the one that answers count. */
async function countCards(run: Run): Promise<number> {
  const TableName = run.valueOf('Cardholder', 'VAULT_TABLE_NAME');
  const { Item } = await run.account.engines.dynamodb.call('GetItem', { TableName, Key: { pk: { S: 'keyset' } } });
  // While it is `dual`, cards are copied to the next version one by one; the old one has them all.
  const version = Item.phase.S === 'new' ? Item.nextIndex.N : Item.index.N;
  return countItems(run, TableName, `card#${version}#`);
}

async function countItems({ account }: Run, TableName: string, prefix = ''): Promise<number> {
  let count = 0;
  let ExclusiveStartKey: object | undefined;
  do {
    const page = await account.engines.dynamodb.call('Scan', {
      TableName,
      ...(ExclusiveStartKey && { ExclusiveStartKey }),
    });
    for (const item of page.Items) if (prefix === '' || String(item.pk?.S).startsWith(prefix)) count++;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  return count;
}

/**
 * Scans the logical content of every engine and every file of the state folder, logs among them, for the card numbers
 * that were sent. A control number is planted first, in every form, in a file and in an engine: unless each of them is
 * found, the scan is blind and fails.
 */
export async function scanForCardNumbers(
  run: Run,
  sent: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Finding[]> {
  const { engines, directory } = run.account;
  const control = '4000000000000002';
  const known = new Set([...sent, control]);
  const controls = plantedControls(control);
  for (const form of controls)
    if (cardNumbersIn(`before ${form} after`, new Set([control])).length === 0)
      throw new Error(`the card number scan does not see ${form}`);

  const Bucket = 'tillstream-scan-control';
  const planted = join(directory, 'scan-control.txt');
  // It stays, empty, for the next run that keeps the folder.
  const { Buckets } = await engines.s3.call('ListBuckets', {});
  if (!Buckets.some(({ Name }: { Name: string }) => Name === Bucket)) await engines.s3.call('CreateBucket', { Bucket });
  await engines.s3.call('PutObject', { Bucket, Key: 'control', Body: Buffer.from(controls.join('\n')) });
  writeFileSync(planted, controls.join('\n'));
  const findings: Finding[] = [];
  try {
    // Whatever delivers comes before what it delivers to: what is on its way meanwhile is seen in one of them.
    const { dynamodb, eventBridge, sqs, kinesis, firehose, redshift, ...others } = engines;
    const all = [dynamodb, eventBridge, sqs, kinesis, firehose, ...Object.values(others), redshift.data];
    for (const engine of all) findings.push(...(await scanContents(engine.contents(), known, signal)));
    findings.push(...(await scanContents(filesBelow(directory), known, signal)));
  } finally {
    rmSync(planted, { force: true });
    await engines.s3.call('DeleteObject', { Bucket, Key: 'control' });
  }
  const isControl = ({ where }: Finding) => where.includes('scan-control');
  const forms = (where: (finding: Finding) => boolean) =>
    new Set(findings.filter((finding) => isControl(finding) && where(finding)).map(({ form }) => form));
  if (forms(({ where }) => where === planted).size !== 3 || forms(({ where }) => where !== planted).size !== 3)
    throw new Error('the card number scan did not find the control that was planted: its result means nothing');
  return findings.filter((finding) => !isControl(finding));
}
