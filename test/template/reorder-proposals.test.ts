import { Template } from 'aws-cdk-lib/assertions';
import { ReorderProposalsStack } from '../../examples/reorder-proposals/reorder-proposals-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
beforeAll(() => {
  const env = { region: stage.region };
  template = Template.fromStack(new ReorderProposalsStack(ownApp(), 'ReorderProposals', { stage, env }));
});

test('the example is a table, a function with its rule and queue, and their alarms', () => {
  expect(typesIn(template)).toEqual({
    'AWS::CloudWatch::Alarm': 3,
    'AWS::DynamoDB::GlobalTable': 1,
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

test('it needs nothing of the platform but the name of its bus', () => {
  template.hasResourceProperties('AWS::Events::Rule', {
    EventBusName: 'Tillstream-prod-Stock',
    EventPattern: {
      source: ['tillstream.inventory'],
      'detail-type': ['Stock Trigger'],
      detail: { kind: ['reorder-point-reached'] },
    },
  });
  expect(JSON.stringify(template.toJSON())).not.toContain('Fn::ImportValue');
});

test('it may keep proposals, log, and put aside what it cannot process', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));

  expect(policy.Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => Action).sort()).toEqual([
    'dynamodb:PutItem',
    'kms:Decrypt',
    'kms:Decrypt',
    'kms:Encrypt',
    'kms:GenerateDataKey',
    'kms:GenerateDataKey',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'sqs:SendMessage',
  ]);
});
