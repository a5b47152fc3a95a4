import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Rig } from '../engine-rig';

export const vaultTable = 'vault';
export const salesIngest = 'sales-ingest';

/** Seconds between refreshes of the keyset in tests that do not wait for one: as deployed. */
const deployedRefresh = '60';

export type Environment = Readonly<Record<string, string>>;

/** Makes an empty vault with its keyset, and an empty stream; answers the environment of the room's functions. */
export async function openVault(rig: Rig, refreshSeconds = deployedRefresh): Promise<Environment> {
  const { dynamodb, kinesis, kms } = rig.engines;
  await dynamodb.call('CreateTable', {
    TableName: vaultTable,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'token'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'by-token',
        KeySchema: [{ AttributeName: 'token', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  });
  await kinesis.call('CreateStream', { StreamName: salesIngest, ShardCount: 2 });
  const key = async () => (await kms.call('CreateKey', {})).KeyMetadata.Arn;
  const environment = {
    VAULT_TABLE_NAME: vaultTable,
    SALES_INGEST_STREAM_NAME: salesIngest,
    INDEX_WRAPPING_KEY_ARN: await key(),
    DATA_WRAPPING_KEY_ARN: await key(),
    KEYSET_REFRESH_SECONDS: refreshSeconds,
    TOKEN_INDEX_NAME: 'by-token',
  };
  await createKeyset(rig, environment);
  rig.forget();
  return environment;
}

export async function closeVault({ engines: { dynamodb, kinesis } }: Rig): Promise<void> {
  await dynamodb.call('DeleteTable', { TableName: vaultTable });
  await kinesis.call('DeleteStream', { StreamName: salesIngest });
}

/** Runs the deploy step as CloudFormation does, and answers what it reported. */
export async function createKeyset(rig: Rig, environment: Environment): Promise<string> {
  let report = '';
  const server = createServer((request, response) => {
    request.on('data', (chunk) => {
      report += chunk;
    });
    request.on('end', () => response.end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await rig.container('../lambdas/cardholder/create-keyset/handler', environment).invoke({
      RequestType: 'Create',
      ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Keyset',
      ResourceProperties: {},
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return JSON.parse(report).Status;
}

export function ingest(rig: Rig, environment: Environment) {
  return rig.container('../lambdas/cardholder/ingest/handler', environment);
}

/** A request as API Gateway hands it over. */
export function request(sales: readonly unknown[]): { body: string; isBase64Encoded: boolean } {
  return { body: JSON.stringify({ sales }), isBase64Encoded: false };
}

export const statusesOf = ({ body }: { body: string }): string[] =>
  JSON.parse(body).results.map(({ status }: { status: string }) => status);

/** Every sale in the stream, shard by shard. */
export async function salesIn({ engines: { kinesis } }: Rig): Promise<any[]> {
  const sales: any[] = [];
  const { Shards } = await kinesis.call('ListShards', { StreamName: salesIngest });
  for (const { ShardId } of Shards) {
    const { ShardIterator: start } = await kinesis.call('GetShardIterator', {
      StreamName: salesIngest,
      ShardId,
      ShardIteratorType: 'TRIM_HORIZON',
    });
    let iterator = start;
    for (;;) {
      const { Records, NextShardIterator } = await kinesis.call('GetRecords', { ShardIterator: iterator });
      if (Records.length === 0) break;
      for (const { Data } of Records) sales.push(JSON.parse(Buffer.from(Data, 'base64').toString()));
      iterator = NextShardIterator;
    }
  }
  return sales;
}

/** The items of the vault whose key starts so: cards under one version of the index key. */
export async function cardsIn({ engines: { dynamodb } }: Rig, prefix = 'card#'): Promise<any[]> {
  const { Items } = await dynamodb.call('Scan', { TableName: vaultTable, ConsistentRead: true });
  return Items.filter(({ pk }: any) => pk.S.startsWith(prefix));
}

/** The tokens in the stream by the last four digits of their card, all of them. */
export function tokensByCard(sales: readonly any[]): Map<string, Set<string>> {
  const tokens = new Map<string, Set<string>>();
  for (const { tenders } of sales)
    for (const { card } of tenders)
      if (card !== undefined) {
        const key = `${card.bin}-${card.last4}`;
        tokens.set(key, (tokens.get(key) ?? new Set()).add(card.token));
      }
  return tokens;
}

/** Card numbers of our own making under a test prefix, each with its own last four digits. */
export function manyCards(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const start = `41111111${String(index).padStart(7, '0')}`;
    for (let last = 0; ; last++) if (luhn(start + last)) return start + last;
  });
}

function luhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
