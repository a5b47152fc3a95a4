import type { S3Client } from '@aws-sdk/client-s3';
import type { SourceName } from '../../../base/domain/source-tables';
import type { BeatsTable } from '../beats-table';
import type { Epochs } from '../epochs';
import { GivenUpBatches } from '../given-up';
import type { HeldRegistry } from '../held-registry';
import { afterSweep, isDrained } from '../load';
import type { SweepWalk } from './sweep-walk';

export interface LoadSweepProps {
  readonly epochs: Epochs;
  readonly beats: BeatsTable;
  readonly registry: HeldRegistry;
  readonly walk: SweepWalk;
  readonly s3: S3Client;
  readonly heldBucket: string;
}

/** Sweeps after a load, once it is drained, and vouches for its database then; marks a database of which batches were given up. */
export class LoadSweep {
  readonly #givenUp: GivenUpBatches;

  constructor(private readonly props: LoadSweepProps) {
    this.#givenUp = new GivenUpBatches(props);
  }

  async sweep(
    database: SourceName,
    hasTime: () => boolean,
  ): Promise<{ readonly swept: number; readonly isDone: boolean }> {
    const { epochs, beats: beatsTable, registry, walk } = this.props;
    const epoch = await epochs.newest(database);
    if (epoch === undefined) return { swept: 0, isDone: false };
    // What Lambda gave up of a load keeps the sweep away, and what it gave up of changes keeps the database stale.
    await this.#givenUp.check([database]);
    const beats = (await beatsTable.read([database])).get(database)!;
    if (beats.sweptEpoch >= epoch.epoch) return { swept: 0, isDone: true };
    if (!isDrained(epoch, beats, await registry.marks(database))) return { swept: 0, isDone: false };
    const { swept, isDone } = await walk.sweep(database, epoch, hasTime);
    if (isDone) await registry.revise(database, (marks, now) => afterSweep(marks, now, epoch.epoch));
    return { swept, isDone };
  }
}
