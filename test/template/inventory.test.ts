import { Match, Template } from 'aws-cdk-lib/assertions';
import { stream } from '../../lib/base/stream';
import { table } from '../../lib/base/table';
import { InventoryStack } from '../../lib/serve/inventory-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  template = Template.fromStack(
    new InventoryStack(app, 'Inventory', {
      stage,
      env,
      sales: stream(before, 'Sales', { stage, key }),
      changes: stream(before, 'Changes', { stage, key }),
      epochs: table(before, 'Epochs', { stage, key, partitionKey: 'database', sortKey: 'epoch' }),
    }),
  );
});

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::ApiGateway::Deployment': 1,
    'AWS::ApiGateway::GatewayResponse': 3,
    'AWS::ApiGateway::Method': 1,
    'AWS::ApiGateway::Resource': 1,
    'AWS::ApiGateway::RestApi': 1,
    'AWS::ApiGateway::Stage': 1,
    'AWS::DynamoDB::GlobalTable': 4,
    'AWS::Events::Archive': 1,
    'AWS::Events::EventBus': 1,
    'AWS::IAM::Policy': 8,
    'AWS::IAM::Role': 8,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::StreamConsumer': 1,
    'AWS::Lambda::EventSourceMapping': 3,
    'AWS::Lambda::Function': 6,
    'AWS::Lambda::Permission': 1,
    'AWS::Logs::LogGroup': 7,
    'AWS::S3::Bucket': 1,
    'AWS::S3::BucketPolicy': 1,
    'AWS::Scheduler::Schedule': 2,
  });
});

/** The function of a directory: its variables, and the DynamoDB and EventBridge actions that its role has. */
function functionOf(variable: string, description: RegExp) {
  const functions = Object.values<any>(template.findResources('AWS::Lambda::Function'));
  const { Properties } = functions.find(({ Properties: { Description } }) => description.test(Description));
  const role = Properties.Role['Fn::GetAtt'][0];
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy')).filter(
    ({ Properties: { Roles } }) => Roles[0].Ref === role,
  );
  const granted = policy.Properties.PolicyDocument.Statement.filter(({ Resource }: any) =>
    variable === '' ? true : JSON.stringify(Resource).includes(variable),
  );
  return {
    variables: Properties.Environment.Variables as Record<string, string>,
    actions: granted
      .flatMap(({ Action }: any) => Action)
      .filter((action: string) => /^(dynamodb|events):/.test(action)),
  };
}

test('positions never expire, since no version may be used twice; claims and state do', () => {
  const keys = (KeySchema: any[]) => KeySchema.map(({ AttributeName }) => AttributeName).join(' ');
  const tables = Object.values<any>(template.findResources('AWS::DynamoDB::GlobalTable')).map(({ Properties }) => [
    keys(Properties.KeySchema),
    Properties.TimeToLiveSpecification?.AttributeName,
  ]);

  expect(Object.fromEntries(tables)).toEqual({
    id: 'expiresAt',
    'pk sk': 'expiresAt',
    pk: undefined,
    crossingId: undefined,
  });
});

test("claims outlive the stream and the redrive, dedup's and this reader's", () => {
  const { variables } = functionOf('', /^Counts units/);

  expect(Number(variables.CLAIM_DAYS)).toBeGreaterThanOrEqual(2 * (7 + stage.redriveDays));
});

test('what was sold is kept by its time for as long as a sale can come and be replayed', () => {
  const { variables } = functionOf('', /^Counts units/);

  expect(Number(variables.HORIZON_DAYS)).toBeGreaterThanOrEqual(
    stage.ingest.maximumSaleAgeDays! + 1 + 7 + stage.redriveDays,
  );
});

test('the counting function claims, journals and commits, and deletes nothing but what it held', () => {
  expect(functionOf('Claims', /^Counts units/).actions).toEqual([
    ...[
      'dynamodb:PartiQLInsert',
      'dynamodb:BatchGetItem',
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
    ],
  ]);
  expect(functionOf('Outbox', /^Counts units/).actions).toEqual(['dynamodb:PutItem']);
  expect(functionOf('Positions', /^Counts units/).actions).not.toContain('dynamodb:DeleteItem');
});

test('a lookup reads positions and nothing else', () => {
  expect(functionOf('', /^Answers what there is/).actions).toEqual(['dynamodb:BatchGetItem']);
});

test('the publisher reads what is committed to the outbox, empties it, and puts events on one bus', () => {
  expect(functionOf('', /^Publishes triggers as they/).actions).toEqual([
    'dynamodb:DescribeStream',
    'dynamodb:GetRecords',
    'dynamodb:GetShardIterator',
    'dynamodb:ListStreams',
    'dynamodb:BatchWriteItem',
    'events:PutEvents',
  ]);
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Outbox'), 'StreamArn'] },
    MaximumBatchingWindowInSeconds: 0,
    MaximumRecordAgeInSeconds: 900,
  });
});

test('the net beneath it looks through the outbox, empties it, and puts events on one bus', () => {
  const { actions, variables } = functionOf('', /^Publishes triggers that/);

  expect(actions).toEqual(['dynamodb:Scan', 'dynamodb:BatchWriteItem', 'events:PutEvents']);
  expect(variables.OVERDUE_SECONDS).toBe('60');
});

test('one batch at a time per shard, so that a lane is written by one', () => {
  template.allResourcesProperties('AWS::Lambda::EventSourceMapping', { ParallelizationFactor: 1 });
});
