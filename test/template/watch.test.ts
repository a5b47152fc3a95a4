import { Template } from 'aws-cdk-lib/assertions';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Signal } from '../../lib/base/signal';
import { stageNamed } from '../../lib/stages';
import { WatchStack } from '../../lib/watch/watch-stack';
import { ownApp, typesIn } from './own-app';

const signal = (name: string, change: Partial<Signal> = {}): Signal => ({
  name,
  metric: new Metric({ namespace: 'Tillstream', metricName: name, dimensionsMap: { FunctionName: 'dedup' } }),
  threshold: 0,
  periods: 1,
  impact: 'readers see old sales',
  ...change,
});
const rooms = {
  refine: [signal('DedupHeld'), signal('DedupLag', { threshold: 60_000, periods: 3 })],
  lake: [signal('LakeHeld')],
  quiet: [],
};

function synthesize(given: Readonly<Record<string, readonly Signal[]>> = rooms, alarmEmail?: string) {
  const app = ownApp();
  const stage = { ...stageNamed('prod'), ...(alarmEmail === undefined ? {} : { alarmEmail }) };
  return Template.fromStack(new WatchStack(app, 'Watch', { stage, env: { region: stage.region }, rooms: given }));
}
const resources = (template: Template, type: string) => Object.values<any>(template.findResources(type));

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(synthesize())).toEqual({
    'AWS::CloudWatch::Alarm': 3,
    'AWS::CloudWatch::Dashboard': 1,
    'AWS::KMS::Key': 1,
    'AWS::SNS::Topic': 1,
    'AWS::SNS::TopicPolicy': 1,
  });
});

test('every signal of every room is an alarm that says what is lost and where to read on', () => {
  const alarms = resources(synthesize(), 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);

  expect(alarms.map(({ AlarmName }) => AlarmName)).toEqual([
    'Tillstream-prod-DedupHeld',
    'Tillstream-prod-DedupLag',
    'Tillstream-prod-LakeHeld',
  ]);
  for (const { AlarmName, AlarmDescription } of alarms)
    expect(AlarmDescription).toBe(
      `Impact: readers see old sales. See docs/runbook.md, ${AlarmName.replace('Tillstream-prod-', '')}.`,
    );
});

test('an alarm rings above its threshold for as many periods as its signal says; no data is no alarm', () => {
  const [, lag] = resources(synthesize(), 'AWS::CloudWatch::Alarm');

  expect(lag.Properties).toMatchObject({
    Threshold: 60_000,
    EvaluationPeriods: 3,
    ComparisonOperator: 'GreaterThanThreshold',
    TreatMissingData: 'notBreaching',
    Namespace: 'Tillstream',
    MetricName: 'DedupLag',
    Dimensions: [{ Name: 'FunctionName', Value: 'dedup' }],
  });
});

test('every alarm calls the topic', () => {
  const template = synthesize();
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));

  for (const { Properties } of resources(template, 'AWS::CloudWatch::Alarm'))
    expect(Properties.AlarmActions).toEqual([{ Ref: topic }]);
});

test('the topic is encrypted, by a key that CloudWatch may use for this account', () => {
  const template = synthesize();
  const [key, { Properties }] = Object.entries<any>(template.findResources('AWS::KMS::Key'))[0]!;
  const cloudWatch = Properties.KeyPolicy.Statement.find(
    ({ Principal }: any) => Principal.Service === 'cloudwatch.amazonaws.com',
  );

  expect(resources(template, 'AWS::SNS::Topic')[0].Properties.KmsMasterKeyId).toEqual({
    'Fn::GetAtt': [key, 'Arn'],
  });
  expect(cloudWatch).toMatchObject({
    Effect: 'Allow',
    Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
    Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
  });
});

test('CloudWatch may publish to the topic although it takes TLS only', () => {
  const { Statement } = resources(synthesize(), 'AWS::SNS::TopicPolicy')[0].Properties.PolicyDocument;

  expect(Statement).toContainEqual(
    expect.objectContaining({
      Effect: 'Allow',
      Action: 'sns:Publish',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
    }),
  );
  expect(Statement).toContainEqual(
    expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
  );
});

test('an address is written to, if there is one', () => {
  const subscriptions = (address?: string) =>
    resources(synthesize(rooms, address), 'AWS::SNS::Subscription').map(({ Properties }) => Properties);

  expect(subscriptions()).toEqual([]);
  expect(subscriptions('ops@example.org')).toMatchObject([{ Protocol: 'email', Endpoint: 'ops@example.org' }]);
});

test('the dashboard shows each signal under its room', () => {
  const body = JSON.stringify(resources(synthesize(), 'AWS::CloudWatch::Dashboard')[0].Properties.DashboardBody);

  const shown = [...body.matchAll(/## \w+|title[\\":]+(\w+)/g)].map(([text, title]) => title ?? text);
  expect(shown).toEqual(['## refine', 'DedupHeld', 'DedupLag', '## lake', 'LakeHeld', '## quiet']);
});

test('two signals of one name are refused', () => {
  expect(() => synthesize({ refine: [signal('Held')], lake: [signal('Held')] })).toThrow("name 'Held'");
});
