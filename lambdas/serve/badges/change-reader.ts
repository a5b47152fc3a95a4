import type { S3Client } from '@aws-sdk/client-s3';
import type { KinesisStreamEvent } from 'aws-lambda';
import { type Change, positionOf } from '../../base/domain/change';
import type { SourceName } from '../../base/domain/source-tables';
import { allEnded } from '../../base/runtime/all-ended';
import { holdRecords } from '../../base/runtime/held-records';
import { log } from '../../base/runtime/log';
import { readBatch } from '../../base/runtime/stream-batch';
import { type ReadChange, read, type UnusableRecord } from './apply/reading';
import { readForBatch } from './batch-reads';
import type { BeatsTable } from './beats-table';
import { type Epoch, type Epochs, epochAt } from './epochs';
import { GivenUpBatches, isSuspicious } from './given-up';
import type { HeldMark, HeldRegistry } from './held-registry';
import { loadMark } from './load';
import { onlineKey } from './lookup/online-items';
import { type Applied, byRow, type ReadAhead, type RowChanges } from './row-applier';
import { type StateTable, stateId } from './state-table';
import { ageSecondsOf, type Beat, type BeatsItem, hasGoneBack } from './watermark';

export interface ChangeReaderProps {
  /** The databases that this reader is about; what other ones send is passed over. */
  readonly databases: readonly SourceName[];
  readonly applier: BatchApplier;
  readonly state: StateTable;
  readonly beats: BeatsTable;
  readonly registry: HeldRegistry;
  readonly epochs: Epochs;
  readonly s3: S3Client;
  readonly heldBucket: string;
  /** Told of each batch, once all that it brought can be read; the batch comes again when it throws. */
  readonly recorder?: BatchRecorder;
}

/** Brings rows to what changes say. */
export interface BatchApplier {
  apply(rows: readonly RowChanges[], ahead: ReadAhead): Promise<Applied>;
  /** Partition keys of the online items of which `apply` wants to be told how they were. */
  readsAhead?(changes: readonly Change[]): readonly string[];
}

/** Keeps what was served, and since when. */
export interface BatchRecorder {
  record(batch: RecordedBatch): Promise<void>;
}

export interface RecordedBatch {
  /** Milliseconds, by Kinesis' clock: of the first record, which a redelivery keeps. */
  readonly arrivedAt: number;
  /** All of them, since a beat that a newer one has passed here may have been served before. */
  readonly beats: readonly { readonly database: SourceName; readonly slot: string; readonly beat: Beat }[];
  /** Items that vouch for nothing, all of a database by its beats' item, and since when. */
  readonly held: readonly { readonly item: string; readonly since: string }[];
}

/**
 * Applies a batch of `changes`: rows, then what is held, then beats, so that a beat never claims what is not yet to be
 * read. Answers what there is to count.
 */
export class ChangeReader {
  readonly #givenUp: GivenUpBatches;

  constructor(private readonly props: ChangeReaderProps) {
    this.#givenUp = new GivenUpBatches(props);
  }

