import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { SourceName } from '../../../base/domain/source-tables';
import { log } from '../../../base/runtime/log';
import type { BeatsTable } from '../beats-table';
import type { Epochs } from '../epochs';
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

/** Sweeps after a load, once it is drained, and vouches for its database then. */
export class LoadSweep {
  constructor(private readonly props: LoadSweepProps) {}

  async sweep(
    database: SourceName,
    hasTime: () => boolean,
  ): Promise<{ readonly swept: number; readonly isDone: boolean }> {
    const { epochs, beats: beatsTable, registry, walk, s3, heldBucket } = this.props;
    const epoch = await epochs.newest(database);
    if (epoch === undefined) return { swept: 0, isDone: false };
    const beats = (await beatsTable.read([database])).get(database)!;
    if (beats.sweptEpoch >= epoch.epoch) return { swept: 0, isDone: true };
    if (!isDrained(epoch, beats, await registry.marks(database))) return { swept: 0, isDone: false };
    if (await hasGivenUp(s3, heldBucket, epoch.startedAt)) {
      log.warn('a load is not swept: given-up batches wait for redrive', { database });
      return { swept: 0, isDone: false };
    }
    const { swept, isDone } = await walk.sweep(database, epoch, hasTime);
    if (isDone) await registry.revise(database, (marks, now) => afterSweep(marks, now, epoch.epoch));
    return { swept, isDone };
  }
}

/** Whether Lambda has put batches aside since the load began: rows of the load may be among them. */
async function hasGivenUp(s3: S3Client, heldBucket: string, since: number): Promise<boolean> {
  let ContinuationToken: string | undefined;
  do {
    const answer = await s3.send(
      new ListObjectsV2Command({
        Bucket: heldBucket,
        Prefix: 'aws/lambda/',
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      }),
    );
    if ((answer.Contents ?? []).some(({ LastModified }) => (LastModified?.getTime() ?? since) >= since)) return true;
    ContinuationToken = answer.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return false;
}
