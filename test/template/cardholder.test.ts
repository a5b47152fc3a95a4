import { Match, Template } from 'aws-cdk-lib/assertions';
import { CardholderStack } from '../../lib/cardholder/cardholder-stack';
import { TokenVaultStack } from '../../lib/cardholder/token-vault-stack';
import { stageNamed } from '../../lib/stages';
import { ownApp, typesIn } from './own-app';

const stage = stageNamed('prod');
let vault: Template;
let cardholder: Template;
let vaultStack: TokenVaultStack;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  vaultStack = new TokenVaultStack(app, 'TokenVault', { stage, env });
  const stack = new CardholderStack(app, 'Cardholder', { stage, env, vault: vaultStack });
  vault = Template.fromStack(vaultStack);
  cardholder = Template.fromStack(stack);
});

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** The statements of the one role whose policy's id starts so. */
function statementsOf(template: Template, name: string): Statement[] {
  const policies = Object.entries<any>(template.findResources('AWS::IAM::Policy'));
  return policies.find(([id]) => id.startsWith(name))![1].Properties.PolicyDocument.Statement;
}

const actionsOf = (statements: readonly Statement[]) => [...new Set(statements.flatMap(({ Action }) => Action))].sort();

test('the vault holds what it is made of, and nothing else', () => {
  expect(typesIn(vault)).toEqual({
    'AWS::DynamoDB::GlobalTable': 1,
    'AWS::IAM::Policy': 3,
    'AWS::IAM::Role': 3,
    'AWS::KMS::Key': 3,
    'AWS::Lambda::Function': 3,
    'AWS::Logs::LogGroup': 3,
    'Custom::Keyset': 1,
  });
});

test('the door holds what it is made of, and nothing else', () => {
  expect(typesIn(cardholder)).toEqual({
    'AWS::ApiGateway::Account': 1,
    'AWS::ApiGateway::Deployment': 1,
    'AWS::ApiGateway::GatewayResponse': 4,
    'AWS::ApiGateway::Method': 2,
    'AWS::ApiGateway::Resource': 2,
    'AWS::ApiGateway::RestApi': 1,
    'AWS::ApiGateway::Stage': 1,
    'AWS::IAM::Policy': 2,
    'AWS::IAM::Role': 3,
    'AWS::KMS::Key': 1,
    'AWS::Kinesis::Stream': 1,
    'AWS::Lambda::Function': 2,
    'AWS::Lambda::Permission': 2,
    'AWS::Logs::LogGroup': 3,
  });
});

test('who vouches for completeness has no way to the vault', () => {
  expect(actionsOf(statementsOf(cardholder, 'CompleteThrough'))).toEqual([
    'kinesis:ListShards',
    'kinesis:PutRecords',
    'kms:GenerateDataKey',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ]);
});

test('the vault is kept: stack, table and keys', () => {
  expect(vaultStack.terminationProtection).toBe(true);
  vault.allResources('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  vault.allResources('AWS::KMS::Key', { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
});

test('the index on tokens leads to the item and holds nothing else', () => {
  vault.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
    GlobalSecondaryIndexes: [
      { IndexName: 'by-token', Projection: { ProjectionType: 'KEYS_ONLY' }, KeySchema: [{ AttributeName: 'token' }] },
    ],
  });
});

test('each wrapping key refuses whoever uses it for another purpose', () => {
  for (const purpose of ['index', 'data'])
    vault.hasResourceProperties('AWS::KMS::Key', {
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Principal: { AWS: '*' },
            Condition: { StringNotEquals: { 'kms:EncryptionContext:purpose': purpose } },
          }),
        ]),
      },
    });
});

test.each([
  ['the door', () => statementsOf(cardholder, 'Ingest'), ['BatchGetItem', 'GetItem', 'PartiQLInsert'], ['kms:Decrypt']],
  [
    'the deploy step',
    () => statementsOf(vault, 'CreateKeyset'),
    ['GetItem', 'PutItem'],
    ['kms:GenerateDataKeyWithoutPlaintext'],
  ],
  ['detokenizing', () => statementsOf(vault, 'Detokenize'), ['GetItem', 'Query'], ['kms:Decrypt']],
  [
    'the rotation',
    () => statementsOf(vault, 'RotateIndexKey'),
    ['BatchGetItem', 'BatchWriteItem', 'GetItem', 'PartiQLInsert', 'PutItem', 'Scan'],
    ['kms:Decrypt', 'kms:GenerateDataKeyWithoutPlaintext'],
  ],
] as const)('%s may do to the vault what it does, and no more', (_, statements, dynamoDb, wrapping) => {
  const all = statements();
  const direct = all.filter(({ Condition }) =>
    JSON.stringify(Condition ?? {}).includes('kms:EncryptionContext:purpose'),
  );

  expect(actionsOf(all).filter((action) => action.startsWith('dynamodb:'))).toEqual(
    dynamoDb.map((action) => `dynamodb:${action}`),
  );
  expect(actionsOf(direct)).toEqual(wrapping);
  for (const { Condition } of direct)
    expect(Condition).toEqual({
      StringEquals: {
        'kms:EncryptionContext:purpose': expect.stringMatching(/^(index|data)$/),
        'kms:EncryptionContext:table': expect.anything(),
      },
    });
});

