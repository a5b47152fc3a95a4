import { Template } from 'aws-cdk-lib/assertions';
import { NetworkStack } from '../../lib/base/network-stack';
import { stream } from '../../lib/base/stream';
import { LakeStack } from '../../lib/serve/lake-stack';
import { MerchandisingStack } from '../../lib/serve/merchandising-stack';
import { type Stage, stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

interface Synthesized {
  readonly stack: MerchandisingStack;
  readonly template: Template;
}
const synthesized = new Map<Stage['name'], Synthesized>();

function synthesize(name: Stage['name'] = 'prod'): Synthesized {
  const known = synthesized.get(name);
  if (known !== undefined) return known;
  const app = ownApp();
  const stage = stageNamed(name);
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  const { vpc, functions } = new NetworkStack(app, 'Network', { stage, env });
  const sales = stream(before, 'Sales', { stage, key });
  const lake = new LakeStack(app, 'Lake', { stage, env, sales });
  const stack = new MerchandisingStack(app, 'Merchandising', { stage, env, vpc, functions, sales, lake });
  const made = { stack, template: Template.fromStack(stack) };
  synthesized.set(name, made);
  return made;
}

/** Logical id and resource of the only one of its kind whose logical id begins so. */
function only(type: string, prefix = ''): [logicalId: string, resource: any] {
  const found = Object.entries(synthesize().template.findResources(type)).filter(([id]) => id.startsWith(prefix));
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Statements of the role of a function that begins so, as `action -> resources`. */
function statementsOf(prefix: string): { actions: string[]; resources: unknown[]; conditions: unknown }[] {
  const [, policy] = only('AWS::IAM::Policy', prefix);
  return policy.Properties.PolicyDocument.Statement.map(({ Action, Resource, Condition }: any) => ({
    actions: [Action].flat(),
    resources: [Resource].flat(),
    conditions: Condition,
  }));
}
const actionsOf = (prefix: string, service: RegExp) =>
  [...new Set(statementsOf(prefix).flatMap(({ actions }) => actions))].filter((action) => service.test(action)).sort();

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(synthesize().template)).toEqual({
    'AWS::ApiGateway::Deployment': 1,
    'AWS::ApiGateway::GatewayResponse': 3,
    'AWS::ApiGateway::Method': 5,
    'AWS::ApiGateway::Resource': 6,
    'AWS::ApiGateway::RestApi': 1,
    'AWS::ApiGateway::Stage': 1,
    'AWS::EC2::SecurityGroup': 2,
    'AWS::EC2::SecurityGroupEgress': 1,
    'AWS::EC2::SecurityGroupIngress': 1,
    'AWS::IAM::Policy': 5,
    'AWS::IAM::Role': 5,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::StreamConsumer': 1,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 4,
    'AWS::Lambda::Permission': 5,
    'AWS::Logs::LogGroup': 5,
    'AWS::S3::Bucket': 1,
    'AWS::S3::BucketPolicy': 1,
    'AWS::Scheduler::Schedule': 1,
    'AWS::SecretsManager::Secret': 3,
    'AWS::Timestream::InfluxDBInstance': 1,
    'Custom::InfluxDbTokens': 1,
  });
});

