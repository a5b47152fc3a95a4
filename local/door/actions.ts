import { dynamodbPermissions } from './dynamodb-permissions';
import { arn, keyUse, keyValues, type Permission, type PermissionRules, type ResourceLookup } from './permission';
import { s3Permissions } from './s3-permissions';
import { timestreamPermissions } from './timestream-permissions';

const kinesisPermissions: PermissionRules = {
  PutRecord: (input, lookup) => [...onStream('PutRecord', input), ...streamKey('kms:GenerateDataKey', input, lookup)],
  PutRecords: (input, lookup) => [...onStream('PutRecords', input), ...streamKey('kms:GenerateDataKey', input, lookup)],
  GetRecords: (input, lookup) => {
    const StreamARN = input.StreamARN ?? lookup.streamOfIterator?.(input.ShardIterator);
    if (StreamARN === undefined) throw new Error('GetRecords: the stream is not known, so name it by StreamARN');
    return [...onStream('GetRecords', { StreamARN }), ...streamKey('kms:Decrypt', { StreamARN }, lookup)];
  },
  GetShardIterator: (input) => onStream('GetShardIterator', input),
  ListShards: (input) => onStream('ListShards', input),
  DescribeStream: (input) => onStream('DescribeStream', input),
  DescribeStreamSummary: (input) => onStream('DescribeStreamSummary', input),
  ListStreams: () => [{ action: 'kinesis:ListStreams', resource: '*' }],
};

const kmsPermissions: PermissionRules = Object.fromEntries(
  [
    ...['Encrypt', 'Decrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'],
    ...['GenerateMac', 'VerifyMac', 'DescribeKey'],
  ].map((operation) => [
    operation,
    (input: any, lookup: ResourceLookup) => [
      {
        action: `kms:${operation}`,
        resource: namedKey(input, lookup),
        values: keyValues(input.EncryptionContext, undefined),
      },
    ],
  ]),
);

const firehosePermissions: PermissionRules = Object.fromEntries(
  ['PutRecord', 'PutRecordBatch', 'DescribeDeliveryStream'].map((operation) => [
    operation,
    ({ DeliveryStreamName }: any) => [
      { action: `firehose:${operation}`, resource: arn('firehose', 'deliverystream/', DeliveryStreamName) },
    ],
  ]),
);

const secretsPermissions: PermissionRules = {
  GetSecretValue: (input, lookup) => secretValue('GetSecretValue', ['kms:Decrypt'], input.SecretId, lookup),
  // The caller must be able to do both, since a new version is written under the secret's own data key.
  PutSecretValue: (input, lookup) =>
    secretValue('PutSecretValue', ['kms:GenerateDataKey', 'kms:Decrypt'], input.SecretId, lookup),
  DescribeSecret: (input, lookup) => secretValue('DescribeSecret', [], input.SecretId, lookup),
};

const redshiftDataPermissions: PermissionRules = {
  ExecuteStatement: (input, lookup) => statement('ExecuteStatement', input, lookup),
  BatchExecuteStatement: (input, lookup) => statement('BatchExecuteStatement', input, lookup),
  // These name a statement, not a workgroup, and have no resource of their own.
  DescribeStatement: () => [{ action: 'redshift-data:DescribeStatement', resource: '*' }],
  GetStatementResult: () => [{ action: 'redshift-data:GetStatementResult', resource: '*' }],
  GetStatementResultV2: () => [{ action: 'redshift-data:GetStatementResult', resource: '*' }],
  CancelStatement: () => [{ action: 'redshift-data:CancelStatement', resource: '*' }],
  ListStatements: () => [{ action: 'redshift-data:ListStatements', resource: '*' }],
};

const redshiftServerlessPermissions: PermissionRules = {
  GetCredentials: (input, lookup) => onWorkgroup('redshift-serverless:GetCredentials', input.workgroupName, lookup),
  GetWorkgroup: (input, lookup) => onWorkgroup('redshift-serverless:GetWorkgroup', input.workgroupName, lookup),
  GetNamespace: ({ namespaceName }, lookup) => [
    {
      action: 'redshift-serverless:GetNamespace',
      resource:
        lookup.arnOf?.('redshift-serverless', namespaceName) ?? arn('redshift-serverless', 'namespace/', namespaceName),
    },
  ],
};

