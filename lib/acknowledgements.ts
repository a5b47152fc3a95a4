import { type App, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { Stage } from './stages';

/** A finding of a checker that we have looked at and leave as it is. */
export interface Acknowledgement {
  /** As the checker names it; of cdk-nag's wildcards, the very resource. */
  readonly finding: string;
  /** Paths of the constructs at which it is found, or above. */
  readonly at: readonly string[];
  readonly reason: string;
}

/**
 * What CDK's own validator and cdk-nag (AwsSolutions) find and we leave as it is. All of it stands here, and comes with its
 * reasons into cdk.out/validation-report.json. A test holds that what is acknowledged of cdk-nag's is still found, so that
 * none outlives its cause.
 */
export function acknowledgements(stage: Stage): readonly Acknowledgement[] {
  const lakeBucket = '<Bucket83908E77.Arn>';
  const lakeBucketElsewhere = `Tillstream-${stage.name}-Lake:ExportsOutputFnGetAttBucket83908E77Arn063C8555`;
  const held = '<HeldE0C74053.Arn>';
  const consumers = [
    ...['Refine/Dedup', 'Badges/Apply', 'Merchandising/Writer', 'Lake/Writer'],
    ...['Inventory/Count', 'Inventory/Apply'],
  ];
  const consumerRoles = consumers.map((consumer) => `${consumer}/Consumer/Role`);
  const ownFolder = 'objects of one folder of its own room: their names are made when they are written';

  return [
    'vpcId' in stage.network
      ? {
          finding: 'Annotation::@aws-cdk/aws-ec2:noSubnetRouteTableId',
          at: ['Network'],
          reason: 'nothing is added to the route tables of a network that exists: it has its way to S3 already',
        }
      : {
          finding: 'CloudFormation-Validate::W3010',
          at: ['Network'],
          reason: 'zones are pinned, so that synth needs no account to look them up in',
        },
    {
      finding: 'AwsSolutions::AwsSolutions-KDS3',
      at: ['Cardholder/SalesIngest', 'Refine/Sales', 'Cdc/Changes'],
      reason:
        "the rule advises the account's shared key to save its price: a stream of sales, or of two databases' rows, is worth a key of its own, whose use can be refused and traced",
    },

    // The APIs.
    {
      finding: 'AwsSolutions::AwsSolutions-APIG2',
      at: ['Cardholder/Api'],
      reason:
        'ingest checks every event against the published schema and answers one by one; a validator before it would refuse 500 sales for one bad one',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG2',
      at: ['Badges/Api', 'Inventory/Api'],
      reason:
        'a validator can ask for a parameter only, not for a list of so many SKUs: the lookup checks the query itself and says what is allowed',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG2',
      at: ['Merchandising/Answers/Api'],
      reason:
        'a validator can ask for a parameter only, not for times, dimensions and what goes together: the function checks the query itself and says what is allowed',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG3',
      at: ['Cardholder/Api'],
      reason:
        'callers are the own tills, known by their signatures: API Gateway refuses any other before anything runs, and throttles all; a web firewall is the choice of those who open the API further',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG3',
      at: ['Badges/Api', 'Inventory/Api'],
      reason:
        "callers are the shop's own servers, known by their signatures: API Gateway refuses any other before anything runs, and throttles all; visitors of the shop never reach it",
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG3',
      at: ['Merchandising/Answers/Api'],
      reason:
        "callers are the retailer's own people and programs, known by their signatures: API Gateway refuses any other before anything runs, and throttles all",
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG6',
      at: ['Cardholder/Api'],
      reason:
        'execution logs can hold what was sent, and that holds card numbers: they stay off for good; the access log has who, when and what came of it',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG6',
      at: ['Badges/Api', 'Inventory/Api'],
      reason:
        "execution logs have each query, which says what a shop's visitors look at; the access log has who, when and what came of it",
    },
    {
      finding: 'AwsSolutions::AwsSolutions-APIG6',
      at: ['Merchandising/Answers/Api'],
      reason:
        'execution logs have each query and each answer, which are the figures of the business; the access log has who, when and what came of it',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-COG4',
      at: ['Cardholder/Api', 'Badges/Api', 'Inventory/Api', 'Merchandising/Answers/Api'],
      reason: 'callers have roles: each request is signed and authorised by IAM, there are no users to log in',
    },
    {
      finding: wildcard(`arn:<AWS::Partition>:logs:${stage.region}:<AWS::AccountId>:*`),
      at: ['Cardholder/ApiGatewayLogs'],
      reason:
        "the account's one role by which API Gateway writes logs, for every API of the account: what AWS's own policy for it has, within this account and region",
    },

    // Buckets and what lies in them.
    {
      finding: 'AwsSolutions::AwsSolutions-S1',
      at: [
        ...['Refine/Held', 'Badges/Held', 'Merchandising/Held', 'Lake/Bucket', 'Lake/Held', 'Finance/Manifests'],
        ...['Inventory/Held', 'Lake/Queries/Results', 'Lake/Snapshots/Bucket', 'Finance/Reconciliation/Reports'],
        'Finance/Settlement/Files',
      ],
      reason:
        "server access logs are delivered at best effort; the account's CloudTrail data events tell in full who touched which object",
    },
    {
      finding: wildcard(`${held}/aws/lambda/*`),
      at: [...consumerRoles, 'Badges/Sweep/Role', 'Inventory/Sweep/Role'],
      reason: 'Lambda names the objects in which it leaves batches that it gave up, all under this prefix',
    },
    { finding: wildcard(`${held}/held/*`), at: consumerRoles, reason: ownFolder },
    { finding: wildcard(`${held}/conflicts/*`), at: ['Refine/Dedup/Consumer/Role'], reason: ownFolder },
    {
      finding: wildcard('<Manifests6831C0C3.Arn>/manifests/*'),
      at: ['Finance/CopyRole', 'Finance/Load/Role'],
      reason: ownFolder,
    },
    {
      finding: wildcard('<ReconciliationReportsB3F26D55.Arn>/reconciliation/*'),
      at: ['Finance/Reconciliation/Report/Role'],
      reason: ownFolder,
    },
    {
      finding: 'AwsSolutions::AwsSolutions-SF1',
      at: ['Finance/Reconciliation/Daily'],
      reason:
        "Step Functions keeps the history of each execution for 90 days under our key; its log deliveries would take permissions on all of the account's",
    },
    {
      finding: 'AwsSolutions::AwsSolutions-SF2',
      at: ['Finance/Reconciliation/Daily'],
      reason: 'five steps, one after the other, whose times are in the history: there is nothing to trace',
    },
    ...['', 'errors/'].map(
      (folder): Acknowledgement => ({
        finding: wildcard(`${lakeBucketElsewhere}/${folder}badge_history/*`),
        at: ['Badges/History/Role'],
        reason: 'Firehose names the files of its table itself, those of what it could not convert too',
      }),
    ),
    ...['manifests', 'sale_lines', 'sale_tenders'].map((folder) => ({
      finding: wildcard(`<SnapshotsBucket4B2233F7.Arn>/${folder}/*`),
      at: ['Lake/Snapshots/Make/Role'],
      reason: ownFolder,
    })),
    {
      finding: wildcard('<QueriesResultsB9A74B2C.Arn>/snapshots/*'),
      at: ['Lake/Snapshots/Make/Role'],
      reason: ownFolder,
    },
    {
      finding: wildcard('<QueriesResultsB9A74B2C.Arn>/results/*'),
      at: ['Lake/Snapshots/Make/Role', 'Lake/Compaction/Compact/Role'],
      reason: "Athena names a query's result after the query, and writes and reads it in the name of its caller",
    },
    { finding: wildcard(`${lakeBucket}/compacted/*`), at: ['Lake/Compaction/Compact/Role'], reason: ownFolder },
    {
      finding: wildcard(
        `Tillstream-${stage.name}-Lake:ExportsOutputFnGetAttQueriesResultsB9A74B2CArnED97EBB6/results/*`,
      ),
      at: ['Merchandising/Comparison/Compare/Role'],
      reason: "Athena names a query's result after the query, and writes and reads it in the name of its caller",
    },
    ...['sale_lines', 'compacted/files/sale_lines', 'compacted/lists/sale_lines'].map((folder) => ({
      finding: wildcard(`${lakeBucketElsewhere}/${folder}/*`),
      at: ['Merchandising/Comparison/Compare/Role'],
      reason: 'Athena reads the files of this table, of any date, in the name of its caller',
    })),
    ...['sale_lines', 'sale_tenders'].map((table) => ({
      finding: wildcard(`${lakeBucket}/${table}/*`),
      at: ['Lake/Snapshots/Make/Role', 'Lake/Compaction/Compact/Role'],
      reason: 'Athena reads the files of this table, of any date, in the name of its caller',
    })),
    ...['<SettlementFilesC3C8C1C8.Arn>/held/*', '<SettlementFilesC3C8C1C8.Arn>/loaded/*'].map(
      (folder): Acknowledgement => ({
        finding: wildcard(folder),
        at: ['Finance/Settlement/Settle/Role'],
        reason: ownFolder,
      }),
    ),
    {
      finding: wildcard('<Manifests6831C0C3.Arn>/manifests/settlement/*'),
      at: ['Finance/Settlement/Settle/Role'],
      reason: ownFolder,
    },
    {
      finding: wildcard('<SettlementFilesC3C8C1C8.Arn>/incoming/*'),
      at: ['Finance/Settlement/Settle/Role'],
      reason: 'reads what the gateways drop, under whatever name, and nothing else of the bucket',
    },
    ...['sale_lines', 'sale_tenders'].flatMap((table): Acknowledgement[] => {
      const role = `Lake/${table === 'sale_lines' ? 'SaleLines' : 'SaleTenders'}/Role`;
      return [
        {
          finding: wildcard(`${lakeBucket}/${table}/*`),
          at: [role],
          reason: 'Firehose names the files of its table itself, and puts them under the table by date',
        },
        {
          finding: wildcard(`${lakeBucket}/errors/${table}/*`),
          at: [role],
          reason: 'Firehose names the files of what it could not convert itself',
        },
        {
          finding: wildcard(`${lakeBucketElsewhere}/${table}/*`),
          at: ['Finance/CopyRole'],
          reason:
            'COPY reads the files of this table, named by the manifest of each load; it may read nothing else there',
        },
      ];
    }),

    // What has no name before it exists.
    { finding: wildcard('*'), at: ['Cdc/PrepareSource/Role', 'Cdc/Beat/Role'], reason: inNetwork },
    {
      finding: wildcard('*'),
      at: ['Cdc/ControlReplication/Role'],
      reason:
        'DMS tells the state of a replication in a list only, and a list is no resource; starting and stopping is allowed by name',
    },
    {
      finding: wildcard('*'),
      at: [
        ...['Finance/Load/Role', 'Finance/Settlement/Settle/Role', 'Finance/CreateSchema/Role'],
        ...['Close', 'Reconcile', 'Report', 'Resolve'].map((name) => `Finance/Reconciliation/${name}/Role`),
      ],
      reason:
        'statements of the Redshift Data API are no resources, and one is asked after by an id that only its sender knows: listing is not allowed',
    },
    {
      finding: wildcard(
        `arn:<AWS::Partition>:secretsmanager:${stage.region}:<AWS::AccountId>:secret:redshift!tillstream-${stage.name}-ledger_admin-*`,
      ),
      at: ['Finance/CreateSchema/Role'],
      reason:
        'Redshift makes and rotates this secret and tells its ARN nowhere in a template; its last six characters are random',
    },
    ...merchandisingFindings(stage),
    ...replicationFindings(stage),
  ];
}

const inNetwork =
  'Lambda makes the network interface of a function in a network by its role; before that it has no name';

/** Of the database of time series that the stage has. */
function merchandisingFindings({ merchandising }: Stage): readonly Acknowledgement[] {
  const callers = ['Writer/Consumer', 'Answers/Query', 'Comparison/Compare'].map(
    (path) => `Merchandising/${path}/Role`,
  );
  if (merchandising.engine === 'liveanalytics')
    return [
      {
        finding: 'CloudFormation-Validate::W3697',
        at: ['Database', 'Sales', 'Items', 'Sources'].map((id) => `Merchandising/${id}`),
        reason: 'AWS takes no new customers for this service: the stage says that its account has it already',
      },
      {
        finding: wildcard('*'),
        at: callers,
        reason:
          "clients of Timestream ask for the account's endpoint before anything else, and DescribeEndpoints knows no resource",
      },
    ];
  return [
    {
      finding: 'CloudFormation-Validate::F3002',
      at: ['Merchandising/Instance'],
      reason:
        "the validator's schema lacks KmsKeyId, which CDK's types have from CloudFormation's; another unknown name would not compile",
    },
    { finding: wildcard('*'), at: ['Merchandising/MintTokens/Role', ...callers], reason: inNetwork },
    {
      finding: 'AwsSolutions::AwsSolutions-SMG4',
      at: ['Merchandising/FirstUser', 'Merchandising/WriteToken', 'Merchandising/ReadToken'],
      reason:
        "InfluxDB does not follow a changed secret: a deploy step mints the tokens, and mints another where the instance no longer knows the stored one; the first user's password serves that step only",
    },
  ];
}

/** Of change data capture: what DMS demands, and the source databases. */
function replicationFindings({ databases, replication }: Stage): readonly Acknowledgement[] {
  const kinds = Object.entries(databases).map(([name, database]) => ({
    access: `Cdc/${name[0]!.toUpperCase()}${name.slice(1)}Database`,
    ...database,
  }));
  const created = kinds.filter(({ kind }) => kind === 'created').map(({ access }) => `${access}/Cluster`);
  const asked = kinds.some((database) => database.kind === 'existing' && database.connection === 'asked-at-deploy');
  const serviceRoles = {
    'dms-vpc-role': 'AmazonDMSVPCManagementRole',
    'dms-cloudwatch-logs-role': 'AmazonDMSCloudWatchLogsRole',
  };
  return [
    ...Object.entries(replication.createServiceRoles ? serviceRoles : {}).map(([role, policy]) => ({
      finding: `AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${policy}]`,
      at: [`Cdc/ServiceRoles/${role}`],
      reason:
        "the account's one role of this name, for every DMS of the account: AWS says what it needs, and keeps its policy up to date",
    })),
    {
      finding: 'AwsSolutions::AwsSolutions-RDS6',
      at: created,
      reason:
        'DMS and the functions log in by the secret, as they do at the databases that this one stands for; a second way in would be used by nobody',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-RDS10',
      at: created,
      reason: 'a database to try with, made with its rows again at any time: the stage is to be deleted whole',
    },
    {
      finding: 'AwsSolutions::AwsSolutions-SMG4',
      at: created,
      reason:
        'a database to try with, reached from its own network only: a rotation would be one more function in that network',
    },
    ...(asked
      ? [
          {
            finding: 'CloudFormation-Validate::W2509',
            at: ['Cdc'],
            reason: 'these parameters are ARNs, of a secret and of its key: who deploys should see which ones',
          },
        ]
      : []),
  ];
}

/** Applies them to the app: a path that leads to no construct throws. */
export function acknowledgeFindings(app: App, stage: Stage): void {
  for (const { finding, at, reason } of acknowledgements(stage))
    for (const path of at) Validations.of(constructAt(app, path)).acknowledge({ id: finding, reason });
}

function constructAt(app: App, path: string): IConstruct {
  return path.split('/').reduce<IConstruct>((construct, id) => construct.node.findChild(id), app);
}

/** A permission on more than one named resource, as cdk-nag writes it. */
function wildcard(resource: string): string {
  return `AwsSolutions::AwsSolutions-IAM5[Resource::${resource}]`;
}
