import { Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { StreamViewType } from 'aws-cdk-lib/aws-dynamodb';
import { table } from '../../lib/base/table';
import { TableConsumer } from '../../lib/base/table-consumer';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
let consumer: TableConsumer;

/** A table with or without a stream, and its reader. */
function make(changes?: StreamViewType): Stack {
  const app = ownApp();
  const { key } = stackBefore(app, stage);
  const stack = new Stack(app, 'Reading', { env: { region: stage.region } });
  consumer = new TableConsumer(stack, 'Follow', {
    stage,
    key,
    table: table(stack, 'Counters', { stage, key, partitionKey: 'id', ...(changes && { changes }) }),
    // Any bundle will do.
    directory: 'refine/dedup',
    description: 'follows',
    timeout: Duration.minutes(1),
    memoryMebibytes: 512,
    batchSize: 100,
    batchingWindow: Duration.seconds(1),
    patience: Duration.hours(6),
    reader: 'Follow',
    impact: 'nothing follows',
  });
  return stack;
}

beforeAll(() => {
  template = Template.fromStack(make(StreamViewType.NEW_AND_OLD_IMAGES));
});

test('it is a function, its source and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::DynamoDB::GlobalTable': 1,
    'AWS::IAM::Policy': 1,
    'AWS::IAM::Role': 1,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 1,
    'AWS::Logs::LogGroup': 1,
  });
});

test('it reads the stream of the table from its oldest record on, and tries again for as long as it should', () => {
  const [[table]] = Object.entries(template.findResources('AWS::DynamoDB::GlobalTable')) as [[string, unknown]];

  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
  });
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: { 'Fn::GetAtt': [table, 'StreamArn'] },
    StartingPosition: 'TRIM_HORIZON',
    ParallelizationFactor: 1,
    BisectBatchOnFunctionError: true,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRetryAttempts: -1,
    MaximumRecordAgeInSeconds: 6 * 3_600,
    DestinationConfig: Match.absent(),
  });
});

test('its role reads that stream, and may do nothing to the table', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));
  const statements: any[] = policy.Properties.PolicyDocument.Statement;
  const reading = statements.filter(({ Action }) => /^dynamodb:/.test([Action].flat()[0]));

  expect(reading).toEqual([
    {
      Effect: 'Allow',
      Action: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams'],
      Resource: { 'Fn::GetAtt': [expect.any(String), 'StreamArn'] },
    },
  ]);
  expect(statements.flatMap(({ Action }) => Action).sort()).toEqual([
    ...['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams'],
    ...['kms:Decrypt', 'logs:CreateLogStream', 'logs:PutLogEvents'],
  ]);
  expect(statements.map(({ Resource }) => Resource)).not.toContain('*');
});

test('it says when it lags or fails', () => {
  expect(consumer.signals.map(({ name }) => name)).toEqual(['FollowLag', 'FollowErrors', 'FollowThrottles']);
});

test('a table without a stream is refused', () => {
  expect(() => make()).toThrow('Reading/Counters has no stream: make it with `changes`');
});