  async read(event: KinesisStreamEvent): Promise<Readonly<Record<string, number>>> {
    const { databases, applier, beats: beatsTable } = this.props;
    const isOurs = (database: SourceName) => databases.includes(database);
    const all = read(readBatch(event));
    const rows = all.rows.filter(({ change }) => isOurs(change.database));
    const beats = all.beats.filter(({ change }) => isOurs(change.database));
    const unusable = all.unusable.filter((record) => record.databases.some(isOurs));

    const arrivals = [...rows, ...beats].map(({ change: { database }, arrivedAt }) => ({ database, arrivedAt }));
    for (const { databases, arrivedAt } of unusable)
      for (const database of databases.filter(isOurs)) arrivals.push({ database, arrivedAt });
    const changes = rows.map(({ change }) => change);
    const {
      beats: known,
      epochs: epochsOf,
      ahead,
    } = await readForBatch(this.props, {
      databases,
      arrived: [...new Set(arrivals.map(({ database }) => database))],
      changes,
      items: applier.readsAhead?.(changes) ?? [],
    });
    const epochIn = (database: SourceName, arrivedAt: number) => epochAt(epochsOf.get(database)!, arrivedAt);
    const epochOfChange = ({ change, arrivedAt }: ReadChange) => epochIn(change.database, arrivedAt);

    let isLoad = false;
    for (const [database, list] of epochsOf) {
      const newest = list.findLast(({ epoch }) =>
        arrivals.some((arrival) => arrival.database === database && epochIn(database, arrival.arrivedAt) === epoch),
      );
      if (newest === undefined || newest.epoch <= known.get(database)!.epoch) continue;
      isLoad = true;
      await this.#markLoad(database, newest);
    }
    const dated = rows.map((row) => ({ change: row.change, epoch: epochOfChange(row) }));
    const changed = byRow(dated);
    const applied = await applier.apply(changed, ahead);

    await this.#hold(unusable, epochIn);
    const done = [...rows, ...beats].map(({ record }) => record.position);
    for (const [database, { held }] of known) if (held > 0) await this.#release(database, done, changed);

    // A batch before this one may be missing, and its beats would hide it.
    if (isSuspicious(Math.min(...beats.map(({ arrivedAt }) => arrivedAt)))) await this.#givenUp.check(databases);
    const slots = beats.flatMap((beat) => beatOf(beat, epochOfChange(beat)));
    await allEnded(
      [...known].map(([database, { beats: before }]) =>
        beatsTable.note(database, before, newestBeats(database, slots)),
      ),
    );
    // A batch that has neither beats nor anything held moves nothing that is said of its databases.
    const isMoved = beats.length + unusable.length > 0 || [...known.values()].some(({ held }) => held > 0);
    const now = isMoved || isLoad ? await beatsTable.read(databases) : known;
    await this.props.recorder?.record({
      arrivedAt: arrivals[0]?.arrivedAt ?? Date.now(),
      beats: slots,
      held: [...heldItems(unusable, databases), ...heldDatabases(known), ...heldDatabases(now)],
    });

    const wentBack = [...rows, ...beats].filter(({ change, arrivedAt }) => {
      const { database, commitTime } = change;
      if (commitTime === undefined) return false;
      return hasGoneBack(known.get(database)!.beats, positionOf(epochIn(database, arrivedAt), change), commitTime);
    });
    for (const { change } of wentBack.slice(0, 1)) log.warn('position went back', { database: change.database });
    return {
      Applied: applied.applied,
      Repeated: applied.repeated,
      Outdated: applied.outdated,
      Beats: beats.length,
      Controls: all.controls,
      Held: unusable.length,
      PositionWentBack: wentBack.length,
      FeatureAgeSeconds: ageSecondsOf([...now.values()], Date.now()),
    };
  }

  /** A new epoch begins with a load, and until that is complete its database knows nothing for certain. */
  async #markLoad(database: SourceName, epoch: Epoch): Promise<void> {
    await this.props.registry.revise(database, (marks, beats) => loadMark(marks, beats, epoch));
  }

  /** Holds records, and marks what they leave without news: the item they are about, or else their database. */
  async #hold(
    unusable: readonly UnusableRecord[],
    epochIn: (database: SourceName, arrivedAt: number) => number,
  ): Promise<void> {
    if (unusable.length === 0) return;
    const { s3, heldBucket, state, registry, databases } = this.props;
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
  async #release(database: SourceName, done: readonly string[], rows: readonly RowChanges[]): Promise<void> {
    const positions = new Set(done);
    const whole = new Map<string, string>();
    for (const { table, key, changes } of rows)
      for (const { position, effect } of changes) {
        const id = stateId({ table, key });
        if (effect !== 'merge' && position > (whole.get(id) ?? '')) whole.set(id, position);
      }
    await this.props.registry.revise(database, (marks) => ({
      marks: marks.filter(
        ({ id, row = '', position = '' }) => !positions.has(id) && (whole.get(row) ?? '') <= position,
      ),
    }));
  }
}

type RecordedBeat = RecordedBatch['beats'][number];

function beatOf({ change, arrivedAt }: ReadChange, epoch: number): RecordedBeat[] {
  const { database, key, operation, row } = change;
  if (operation === 'delete' || typeof row.beat_at !== 'string') return [];
  const position = positionOf(epoch, change);
  return [
    { database, slot: key[0]!, beat: { beatAt: row.beat_at, position, arrivedAt: new Date(arrivedAt).toISOString() } },
  ];
}

function newestBeats(database: SourceName, beats: readonly RecordedBeat[]): Map<string, Beat> {
  const newest = new Map<string, Beat>();
  for (const { slot, beat } of beats.filter((each) => each.database === database))
    if (beat.position > (newest.get(slot)?.position ?? '')) newest.set(slot, beat);
  return newest;
}

/** What the records leave without news, whether or not a redrive has made up for it meanwhile. */
function heldItems(unusable: readonly UnusableRecord[], ours: readonly SourceName[]): RecordedBatch['held'] {
  return unusable.flatMap(({ databases, since, item }) =>
    (item === undefined ? databases.filter((each) => ours.includes(each)).map(onlineKey.beats) : [item]).map(
      (place) => ({ item: place, since }),
    ),
  );
}

function heldDatabases(items: ReadonlyMap<SourceName, BeatsItem>): RecordedBatch['held'] {
  return [...items].flatMap(([database, { heldSince }]) =>
    heldSince === undefined ? [] : [{ item: onlineKey.beats(database), since: heldSince }],
  );
}