describe('the instance', () => {
  test('is private, in three zones, and has a standby where the stage says so', () => {
    const { Properties } = only('AWS::Timestream::InfluxDBInstance')[1];

    expect(Properties).toMatchObject({ PubliclyAccessible: false, DeploymentType: 'WITH_MULTIAZ_STANDBY' });
    expect(Properties.VpcSubnetIds).toHaveLength(3);
    expect(Properties.VpcSecurityGroupIds).toHaveLength(1);
  });

  test('has a password that stands in no template', () => {
    const [firstUser, secret] = only('AWS::SecretsManager::Secret', 'FirstUser');
    const { Username, Password } = only('AWS::Timestream::InfluxDBInstance')[1].Properties;

    expect(Password).toEqual({
      'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: firstUser }, ':SecretString:password::}}']],
    });
    expect(JSON.parse(secret.Properties.GenerateSecretString.SecretStringTemplate)).toEqual({ username: Username });
    // What Timestream takes: letters and digits, 8 to 64.
    expect(secret.Properties.GenerateSecretString).toMatchObject({ ExcludePunctuation: true, PasswordLength: 40 });
  });

  test('outlives its stack in prod, and goes with it in dev', () => {
    const policyIn = (name: Stage['name']) =>
      Object.values<any>(synthesize(name).template.findResources('AWS::Timestream::InfluxDBInstance'))[0];

    expect(policyIn('prod')).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect(policyIn('dev')).toMatchObject({ DeletionPolicy: 'Delete', UpdateReplacePolicy: 'Delete' });
  });

  test('is reached on its port by its callers only, and reaches nobody', () => {
    const [database, { Properties }] = only('AWS::EC2::SecurityGroup', 'Database');
    const [caller] = only('AWS::EC2::SecurityGroup', 'Caller');
    const groupOf = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'GroupId'] });

    expect(only('AWS::EC2::SecurityGroupIngress')[1].Properties).toMatchObject({
      GroupId: groupOf(database),
      SourceSecurityGroupId: groupOf(caller),
      FromPort: 8086,
      ToPort: 8086,
    });
    expect(Properties.SecurityGroupIngress).toBeUndefined();
    expect(Properties.SecurityGroupEgress).toEqual([expect.objectContaining({ CidrIp: '255.255.255.255/32' })]);
    for (const fn of Object.values<any>(synthesize().template.findResources('AWS::Lambda::Function'))) {
      expect(fn.Properties.VpcConfig.SecurityGroupIds).toContainEqual(groupOf(caller));
      expect(fn.Properties.VpcConfig.SubnetIds).toHaveLength(3);
    }
  });
});

describe('tokens', () => {
  test('are minted for the instance that is there, again for another one and for another retention', () => {
    const { merchandising } = stageNamed('prod');
    const [instance] = only('AWS::Timestream::InfluxDBInstance');
    const [, { Properties, DependsOn }] = only('Custom::InfluxDbTokens');

    expect(Properties).toMatchObject({
      endpoint: { 'Fn::GetAtt': [instance, 'Endpoint'] },
      salesRetentionDays: merchandising.salesRetentionDays,
      itemsRetentionDays: merchandising.itemsRetentionDays,
    });
    expect(DependsOn).toContain(instance);
    expect(DependsOn).toContain(only('AWS::IAM::Policy', 'MintTokens')[0]);
  });

  test('are there before the first sale is read', () => {
    expect(only('AWS::Lambda::EventSourceMapping')[1].DependsOn).toContain(only('Custom::InfluxDbTokens')[0]);
  });

  test('are stored by the step, which reads three secrets, writes two, and may do no more', () => {
    const id = (prefix: string) => ({ Ref: only('AWS::SecretsManager::Secret', prefix)[0] });
    const secrets = statementsOf('MintTokens').filter(({ actions }) => actions[0]!.startsWith('secretsmanager:'));

    expect(actionsOf('MintTokens', /^(?!logs|ec2)/)).toEqual([
      'kms:Decrypt',
      'kms:GenerateDataKey',
      'secretsmanager:GetSecretValue',
      'secretsmanager:PutSecretValue',
    ]);
    const written = secrets.filter(({ actions }) => actions.includes('secretsmanager:PutSecretValue'));
    expect(written.flatMap(({ resources }) => resources)).toEqual([id('WriteToken'), id('ReadToken')]);
  });

  test('the writer reads its own only', () => {
    const read = statementsOf('Writer').filter(({ actions }) => actions.includes('secretsmanager:GetSecretValue'));

    expect(read.flatMap(({ resources }) => resources)).toEqual([
      { Ref: only('AWS::SecretsManager::Secret', 'WriteToken')[0] },
    ]);
    expect(actionsOf('Writer', /^(s3|secretsmanager|dynamodb)/)).toEqual([
      's3:ListBucket',
      's3:PutObject',
      'secretsmanager:GetSecretValue',
    ]);
  });
});

test('no statement names everything, but for the network interfaces that have no name yet', () => {
  const wide = [...statementsOf('Writer'), ...statementsOf('MintTokens')].filter(({ resources }) =>
    resources.includes('*'),
  );

  expect(wide.flatMap(({ actions }) => actions).filter((action) => !action.startsWith('ec2:'))).toEqual([]);
});

