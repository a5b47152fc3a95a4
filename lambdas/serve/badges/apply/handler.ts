import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { positionOf } from '../../../base/domain/change';
import type { SourceName } from '../../../base/domain/source-tables';
import { dynamoDbClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { holdRecords } from '../../../base/runtime/held-records';
import { countMetrics, log } from '../../../base/runtime/log';
import { readBatch } from '../../../base/runtime/stream-batch';
import { BeatsTable } from '../beats-table';
import { byRow, ChangeApplier, type RowChanges } from '../change-applier';
import { type Epoch, Epochs, epochAt } from '../epochs';
import { type HeldMark, HeldRegistry } from '../held-registry';
import { loadMark } from '../load';
import { OnlineTable } from '../online-table';
import { StateTable, stateId } from '../state-table';
import { type Beat, type BeatsItem, hasGoneBack, watermarkOf } from '../watermark';
import { type ReadChange, read, type UnusableRecord } from './reading';

const dynamoDb = dynamoDbClient();
const s3 = s3Client();
const heldBucket = requireEnv('HELD_BUCKET_NAME');
const stateTableName = requireEnv('STATE_TABLE_NAME');
const state = new StateTable(dynamoDb, {
  tableName: stateTableName,
  tombstoneDays: Number(requireEnv('TOMBSTONE_DAYS')),
});
const online = new OnlineTable(dynamoDb, requireEnv('ONLINE_TABLE_NAME'));
const epochs = new Epochs(dynamoDb, requireEnv('EPOCHS_TABLE_NAME'));
const applier = new ChangeApplier(state, online);
const beatsTable = new BeatsTable(online);
const registry = new HeldRegistry(online, stateTableName);
const databases: readonly SourceName[] = ['inventory', 'orders'];

/**
 * Brings state and the online table to what the source databases' changes say: rows, then what is held, then beats, so
 * that a beat never claims what is not yet to be read.
 *
 * Repeated, late, reordered or reloaded: a row goes by its position, never by arrival, and ends the same. Bad data: a
 * record that cannot be used is held, and its item, or else its database, is marked as stale from then on, until the
 * record is redriven. Failure: any error is thrown and the batch comes again; what was done bears a repeat, and what was
 * done by half is finished by it. Without limit but the stream's retention: a change that is skipped is an over-promise.
 */
export async function handler(event: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> {
  const batch = readBatch(event);
  const { rows, beats, unusable, controls } = read(batch);
  const arrivals = [...rows, ...beats].map(({ change: { database }, arrivedAt }) => ({ database, arrivedAt }));
  for (const { databases, arrivedAt } of unusable)
    for (const database of databases) arrivals.push({ database, arrivedAt });
  const [epochsOf, known] = await Promise.all([epochsFor(arrivals), beatsTable.read(databases)]);
  const epochIn = (database: SourceName, arrivedAt: number) => epochAt(epochsOf.get(database)!, arrivedAt);
  const epochOfChange = ({ change, arrivedAt }: ReadChange) => epochIn(change.database, arrivedAt);

  for (const [database, list] of epochsOf) {
    const newest = list.findLast(({ epoch }) =>
      arrivals.some((arrival) => arrival.database === database && epochIn(database, arrival.arrivedAt) === epoch),
    );
    if (newest !== undefined && newest.epoch > known.get(database)!.epoch) await markLoad(database, newest);
  }
  const dated = rows.map((row) => ({ change: row.change, epoch: epochOfChange(row) }));
  const changed = byRow(dated);
  const applied = await applier.apply(changed);

  await hold(unusable, epochIn);
  const done = [...rows, ...beats].map(({ record }) => record.position);
  for (const [database, { held }] of known) if (held > 0) await release(database, done, changed);

  for (const [database, { beats: before }] of known)
    await beatsTable.note(database, before, newestBeats(database, beats, epochOfChange));

  const wentBack = [...rows, ...beats].filter(({ change, arrivedAt }) => {
    const { database, commitTime } = change;
    if (commitTime === undefined) return false;
    return hasGoneBack(known.get(database)!.beats, positionOf(epochIn(database, arrivedAt), change), commitTime);
  });
  for (const { change } of wentBack.slice(0, 1)) log.warn('position went back', { database: change.database });
  countMetrics({
    Applied: applied.applied,
    Repeated: applied.repeated,
    Outdated: applied.outdated,
    Beats: beats.length,
    Controls: controls,
    Held: unusable.length,
    PositionWentBack: wentBack.length,
    FeatureAgeSeconds: ageSeconds(await beatsTable.read(databases)),
  });
  return { batchItemFailures: [] };
}

async function epochsFor(
  arrivals: readonly { readonly database: SourceName; readonly arrivedAt: number }[],
): Promise<Map<SourceName, readonly Epoch[]>> {
  const last = new Map<SourceName, number>();
  for (const { database, arrivedAt } of arrivals) last.set(database, Math.max(arrivedAt, last.get(database) ?? 0));
  return new Map(
    await Promise.all(
      [...last].map(async ([database, arrivedAt]) => [database, await epochs.of(database, arrivedAt)] as const),
    ),
  );
}

/** A new epoch begins with a load, and until that is complete its database knows nothing for certain. */
async function markLoad(database: SourceName, epoch: Epoch): Promise<void> {
  await registry.revise(database, (marks, beats) => loadMark(marks, beats, epoch));
}

/** Holds records, and marks what they leave without news: the item they are about, or else their database. */
async function hold(
  unusable: readonly UnusableRecord[],
  epochIn: (database: SourceName, arrivedAt: number) => number,
): Promise<void> {
  if (unusable.length === 0) return;
  await holdRecords(s3, heldBucket, 'held', unusable);
  const rows = new Map(unusable.flatMap(({ row }) => (row === undefined ? [] : [[stateId(row), row] as const])));
  const stored = await state.read([...rows.values()]);
  for (const database of databases) {
    const marks: HeldMark[] = [];
    for (const { databases, record, since, arrivedAt, item, row } of unusable) {
      if (!databases.includes(database)) continue;
      const epoch = epochIn(database, arrivedAt);
      const position = row === undefined ? undefined : positionOf(epoch, row);
      const now = row === undefined ? undefined : stored.get(stateId(row));
      // A redriven record that a whole later change has made up for: it is no news any more.
      if (now !== undefined && position! < now.position && Object.keys(now.lagging).length === 0) continue;
      marks.push({
        id: record.position,
        since,
        epoch,
        ...(item === undefined ? {} : { item }),
        ...(row === undefined ? {} : { row: stateId(row), position: position! }),
      });
    }
    if (marks.length > 0)
      await registry.revise(database, (known) => ({
        marks: [...known, ...marks.filter(({ id }) => !known.some((mark) => mark.id === id))],
      }));
  }
}

/** Takes back marks of records that have now been done, which is a redrive, and of rows that have changed as a whole since. */
async function release(database: SourceName, done: readonly string[], rows: readonly RowChanges[]): Promise<void> {
  const positions = new Set(done);
  const whole = new Map<string, string>();
  for (const { table, key, changes } of rows)
    for (const { position, effect } of changes) {
      const id = stateId({ table, key });
      if (effect !== 'merge' && position > (whole.get(id) ?? '')) whole.set(id, position);
    }
  await registry.revise(database, (marks) => ({
    marks: marks.filter(({ id, row = '', position = '' }) => !positions.has(id) && (whole.get(row) ?? '') <= position),
  }));
}

function newestBeats(
  database: SourceName,
  beats: readonly ReadChange[],
  epochOfChange: (beat: ReadChange) => number,
): Map<string, Beat> {
  const newest = new Map<string, Beat>();
  for (const beat of beats) {
    const { change } = beat;
    const [slot] = change.key;
    const beatAt = change.row.beat_at;
    if (change.database !== database || change.operation === 'delete' || typeof beatAt !== 'string') continue;
    const position = positionOf(epochOfChange(beat), change);
    if (position > (newest.get(slot!)?.position ?? ''))
      newest.set(slot!, { beatAt, position, arrivedAt: new Date(beat.arrivedAt).toISOString() });
  }
  return newest;
}

// What has no age at all counts as a day old: above any limit, and a graph can still show it.
const neverSeconds = 86_400;

/** The age of the features, which is that of the oldest part of either database. */
function ageSeconds(beats: ReadonlyMap<SourceName, BeatsItem>): number {
  const ages = [...beats.values()].map((item) => {
    const watermark = watermarkOf(item);
    return watermark === undefined ? neverSeconds : Math.min(neverSeconds, (Date.now() - watermark) / 1_000);
  });
  return Math.max(0, ...ages);
}
