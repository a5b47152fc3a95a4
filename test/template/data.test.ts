import { resourceNamedBy } from './references';
import { countsOf, isCdksOwn, nameOf, ofType, stages, synthesizedStage } from './synthesized';

/** What holds data, or what data cannot be read without. */
const stateful = [
  'AWS::DynamoDB::GlobalTable',
  'AWS::KMS::Key',
  'AWS::Kinesis::Stream',
  'AWS::Logs::LogGroup',
  'AWS::RDS::DBCluster',
  'AWS::RedshiftServerless::Namespace',
  'AWS::S3::Bucket',
  'AWS::SecretsManager::Secret',
  'AWS::Timestream::InfluxDBInstance',
];

const createdDatabases = [
  'Cdc/CdcInventoryDatabaseClusterSecretEDDC67663fdaad7efa858a3daf9490cf0a702aeb',
  'Cdc/CdcOrdersDatabaseClusterSecretB3B15AED3fdaad7efa858a3daf9490cf0a702aeb',
  'Cdc/InventoryDatabaseCluster040BFCF0',
  'Cdc/OrdersDatabaseClusterAE2D01D0',
];

describe('data', () => {
  test.each(stages)('in %s it lies where it always lay: another stack or id would be an empty store', (name) => {
    expect(
      ofType(synthesizedStage(name), ...stateful)
        .map(nameOf)
        .sort(),
    ).toEqual(
      [
        // The databases that a stage makes for itself; prod has them already.
        ...(name === 'prod' ? [] : createdDatabases),
        'Badges/ApiAccessLog713001CC',
        'Badges/ApiLookupLogs89D0BE2A',
        'Badges/ApplyConsumerLogs50223848',
        'Badges/EncryptionKey514CDF8F',
        'Badges/HeldE0C74053',
        'Badges/HistoryLogsD715A285',
        'Badges/OnlineD2D46C5D',
        'Badges/State1C20CC9A',
        'Badges/SweepLogsA7192123',
        'Cardholder/AccessLogD598EBE9',
        'Cardholder/CompleteThroughLogs96EEA720',
        'Cardholder/EncryptionKey514CDF8F',
        'Cardholder/IngestLogs41B5EF21',
        'Cardholder/SalesIngest67D9ABB7',
        'Cdc/BeatLogs509D7568',
        'Cdc/Changes510ED4B0',
        'Cdc/ControlReplicationLogs92D10905',
        'Cdc/EncryptionKey514CDF8F',
        'Cdc/Epochs9E0882CB',
        'Cdc/PrepareSourceLogs8919E214',
        'Finance/CreateSchemaLogs15BC258E',
        'Finance/EncryptionKey514CDF8F',
        'Finance/LoadLogsFED4C05A',
        'Finance/Manifests6831C0C3',
        'Finance/Namespace',
        'Finance/ReconciliationCloseLogs4CDC7BD1',
        'Finance/ReconciliationReconcileLogsD78DBF81',
        'Finance/ReconciliationReportLogsCBE56EFF',
        'Finance/ReconciliationReportsB3F26D55',
        'Finance/ReconciliationResolveLogs76CFA858',
        'Finance/SettlementFilesC3C8C1C8',
        'Finance/SettlementSettleLogs95B22580',
        'Inventory/ApiAccessLog713001CC',
        'Inventory/ApiLookupLogs89D0BE2A',
        'Inventory/ApplyConsumerLogs50223848',
        'Inventory/ClaimsE8D96B24',
        'Inventory/CountConsumerLogsAA2B5AB7',
        'Inventory/EncryptionKey514CDF8F',
        'Inventory/HeldE0C74053',
        'Inventory/Outbox27BBF20A',
        'Inventory/PositionsB10BB777',
        'Inventory/PublishConsumerLogsB6970D64',
        'Inventory/RepublishLogsC9ADCFFE',
        'Inventory/State1C20CC9A',
        'Inventory/SweepLogsA7192123',
        'Lake/Bucket83908E77',
        'Lake/CompactionCompactLogs348F9989',
        'Lake/EncryptionKey514CDF8F',
        'Lake/HeldE0C74053',
        'Lake/QueriesResultsB9A74B2C',
        'Lake/SaleLinesLogs323757A1',
        'Lake/SaleTendersLogs82759175',
        'Lake/SnapshotsBucket4B2233F7',
        'Lake/SnapshotsMakeLogs901E978A',
        'Lake/WriterConsumerLogsD2BA4DF9',
        'Merchandising/AnswersAccessLogFA90D13A',
        'Merchandising/AnswersQueryLogsE953F390',
        'Merchandising/ComparisonCompareLogsC0569CF6',
        'Merchandising/EncryptionKey514CDF8F',
        'Merchandising/FirstUser348F378A',
        'Merchandising/HeldE0C74053',
        'Merchandising/Instance',
        'Merchandising/MintTokensLogs0E57676D',
        'Merchandising/ReadTokenEC31EF59',
        'Merchandising/WriteToken2FC3440A',
        'Merchandising/WriterConsumerLogsD2BA4DF9',
        'Network/EncryptionKey514CDF8F',
        'Network/FlowLogs16C1943A',
        'Refine/BeatLogs509D7568',
        'Refine/ClaimsE8D96B24',
        'Refine/DedupConsumerLogsDF56AAB4',
        'Refine/EncryptionKey514CDF8F',
        'Refine/HeldE0C74053',
        'Refine/Sales1863061C',
        'TokenVault/CreateKeysetLogs4D7F7A5F',
        'TokenVault/DataWrappingKey52D2379B',
        'TokenVault/DetokenizeLogsB8F75F98',
        'TokenVault/EncryptionKey514CDF8F',
        'TokenVault/IndexWrappingKey06CEFCAB',
        'TokenVault/RotateIndexKeyLogs876D8A37',
        'TokenVault/Vault23237E5B',
        'Watch/EncryptionKey514CDF8F',
      ].sort(),
    );
  });

  test('in prod it outlives its stack', () => {
    for (const resource of ofType(synthesizedStage('prod'), ...stateful))
      expect([nameOf(resource), resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([
        nameOf(resource),
        'Retain',
        'Retain',
      ]);
  });

  test('in prod nothing of it is deleted by mistake, and yesterday can be had back', () => {
    const prod = synthesizedStage('prod');

    expect(prod.protectedStacks).toEqual(Object.keys(countsOf(prod)));
    for (const { Properties } of ofType(prod, 'AWS::DynamoDB::GlobalTable'))
      expect(Properties.Replicas).toMatchObject([
        { DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } },
      ]);
    for (const { Properties } of ofType(prod, 'AWS::S3::Bucket'))
      expect(Properties.VersioningConfiguration).toEqual({ Status: 'Enabled' });
  });

  test.each(['local', 'dev'] as const)('in %s it goes with its stack', (name) => {
    const synthesized = synthesizedStage(name);

    expect(synthesized.protectedStacks).toEqual([]);
    for (const resource of ofType(synthesized, ...stateful))
      expect([nameOf(resource), resource.DeletionPolicy]).toEqual([nameOf(resource), 'Delete']);
    const kept = synthesized.resources.filter(({ DeletionPolicy = 'Delete' }) => DeletionPolicy !== 'Delete');
    expect(kept.map(nameOf)).toEqual([]);
    for (const { Properties } of ofType(synthesized, 'AWS::DynamoDB::GlobalTable'))
      expect(Properties.Replicas[0].DeletionProtectionEnabled ?? false).toBe(false);
  });

  test('in dev every bucket is emptied before it is deleted; in prod none is, ever', () => {
    const dev = synthesizedStage('dev');
    const emptied = ofType(dev, 'Custom::S3AutoDeleteObjects').map((step) =>
      nameOf(resourceNamedBy(step.Properties.BucketName, step, dev)!),
    );

    expect(emptied.sort()).toEqual(ofType(dev, 'AWS::S3::Bucket').map(nameOf).sort());
    expect(ofType(synthesizedStage('prod'), 'Custom::S3AutoDeleteObjects')).toEqual([]);
  });

  test.each(stages)('in %s all of it is under a key of ours', (name) => {
    const synthesized = synthesizedStage(name);
    const keyOf: Record<string, (properties: any) => unknown[]> = {
      'AWS::DMS::Endpoint': ({ KmsKeyId }) => [KmsKeyId],
      'AWS::DMS::ReplicationConfig': ({ ComputeConfig }) => [ComputeConfig?.KmsKeyId],
      'AWS::DynamoDB::GlobalTable': ({ SSESpecification, Replicas }) => {
        expect(SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' });
        return Replicas.map((replica: any) => replica.SSESpecification?.KMSMasterKeyId);
      },
      'AWS::Kinesis::Stream': ({ StreamEncryption }) => [StreamEncryption?.KeyId],
      'AWS::KinesisFirehose::DeliveryStream': (properties) => [
        properties.DeliveryStreamEncryptionConfigurationInput?.KeyARN,
        properties.ExtendedS3DestinationConfiguration?.EncryptionConfiguration?.KMSEncryptionConfig?.AWSKMSKeyARN,
      ],
      'AWS::Lambda::Function': ({ KmsKeyArn }) => [KmsKeyArn],
      'AWS::Logs::LogGroup': ({ KmsKeyId }) => [KmsKeyId],
      // Prod has its databases already.
      ...(name === 'prod'
        ? {}
        : {
            'AWS::RDS::DBCluster': ({ StorageEncrypted, KmsKeyId }: any) => {
              expect(StorageEncrypted).toBe(true);
              return [KmsKeyId];
            },
          }),
      'AWS::RedshiftServerless::Namespace': ({ KmsKeyId, AdminPasswordSecretKmsKeyId }) => [
        KmsKeyId,
        AdminPasswordSecretKmsKeyId,
      ],
      'AWS::S3::Bucket': ({ BucketEncryption }) => [
        BucketEncryption?.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.KMSMasterKeyID,
      ],
      'AWS::SNS::Topic': ({ KmsMasterKeyId }) => [KmsMasterKeyId],
      'AWS::SecretsManager::Secret': ({ KmsKeyId }) => [KmsKeyId],
      'AWS::Timestream::InfluxDBInstance': ({ KmsKeyId }) => [KmsKeyId],
    };
    const encrypted = ofType(synthesized, ...Object.keys(keyOf)).filter((resource) => !isCdksOwn(resource));

    expect(new Set(encrypted.map(({ Type }) => Type))).toEqual(new Set(Object.keys(keyOf)));
    for (const resource of encrypted)
      for (const [index, key] of keyOf[resource.Type]!(resource.Properties).entries()) {
        const { Type, stack, Properties } = resourceNamedBy(key, resource, synthesized) ?? {};
        // Files lie under the key of their bucket, whoever delivers them.
        const isOfFiles = resource.Type === 'AWS::KinesisFirehose::DeliveryStream' && index === 1;
        const room = isOfFiles ? 'Lake' : resource.stack;
        expect([nameOf(resource), Type, stack]).toEqual([nameOf(resource), 'AWS::KMS::Key', room]);
        expect(Properties?.EnableKeyRotation).toBe(true);
      }
  });
});
