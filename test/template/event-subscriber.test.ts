import { Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { EncryptionKey } from '../../lib/base/encryption-key';
import { eventBus } from '../../lib/base/event-bus';
import { EventSubscriber } from '../../lib/base/event-subscriber';
import { stageNamed } from '../../lib/stages';
import { models } from '../../local/resources/models';
import { usedProperties } from '../../local/template/resource-model';
import { ownApp, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
let subscriber: EventSubscriber;

beforeAll(() => {
  const stack = new Stack(ownApp(), 'Telling', { env: { region: stage.region } });
  const { key } = new EncryptionKey(stack, 'EncryptionKey', { stage, description: 'telling' });
  const bus = eventBus(stack, 'Bus', {
    stage,
    key,
    name: 'Inventory',
    description: 'tells',
    archive: Duration.days(30),
  });
  subscriber = new EventSubscriber(stack, 'Listen', {
    stage,
    key,
    bus,
    pattern: { source: ['tillstream.inventory'] },
    // Any bundle will do.
    directory: 'refine/dedup',
    description: 'listens',
    timeout: Duration.minutes(1),
    memoryMebibytes: 512,
    subscriber: 'Listen',
    impact: 'nobody listens',
  });
  template = Template.fromStack(stack);
});

test('it is a bus with an archive, a function with its rule, a queue, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::Events::Archive': 1,
    'AWS::Events::EventBus': 1,
    'AWS::Events::Rule': 1,
    'AWS::IAM::Policy': 1,
    'AWS::IAM::Role': 1,
    'AWS::KMS::Key': 1,
    'AWS::Lambda::EventInvokeConfig': 1,
    'AWS::Lambda::Function': 1,
    'AWS::Lambda::Permission': 1,
    'AWS::Logs::LogGroup': 1,
    'AWS::SQS::Queue': 1,
    'AWS::SQS::QueuePolicy': 1,
  });
});

test('bus, archive and queue are under the key of the room', () => {
  const key = { 'Fn::GetAtt': [Match.stringLikeRegexp('^EncryptionKey'), 'Arn'] };

  template.hasResourceProperties('AWS::Events::EventBus', {
    Name: 'Tillstream-prod-Inventory',
    KmsKeyIdentifier: key,
  });
  template.hasResourceProperties('AWS::Events::Archive', { RetentionDays: 30, KmsKeyIdentifier: key });
  template.hasResourceProperties('AWS::SQS::Queue', { KmsMasterKeyId: key });
});

test('EventBridge may use the key for this bus and for queues of this account, and for nothing else', () => {
  const [key] = Object.values<any>(template.findResources('AWS::KMS::Key'));
  const statements: any[] = key.Properties.KeyPolicy.Statement.filter(
    ({ Principal }: any) => Principal.Service === 'events.amazonaws.com',
  );

  expect(statements.length).toBeGreaterThan(0);
  for (const { Condition, Action } of statements) {
    expect(Object.keys(Condition.StringEquals).join()).toMatch(/SourceAccount|event-bus:arn/);
    expect([Action].flat().join()).not.toContain('*');
  }
});

test('what does not arrive and what fails three times goes to the queue', () => {
  const queue = { 'Fn::GetAtt': [Match.stringLikeRegexp('^ListenUndelivered'), 'Arn'] };

  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { source: ['tillstream.inventory'] },
    Targets: [
      Match.objectLike({
        DeadLetterConfig: { Arn: queue },
        RetryPolicy: { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 21_600 },
      }),
    ],
  });
  template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
    Qualifier: '$LATEST',
    MaximumRetryAttempts: 2,
    DestinationConfig: { OnFailure: { Destination: queue } },
  });
});

test('only its rule may invoke the function, and fill its queue', () => {
  const [rule] = Object.keys(template.findResources('AWS::Events::Rule'));
  const ruleArn = { 'Fn::GetAtt': [rule, 'Arn'] };

  template.hasResourceProperties('AWS::Lambda::Permission', {
    Action: 'lambda:InvokeFunction',
    Principal: 'events.amazonaws.com',
    SourceArn: ruleArn,
  });
  template.hasResourceProperties('AWS::SQS::QueuePolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        Match.objectLike({
          Effect: 'Allow',
          Action: 'sqs:SendMessage',
          Principal: { Service: 'events.amazonaws.com' },
          Condition: { ArnEquals: { 'aws:SourceArn': ruleArn } },
        }),
      ]),
    },
  });
});

test('its role may log and fill the queue, and no more', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));
  const statements: any[] = policy.Properties.PolicyDocument.Statement;

  expect(statements.flatMap(({ Action }) => Action).sort()).toEqual([
    ...['kms:Decrypt', 'kms:GenerateDataKey', 'logs:CreateLogStream', 'logs:PutLogEvents', 'sqs:SendMessage'],
  ]);
  expect(statements.map(({ Resource }) => Resource)).not.toContain('*');
});

test('it says when events fail, wait or are not delivered', () => {
  expect(subscriber.signals.map(({ name }) => name)).toEqual(['ListenErrors', 'ListenThrottles', 'ListenUndelivered']);
});

test('the local run knows every property of it', () => {
  for (const [logicalId, { Type, Properties = {} }] of Object.entries<any>(template.toJSON().Resources)) {
    const model = models[Type];
    expect({ Type, known: model !== undefined }).toEqual({ Type, known: true });
    const declared = { stackName: 's', logicalId, type: Type, generatedName: logicalId, properties: Properties };
    expect(() => usedProperties({ ...declared, previous: undefined }, model!)).not.toThrow();
  }
});