const gluePermissions: PermissionRules = {
  ...catalogRules(['GetDatabase'], (input) => [`database/${input.Name}`]),
  ...catalogRules(['GetTable', 'GetTableVersion', 'GetTableVersions'], (input) =>
    tableParts(input.DatabaseName, input.Name ?? input.TableName),
  ),
  ...catalogRules(['GetTables'], (input) => tableParts(input.DatabaseName, '*')),
  ...catalogRules(['CreateTable', 'UpdateTable'], (input) => tableParts(input.DatabaseName, input.TableInput?.Name)),
  ...catalogRules(
    [
      'GetPartition',
      'GetPartitions',
      'BatchGetPartition',
      'CreatePartition',
      'BatchCreatePartition',
      'UpdatePartition',
    ],
    (input) => tableParts(input.DatabaseName, input.TableName),
  ),
};

const athenaPermissions: PermissionRules = {
  StartQueryExecution: ({ WorkGroup = 'primary' }) => [
    { action: 'athena:StartQueryExecution', resource: arn('athena', 'workgroup/', WorkGroup) },
  ],
  // What a query reads and where its result lies is asked of S3 and Glue, in the caller's name.
  ...Object.fromEntries(
    ['GetQueryExecution', 'GetQueryResults', 'StopQueryExecution'].map((operation) => [
      operation,
      ({ QueryExecutionId }: any, lookup: ResourceLookup) => [
        {
          action: `athena:${operation}`,
          resource: arn('athena', 'workgroup/', lookup.workgroupOf?.(QueryExecutionId) ?? 'primary'),
        },
      ],
    ]),
  ),
};

const eventsPermissions: PermissionRules = {
  PutEvents: ({ Entries = [] }) => {
    const entriesOf = (bus: string) =>
      (Entries as any[]).filter(({ EventBusName }) => String(EventBusName ?? 'default') === bus);
    const buses = new Set((Entries as any[]).map(({ EventBusName }) => String(EventBusName ?? 'default')));
    return [...buses].map(
      (bus): Permission => ({
        action: 'events:PutEvents',
        resource: arn('events', 'event-bus/', bus),
        values: (key) => {
          if (key === 'events:source') return entriesOf(bus).map(({ Source }) => String(Source));
          return key === 'events:detail-type' ? entriesOf(bus).map(({ DetailType }) => String(DetailType)) : undefined;
        },
      }),
    );
  },
};

const queuePermissions: PermissionRules = {
  SendMessage: (input, lookup) => onQueue('SendMessage', input, ['kms:GenerateDataKey', 'kms:Decrypt'], lookup),
  ReceiveMessage: (input, lookup) => onQueue('ReceiveMessage', input, ['kms:Decrypt'], lookup),
  DeleteMessage: (input, lookup) => onQueue('DeleteMessage', input, [], lookup),
  GetQueueAttributes: (input, lookup) => onQueue('GetQueueAttributes', input, [], lookup),
};

const dmsPermissions: PermissionRules = {
  StartReplication: ({ ReplicationConfigArn }) => [{ action: 'dms:StartReplication', resource: ReplicationConfigArn }],
  StopReplication: ({ ReplicationConfigArn }) => [{ action: 'dms:StopReplication', resource: ReplicationConfigArn }],
  // A list, so it has no resource.
  DescribeReplications: () => [{ action: 'dms:DescribeReplications', resource: '*' }],
};

const statesPermissions: PermissionRules = {
  // The input is kept encrypted; whoever brings it must be able to encrypt it.
  StartExecution: ({ stateMachineArn }, lookup) => [
    { action: 'states:StartExecution', resource: stateMachineArn },
    ...keyUse('kms:GenerateDataKey', 'states', stateMachineArn, lookup),
  ],
  DescribeExecution: ({ executionArn }, lookup) => [
    { action: 'states:DescribeExecution', resource: executionArn },
    ...keyUse(
      'kms:Decrypt',
      'states',
      executionArn.replace(':execution:', ':stateMachine:').replace(/:[^:]+$/, ''),
      lookup,
    ),
  ],
  ListExecutions: ({ stateMachineArn }) => [{ action: 'states:ListExecutions', resource: stateMachineArn }],
};

const lambdaPermissions: PermissionRules = {
  Invoke: ({ FunctionName }) => [
    { action: 'lambda:InvokeFunction', resource: arn('lambda', 'function:', FunctionName) },
  ],
};

/** `Resource` is the method's ARN: arn:aws:execute-api:region:account:api/stage/VERB/path. */
const apiPermissions: PermissionRules = {
  Invoke: ({ Resource }) => [{ action: 'execute-api:Invoke', resource: Resource }],
};

const services: ReadonlyMap<string, PermissionRules> = new Map([
  ['dynamodb', dynamodbPermissions],
  ['kinesis', kinesisPermissions],
  ['kms', kmsPermissions],
  ['s3', s3Permissions],
  ['firehose', firehosePermissions],
  ['secretsmanager', secretsPermissions],
  ['redshift-data', redshiftDataPermissions],
  ['redshift-serverless', redshiftServerlessPermissions],
  ['glue', gluePermissions],
  ['athena', athenaPermissions],
  ['events', eventsPermissions],
  ['sqs', queuePermissions],
  ['dms', dmsPermissions],
  ['states', statesPermissions],
  ['timestream', timestreamPermissions],
  ['lambda', lambdaPermissions],
  ['execute-api', apiPermissions],
]);

