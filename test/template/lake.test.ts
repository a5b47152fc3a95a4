import { Match, Template } from 'aws-cdk-lib/assertions';
import { lakeViewQuery } from '../../lambdas/base/domain/lake-views';
import { rowTables, saleLines, saleTenders } from '../../lambdas/base/domain/sale-rows';
import { stream } from '../../lib/base/stream';
import { LakeStack } from '../../lib/serve/lake-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let lake: LakeStack;
let template: Template;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  lake = new LakeStack(app, 'Lake', { stage, env, sales: stream(before, 'Sales', { stage, key }) });
  template = Template.fromStack(lake);
});

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::Athena::WorkGroup': 1,
    'AWS::Glue::Database': 1,
    'AWS::Glue::Table': 10,
    'AWS::IAM::Policy': 7,
    'AWS::IAM::Role': 7,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::StreamConsumer': 1,
    'AWS::KinesisFirehose::DeliveryStream': 2,
    'AWS::Lambda::EventSourceMapping': 1,
    'AWS::Lambda::Function': 3,
    'AWS::Logs::LogGroup': 5,
    'AWS::Logs::LogStream': 2,
    'AWS::S3::Bucket': 4,
    'AWS::S3::BucketPolicy': 4,
    'AWS::Scheduler::Schedule': 2,
  });
});

test('the lake and the snapshots keep every object for ever, in every version', () => {
  const buckets = Object.values<any>(template.findResources('AWS::S3::Bucket'));
  const forEver = buckets.filter(
    ({ Properties }) =>
      !Properties.LifecycleConfiguration.Rules.some((rule: any) => rule.ExpirationInDays !== undefined),
  );

  expect(forEver).toHaveLength(2);
  for (const bucket of forEver) {
    expect(bucket.Properties.VersioningConfiguration).toEqual({ Status: 'Enabled' });
    expect(bucket.DeletionPolicy).toBe('Retain');
  }
});

test('what a snapshot was decided to be, and is made of, outlives the lock of the parts that are stored', () => {
  const [{ Properties: results }] = Object.entries<any>(template.findResources('AWS::S3::Bucket'))
    .filter(([id]) => id.startsWith('Queries'))
    .map(([, bucket]) => bucket) as [any];
  const [lock] = Object.values<any>(template.findResources('AWS::S3::Bucket')).flatMap(
    ({ Properties }) => Properties.ObjectLockConfiguration?.Rule.DefaultRetention.Days ?? [],
  );
  const rules: { Prefix?: string; ExpirationInDays?: number }[] = results.LifecycleConfiguration.Rules;
  const daysOf = (key: string) =>
    rules
      .filter(({ Prefix = '', ExpirationInDays }) => ExpirationInDays !== undefined && key.startsWith(Prefix))
      .map(({ ExpirationInDays }) => ExpirationInDays!);

  expect(lock).toBeGreaterThan(0);
  for (const folder of ['decided', 'unloaded'])
    expect(Math.min(...daysOf(`snapshots/${folder}/x`))).toBeGreaterThan(lock);
  for (const folder of ['results', 'snapshots/inputs']) expect(daysOf(`${folder}/x`)).toEqual([7]);
});

test.each(rowTables)(
  '$name is a table that Athena reads by date without registered partitions',
  ({ name, columns }) => {
    template.hasResourceProperties('AWS::Glue::Table', {
      DatabaseName: 'tillstream_prod',
      TableInput: {
        Name: name,
        PartitionKeys: [Match.objectLike({ Name: 'accepted_date', Type: 'string' })],
        Parameters: Match.objectLike({ 'projection.enabled': 'true', 'projection.accepted_date.type': 'date' }),
        StorageDescriptor: Match.objectLike({
          Columns: columns.map((column) => ({ Name: column.name, Type: column.type, Comment: column.comment })),
        }),
      },
    });
  },
);

test.each(rowTables)(
  '$name is delivered as Parquet under its date, and what does not fit under errors/',
  ({ name }) => {
    template.hasResourceProperties('AWS::KinesisFirehose::DeliveryStream', {
      DeliveryStreamType: 'DirectPut',
      DeliveryStreamEncryptionConfigurationInput: Match.objectLike({ KeyType: 'CUSTOMER_MANAGED_CMK' }),
      ExtendedS3DestinationConfiguration: Match.objectLike({
        Prefix: `${name}/accepted_date=!{partitionKeyFromQuery:accepted_date}/`,
        ErrorOutputPrefix: Match.stringLikeRegexp(`^errors/${name}/!{firehose:error-output-type}/`),
        DynamicPartitioningConfiguration: Match.objectLike({ Enabled: true }),
        DataFormatConversionConfiguration: Match.objectLike({
          SchemaConfiguration: Match.objectLike({ TableName: name }),
        }),
      }),
    });
  },
);

