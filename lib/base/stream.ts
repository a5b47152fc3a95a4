import { Duration } from 'aws-cdk-lib';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Stage } from '../stages';
import { removalOf } from './encryption-key';

/** A Kinesis stream under the room's key, with the stage's capacity and retention. */
export function stream(scope: Construct, id: string, { stage, key }: { stage: Stage; key: Key }): Stream {
  const { capacity, retentionHours } = stage.streams;
  return new Stream(scope, id, {
    ...(capacity === 'on-demand'
      ? { streamMode: StreamMode.ON_DEMAND }
      : { streamMode: StreamMode.PROVISIONED, shardCount: capacity.shards }),
    encryption: StreamEncryption.KMS,
    encryptionKey: key,
    retentionPeriod: Duration.hours(retentionHours),
    removalPolicy: removalOf(stage),
  });
}
