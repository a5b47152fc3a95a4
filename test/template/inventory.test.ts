import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { EncryptionKey } from '../../lib/base/encryption-key';
import { stream } from '../../lib/base/stream';
import { InventoryStack } from '../../lib/serve/inventory-stack';
import { stageNamed } from '../../lib/stages';

const outdir = mkdtempSync(join(tmpdir(), 'tillstream-synth-'));
const stage = stageNamed('prod');
let template: Template;
beforeAll(() => {
  const app = new App({
    outdir,
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
  });
  const env = { region: stage.region };
  const before = new Stack(app, 'Before', { env });
  const { key } = new EncryptionKey(before, 'Key', { stage, description: 'before' });
  template = Template.fromStack(
    new InventoryStack(app, 'Inventory', { stage, env, sales: stream(before, 'Sales', { stage, key }) }),
  );
});
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

test('it holds what it is made of, and nothing else', () => {
  const counts: Record<string, number> = {};
  for (const { Type } of Object.values<any>(template.toJSON().Resources)) counts[Type] = (counts[Type] ?? 0) + 1;

  expect(counts).toEqual({
    'AWS::DynamoDB::GlobalTable': 2,
    'AWS::IAM::Policy': 1,
    'AWS::IAM::Role': 1,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::StreamConsumer': 1,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 1,
    'AWS::Logs::LogGroup': 1,
    'AWS::S3::Bucket': 1,
    'AWS::S3::BucketPolicy': 1,
  });
});

test('counters keep no expiry until stock counts come, claims expire', () => {
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    KeySchema: [
      { AttributeName: 'item', KeyType: 'HASH' },
      { AttributeName: 'bucket', KeyType: 'RANGE' },
    ],
    TimeToLiveSpecification: Match.absent(),
  });
  template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
  });
});

test("claims outlive the stream and the redrive, dedup's and this reader's", () => {
  const [fn] = Object.values<any>(template.findResources('AWS::Lambda::Function'));

  expect(Number(fn.Properties.Environment.Variables.CLAIM_DAYS)).toBeGreaterThanOrEqual(2 * (7 + stage.redriveDays));
  expect(Object.keys(fn.Properties.Environment.Variables).sort()).toEqual([
    'CLAIMS_TABLE_NAME',
    'CLAIM_DAYS',
    'COUNTERS_TABLE_NAME',
    'HELD_BUCKET_NAME',
  ]);
});

test('the function claims in one table and counts in the other, and may do no more', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));
  const granted = policy.Properties.PolicyDocument.Statement.filter(({ Action }: any) =>
    [Action].flat().some((action: string) => action.startsWith('dynamodb:')),
  );

  expect(granted.map(({ Action }: any) => Action).sort()).toEqual(['dynamodb:PutItem', 'dynamodb:UpdateItem']);
});

test('one batch at a time per shard, so that a lane is written by one', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { ParallelizationFactor: 1 });
});
