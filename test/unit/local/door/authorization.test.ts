import { permissionsFor } from '../../../../local/door/actions';
import { Authorization } from '../../../../local/door/authorization';
import type { ResourceLookup } from '../../../../local/door/permission';
import type { PolicyStatement } from '../../../../local/door/policy';
import { roleSession } from '../../../../local/door/principal';
import { AwsError } from '../../../../local/engines/engine';
import { allow, policy } from './test-door';

const account = 'eu-west-1:000000000000';
const claims = `arn:aws:dynamodb:${account}:table/claims`;
const sales = `arn:aws:kinesis:${account}:stream/sales`;
const key = `arn:aws:kms:${account}:key/11111111-2222-3333-4444-555555555555`;
const plain: ResourceLookup = { keyOf: () => undefined };
const dedup = roleSession('dedup-role', 'dedup', 'dedup');

/** `action resource` of everything that a call needs. */
function needs(service: string, operation: string, input: unknown, lookup = plain): string[] {
  return permissionsFor(service, operation, input, lookup).map(({ action, resource }) => `${action} ${resource}`);
}

function refusal(
  statements: readonly PolicyStatement[],
  call: readonly [string, string, unknown],
  lookup = plain,
): AwsError | undefined {
  const authorization = new Authorization(lookup);
  authorization.registerRole('dedup-role', [policy(...statements)]);
  try {
    authorization.check(dedup, ...call);
    return undefined;
  } catch (error) {
    return error as AwsError;
  }
}

test('of time series, a query needs what it reads, each table by itself, and the key of its database', () => {
  const database = `arn:aws:timestream:${account}:database/sales`;
  const lookup: ResourceLookup = { keyOf: (_, resource) => (resource === database ? key : undefined) };
  const QueryString = `SELECT a FROM (SELECT a FROM "sales"."items" WHERE b = '"x"."y"') WHERE a IN (SELECT a FROM "other"."t")`;

  expect(needs('timestream', 'Query', { QueryString }, lookup)).toEqual([
    `timestream:Select ${database}/table/items`,
    `kms:Decrypt ${key}`,
    `timestream:Select arn:aws:timestream:${account}:database/other/table/t`,
  ]);
  expect(needs('timestream', 'WriteRecords', { DatabaseName: 'sales', TableName: 'items' }, lookup)).toEqual([
    `timestream:WriteRecords ${database}/table/items`,
    `kms:Decrypt ${key}`,
  ]);
  expect(needs('timestream', 'DescribeEndpoints', {})).toEqual(['timestream:DescribeEndpoints *']);
});

test('a refusal names role, action and resource as AWS does', () => {
  const error = refusal([], ['dynamodb', 'PutItem', { TableName: 'claims', Item: {} }])!;

  expect(error.code).toBe('AccessDeniedException');
  expect(error.statusCode).toBe(400);
  expect(error.message).toBe(
    `User: arn:aws:sts::000000000000:assumed-role/dedup-role/dedup is not authorized to perform: dynamodb:PutItem on resource: ${claims} because no identity-based policy allows the dynamodb:PutItem action`,
  );
});

test('an explicit deny is named as such', () => {
  const deny: PolicyStatement = { Effect: 'Deny', Action: 's3:PutObject', Resource: '*' };
  const error = refusal([allow('*', '*'), deny], ['s3', 'PutObject', { Bucket: 'lake', Key: 'a' }])!;

  expect([error.code, error.statusCode]).toEqual(['AccessDenied', 403]);
  expect(error.message).toMatch(
    /s3:PutObject on resource: arn:aws:s3:::lake\/a with an explicit deny in an identity-based policy$/,
  );
});

test('an operation that is not in the table is refused by its name, even to a role that may do everything', () => {
  const everything = [allow('*', '*')];

  expect(refusal(everything, ['dynamodb', 'RestoreTableToPointInTime', {}])!.message).toMatch(
    /^dynamodb:RestoreTableToPointInTime by .*dedup: .* not modelled: add it to local\/door\/actions\.ts$/,
  );
  expect(refusal(everything, ['sns', 'Publish', {}])!.message).toMatch(/^sns:Publish .* not modelled/);
  expect(refusal(everything, ['dynamodb', 'constructor', {}])!.code).toBe('NotModelledException');
});