test('keys are used through their services only', () => {
  const keyed = [...statementsOf('Writer'), ...statementsOf('MintTokens')].filter(({ actions }) =>
    actions[0]!.startsWith('kms:'),
  );

  expect(keyed.length).toBeGreaterThan(3);
  for (const { conditions } of keyed)
    expect(conditions).toEqual({
      StringEquals: {
        'kms:ViaService': expect.stringMatching(/^(kinesis|s3|secretsmanager)\.eu-west-1\.amazonaws\.com$/),
      },
    });
});

test.each([
  ['MintTokens', ['FIRST_USER_SECRET_ARN', 'ORGANIZATION', 'READ_TOKEN_SECRET_ARN', 'WRITE_TOKEN_SECRET_ARN']],
  ['Writer', ['HELD_BUCKET_NAME', 'WRITE_TOKEN_SECRET_ARN']],
  // Never the token that writes.
  ['AnswersQuery', ['READ_TOKEN_SECRET_ARN']],
])('%s is given each variable that it asks for', (prefix, own) => {
  const shared = ['INFLUXDB_ENDPOINT', 'ITEMS_DATABASE', 'SALES_DATABASE'];

  const { Variables } = only('AWS::Lambda::Function', prefix)[1].Properties.Environment;

  expect(Object.keys(Variables).sort()).toEqual([...own, ...shared].sort());
});

test('the comparison reads sales in the lake by Athena, and changes nothing there', () => {
  expect(actionsOf('ComparisonCompare', /^(?!logs|ec2)/)).toEqual([
    ...[
      'athena:GetQueryExecution',
      'athena:GetQueryResults',
      'athena:StartQueryExecution',
      'athena:StopQueryExecution',
    ],
    ...['glue:GetDatabase', 'glue:GetPartitions', 'glue:GetTable'],
    ...['kms:Decrypt', 'kms:GenerateDataKey'],
    ...[
      's3:AbortMultipartUpload',
      's3:GetBucketLocation',
      's3:GetObject',
      's3:ListBucket',
      's3:ListBucketMultipartUploads',
    ],
    ...['s3:ListMultipartUploadParts', 's3:PutObject'],
    'secretsmanager:GetSecretValue',
  ]);
  const puts = statementsOf('ComparisonCompareRole').filter(({ actions }) => actions.includes('s3:PutObject'));
  expect(JSON.stringify(puts.map(({ resources }) => resources))).toMatch(/QueriesResults[^[]*"\/results\/\*"/);
  expect(puts).toHaveLength(1);
  const [read] = statementsOf('ComparisonCompareRole').filter(
    ({ resources }) => /sale_lines/.test(JSON.stringify(resources)) && /Bucket/.test(JSON.stringify(resources)),
  );
  expect(JSON.stringify(read!.resources).match(/"\/[^"]*"/g)).toEqual([
    '"/sale_lines/*"',
    '"/compacted/files/sale_lines/*"',
    '"/compacted/lists/sale_lines/*"',
  ]);
});

test('a crowded minute and sales beyond the retention raise alarms', () => {
  const { signals } = synthesize().stack;

  expect(signals.map(({ name }) => name)).toEqual([
    'MerchandisingLag',
    'MerchandisingErrors',
    'MerchandisingThrottles',
    'MerchandisingGaveUp',
    'MerchandisingHeld',
    'MerchandisingQueryServerErrors',
    'MerchandisingQueryErrors',
    'MerchandisingQueryThrottles',
    'MerchandisingQuerySlow',
    'MerchandisingMissing',
    'MerchandisingItemsMissing',
    'MerchandisingComparisonErrors',
    'MerchandisingComparisonLeft',
    'MerchandisingBeyondRetention',
    'MerchandisingCrowdedMinute',
  ]);
  const crowded = signals.at(-1)!;
  expect(crowded.metric).toMatchObject({ metricName: 'PointsPerSeriesMinute', statistic: 'Maximum' });
  // The chance that two of n meet among 6e10 places: at the threshold, no more than one in a million.
  expect(crowded.threshold ** 2 / (2 * 60e9)).toBeLessThan(1e-6);
  expect((crowded.threshold + 1) ** 2 / (2 * 60e9)).toBeGreaterThan(1e-6);
});

test('dev is cheaper: one zone, a pipe shared with others', () => {
  const { template } = synthesize('dev');

  template.hasResourceProperties('AWS::Timestream::InfluxDBInstance', { DeploymentType: 'SINGLE_AZ' });
  template.resourceCountIs('AWS::Kinesis::StreamConsumer', 0);
});
