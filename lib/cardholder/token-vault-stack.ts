import { CfnOutput, CustomResource, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, ProjectionType, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { EncryptionKey, removalOf } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import { table } from '../base/table';
import type { Stage } from '../stages';

export interface TokenVaultStackProps extends StackProps {
  readonly stage: Stage;
}

type KeyPurpose = 'index' | 'data';

/** Containers read the keyset again after this long; every phase of a rotation lasts three times as long. */
const keysetRefreshSeconds = 60;
const tokenIndexName = 'by-token';

/**
 * Card numbers, encrypted, and their tokens: the only store that holds any. Two keys wrap the vault's own keys, one to
 * find a card and one to open it, so that a role can be given the one without the other.
 */
export class TokenVaultStack extends Stack {
  readonly signals: readonly Signal[];
  readonly #table: TableV2;
  readonly #wrappingKeys: Readonly<Record<KeyPurpose, Key>>;

  constructor(scope: Construct, id: string, { stage, ...props }: TokenVaultStackProps) {
    super(scope, id, { terminationProtection: stage.keepData, ...props });
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream card vault' });
    this.#wrappingKeys = {
      index: this.#wrappingKey('IndexWrappingKey', stage, 'index'),
      data: this.#wrappingKey('DataWrappingKey', stage, 'data'),
    };
    this.#table = table(this, 'Vault', {
      stage,
      key,
      partitionKey: 'pk',
      indexes: [
        {
          indexName: tokenIndexName,
          partitionKey: { name: 'token', type: AttributeType.STRING },
          // Leads to the item and holds nothing else; the keyset has no token and is not in it.
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
    });

    const createKeyset = new NodeFunction(this, 'CreateKeyset', {
      stage,
      directory: 'cardholder/create-keyset',
      description: 'Gives a new vault its keys, once',
      key,
      timeout: Duration.minutes(1),
      memoryMebibytes: 256,
    }).uses(this.#table, 'VAULT_TABLE_NAME', ['GetItem', 'PutItem']);
    this.#drawsKeys(createKeyset, ['index', 'data']);
    const keyset = new CustomResource(this, 'Keyset', {
      serviceToken: createKeyset.function.functionArn,
      resourceType: 'Custom::Keyset',
      properties: { revision: '1' },
    });
    keyset.node.addDependency(createKeyset.role, this.#table);

    const rotateIndexKey = new NodeFunction(this, 'RotateIndexKey', {
      stage,
      directory: 'cardholder/rotate-index-key',
      description: 'Changes the key that cards are found by, step by step; asked by bin/rotate-index-key',
      key,
      timeout: Duration.minutes(15),
      memoryMebibytes: 1_024,
    })
      .uses(this.#table, 'VAULT_TABLE_NAME', [
        'GetItem',
        'PutItem',
        'Scan',
        'BatchGetItem',
        'BatchWriteItem',
        'PartiQLInsert',
      ])
      .environment('KEYSET_REFRESH_SECONDS', String(keysetRefreshSeconds));
    this.#drawsKeys(rotateIndexKey, ['index', 'data']);
    this.#unwraps(rotateIndexKey, ['index', 'data']);

    const detokenize = new NodeFunction(this, 'Detokenize', {
      stage,
      directory: 'cardholder/detokenize',
      description: 'Gives a card number back, and writes down for whom',
      key,
      timeout: Duration.seconds(20),
      memoryMebibytes: 256,
    })
      .uses(this.#table, 'VAULT_TABLE_NAME', ['GetItem'])
      .allow(['dynamodb:Query'], [`${this.#table.tableArn}/index/${tokenIndexName}`])
      .environment('TOKEN_INDEX_NAME', tokenIndexName)
      .environment('KEYSET_REFRESH_SECONDS', String(keysetRefreshSeconds));
    this.#unwraps(detokenize, ['data']);

    new CfnOutput(this, 'RotateIndexKeyFunction', { value: rotateIndexKey.function.functionName });
    new CfnOutput(this, 'DetokenizeFunction', { value: detokenize.function.functionName });

    const throttles = new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'ThrottledRequests',
      dimensionsMap: { TableName: this.#table.tableName, Operation: 'BatchExecuteStatement' },
      statistic: Stats.SUM,
      period: Duration.minutes(5),
    });
    this.signals = [
      {
        name: 'DetokenizedMany',
        metric: businessMetric(detokenize, 'Detokenized'),
        threshold: 100,
        periods: 1,
        impact: 'card numbers leave the vault faster than people ask for them',
      },
      {
        name: 'DetokenizeFailed',
        metric: businessMetric(detokenize, 'DetokenizeFailed'),
        threshold: 10,
        periods: 1,
        impact: 'someone tries tokens that are none, or those who may ask get no card numbers',
      },
      {
        name: 'VaultThrottles',
        metric: throttles,
        threshold: 0,
        periods: 2,
        impact: 'first sales of new cards are sent back to the tills to try again',
      },
    ];
  }

  /** Lets a function give cards their tokens: find them, and insert those that are new. Nothing is changed or deleted. */
  allowTokenizing(fn: NodeFunction): void {
    fn.uses(this.#table, 'VAULT_TABLE_NAME', ['GetItem', 'BatchGetItem', 'PartiQLInsert']).environment(
      'KEYSET_REFRESH_SECONDS',
      String(keysetRefreshSeconds),
    );
    this.#unwraps(fn, ['index', 'data']);
  }

  #unwraps(fn: NodeFunction, purposes: readonly KeyPurpose[]): void {
    this.#uses(fn, purposes, 'kms:Decrypt');
  }

  #drawsKeys(fn: NodeFunction, purposes: readonly KeyPurpose[]): void {
    this.#uses(fn, purposes, 'kms:GenerateDataKeyWithoutPlaintext');
  }

  #uses(fn: NodeFunction, purposes: readonly KeyPurpose[], action: string): void {
    for (const purpose of purposes) {
      const { keyArn } = this.#wrappingKeys[purpose];
      fn.allow([action], [keyArn], {
        StringEquals: {
          'kms:EncryptionContext:purpose': purpose,
          'kms:EncryptionContext:table': this.#table.tableName,
        },
      }).environment(`${purpose.toUpperCase()}_WRAPPING_KEY_ARN`, keyArn);
    }
  }

  /** A key that wraps the vault's keys of one purpose: whatever a role's policy says, it does nothing else. */
  #wrappingKey(id: string, stage: Stage, purpose: KeyPurpose): Key {
    const key = new Key(this, id, {
      description: `Tillstream card vault: wraps its ${purpose} keys`,
      enableKeyRotation: true,
      removalPolicy: removalOf(stage),
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyForItsPurpose',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncryptFrom',
          'kms:ReEncryptTo',
          'kms:GenerateDataKey',
          'kms:GenerateDataKeyWithoutPlaintext',
        ],
        resources: ['*'], // In a key's policy this is the key itself.
        conditions: { StringNotEquals: { 'kms:EncryptionContext:purpose': purpose } },
      }),
    );
    return key;
  }
}