test('an unregistered role may do nothing', () => {
  const stranger = roleSession('unknown-role', 'x');

  expect(() => new Authorization(plain).check(stranger, 's3', 'GetObject', { Bucket: 'b', Key: 'k' })).toThrow(
    /policies of role 'unknown-role' are not registered/,
  );
});

test('batches and transactions need each action on its own table', () => {
  const batch = { RequestItems: { claims: { Keys: [{}] }, vault: { Keys: [{}] } } };
  const transaction = {
    TransactItems: [
      { Put: { TableName: 'claims', Item: {} } },
      { Put: { TableName: 'claims', Item: {} } },
      { Update: { TableName: 'counters', Key: {} } },
      { ConditionCheck: { TableName: 'claims', Key: {} } },
      { Delete: { TableName: claims, Key: {} } },
    ],
  };

  expect(needs('dynamodb', 'BatchGetItem', batch)).toEqual([
    `dynamodb:BatchGetItem ${claims}`,
    `dynamodb:BatchGetItem arn:aws:dynamodb:${account}:table/vault`,
  ]);
  expect(needs('dynamodb', 'TransactWriteItems', transaction)).toEqual([
    `dynamodb:PutItem ${claims}`,
    `dynamodb:UpdateItem arn:aws:dynamodb:${account}:table/counters`,
    `dynamodb:ConditionCheckItem ${claims}`,
    `dynamodb:DeleteItem ${claims}`,
  ]);
});

test('PartiQL statements need the PartiQL actions of their tables', () => {
  const Statements = [
    { Statement: `INSERT INTO "claims" VALUE {'k': ?}` },
    { Statement: `insert into "claims" value {'k': ?}` },
    { Statement: 'UPDATE vault SET a = ? WHERE k = ?' },
    { Statement: 'DELETE FROM "vault" WHERE k = ?' },
    { Statement: 'SELECT * FROM "vault"."by-token" WHERE token = ?' },
  ];
  const vault = `arn:aws:dynamodb:${account}:table/vault`;

  expect(needs('dynamodb', 'BatchExecuteStatement', { Statements })).toEqual([
    `dynamodb:PartiQLInsert ${claims}`,
    `dynamodb:PartiQLUpdate ${vault}`,
    `dynamodb:PartiQLDelete ${vault}`,
    `dynamodb:PartiQLSelect ${vault}/index/by-token`,
  ]);
  expect(() => needs('dynamodb', 'ExecuteStatement', { Statement: 'EXPLAIN 4111111111111111' })).toThrow(
    /^a PartiQL statement must be INSERT INTO, UPDATE, DELETE FROM or SELECT \.\.\. FROM$/,
  );
});

test('a query of an index needs the index, not the table', () => {
  expect(needs('dynamodb', 'Query', { TableName: 'claims', IndexName: 'by-day' })).toEqual([
    `dynamodb:Query ${claims}/index/by-day`,
  ]);
  expect(needs('dynamodb', 'Query', { TableName: 'claims' })).toEqual([`dynamodb:Query ${claims}`]);
});

test('leading keys are the partition keys of the items', () => {
  const lookup = { ...plain, partitionKeyOf: () => 'pk' };
  const limited = {
    ...allow('dynamodb:GetItem', claims),
    Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'shop-*' } },
  };
  const get = (pk: string) => ['dynamodb', 'GetItem', { TableName: 'claims', Key: { pk: { S: pk } } }] as const;

  expect(refusal([limited], get('shop-1'), lookup)).toBeUndefined();
  expect(refusal([limited], get('web-1'), lookup)?.code).toBe('AccessDeniedException');
  expect(refusal([limited], get('shop-1'))?.message).toMatch(/partition key of .* is not known/);
});

