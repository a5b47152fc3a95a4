import { Aws, Stack } from 'aws-cdk-lib';
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Stage } from '../stages';
import { privateBucket } from './private-bucket';

export interface QueryWorkgroupProps {
  readonly stage: Stage;
  readonly key: Key;
  /** People choose it by this name in Athena. */
  readonly name: string;
  readonly description: string;
  /** Folders beside the results, and after how many days what lies there goes. */
  readonly folders?: Readonly<Record<`${string}/`, number>>;
}

// Results are answers, not data: whoever wants one again asks again.
const resultDays = 7;

/**
 * An Athena workgroup whose word counts for everybody in it: where results lie and under which key, and how much one
 * query may read.
 */
export class QueryWorkgroup extends Construct {
  readonly name: string;
  readonly arn: string;
  /** Results, which go after a week, and the folders beside them. */
  readonly results: Bucket;
  readonly key: Key;
  readonly resource: CfnWorkGroup;

  constructor(scope: Construct, id: string, { stage, key, name, description, folders }: QueryWorkgroupProps) {
    super(scope, id);
    this.name = name;
    this.key = key;
    this.arn = `arn:${Aws.PARTITION}:athena:${Stack.of(this).region}:${Aws.ACCOUNT_ID}:workgroup/${name}`;
    this.results = privateBucket(this, 'Results', {
      stage,
      key,
      expireAfterDays: { 'results/': resultDays, ...folders },
    });
    this.resource = new CfnWorkGroup(this, 'Workgroup', {
      name,
      description,
      recursiveDeleteOption: !stage.keepData,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: stage.lake.gigabytesPerQuery * 1_000_000_000,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: this.results.s3UrlForObject('results/'),
          encryptionConfiguration: { encryptionOption: 'SSE_KMS', kmsKey: key.keyArn },
        },
      },
    });
  }
}
