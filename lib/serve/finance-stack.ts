import { Aws, CustomResource, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CompositePrincipal, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { CfnNamespace, CfnWorkgroup } from 'aws-cdk-lib/aws-redshiftserverless';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { partitionColumn, rowTables } from '../../lambdas/base/domain/sale-rows';
import { EncryptionKey, removalOf } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { privateBucket } from '../base/private-bucket';
import { runEvery } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import type { LakeStack } from './lake-stack';
import { Reconciliation } from './reconciliation';
import { Settlement } from './settlement';
import { actsOnWarehouse, asksWarehouse } from './warehouse-access';

export interface FinanceStackProps extends StackProps {
  readonly stage: Stage;
  readonly vpc: IVpc;
  readonly lake: LakeStack;
}

/** The newest version in lambdas/serve/finance/create-schema/migrations.ts: a deploy that changes it runs the step. */
const schemaVersion = 5;
const databaseName = 'tillstream';
const adminUsername = 'ledger_admin';
const impact = 'the ledger lacks sales that the lake has';

/**
 * Sales as a ledger: Redshift Serverless without a way in but the Data API, its schema made at deploy, and a loader that
 * brings in the lake's new files by schedule.
 */
export class FinanceStack extends Stack {
  readonly workgroupName: string;
  readonly databaseName = databaseName;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, vpc, lake, ...props }: FinanceStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream finance' });
    // What each load was told to take: kept a while as evidence.
    const manifests = privateBucket(this, 'Manifests', { stage, key, expireAfterDays: 90 });
    const copyRole = this.copyRole(lake, manifests, key);

    // Finance types these names into its clients.
    const name = `tillstream-${stage.name}`;
    const namespace = new CfnNamespace(this, 'Namespace', {
      namespaceName: name,
      dbName: databaseName,
      adminUsername,
      manageAdminPassword: true,
      adminPasswordSecretKmsKeyId: key.keyArn,
      kmsKeyId: key.keyArn,
      iamRoles: [copyRole.roleArn],
      logExports: ['userlog', 'connectionlog', 'useractivitylog'],
    });
    namespace.applyRemovalPolicy(removalOf(stage));
    namespace.node.addDependency(copyRole);
    const workgroup = this.workgroup(stage, vpc, name);
    workgroup.addResourceDependency(namespace);
    this.workgroupName = name;

    const load = new NodeFunction(this, 'Load', {
      stage,
      directory: 'serve/finance/load',
      description: "Brings the lake's new files into the ledger",
      key,
      timeout: Duration.minutes(15),
      memoryMebibytes: 512,
    })
      .environment('COPY_ROLE_ARN', copyRole.roleArn)
      .environment('LOOK_BACK_DAYS', String(lake.fileDelayDays))
      .environment('LAKE_BUCKET_NAME', lake.bucket.bucketName)
      .allow(['s3:ListBucket'], [lake.bucket.bucketArn], {
        StringEquals: { 's3:prefix': rowTables.map((table) => `${table.name}/${partitionColumn}=`) },
      })
      .holdsIn(manifests, 'manifests', 'MANIFEST_BUCKET_NAME');
    const roleNames = {
      load: `${name}-ledger-loader`,
      settlement: `${name}-settlement-loader`,
      close: `${name}-day-closer`,
      reconcile: `${name}-reconciler`,
      resolve: `${name}-break-resolver`,
      report: `${name}-reconciliation-reporter`,
    };
    const warehouse = { workgroup, databaseName };
    actsOnWarehouse(load, warehouse, roleNames.load);
    const ledgerUsers = Object.fromEntries(
      Object.entries(roleNames).map(([part, roleName]) => [part, `IAMR:${roleName}`]),
    );

    const createSchema = new NodeFunction(this, 'CreateSchema', {
      stage,
      directory: 'serve/finance/create-schema',
      description: "Brings the ledger's schema to its newest version at deploy",
      key,
      timeout: Duration.minutes(5),
      memoryMebibytes: 256,
    })
      .environment('NAMESPACE_NAME', namespace.namespaceName)
      .environment('LEDGER_USERS', JSON.stringify(ledgerUsers))
      .allow(['redshift-serverless:GetNamespace'], [namespace.attrNamespaceNamespaceArn])
      .allow(
        ['secretsmanager:GetSecretValue'],
        // Redshift names its secret itself; Secrets Manager adds six characters.
        [
          `arn:${Aws.PARTITION}:secretsmanager:${this.region}:${Aws.ACCOUNT_ID}:secret:redshift!${name}-${adminUsername}-*`,
        ],
      )
      .usesKeyThrough('secretsmanager', key, ['kms:Decrypt']);
    asksWarehouse(createSchema, warehouse);
    const schema = new CustomResource(this, 'Schema', {
      resourceType: 'Custom::LedgerSchema',
      serviceToken: createSchema.function.functionArn,
      properties: { revision: String(schemaVersion), ledgerUsers },
    });
    schema.node.addDependency(workgroup, createSchema);
    // A loader books into columns that are there.
    load.node.addDependency(schema);

    runEvery(this, 'Schedule', {
      minutes: stage.finance.loadEveryMinutes,
      description: "Brings the lake's new files into the ledger",
      target: load,
    }).node.addDependency(schema);

    const settlement = new Settlement(this, 'Settlement', {
      stage,
      key,
      warehouse,
      staging: manifests,
      copyRole,
      roleName: roleNames.settlement,
      after: [schema],
    });

    const reconciliation = new Reconciliation(this, 'Reconciliation', {
      stage,
      key,
      warehouse,
      roleNames,
      before: [
        { name: 'Load', runs: load, untilNothingIsLeft: true },
        { name: 'Settle', runs: settlement.settle, untilNothingIsLeft: true },
      ],
      after: [schema],
    });

    this.signals = [
      ...reconciliation.signals,
      ...settlement.signals,
      {
        name: 'LedgerLoadFailed',
        metric: businessMetric(load, 'LoadFailed'),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'LedgerLoadErrors',
        metric: load.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 1,
        impact,
      },
      {
        name: 'LedgerLag',
        // Every run reports, so a period of one interval has a value unless the schedule does not fire.
        metric: businessMetric(load, 'LedgerLagMinutes').with({
          statistic: Stats.MAXIMUM,
          period: Duration.minutes(stage.finance.loadEveryMinutes),
        }),
        // A file waits for one run at most, so one that waits for three was passed over twice.
        threshold: 3 * stage.finance.loadEveryMinutes,
        periods: 1,
        missing: 'bad',
        impact,
      },
    ];
  }

  /** What Redshift may read when it copies: the files of the lake's tables, and the manifests that name them. */
  private copyRole(lake: LakeStack, manifests: Bucket, key: Key): Role {
    const role = new Role(this, 'CopyRole', {
      assumedBy: new CompositePrincipal(
        new ServicePrincipal('redshift-serverless.amazonaws.com'),
        new ServicePrincipal('redshift.amazonaws.com'),
      ),
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [
          ...rowTables.map((table) => lake.bucket.arnForObjects(`${table.name}/*`)),
          manifests.arnForObjects('manifests/*'),
        ],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:ListBucket', 's3:GetBucketLocation'],
        resources: [lake.bucket.bucketArn, manifests.bucketArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['kms:Decrypt'],
        resources: [lake.key.keyArn, key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `s3.${this.region}.amazonaws.com` } },
      }),
    );
    return role;
  }

  private workgroup(stage: Stage, vpc: IVpc, name: string): CfnWorkgroup {
    const securityGroup = new SecurityGroup(this, 'Warehouse', {
      vpc,
      description: 'Redshift: nobody connects, the Data API needs no way in',
      allowAllOutbound: false,
    });
    // COPY reads S3 through the gateway endpoint, whose addresses are public ones.
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'S3 through its endpoint');
    return new CfnWorkgroup(this, 'Workgroup', {
      workgroupName: name,
      namespaceName: name,
      baseCapacity: stage.finance.baseCapacityUnits,
      maxCapacity: stage.finance.maximumCapacityUnits,
      enhancedVpcRouting: true,
      publiclyAccessible: false,
      subnetIds: vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
      securityGroupIds: [securityGroup.securityGroupId],
      configParameters: [
        { parameterKey: 'require_ssl', parameterValue: 'true' },
        { parameterKey: 'enable_user_activity_logging', parameterValue: 'true' },
      ],
    });
  }
}