/** Everything that the caller of this operation must be allowed to do. Throws for operations that are not in the table. */
export function permissionsFor(service: string, operation: string, input: any, lookup: ResourceLookup): Permission[] {
  const rules = services.get(service);
  if (rules === undefined || !Object.hasOwn(rules, operation))
    throw new Error(`the permissions of ${service}:${operation} are not modelled: add it to local/door/actions.ts`);
  return rules[operation]!(input, lookup);
}

function streamArn({ StreamARN, StreamName }: any): string {
  return arn('kinesis', 'stream/', StreamARN ?? StreamName);
}

function onStream(operation: string, input: any): Permission[] {
  return [{ action: `kinesis:${operation}`, resource: streamArn(input) }];
}

function streamKey(action: 'kms:Decrypt' | 'kms:GenerateDataKey', input: any, lookup: ResourceLookup): Permission[] {
  const stream = streamArn(input);
  return keyUse(action, 'kinesis', stream, lookup, { 'aws:kinesis:arn': stream });
}

function namedKey({ KeyId, CiphertextBlob }: any, lookup: ResourceLookup): string {
  if (typeof KeyId === 'string') {
    if (KeyId.startsWith('arn:') && KeyId.includes(':key/')) return KeyId;
    const known = lookup.arnOf?.('kms', KeyId);
    if (known !== undefined) return known;
    if (!KeyId.includes('alias/')) return arn('kms', 'key/', KeyId);
    throw new Error(`the key '${KeyId}' is not known: use a key's id or ARN`);
  }
  const known = typeof CiphertextBlob === 'string' ? lookup.keyOfCiphertext?.(CiphertextBlob) : undefined;
  if (known === undefined) throw new Error('the key of a KMS call is not known, so name it by KeyId');
  return known;
}

function secretValue(
  operation: string,
  keyActions: readonly ('kms:Decrypt' | 'kms:GenerateDataKey')[],
  secretId: string,
  lookup: ResourceLookup,
): Permission[] {
  // A name without its random suffix matches no statement, as on AWS, where the full ARN is compared.
  const resource = lookup.arnOf?.('secretsmanager', secretId) ?? arn('secretsmanager', 'secret:', secretId);
  return [
    { action: `secretsmanager:${operation}`, resource },
    ...keyActions.flatMap((action) => keyUse(action, 'secretsmanager', resource, lookup, { SecretARN: resource })),
  ];
}

function onQueue(
  operation: string,
  { QueueUrl }: any,
  keyActions: readonly ('kms:Decrypt' | 'kms:GenerateDataKey')[],
  lookup: ResourceLookup,
): Permission[] {
  const resource = arn('sqs', String(QueueUrl).split('/').pop()!);
  return [
    { action: `sqs:${operation}`, resource },
    ...keyActions.flatMap((action) => keyUse(action, 'sqs', resource, lookup, { 'aws:sqs:arn': resource })),
  ];
}

function statement(operation: string, input: any, lookup: ResourceLookup): Permission[] {
  const onIt = onWorkgroup(`redshift-data:${operation}`, input.WorkgroupName, lookup);
  return input.SecretArn === undefined
    ? [...onIt, ...onWorkgroup('redshift-serverless:GetCredentials', input.WorkgroupName, lookup)]
    : [...onIt, ...secretValue('GetSecretValue', ['kms:Decrypt'], input.SecretArn, lookup)];
}

function onWorkgroup(action: string, name: string | undefined, lookup: ResourceLookup): Permission[] {
  if (name === undefined) throw new Error(`${action}: only workgroups are modelled, so WorkgroupName is required`);
  const resource = lookup.arnOf?.('redshift-serverless', name) ?? arn('redshift-serverless', 'workgroup/', name);
  return [{ action, resource }];
}

/** The data catalog asks for the action on the catalog, the database and the table alike. */
function catalogRules(operations: readonly string[], parts: (input: any) => readonly string[]): PermissionRules {
  return Object.fromEntries(
    operations.map((operation) => [
      operation,
      (input: any) =>
        ['catalog', ...parts(input)].map((part) => ({ action: `glue:${operation}`, resource: arn('glue', part) })),
    ]),
  );
}

function tableParts(database: string, table: string): string[] {
  return [`database/${database}`, `table/${database}/${table}`];
}
