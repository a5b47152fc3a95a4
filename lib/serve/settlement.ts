import { CfnOutput, Duration } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Construct, type IDependable } from 'constructs';
import { NodeFunction } from '../base/node-function';
import { privateBucket } from '../base/private-bucket';
import { runEvery } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import { actsOnWarehouse, type Warehouse } from './warehouse-access';

export interface SettlementProps {
  readonly stage: Stage;
  readonly key: Key;
  readonly warehouse: Warehouse;
  /** What the warehouse reads when it copies; `copyRole` may read its folder `manifests/`. */
  readonly staging: Bucket;
  readonly copyRole: Role;
  readonly roleName: string;
  /** What must be there before the first file is taken. */
  readonly after: readonly IDependable[];
}

const incoming = 'incoming/';
const impact = 'the ledger lacks what a gateway settled, and cannot be reconciled with it';

/**
 * The bucket into which the gateways' settlement files are dropped, and the function that takes them. Files are kept as
 * they came. Who may drop them is for the operator to say: see docs/runbook.md.
 */
export class Settlement extends Construct {
  readonly bucket: Bucket;
  /** Without an event it takes whatever file has no outcome yet. */
  readonly settle: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: SettlementProps) {
    super(scope, id);
    const { stage, key, warehouse, staging, copyRole, roleName, after } = props;
    this.bucket = privateBucket(this, 'Files', { stage, key });
    // The bucket's own property: CDK's way is a function of its own that sets it.
    (this.bucket.node.defaultChild as CfnBucket).notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };

    const settle = new NodeFunction(this, 'Settle', {
      stage,
      directory: 'serve/finance/settlement',
      description: "Brings the gateways' settlement files into the ledger",
      key,
      timeout: Duration.minutes(15),
      // A whole processor: a file is parsed twice.
      memoryMebibytes: 1_769,
    })
      .environment('SETTLEMENT_BUCKET_NAME', this.bucket.bucketName)
      .environment('COPY_ROLE_ARN', copyRole.roleArn)
      .allow(['s3:ListBucket'], [this.bucket.bucketArn], {
        StringEquals: { 's3:prefix': [incoming, 'loaded/', 'held/'] },
      })
      .allow(['s3:GetObject'], [this.bucket.arnForObjects(`${incoming}*`)])
      .allow(['s3:PutObject'], [this.bucket.arnForObjects('loaded/*'), this.bucket.arnForObjects('held/*')])
      .holdsIn(staging, 'manifests/settlement', 'MANIFEST_BUCKET_NAME')
      .usesKeyThrough('s3', key, ['kms:Decrypt', 'kms:GenerateDataKey']);
    this.settle = settle;
    actsOnWarehouse(settle, warehouse, roleName);
    this.#onDrop(settle, after);
    runEvery(this, 'Sweep', {
      minutes: stage.finance.loadEveryMinutes,
      description: 'Takes settlement files whose event was lost',
      target: settle,
    }).node.addDependency(...after);

    new CfnOutput(this, 'BucketName', { value: this.bucket.bucketName });
    this.signals = [
      {
        name: 'SettlementHeld',
        metric: businessMetric(settle, 'FilesHeld'),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'SettlementErrors',
        metric: settle.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 1,
        impact,
      },
    ];
  }

  #onDrop(settle: NodeFunction, after: readonly IDependable[]): void {
    const rule = new CfnRule(this, 'Dropped', {
      description: 'A settlement file was dropped',
      eventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: [this.bucket.bucketName] }, object: { key: [{ prefix: incoming }] } },
      },
      targets: [
        {
          id: 'Settle',
          arn: settle.function.functionArn,
          // No dead letter: what is lost is found by the sweep.
          retryPolicy: { maximumRetryAttempts: 8, maximumEventAgeInSeconds: 3_600 },
        },
      ],
    });
    rule.node.addDependency(...after);
    new CfnPermission(this, 'DroppedInvokes', {
      action: 'lambda:InvokeFunction',
      functionName: settle.function.functionName,
      principal: 'events.amazonaws.com',
      sourceArn: rule.attrArn,
    });
  }
}
