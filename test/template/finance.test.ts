import { Match, Template } from 'aws-cdk-lib/assertions';
import { migrations } from '../../lambdas/serve/finance/create-schema/migrations';
import { rightsOf } from '../../lambdas/serve/finance/create-schema/rights';
import { NetworkStack } from '../../lib/base/network-stack';
import { stream } from '../../lib/base/stream';
import { FinanceStack } from '../../lib/serve/finance-stack';
import { LakeStack } from '../../lib/serve/lake-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { vpc } = new NetworkStack(app, 'Network', { stage, env });
  const { before, key } = stackBefore(app, stage);
  const lake = new LakeStack(app, 'Lake', { stage, env, sales: stream(before, 'Sales', { stage, key }) });
  template = Template.fromStack(new FinanceStack(app, 'Finance', { stage, env, vpc, lake }));
});

const policyOf = (id: string): any[] =>
  Object.entries<any>(template.findResources('AWS::IAM::Policy')).find(([name]) => name.startsWith(id))![1].Properties
    .PolicyDocument.Statement;

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::EC2::SecurityGroup': 1,
    'AWS::Events::Rule': 1,
    'AWS::IAM::Policy': 12,
    'AWS::IAM::Role': 12,
    'AWS::KMS::Key': 1,
    'AWS::Lambda::Function': 7,
    'AWS::Lambda::Permission': 1,
    'AWS::Logs::LogGroup': 7,
    'AWS::RedshiftServerless::Namespace': 1,
    'AWS::RedshiftServerless::Workgroup': 1,
    'AWS::S3::Bucket': 3,
    'AWS::S3::BucketPolicy': 3,
    'AWS::Scheduler::Schedule': 3,
    'AWS::StepFunctions::StateMachine': 1,
    'Custom::LedgerSchema': 1,
  });
});

test('nobody can connect to the warehouse, and what it sends is encrypted', () => {
  template.hasResourceProperties('AWS::RedshiftServerless::Workgroup', {
    PubliclyAccessible: false,
    EnhancedVpcRouting: true,
    ConfigParameters: Match.arrayWith([{ ParameterKey: 'require_ssl', ParameterValue: 'true' }]),
  });
  const [workgroup] = Object.values<any>(template.findResources('AWS::RedshiftServerless::Workgroup'));
  expect(workgroup.Properties.SubnetIds).toHaveLength(3);
  const [group] = Object.values<any>(template.findResources('AWS::EC2::SecurityGroup'));
  expect(group.Properties).not.toHaveProperty('SecurityGroupIngress');
});

test('Redshift keeps the administrator password, under our key', () => {
  template.hasResourceProperties('AWS::RedshiftServerless::Namespace', {
    ManageAdminPassword: true,
    AdminUserPassword: Match.absent(),
    AdminPasswordSecretKmsKeyId: Match.anyValue(),
    KmsKeyId: Match.anyValue(),
    LogExports: ['userlog', 'connectionlog', 'useractivitylog'],
  });
  template.hasResource('AWS::RedshiftServerless::Namespace', { DeletionPolicy: 'Retain' });
});

test('the newest version of the schema runs the deploy step', () => {
  template.hasResourceProperties('Custom::LedgerSchema', { revision: String(migrations.at(-1)!.version) });
});

test("a function's database user is its role, in lower case as Redshift folds it", () => {
  const [schema] = Object.values<any>(template.findResources('Custom::LedgerSchema'));
  const { ledgerUsers } = schema.Properties;

  expect(Object.keys(ledgerUsers)).toEqual(Object.keys(rightsOf));
  for (const user of Object.values<string>(ledgerUsers)) {
    template.hasResourceProperties('AWS::IAM::Role', { RoleName: user.replace('IAMR:', '') });
    expect(user).toMatch(/^IAMR:tillstream-prod-[a-z-]+$/);
  }
});

test('a settlement file that is dropped calls its function, and S3 may', () => {
  const [[rule, { Properties }]] = Object.entries<any>(template.findResources('AWS::Events::Rule')) as any;
  const [target] = Properties.Targets;

  expect(Properties.EventPattern.detail.object.key).toEqual([{ prefix: 'incoming/' }]);
  const [bucketName] = Properties.EventPattern.detail.bucket.name;
  expect(template.toJSON().Resources[bucketName.Ref].Properties.NotificationConfiguration).toEqual({
    EventBridgeConfiguration: { EventBridgeEnabled: true },
  });
  template.hasResourceProperties('AWS::Lambda::Permission', {
    FunctionName: { Ref: target.Arn['Fn::GetAtt'][0] },
    Principal: 'events.amazonaws.com',
    SourceArn: { 'Fn::GetAtt': [rule, 'Arn'] },
  });
});

test('the function for settlements reads what is dropped, and writes nothing there', () => {
  const s3 = policyOf('SettlementSettle').filter(({ Action }) =>
    [Action].flat().some((action: string) => action.startsWith('s3:')),
  );

  const folders = s3.map(({ Action, Resource }) => [
    Action,
    [Resource].flat().map((resource: any) => resource['Fn::Join']?.[1].at(-1) ?? 'bucket'),
  ]);
  expect(folders).toEqual([
    ['s3:ListBucket', ['bucket']],
    ['s3:GetObject', ['/incoming/*']],
    ['s3:PutObject', ['/loaded/*', '/held/*']],
    ['s3:PutObject', ['/manifests/settlement/*']],
  ]);
});

