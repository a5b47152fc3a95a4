import { Aws, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { Stage } from '../stages';

/**
 * A room's own key: rotated yearly, used for its tables, streams, buckets and logs. Who may use it is said by the roles'
 * policies, since the key trusts the account; only CloudWatch Logs, which has no role here, is named by the key.
 */
export class EncryptionKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string, { stage, description }: { stage: Stage; description: string }) {
    super(scope, id);
    this.key = new Key(this, 'Key', {
      description,
      enableKeyRotation: true,
      removalPolicy: removalOf(stage),
    });
    const { region } = Stack.of(this);
    this.key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'],
        resources: ['*'], // In a key's policy this is the key itself.
        conditions: {
          ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:${Aws.PARTITION}:logs:${region}:${Aws.ACCOUNT_ID}:*` },
        },
      }),
    );
  }
}

/** What becomes of a stage's data when its stack is deleted. */
export function removalOf(stage: Stage): RemovalPolicy {
  return stage.keepData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}
