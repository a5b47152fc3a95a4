import { Template } from 'aws-cdk-lib/assertions';
import { NetworkStack } from '../../lib/base/network-stack';
import { stream } from '../../lib/base/stream';
import { LakeStack } from '../../lib/serve/lake-stack';
import { MerchandisingStack } from '../../lib/serve/merchandising-stack';
import { merchandisingEngines, stageNamed, withMerchandisingEngine } from '../../lib/stages';
import { models } from '../../local/resources/models';
import { usedProperties } from '../../local/template/resource-model';
import { findingsOf } from './findings';
import { ownApp, stackBefore } from './own-app';
import { resourceNamedBy, type Statement, statementsOf } from './references';
import { countsOf, nameOf, ofType, type Resource, synthesizedLiveAnalytics, synthesizedStage } from './synthesized';

const synthesized = synthesizedLiveAnalytics();
const ours = (...types: string[]) => ofType(synthesized, ...types).filter(({ stack }) => stack === 'Merchandising');
const tables = () => ours('AWS::Timestream::Table');
const [database] = ours('AWS::Timestream::Database') as [Resource];

/** What the role of a function that begins so may do. */
const permissionsOf = (prefix: string): Statement[] =>
  statementsOf(synthesized).filter(
    ({ of, principal }) => principal === undefined && of.startsWith(`Merchandising/${prefix}`),
  );
const ofService = (statements: Statement[], service: string) =>
  statements.filter(({ actions }) => actions.some((action) => action.startsWith(`${service}:`)));

test('the stack holds what it is made of, and nothing else; the others are as they were', () => {
  const { Merchandising, Watch, ...others } = countsOf(synthesized);

  expect(Merchandising).toEqual({
    'AWS::ApiGateway::Deployment': 1,
    'AWS::ApiGateway::GatewayResponse': 3,
    'AWS::ApiGateway::Method': 5,
    'AWS::ApiGateway::Resource': 6,
    'AWS::ApiGateway::RestApi': 1,
    'AWS::ApiGateway::Stage': 1,
    'AWS::IAM::Policy': 4,
    'AWS::IAM::Role': 4,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::StreamConsumer': 1,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 3,
    'AWS::Lambda::Permission': 5,
    'AWS::Logs::LogGroup': 4,
    'AWS::S3::Bucket': 1,
    'AWS::S3::BucketPolicy': 1,
    'AWS::Scheduler::Schedule': 1,
    'AWS::Timestream::Database': 1,
    'AWS::Timestream::Table': 3,
  });
  const { Merchandising: _, Watch: watched, ...asBefore } = countsOf(synthesizedStage('prod'));
  expect(others).toEqual(asBefore);
  expect(Watch!['AWS::CloudWatch::Alarm']).toBe(watched!['AWS::CloudWatch::Alarm']! + 3);
  expect(synthesized.warnings).toEqual([]);
});

test('cdk-nag finds what we acknowledge, no more and no less', () => {
  expect(findingsOf(synthesized)).toMatchObject({ unacknowledged: [], withoutCause: [] });
});

test("the database is under the room's key, and outlives its stack in prod", () => {
  expect(resourceNamedBy(database.Properties!.KmsKeyId, database, synthesized)?.Type).toBe('AWS::KMS::Key');
  for (const { DeletionPolicy, UpdateReplacePolicy } of [database, ...tables()])
    expect([DeletionPolicy, UpdateReplacePolicy]).toEqual(['Retain', 'Retain']);
});

test('tables keep points as long as the stage says, and take late ones', () => {
  const { salesRetentionDays, itemsRetentionDays, memoryHours } = synthesized.stage.merchandising;
  const kept = tables().map(({ Properties }) => [
    Properties.TableName,
    Properties.RetentionProperties,
    Properties.Schema?.CompositePartitionKey,
  ]);
  const retention = (days: number) => ({
    MemoryStoreRetentionPeriodInHours: String(memoryHours),
    MagneticStoreRetentionPeriodInDays: String(days),
  });
  const by = (Name: string) => [{ Type: 'DIMENSION', Name, EnforcementInRecord: 'REQUIRED' }];

  expect(kept.sort()).toEqual([
    ['items', retention(itemsRetentionDays), by('sku')],
    ['sales', retention(salesRetentionDays), by('location')],
    ['sources', retention(salesRetentionDays), undefined],
  ]);
  for (const table of tables()) {
    const { EnableMagneticStoreWrites, MagneticStoreRejectedDataLocation } =
      table.Properties.MagneticStoreWriteProperties;
    const { BucketName, KmsKeyId, ...place } = MagneticStoreRejectedDataLocation.S3Configuration;
    expect([EnableMagneticStoreWrites, place]).toEqual([
      true,
      { ObjectKeyPrefix: 'rejected/', EncryptionOption: 'SSE_KMS' },
    ]);
    expect(nameOf(resourceNamedBy(BucketName, table, synthesized)!)).toMatch(/^Merchandising\/Held/);
    expect(resourceNamedBy(KmsKeyId, table, synthesized)?.Type).toBe('AWS::KMS::Key');
    expect(resourceNamedBy(table.Properties.DatabaseName, table, synthesized)?.Type).toBe('AWS::Timestream::Database');
  }
});