test('nothing is loaded before the schema is there', () => {
  const [[schemaId]] = Object.entries(template.findResources('Custom::LedgerSchema')) as [[string, unknown]];
  const [schedule] = Object.values<any>(template.findResources('AWS::Scheduler::Schedule'));
  const [schema] = Object.values<any>(template.findResources('Custom::LedgerSchema'));

  expect(schedule.DependsOn).toContain(schemaId);
  expect(schema.DependsOn.join(' ')).toMatch(/Workgroup/);
  expect(schedule.Properties).toMatchObject({
    ScheduleExpression: 'rate(60 minutes)',
    FlexibleTimeWindow: { Mode: 'OFF' },
  });
});

test('the loader lists two folders of the lake and writes manifests: it reads no file of either', () => {
  const statements = policyOf('Load');
  const s3 = statements.filter(({ Action }) => [Action].flat().some((action: string) => action.startsWith('s3:')));

  expect(s3.map(({ Action }) => Action)).toEqual(['s3:ListBucket', 's3:PutObject']);
  expect(s3[0].Condition.StringEquals['s3:prefix']).toEqual([
    'sale_lines/accepted_date=',
    'sale_tenders/accepted_date=',
  ]);
});

test('COPY reads the files of the lake and the manifests, and writes nothing', () => {
  const actions = policyOf('CopyRole').flatMap(({ Action }) => Action);

  expect(new Set(actions)).toEqual(new Set(['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation', 'kms:Decrypt']));
});

test('the only wildcard is for asking how a statement ended', () => {
  const wild = Object.values<any>(template.findResources('AWS::IAM::Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Resource }) => Resource === '*')
    .map(({ Action }) => Action);

  expect(wild.length).toBeGreaterThan(4);
  for (const actions of wild)
    expect(actions).toEqual(['redshift-data:DescribeStatement', 'redshift-data:GetStatementResult']);
});

test('the functions are given what they ask for', () => {
  const given = Object.values<any>(template.findResources('AWS::Lambda::Function')).map(({ Properties }) =>
    Object.keys(Properties.Environment.Variables).sort(),
  );

  expect(given).toContainEqual(['DATABASE_NAME', 'LEDGER_USERS', 'NAMESPACE_NAME', 'WORKGROUP_NAME']);
  expect(given).toContainEqual([
    'COPY_ROLE_ARN',
    'DATABASE_NAME',
    'LAKE_BUCKET_NAME',
    'LOOK_BACK_DAYS',
    'MANIFEST_BUCKET_NAME',
    'WORKGROUP_NAME',
  ]);
});

describe('the daily workflow', () => {
  const machine = (): any =>
    Object.values<any>(template.findResources('AWS::StepFunctions::StateMachine'))[0].Properties;
  const definition = () =>
    JSON.parse(
      machine()
        .DefinitionString['Fn::Join'][1].map((part: unknown) => (typeof part === 'string' ? part : 'arn'))
        .join(''),
    );

  test('loads, takes settlements, closes the day, reconciles and reports, and whatever fails fails the execution', () => {
    const { StartAt, States } = definition();
    const order: string[] = [];
    for (let name = StartAt; name !== 'Done'; ) {
      order.push(name);
      const next = States[States[name].Next];
      // What loads is asked again while it has something left: no day is closed on a part.
      if (['Load', 'Settle'].includes(name))
        expect(next.Choices).toEqual([{ Variable: `$.${name}.outcome.left`, NumericGreaterThan: 0, Next: name }]);
      name = next.Default ?? States[name].Next;
    }

    expect(order).toEqual(['Load', 'Settle', 'CloseDay', 'Reconcile', 'Report']);
    for (const name of order) {
      expect(States[name].Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Failed' }]);
      for (const retrier of States[name].Retry) expect(retrier.MaxAttempts).toBeLessThanOrEqual(6);
    }
    expect(States.Failed).toEqual({ Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: '$.failure.Cause' });
  });

  test('may invoke its steps and nothing else, and keeps its history under our key', () => {
    const statements = policyOf('ReconciliationDailyRole');

    expect(statements.map(({ Action }) => Action)).toEqual([
      'lambda:InvokeFunction',
      ['kms:Decrypt', 'kms:GenerateDataKey'],
    ]);
    expect(statements[0].Resource).toHaveLength(
      Object.values<any>(definition().States).filter(({ Type }) => Type === 'Task').length,
    );
    expect(machine().EncryptionConfiguration).toMatchObject({ Type: 'CUSTOMER_MANAGED_KMS_KEY' });
  });

  test('starts every day, and is told when', () => {
    template.hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'cron(0 13 * * ? *)',
      Target: Match.objectLike({ Input: '{"scheduledTime":"<aws.scheduler.scheduled-time>"}' }),
    });
  });
});