test('S3 reads, versions, lists and deletes are told apart', () => {
  const object = { Bucket: 'lake', Key: 'a/b' };

  expect(needs('s3', 'GetObject', object)).toEqual(['s3:GetObject arn:aws:s3:::lake/a/b']);
  expect(needs('s3', 'GetObject', { ...object, VersionId: '1' })).toEqual([
    's3:GetObjectVersion arn:aws:s3:::lake/a/b',
  ]);
  expect(needs('s3', 'HeadObject', object)).toEqual(['s3:GetObject arn:aws:s3:::lake/a/b']);
  expect(needs('s3', 'ListObjectsV2', { Bucket: 'lake' })).toEqual(['s3:ListBucket arn:aws:s3:::lake']);
  expect(needs('s3', 'CopyObject', { ...object, CopySource: 'in/x%20y' })).toEqual([
    's3:GetObject arn:aws:s3:::in/x y',
    's3:PutObject arn:aws:s3:::lake/a/b',
  ]);
  expect(needs('s3', 'DeleteObjects', { Bucket: 'lake', Delete: { Objects: [{ Key: 'a' }, { Key: 'b' }] } })).toEqual([
    's3:DeleteObject arn:aws:s3:::lake/a',
    's3:DeleteObject arn:aws:s3:::lake/b',
  ]);
});

test('listing can be limited to a prefix', () => {
  const limited = { ...allow('s3:ListBucket', '*'), Condition: { StringLike: { 's3:prefix': 'sales/*' } } };

  expect(refusal([limited], ['s3', 'ListObjectsV2', { Bucket: 'lake', Prefix: 'sales/x' }])).toBeUndefined();
  expect(refusal([limited], ['s3', 'ListObjectsV2', { Bucket: 'lake', Prefix: 'other/' }])?.code).toBe('AccessDenied');
  expect(refusal([limited], ['s3', 'ListObjectsV2', { Bucket: 'lake' }])?.code).toBe('AccessDenied');
});

test.each([
  ['dynamodb', 'GetItem', { TableName: 'claims', Key: {} }, claims, 'kms:Decrypt'],
  ['dynamodb', 'PutItem', { TableName: 'claims', Item: {} }, claims, 'kms:Decrypt'],
  ['kinesis', 'PutRecords', { StreamName: 'sales' }, sales, 'kms:GenerateDataKey'],
  ['kinesis', 'GetRecords', { StreamARN: sales }, sales, 'kms:Decrypt'],
  ['s3', 'PutObject', { Bucket: 'lake', Key: 'a' }, 'arn:aws:s3:::lake', 'kms:GenerateDataKey'],
  ['s3', 'GetObject', { Bucket: 'lake', Key: 'a' }, 'arn:aws:s3:::lake', 'kms:Decrypt'],
  ['secretsmanager', 'GetSecretValue', { SecretId: 's' }, `arn:aws:secretsmanager:${account}:secret:s`, 'kms:Decrypt'],
  [
    'secretsmanager',
    'PutSecretValue',
    { SecretId: 's' },
    `arn:aws:secretsmanager:${account}:secret:s`,
    'kms:GenerateDataKey',
  ],
])('%s %s on an encrypted resource needs its key', (service, operation, input, encrypted, action) => {
  const lookup: ResourceLookup = { keyOf: (of, arn) => (of === service && arn === encrypted ? key : undefined) };
  const via = { StringEquals: { 'kms:ViaService': `${service}.eu-west-1.amazonaws.com` } };
  const own = allow(`${service}:*`, '*');
  const viaService = { ...allow('kms:*', key), Condition: via };
  const direct = { ...allow('kms:*', key), Condition: { Null: { 'kms:ViaService': 'true' } } };

  expect(needs(service, operation, input, lookup)).toContain(`${action} ${key}`);
  expect(refusal([own], [service, operation, input], lookup)?.message).toContain(
    `perform: ${action} on resource: ${key}`,
  );
  expect(refusal([own, direct], [service, operation, input], lookup)?.code).toMatch(/AccessDenied/);
  expect(refusal([own, viaService], [service, operation, input], lookup)).toBeUndefined();
});

