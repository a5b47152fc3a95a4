import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { HeldMark } from '../../badges/held-registry';

const givenUpId = 'given-up';

/** When the oldest of the batches that Lambda put aside, and that nobody has redriven, was put aside; in milliseconds. */
export async function oldestGivenUp(s3: S3Client, Bucket: string): Promise<number | undefined> {
  let oldest: number | undefined;
  let ContinuationToken: string | undefined;
  do {
    const answer = await s3.send(
      new ListObjectsV2Command({
        Bucket,
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

/**
 * What is held of a feed, with a mark as long as a batch lies aside: beats behind it would pass for news of it. A batch
 * is put aside at the end of a stream's retention at the latest, so its records are no older than that.
 */
export function withGivenUp(
  marks: readonly HeldMark[],
  putAsideAt: number | undefined,
  retentionHours: number,
): readonly HeldMark[] {
  const known = marks.find(({ id }) => id === givenUpId);
  const others = marks.filter((mark) => mark !== known);
  if (putAsideAt === undefined) return others;
  const since = new Date(putAsideAt - retentionHours * 3_600_000).toISOString();
  return known?.since === since ? marks : [...others, { id: givenUpId, since, epoch: 0 }];
}
