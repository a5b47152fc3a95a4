import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import { weekStart } from '../../../base/domain/iso-week';
import {
  lineSnapshots,
  type SnapshotTable,
  snapshotColumns,
  snapshotSchemaVersion,
  snapshotTables,
  velocityDays,
} from '../../../base/domain/snapshot-tables';
import { type LakeQueries, lakeQueries } from '../../../base/runtime/athena';
import { athenaClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import {
  type Due,
  differenceOf,
  dueSnapshots,
  inputsOf,
  listFrom,
  type Manifest,
  salesOf,
  selectionOf,
  type TableManifest,
} from './snapshot';
import { SnapshotFiles } from './snapshot-files';
import {
  type Selection,
  type Statement,
  snapshotRows,
  statementOf,
  statementQuery,
  storedRows,
  trainingViews,
  unload,
} from './snapshot-queries';

const files = new SnapshotFiles(s3Client(), {
  lake: requireEnv('LAKE_BUCKET_NAME'),
  snapshots: requireEnv('SNAPSHOTS_BUCKET_NAME'),
  results: requireEnv('RESULTS_BUCKET_NAME'),
});
const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const fileDelayDays = Number(requireEnv('FILE_DELAY_DAYS'));
const settleHours = Number(requireEnv('SETTLE_HOURS'));
const athena = athenaClient();
// Snapshots in whose weeks a file can still come, and a card is looked back on from there.
const lookedBackOn = Math.ceil((fileDelayDays + velocityDays) / 7) + 2;

// A snapshot is not begun without this much time to make it.
const timeForSnapshotMs = 60_000;

/** Nothing: make what is due. A week: make what is due up to it. A cut: close the current week. A rebuild: prove a snapshot. */
export interface SnapshotRequest {
  readonly week?: string;
  readonly cut?: string;
  readonly rebuild?: string;
}

export interface SnapshotOutcome {
  readonly made: readonly { readonly snapshot: string; readonly sales: number; readonly salesOfEarlierWeeks: number }[];
  readonly rebuilt?: string;
  /** Weeks that are due and not made yet, for want of time. */
  readonly left: number;
}

/**
 * Makes the weekly snapshots that are due, one after the other, and proves old ones. Runs by schedule and on demand.
 *
 * On repeat: a snapshot whose manifest is there is not touched. Beside another run, or after a crash at any call: every
 * attempt unloads into a folder of its own; one is decided for by a conditional write, and whoever comes then copies that
 * one and no other, so a snapshot is the rows of one attempt, and there only when its manifest, the last write, is. Late
 * and repeated rows: a key is in one snapshot, the first that is made after its file came. On bad data: a file that Athena
 * cannot read fails the snapshot, which is tried again with the next run and alarmed. A rebuild whose inputs or rows are
 * not those of the manifest is refused.
 */
export async function handler(request: SnapshotRequest, context: Context): Promise<SnapshotOutcome> {
  const queries = lakeQueries(athena, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  let left = 1;
  let failed = 1;
  try {
    const snapshots = await files.snapshots();
    if (request.rebuild !== undefined) {
      await rebuild(queries, snapshots, request.rebuild);
      failed = 0;
      return { made: [], rebuilt: request.rebuild, left: 0 };
    }
    const manifests = await files.manifests(snapshots.slice(-lookedBackOn));
    const firstDate = manifests.length === 0 ? await files.firstDate(lineSnapshots) : undefined;
    const due = dueSnapshots(manifests, firstDate, new Date(), settleHours, request);
    left = due.length;
    const made: Manifest[] = [];
    for (const next of due) {
      if (context.getRemainingTimeInMillis() < timeForSnapshotMs) break;
      made.push(await make(queries, [...manifests, ...made], next));
      left -= 1;
    }
    const all = [...snapshots, ...made.map(({ snapshot }) => snapshot)];
    // Each time, since a deployment or a restored catalog may have lost them.
    if (all.length > 0) for (const view of trainingViews(all)) await queries.run(view);
    failed = 0;
    return { made: made.map((manifest) => ({ snapshot: manifest.snapshot, ...salesOf(manifest) })), left };
  } finally {
    countMetrics({
      SnapshotFailed: failed,
      // A rebuild does not look for what is due.
      ...(request.rebuild === undefined ? { SnapshotsMissing: left } : {}),
    });
  }
}

async function make(queries: LakeQueries, earlier: readonly Manifest[], due: Due): Promise<Manifest> {
  const decided = (await files.decided(due.snapshot)) ?? (await files.decide(await attempt(queries, earlier, due)));
  for (const table of snapshotTables) {
    await files.store(table, decided);
    const { columns, sums } = decided.tables[table.name];
    const rows = storedRows(table, decided.snapshot);
    const stored = await state(
      queries,
      statementQuery(rows, columns, Object.keys(sums), weekStart(due.snapshot)),
      sums,
    );
    const difference = differenceOf(decided.tables[table.name], stored);
    if (difference !== undefined) throw new Error(`${table.name} of ${decided.snapshot} as stored: ${difference}`);
  }
  await files.publish(decided);
  log.info('snapshot made', { snapshot: decided.snapshot, ...salesOf(decided) });
  return decided;
}

/** One try: unloads the rows of each table and states them. Nothing that others see comes of it. */
async function attempt(queries: LakeQueries, earlier: readonly Manifest[], due: Due): Promise<Manifest> {
  const id = randomUUID();
  const tables: Partial<Record<SnapshotTable['name'], TableManifest>> = {};
  for (const table of snapshotTables) {
    const lastMoment = new Date(due.cut.getTime() - 1);
    const offered = await files.keysOf(table, listFrom(earlier, fileDelayDays), lastMoment);
    const inputs = await files.versionsOf(inputsOf(table, offered, earlier));
    const selection: Selection = selectionOf(inputs, earlier, due, id);
    const query = snapshotRows(table, selection);
    const columns = snapshotColumns(table).map(({ name, type }) => ({ name, type }));
    await files.putInputs(table, id, inputs);
    await queries.run(unload(query, files.unloadLocation(table, id)));
    const statement = await state(
      queries,
      statementQuery(query, columns, table.sums, weekStart(due.snapshot)),
      Object.fromEntries(table.sums.map((name) => [name, ''])),
    );
    const stored = await files.unloaded(table, id, due.snapshot);
    tables[table.name] = { ...statement, columns, query, inputs, files: stored };
  }
  return {
    snapshot: due.snapshot,
    schemaVersion: snapshotSchemaVersion,
    cut: due.cut.toISOString(),
    attempt: id,
    madeAt: new Date().toISOString(),
    tables: tables as Manifest['tables'],
  };
}

/** Makes the rows of a snapshot again out of the files that its manifest names, and compares them, and what is stored. */
async function rebuild(queries: LakeQueries, snapshots: readonly string[], snapshot: string): Promise<void> {
  if (!snapshots.includes(snapshot))
    throw new Error(`snapshot ${snapshot} is unknown: there are ${snapshots.join(', ') || 'none'}`);
  const [manifest] = (await files.manifests([snapshot])) as [Manifest];
  const id = randomUUID();
  for (const table of snapshotTables) {
    const said = manifest.tables[table.name];
    const now = await files.versionsOf(said.inputs.map(({ key }) => key));
    said.inputs.forEach(({ key, versionId }, place) => {
      const found = now[place]!.versionId;
      if (found !== versionId)
        throw new Error(
          `rebuild of ${snapshot} refused: version of ${key} is ${found}, the manifest says ${versionId}`,
        );
    });
    await files.putInputs(table, id, said.inputs);
    const sources = {
      'as rebuilt': said.query.replaceAll(manifest.attempt, id),
      'as stored': storedRows(table, snapshot),
    };
    for (const [how, rows] of Object.entries(sources)) {
      const query = statementQuery(rows, said.columns, Object.keys(said.sums), weekStart(snapshot));
      const difference = differenceOf(said, await state(queries, query, said.sums));
      if (difference !== undefined)
        throw new Error(`rebuild of ${snapshot} refused: ${table.name} ${how}: ${difference}`);
    }
  }
}

async function state(queries: LakeQueries, query: string, sums: Readonly<Record<string, string>>): Promise<Statement> {
  const [row] = await queries.rows(query);
  if (row === undefined) throw new Error('the statement of a snapshot has no row');
  return statementOf(row, Object.keys(sums));
}