test('buffers are as large as partitioning and conversion demand', () => {
  for (const { Properties } of Object.values<any>(template.findResources('AWS::KinesisFirehose::DeliveryStream'))) {
    const { BufferingHints } = Properties.ExtendedS3DestinationConfiguration;
    expect(BufferingHints.SizeInMBs).toBeGreaterThanOrEqual(64);
    expect(BufferingHints.IntervalInSeconds).toBeGreaterThanOrEqual(60);
  }
});

test('no statement grants a wildcard, on actions or on resources', () => {
  for (const { Properties } of Object.values<any>(template.findResources('AWS::IAM::Policy')))
    for (const { Action, Resource } of Properties.PolicyDocument.Statement) {
      for (const action of [Action].flat()) expect(action).not.toContain('*');
      expect(Resource).not.toBe('*');
    }
});

test('the writer puts into the two delivery streams and holds what is no sale, and may do no more', () => {
  const writer = Object.entries<any>(template.findResources('AWS::IAM::Policy')).find(([id]) =>
    id.startsWith('Writer'),
  );
  const actions: string[] = writer![1].Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => Action);

  expect(new Set(actions.filter((action) => /^(firehose|s3|glue)/.test(action)))).toEqual(
    new Set(['firehose:PutRecordBatch', 's3:PutObject', 's3:ListBucket']),
  );
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: {
        LINES_STREAM_NAME: Match.anyValue(),
        TENDERS_STREAM_NAME: Match.anyValue(),
        HELD_BUCKET_NAME: Match.anyValue(),
      },
    },
  });
});

test('a query in the workgroup keeps to its configuration: where results lie, under which key, how much it reads', () => {
  template.hasResourceProperties('AWS::Athena::WorkGroup', {
    Name: 'tillstream-prod',
    WorkGroupConfiguration: Match.objectLike({
      EnforceWorkGroupConfiguration: true,
      BytesScannedCutoffPerQuery: 2_000_000_000_000,
      ResultConfiguration: Match.objectLike({
        EncryptionConfiguration: Match.objectLike({ EncryptionOption: 'SSE_KMS' }),
      }),
    }),
  });
});

test('nobody deletes a snapshot before its time', () => {
  template.hasResourceProperties('AWS::S3::Bucket', {
    ObjectLockEnabled: true,
    ObjectLockConfiguration: {
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1_095 } },
    },
  });
});

test.each([
  ['sales', saleLines],
  ['tenders', saleTenders],
])('%s is a view of $name that Presto reads, one row per key', (name, table) => {
  const found = Object.values<any>(template.findResources('AWS::Glue::Table')).find(
    ({ Properties }) => Properties.TableInput.Name === name,
  );
  const { ViewOriginalText, TableType, Parameters } = found.Properties.TableInput;
  const [, text] = /^\/\* Presto View: (\S+) \*\/$/.exec(ViewOriginalText)!;
  const view = JSON.parse(Buffer.from(text!, 'base64').toString());

  expect([TableType, Parameters.presto_view]).toEqual(['VIRTUAL_VIEW', 'true']);
  expect(view).toMatchObject({
    catalog: 'awsdatacatalog',
    schema: 'tillstream_prod',
    originalSql: lakeViewQuery(table),
  });
  expect(view.columns).toContainEqual({ name: 'accepted_at', type: 'timestamp(3)' });
  expect(view.columns.at(-1)).toEqual({ name: 'accepted_date', type: 'varchar' });
});

test('what a week of sales is made into is asked for by name, and its inputs one by one', () => {
  for (const name of ['sale_line_snapshots', 'sale_tender_snapshots'])
    template.hasResourceProperties('AWS::Glue::Table', {
      TableInput: Match.objectLike({
        Name: name,
        Parameters: Match.objectLike({ 'projection.snapshot.type': 'injected' }),
      }),
    });
  for (const name of ['sale_lines_inputs', 'sale_tenders_inputs'])
    template.hasResourceProperties('AWS::Glue::Table', {
      TableInput: Match.objectLike({
        Name: name,
        StorageDescriptor: Match.objectLike({ InputFormat: 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat' }),
      }),
    });
});

test('a file can be as late as two holds and two redrives make it', () => {
  expect(lake.fileDelayDays).toBe(2 * (7 + 30) + 2);
});
