import { Match, Template } from 'aws-cdk-lib/assertions';
import { stream } from '../../lib/base/stream';
import { RefineStack } from '../../lib/refine/refine-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let refine: RefineStack;
let template: Template;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  refine = new RefineStack(app, 'Refine', { stage, env, salesIngest: stream(before, 'SalesIngest', { stage, key }) });
  template = Template.fromStack(refine);
});

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::DynamoDB::GlobalTable': 1,
    'AWS::IAM::Policy': 3,
    'AWS::IAM::Role': 3,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::Stream': 1,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 2,
    'AWS::Logs::LogGroup': 2,
    'AWS::S3::Bucket': 1,
    'AWS::S3::BucketPolicy': 1,
    'AWS::Scheduler::Schedule': 1,
  });
});

test('the function inserts and looks up claims, writes sales, holds what it cannot hand over, and may do no more', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));
  const actions = policy.Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => Action).filter(
    (action: string) => /^(dynamodb|s3|kinesis:Put)/.test(action),
  );

  expect(new Set(actions)).toEqual(
    new Set(['dynamodb:PartiQLInsert', 'dynamodb:BatchGetItem', 'kinesis:PutRecords', 's3:PutObject', 's3:ListBucket']),
  );
});

test('claims outlive the oldest sale, the stream and the redrive', () => {
  const { maximumSaleAgeDays } = stage.ingest;

  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: Match.objectLike({ CLAIM_DAYS: String(maximumSaleAgeDays! + 1 + 7 + stage.redriveDays + 1) }),
    },
  });
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
  });
});

test('the function is given each variable that it asks for', () => {
  const [fn] = Object.values<any>(template.findResources('AWS::Lambda::Function'));

  expect(Object.keys(fn.Properties.Environment.Variables).sort()).toEqual([
    'CLAIMS_TABLE_NAME',
    'CLAIM_DAYS',
    'HELD_BUCKET_NAME',
    'SALES_STREAM_NAME',
  ]);
});

test('conflicts raise an alarm at the first one', () => {
  expect(refine.signals).toContainEqual(expect.objectContaining({ name: 'DedupConflicts', threshold: 0, periods: 1 }));
});
