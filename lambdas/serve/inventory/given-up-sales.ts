import type { S3Client } from '@aws-sdk/client-s3';
import type { BeatsTable } from '../badges/beats-table';
import { listGivenUp } from '../badges/given-up';
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

  /** Brings the mark to what lies in the bucket. */
  async check(): Promise<void> {
    const { beats, registry, s3, heldBucket, retentionHours } = this.props;
    const { heldVersion } = (await beats.read([feed])).get(feed)!;
    const objects = await listGivenUp(s3, heldBucket);
    const putAsideAt = objects.reduce((oldest, { givenUpAt }) => Math.min(oldest, givenUpAt), Number.POSITIVE_INFINITY);
    const since = objects.length === 0 ? undefined : new Date(putAsideAt - retentionHours * 3_600_000).toISOString();
    await registry.revise(feed, (marks, item) => {
      const before = marks.find(({ id }) => id === givenUpMarkId);
      // Someone else has been here since the bucket was listed, and may have seen more of it: only add to that.
      const isOutdated = item.heldVersion !== heldVersion && before !== undefined;
      if (before?.since === since || (isOutdated && (since === undefined || since > before.since))) return { marks };
      const others = marks.filter((mark) => mark !== before);
      return { marks: since === undefined ? others : [...others, { id: givenUpMarkId, since, epoch: 0 }] };
    });
  }
}
