import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { inParallel } from './in-parallel';
import type { StreamRecord } from './stream-batch';

/** A record that no retry will mend, and why. The reason names fields, never their contents. */
export interface HeldRecord {
  readonly record: StreamRecord;
  readonly reason: string;
  /** Further facts for the operator, for example the position of the sale it conflicts with. */
  readonly details?: Readonly<Record<string, string>>;
}

const putsAtOnce = 8;

/**
 * Holds records in S3 under `<folder>/<shard>/<sequence number>.json`, encrypted with the room's key, in the form of
 * Lambda's own failure destination: `payload` is the event to send again, so `redrive` treats both alike. The key is the
 * record's position: held twice, it is one object.
 */
export async function holdRecords(
  s3: S3Client,
  bucketName: string,
  folder: string,
  held: readonly HeldRecord[],
): Promise<void> {
  await inParallel(held, putsAtOnce, async ({ record, reason, details }) => {
    await s3.send(
      new PutObjectCommand({
        Bucket: bucketName,
        Key: `${folder}/${record.position.replace(':', '/')}.json`,
        ContentType: 'application/json',
        Body: JSON.stringify({ reason, ...details, payload: JSON.stringify({ Records: [record.original] }) }),
      }),
    );
  });
}