test('whoever gives card numbers back cannot find a card by its number', () => {
  expect(JSON.stringify(statementsOf(vault, 'Detokenize'))).not.toContain('"index"');
});

test('every other use of a key is on behalf of a service', () => {
  for (const statements of [
    statementsOf(cardholder, 'Ingest'),
    ...['CreateKeyset', 'Detokenize', 'RotateIndexKey'].map((name) => statementsOf(vault, name)),
  ])
    for (const { Action, Condition } of statements)
      if (JSON.stringify(Action).includes('kms:'))
        expect(JSON.stringify(Condition)).toMatch(/kms:ViaService|kms:EncryptionContext:purpose/);
});

test('no role has a wildcard, but for the one by which API Gateway writes logs', () => {
  for (const template of [vault, cardholder])
    for (const [id, { Properties }] of Object.entries<any>(template.findResources('AWS::IAM::Policy')))
      for (const { Action, Resource } of Properties.PolicyDocument.Statement) {
        expect([id, JSON.stringify(Action)]).toEqual([id, expect.not.stringContaining('*')]);
        // A log group's ARN ends in `:*`, which means its streams; GetAtt gives it so.
        expect([id, JSON.stringify(Resource)]).toEqual([id, expect.not.stringContaining('*')]);
      }
});

test('the API wants a signature, limits requests, and logs neither path nor header nor body', () => {
  cardholder.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'POST', AuthorizationType: 'AWS_IAM' });
  cardholder.hasResourceProperties('AWS::ApiGateway::Stage', {
    StageName: 'v1',
    MethodSettings: [
      Match.objectLike({
        DataTraceEnabled: false,
        LoggingLevel: 'OFF',
        ThrottlingRateLimit: stage.ingest.requestsPerSecond,
        ThrottlingBurstLimit: stage.ingest.burst,
      }),
    ],
  });
  const [{ Properties }] = Object.values<any>(cardholder.findResources('AWS::ApiGateway::Stage')) as [any];
  expect(Properties.AccessLogSetting.Format).not.toMatch(/context\.path|requestOverride|input|header|message/i);
});

test.each([
  ['THROTTLED', '429', "'1'"],
  ['INTEGRATION_FAILURE', '503', "'5'"],
  ['INTEGRATION_TIMEOUT', '503', "'5'"],
])('the answer to %s says when to try again', (ResponseType, StatusCode, seconds) => {
  cardholder.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
    ResponseType,
    StatusCode,
    ResponseParameters: { 'gatewayresponse.header.Retry-After': seconds },
  });
});

test('each function is given each variable that it asks for', () => {
  const variables = (template: Template, name: string) => {
    const [, fn] = Object.entries<any>(template.findResources('AWS::Lambda::Function')).find(([id]) =>
      id.startsWith(name),
    )!;
    return Object.keys(fn.Properties.Environment.Variables).sort();
  };
  const keys = ['DATA_WRAPPING_KEY_ARN', 'INDEX_WRAPPING_KEY_ARN'];

  expect(variables(cardholder, 'Ingest')).toEqual([
    'CARD_LIKE_IDENTIFIERS',
    'DATA_WRAPPING_KEY_ARN',
    'INDEX_WRAPPING_KEY_ARN',
    'KEYSET_REFRESH_SECONDS',
    'MAXIMUM_SALE_AGE_DAYS',
    'SALES_INGEST_STREAM_NAME',
    'VAULT_TABLE_NAME',
  ]);
  expect(variables(vault, 'CreateKeyset')).toEqual([...keys, 'VAULT_TABLE_NAME']);
  expect(variables(vault, 'RotateIndexKey')).toEqual([...keys, 'KEYSET_REFRESH_SECONDS', 'VAULT_TABLE_NAME']);
  expect(variables(vault, 'Detokenize')).toEqual([
    'DATA_WRAPPING_KEY_ARN',
    'KEYSET_REFRESH_SECONDS',
    'TOKEN_INDEX_NAME',
    'VAULT_TABLE_NAME',
  ]);
});
