import { Duration } from 'aws-cdk-lib';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { Stage } from '../stages';
import { removalOf } from './encryption-key';

export interface PrivateBucketProps {
  readonly stage: Stage;
  readonly key: Key;
  /** Objects go after this many days, all of them or those of each folder; kept for ever when absent. */
  readonly expireAfterDays?: number | Readonly<Record<`${string}/`, number>>;
  /** No version of an object can be deleted for this many days, but by who may bypass governance; absent: no lock. */
  readonly lockDays?: number;
}

/** A bucket for us alone: encrypted under the room's key, TLS only, versioned, no public access. */
export function privateBucket(
  scope: Construct,
  id: string,
  { stage, key, expireAfterDays, lockDays }: PrivateBucketProps,
): Bucket {
  return new Bucket(scope, id, {
    encryption: BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    versioned: true,
    ...(lockDays === undefined
      ? {}
      : { objectLockDefaultRetention: ObjectLockRetention.governance(Duration.days(lockDays)) }),
    lifecycleRules: [
      {
        abortIncompleteMultipartUploadAfter: Duration.days(7),
        noncurrentVersionExpiration: Duration.days(90),
        ...(typeof expireAfterDays === 'number' ? { expiration: Duration.days(expireAfterDays) } : {}),
      },
      ...Object.entries(typeof expireAfterDays === 'object' ? expireAfterDays : {}).map(([prefix, days]) => ({
        prefix,
        expiration: Duration.days(days),
      })),
    ],
    removalPolicy: removalOf(stage),
    autoDeleteObjects: stage.emptyBuckets,
  });
}

/** Where a room holds what it could not process until it is redriven, and the evidence a while longer. */
export function heldBucket(scope: Construct, id: string, { stage, key }: { stage: Stage; key: Key }): Bucket {
  return privateBucket(scope, id, { stage, key, expireAfterDays: stage.redriveDays + 90 });
}
