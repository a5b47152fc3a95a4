import { Template } from 'aws-cdk-lib/assertions';
import { AttributeType } from 'aws-cdk-lib/aws-dynamodb';
import { suspiciousAgeMs } from '../../lambdas/serve/badges/given-up';
import { stream } from '../../lib/base/stream';
import { table } from '../../lib/base/table';
import { BadgesStack } from '../../lib/serve/badges-stack';
import { LakeStack } from '../../lib/serve/lake-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore } from './own-app';

const stage = stageNamed('prod');
let template: Template;
let stack: BadgesStack;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  const epochs = table(before, 'Epochs', {
    stage,
    key,
    partitionKey: 'database',
    sortKey: 'epoch',
    sortKeyType: AttributeType.NUMBER,
  });
  const lake = new LakeStack(app, 'Lake', { stage, env, sales: stream(before, 'Sales', { stage, key }) });
  stack = new BadgesStack(app, 'Badges', {
    stage,
    env,
    changes: stream(before, 'Changes', { stage, key }),
    epochs,
    lake: lake.place,
  });
  template = Template.fromStack(stack);
});

const functionWith = (description: RegExp): any =>
  Object.values<any>(template.findResources('AWS::Lambda::Function')).find(({ Properties }) =>
    description.test(Properties.Description),
  ).Properties;

test('items and tombstones go by themselves, by one attribute in both tables', () => {
  const tables = Object.values<any>(template.findResources('AWS::DynamoDB::GlobalTable'));

  expect(tables.map(({ Properties }) => Properties.KeySchema.map(({ AttributeName }: any) => AttributeName))).toEqual([
    ['pk', 'sk'],
    ['pk'],
  ]);
  for (const { Properties } of tables)
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expiresAt', Enabled: true });
});

test('tombstones outlive the stream and the redrive', () => {
  for (const description of [/^Brings/, /^Sweeps/]) {
    const days = Number(functionWith(description).Environment.Variables.TOMBSTONE_DAYS);

    expect(days).toBeGreaterThan(stage.streams.retentionHours / 24 + stage.redriveDays);
  }
});

test('a change waits for no other, and no record is skipped but at the end of the retention', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    MaximumBatchingWindowInSeconds: 0,
    MaximumRetryAttempts: -1,
    ParallelizationFactor: 1,
    StartingPosition: 'TRIM_HORIZON',
  });
});

test('records are given up long after the reader begins to look for given-up batches before it', () => {
  for (const name of ['local', 'dev', 'prod'] as const)
    expect(stageNamed(name).streams.retentionHours * 3_600_000 * 0.75).toBeGreaterThan(2 * suspiciousAgeMs);
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    MaximumRecordAgeInSeconds: stage.streams.retentionHours * 3_600 * 0.75,
  });
});

test('only the sweep scans, and it only reads what was given up', () => {
  const statements = Object.values<any>(template.findResources('AWS::IAM::Policy')).map(({ Properties }) =>
    Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => Action),
  );

  const scanning = statements.filter((actions) => actions.includes('dynamodb:Scan'));
  expect(scanning).toHaveLength(1);
  expect(scanning[0]).toContain('s3:ListBucket');
  expect(scanning[0]).not.toContain('s3:PutObject');
  expect(statements.flat().filter((action) => action.endsWith('*'))).toEqual([]);
});

test('an age that nobody reports is an alarm', () => {
  const age = stack.signals.find(({ name }) => name === 'FeatureAge')!;

  expect(age.missing).toBe('bad');
  expect(age.threshold).toBeLessThan(stage.badges.policy.maximumAgeSeconds);
});
