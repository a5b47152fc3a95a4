import type { FirehoseClient } from '@aws-sdk/client-firehose';
import { badgeHistory, type HistoryRow } from '../../base/domain/badge-history';
import type { Change } from '../../base/domain/change';
import { deliver } from '../lake/delivery-stream';
import { packRows } from '../lake/packed-rows';
import type { AppliedWithHistory } from './change-applier';
import type { BatchApplier, BatchRecorder, RecordedBatch } from './change-reader';
import { beatRow, heldRow, policyRow } from './history-rows';
import { readPolicy } from './lookup/policy';
import type { ReadAhead, RowChanges } from './row-applier';

/** What was served and when, on its way into the lake. */
export class BadgeHistory {
  constructor(
    private readonly firehose: FirehoseClient,
    private readonly deliveryStreamName: string,
  ) {}

  /** Writes rows under the date of this moment; throws when not all are taken, since then all must come again. */
  async write(rows: readonly HistoryRow[], arrivedAt: number): Promise<void> {
    const date = new Date(arrivedAt).toISOString().slice(0, 10);
    const packable = rows.map((row, origin) => ({
      date,
      json: JSON.stringify({ ...row, [badgeHistory.partition.column]: date }),
      origin,
    }));
    const { recordsRefused } = await deliver(this.firehose, this.deliveryStreamName, packRows(packable));
    if (recordsRefused > 0) throw new Error(`${this.deliveryStreamName}: ${recordsRefused} records were refused`);
  }
}

interface Applier {
  apply(rows: readonly RowChanges[], ahead: ReadAhead): Promise<AppliedWithHistory>;
  readsAhead(changes: readonly Change[]): readonly string[];
}

/**
 * Records batches: one call takes rows, beats and what is held to the history, and once a container the policy, so that
 * each that was ever in force stays known.
 */
export class HistoryRecorder implements BatchRecorder, BatchApplier {
  #applied: readonly HistoryRow[] = [];
  #policyIsKnown = false;

  constructor(
    private readonly applier: Applier,
    private readonly history: BadgeHistory,
    /** As JSON. */
    private readonly policy: string,
  ) {}

  readsAhead(changes: readonly Change[]): readonly string[] {
    return this.applier.readsAhead(changes);
  }

  async apply(rows: readonly RowChanges[], ahead: ReadAhead): Promise<AppliedWithHistory> {
    this.#applied = [];
    const applied = await this.applier.apply(rows, ahead);
    this.#applied = applied.history;
    return applied;
  }

  async record({ arrivedAt, beats, held }: RecordedBatch): Promise<void> {
    const readableAt = new Date().toISOString();
    const marks = new Map(held.map(({ item, since }) => [`${item}\n${since}`, heldRow(item, since, readableAt)]));
    await this.history.write(
      [
        ...this.#applied,
        ...beats.map(({ database, slot, beat }) => beatRow(database, slot, beat, readableAt)),
        ...marks.values(),
        ...(this.#policyIsKnown ? [] : [policyRow(readPolicy(this.policy).version, this.policy, readableAt)]),
      ],
      arrivedAt,
    );
    this.#policyIsKnown = true;
  }
}
