import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { BeatsTable } from '../badges/beats-table';
import { suspiciousAgeMs } from '../badges/given-up';
import { givenUpMarkId, type HeldRegistry } from '../badges/held-registry';

export interface GivenUpSalesProps {
  readonly beats: BeatsTable;
  readonly registry: HeldRegistry;
  readonly s3: S3Client;
  readonly heldBucket: string;
  readonly retentionHours: number;
}

const feed = 'sales';

/**
 * Marks the sales as old while a batch that Lambda gave up lies aside, whichever feed it is of: beats behind it would pass
 * for news of it. A batch is put aside at the end of a stream's retention at the latest, so its records are no older than
 * that. A redrive takes its object away, and the next check the mark.
 */
export class GivenUpSales {
  constructor(private readonly props: GivenUpSalesProps) {}

  /** To be asked before the beats of a batch are noted: whether one before it may have been given up. */
  isSuspicious(oldestArrival: number): boolean {
    return Date.now() - oldestArrival > suspiciousAgeMs;
  }

  /** Brings the mark to what lies in the bucket. */
  async check(): Promise<void> {
    const { beats, registry, retentionHours } = this.props;
    const { heldVersion } = (await beats.read([feed])).get(feed)!;
    const putAsideAt = await this.#oldest();
    const since =
      putAsideAt === undefined ? undefined : new Date(putAsideAt - retentionHours * 3_600_000).toISOString();
    await registry.revise(feed, (marks, item) => {
      const before = marks.find(({ id }) => id === givenUpMarkId);
      // Someone else has been here since the bucket was listed, and may have seen more of it: only add to that.
      const isOutdated = item.heldVersion !== heldVersion && before !== undefined;
      if (before?.since === since || (isOutdated && (since === undefined || since > before.since))) return { marks };
      const others = marks.filter((mark) => mark !== before);
      return { marks: since === undefined ? others : [...others, { id: givenUpMarkId, since, epoch: 0 }] };
    });
  }

  /** When the oldest of the batches that nobody has redriven was put aside; in milliseconds. */
  async #oldest(): Promise<number | undefined> {
    const { s3, heldBucket } = this.props;
    let oldest: number | undefined;
    let ContinuationToken: string | undefined;
    do {
      const answer = await s3.send(
        new ListObjectsV2Command({
          Bucket: heldBucket,
          Prefix: 'aws/lambda/',
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        }),
      );
      for (const { LastModified } of answer.Contents ?? [])
        oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, LastModified!.getTime());
      ContinuationToken = answer.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return oldest;
  }
}