test('a direct use of a key is bound to its encryption context', () => {
  const bound = {
    ...allow('kms:Decrypt', key),
    Condition: { StringEquals: { 'kms:EncryptionContext:purpose': 'index' } },
  };
  const exact = {
    ...allow('kms:Decrypt', key),
    Condition: { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['purpose'] } },
  };
  const decrypt = (EncryptionContext: object) => ['kms', 'Decrypt', { KeyId: key, EncryptionContext }] as const;

  expect(refusal([bound], decrypt({ purpose: 'index' }))).toBeUndefined();
  expect(refusal([bound], decrypt({ purpose: 'data' }))?.code).toBe('AccessDeniedException');
  expect(refusal([exact], decrypt({ purpose: 'data' }))).toBeUndefined();
  expect(refusal([exact], decrypt({ purpose: 'data', other: 'x' }))?.code).toBe('AccessDeniedException');
});

test('a key that a call does not name is found by its ciphertext', () => {
  const lookup = { ...plain, keyOfCiphertext: (text: string) => (text === 'abc' ? key : undefined) };

  expect(needs('kms', 'Decrypt', { CiphertextBlob: 'abc' }, lookup)).toEqual([`kms:Decrypt ${key}`]);
  expect(() => needs('kms', 'Decrypt', { CiphertextBlob: 'abc' })).toThrow(/name it by KeyId/);
});

test('a statement without a secret needs temporary credentials of the workgroup', () => {
  const workgroup = `arn:aws:redshift-serverless:${account}:workgroup/finance`;

  expect(needs('redshift-data', 'ExecuteStatement', { WorkgroupName: 'finance' })).toEqual([
    `redshift-data:ExecuteStatement ${workgroup}`,
    `redshift-serverless:GetCredentials ${workgroup}`,
  ]);
  expect(needs('redshift-serverless', 'GetNamespace', { namespaceName: 'ledger' })).toEqual([
    `redshift-serverless:GetNamespace arn:aws:redshift-serverless:${account}:namespace/ledger`,
  ]);
  expect(needs('redshift-data', 'DescribeStatement', { Id: '1' })).toEqual(['redshift-data:DescribeStatement *']);
});

test('every other service has its resources', () => {
  const secret = `arn:aws:secretsmanager:${account}:secret:token-AbCdEf`;
  const lookup = { ...plain, arnOf: (_service: string, name: string) => (name === 'token' ? secret : undefined) };

  expect(needs('firehose', 'PutRecordBatch', { DeliveryStreamName: 'lines' })).toEqual([
    `firehose:PutRecordBatch arn:aws:firehose:${account}:deliverystream/lines`,
  ]);
  expect(needs('secretsmanager', 'GetSecretValue', { SecretId: 'token' }, lookup)).toEqual([
    `secretsmanager:GetSecretValue ${secret}`,
  ]);
  expect(needs('lambda', 'Invoke', { FunctionName: 'dedup' })).toEqual([
    `lambda:InvokeFunction arn:aws:lambda:${account}:function:dedup`,
  ]);
  expect(needs('glue', 'GetTable', { DatabaseName: 'lake', Name: 'lines' })).toEqual([
    `glue:GetTable arn:aws:glue:${account}:catalog`,
    `glue:GetTable arn:aws:glue:${account}:database/lake`,
    `glue:GetTable arn:aws:glue:${account}:table/lake/lines`,
  ]);
});

test('who may not list a bucket does not learn that an object is absent', () => {
  const absent = new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
  const authorization = new Authorization(plain);
  authorization.registerRole('dedup-role', [
    policy(allow('s3:GetObject', '*'), allow('s3:ListBucket', 'arn:aws:s3:::open')),
  ]);
  const seen = (Bucket: string) =>
    authorization.hideAbsence(dedup, 's3', 'GetObject', { Bucket, Key: 'k' }, absent) as AwsError;

  expect(seen('open')).toBe(absent);
  expect(seen('closed').code).toBe('AccessDenied');
});