test('where nothing is ever too old, tables keep points for the longest that there is, and go with their stack', () => {
  const stage = withMerchandisingEngine(stageNamed('local'), 'liveanalytics');
  const env = { region: stage.region };
  const app = ownApp();
  const { before, key } = stackBefore(app, stage);
  const { vpc, functions } = new NetworkStack(app, 'Network', { stage, env });
  const sales = stream(before, 'Sales', { stage, key });
  const lake = new LakeStack(app, 'Lake', { stage, env, sales });
  const template = Template.fromStack(
    new MerchandisingStack(app, 'Merchandising', { stage, env, vpc, functions, sales, lake }),
  );

  template.allResourcesProperties('AWS::Timestream::Table', {
    RetentionProperties: { MagneticStoreRetentionPeriodInDays: '73000' },
  });
  template.allResources('AWS::Timestream::Table', { DeletionPolicy: 'Delete' });
});

describe('permissions', () => {
  test.each([
    ['Writer', 'timestream:WriteRecords'],
    ['AnswersQuery', 'timestream:Select'],
  ])('of %s are %s on the three tables, and to ask for its endpoint', (prefix, action) => {
    const given = ofService(permissionsOf(prefix), 'timestream');

    expect(given.map(({ actions }) => actions)).toEqual([[action], ['timestream:DescribeEndpoints']]);
    const [onTables, onEndpoints] = given as [Statement, Statement];
    const named = onTables.resources.map((resource) => resourceNamedBy(resource, tables()[0]!, synthesized)!);
    expect(named.map(nameOf).sort()).toEqual(tables().map(nameOf).sort());
    // A list of endpoints is no resource: IAM knows no other way to allow it.
    expect(onEndpoints.resources).toEqual(['*']);
  });

  test.each(['Writer', 'AnswersQuery'])('of %s are on no secret, and use the key through services only', (prefix) => {
    const statements = permissionsOf(prefix);

    expect(ofService(statements, 'secretsmanager')).toEqual([]);
    expect(ofService(statements, 'ec2')).toEqual([]);
    const keyed = ofService(statements, 'kms');
    expect(JSON.stringify(keyed)).toContain('timestream.eu-west-1.amazonaws.com');
    for (const { condition } of keyed) expect(JSON.stringify(condition)).toContain('kms:ViaService');
  });

  test('functions are in no network: LiveAnalytics is reached under a role', () => {
    for (const { Properties } of ours('AWS::Lambda::Function')) expect(Properties.VpcConfig).toBeUndefined();
  });

  test("Timestream may put its reports, of this account's tables, into one folder", () => {
    const given = statementsOf(synthesized).filter(
      ({ stack, principal }) => stack === 'Merchandising' && JSON.stringify(principal ?? '').includes('timestream'),
    );

    expect(given.map(({ actions }) => actions).sort()).toEqual([
      ['kms:GenerateDataKey'],
      ['s3:GetBucketAcl'],
      ['s3:PutObject'],
    ]);
    for (const { condition } of given)
      expect(condition).toEqual({ StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } });
    expect(JSON.stringify(given.find(({ actions }) => actions.includes('s3:PutObject'))!.resources)).toContain(
      '/rejected/*',
    );
  });
});

test('what came late and was not kept by the database raises alarms, whichever table it is of', () => {
  const alarms = ofType(synthesized, 'AWS::CloudWatch::Alarm').filter(
    ({ Properties }) => Properties.Namespace === 'AWS/Timestream',
  );

  expect(alarms.map(({ Properties }) => [Properties.AlarmName, Properties.MetricName])).toEqual([
    ['Tillstream-prod-MerchandisingLateSalesRejected', 'MagneticStoreRejectedRecordCount'],
    ['Tillstream-prod-MerchandisingLateItemsRejected', 'MagneticStoreRejectedRecordCount'],
    ['Tillstream-prod-MerchandisingLateMarksRejected', 'MagneticStoreRejectedRecordCount'],
  ]);
});

test('the local run has a model for each property of database and tables', () => {
  const resources = ours('AWS::Timestream::Database', 'AWS::Timestream::Table');

  expect(resources).toHaveLength(4);
  for (const { stackName, logicalId, Type: type, Properties: properties } of resources)
    usedProperties(
      { stackName, logicalId, type, properties, generatedName: logicalId, previous: undefined },
      models[type]!,
    );
});

test('an engine that is none is refused, with the names of those that there are', () => {
  expect(merchandisingEngines).toEqual(['influxdb', 'liveanalytics']);
  expect(withMerchandisingEngine(stageNamed('dev'), undefined)).toBe(stageNamed('dev'));
  for (const name of ['influx', ''])
    expect(() => withMerchandisingEngine(stageNamed('dev'), name)).toThrow(
      `merchandisingEngine '${name}' is unknown: use influxdb, liveanalytics`,
    );
});
