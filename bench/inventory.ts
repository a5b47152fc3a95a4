import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { CreateTableCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import { type Sale, saleKey } from '../lambdas/base/domain/sale';
import { stageNamed } from '../lib/stages';
import { localAccount, localRegion } from '../local/engines/engine';
import { kinesisEntry } from '../local/lambda/mapping-kinesis';
import { type Account, openAccount } from './base/account';
import { asSale, demoEvents, nthEvent } from './base/demo-sales';
import { progress, shown, table } from './base/measured';

/*
 * What stock positions cost, and what one hot position takes. Batches of 500 from two shards in turn; partitions throttle as
 * AWS's do, and a wrong count fails the bench.
 */

const batchSize = 500;
const shards = 2;
const pricePerMillionWriteUnits = 0.625;
const pricePerMillionReadUnits = 0.125;
// What a sale cost while its claim and its counters shared a transaction (docs/decisions.md, 2026-11-22), positions not yet kept.
const before = 5.2;

type Handler = (event: KinesisStreamEvent) => Promise<KinesisStreamBatchResponse>;

async function main(): Promise<void> {
  const account = await openAccount({ partitionLimits: true });
  const dynamoDb = new DynamoDBClient({});
  const handler = await openHandler(dynamoDb);

  const demo = demoEvents();
  const sales = Array.from({ length: 20 * batchSize }, (_, index) =>
    asSale(nthEvent(demo, index), new Date().toISOString()),
  );
  const cost = await count(account, handler, sales, 'real baskets');
  await expectUnits(dynamoDb, sales, () => true);
  const perSale = cost.writeUnits / sales.length;
  table(
    `inventory: ${shown(sales.length)} sales of real baskets`,
    ['write units/sale', 'dollars/million sales', 'calls/sale'],
    [
      [
        'claims and positions',
        shown(perSale),
        shown(perSale * pricePerMillionWriteUnits),
        shown(cost.calls / sales.length),
      ],
      ['before: claims and counters', shown(before), shown(before * pricePerMillionWriteUnits), '-'],
    ],
  );
  console.log(
    `  reads come to ${shown(cost.readUnits / sales.length)} read units/sale, ${shown((cost.readUnits / sales.length) * pricePerMillionReadUnits)} dollars/million sales\n`,
  );

  const perSecond = 1_000;
  const seconds = 10;
  const hot = Array.from({ length: perSecond * seconds }, (_, index): Sale => {
    const sale = asSale(demo[0]!, new Date().toISOString());
    const lines = [{ line: 1, sku: 'HOT', quantity: 1, unitPrice: 100 }];
    return {
      ...sale,
      transactionId: `hot-${index}`,
      location: 'store-hot',
      occurredAt: new Date().toISOString(),
      lines,
    };
  });
  const hotCost = await count(account, handler, hot, 'one hot position');
  await expectUnits(dynamoDb, hot, (pk) => pk === 'stock#HOT#store-hot');
  table(
    `one SKU at one location, ${shown(perSecond)} sales a second for ${seconds} seconds`,
    ['write units/second', 'a partition takes'],
    [['the position', shown(hotCost.positionWriteUnits / seconds), '1,000']],
  );
  account.close();
}

async function openHandler(dynamoDb: DynamoDBClient): Promise<Handler> {
  const tables = { claims: ['id'], positions: ['pk'], outbox: ['crossingId'], state: ['pk', 'sk'] };
  for (const [TableName, keys] of Object.entries(tables))
    await dynamoDb.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
      }),
    );
  Object.assign(process.env, {
    CLAIMS_TABLE_NAME: 'claims',
    CLAIM_DAYS: '60',
    POSITIONS_TABLE_NAME: 'positions',
    OUTBOX_TABLE_NAME: 'outbox',
    STATE_TABLE_NAME: 'state',
    HELD_BUCKET_NAME: 'held',
    HORIZON_DAYS: '60',
    STOCK_POLICY: JSON.stringify(stageNamed('prod').stock.policy),
  });
  return createRequire(__filename)(resolve('build', 'lambdas/serve/inventory/count')).handler;
}

/** Delivers sales in batches, shard by shard in turn, and tells what they cost. */
async function count(account: Account, handler: Handler, sales: readonly Sale[], what: string) {
  const total = { writeUnits: 0, readUnits: 0, positionWriteUnits: 0, calls: 0 };
  for (let start = 0; start < sales.length; start += batchSize) {
    progress(`${what}: ${start} of ${sales.length}`);
    const Records = recordsOf(sales.slice(start, start + batchSize), (start / batchSize) % shards, start);
    const cost = await account.measure(async () => {
      const { batchItemFailures } = await handler({ Records });
      if (batchItemFailures.length > 0) throw new Error('a batch was not counted');
    });
    total.writeUnits += cost.writeUnits;
    total.readUnits += cost.readUnits;
    total.positionWriteUnits += cost.tableWriteUnits.positions ?? 0;
    total.calls += Object.values(cost.calls).reduce((sum, each) => sum + each, 0);
  }
  return total;
}

function recordsOf(sales: readonly Sale[], shard: number, first: number): KinesisStreamRecord[] {
  const shardId = `shardId-${String(shard).padStart(12, '0')}`;
  const origin = {
    streamArn: `arn:aws:kinesis:${localRegion}:${localAccount}:stream/sales`,
    roleArn: `arn:aws:iam::${localAccount}:role/count`,
    region: localRegion,
  };
  return sales.map((sale, index) => {
    const record = {
      SequenceNumber: String(49590338271490256608559692538361571095921575989136588898n + BigInt(first + index)),
      PartitionKey: saleKey(sale),
      Data: Buffer.from(JSON.stringify(sale)).toString('base64'),
      ApproximateArrivalTimestamp: Date.now() / 1_000,
    };
    return JSON.parse(kinesisEntry(record, shardId, origin).text);
  });
}

/** Fails the bench when a unit is missing or counted twice. */
async function expectUnits(dynamoDb: DynamoDBClient, sales: readonly Sale[], isMeant: (pk: string) => boolean) {
  const due = sales
    .flatMap(({ type, lines }) => lines.map(({ quantity }) => (type === 'return' ? -quantity : quantity)))
    .reduce((sum, units) => sum + units, 0);
  let counted = 0;
  let ExclusiveStartKey: Record<string, any> | undefined;
  do {
    const page = await dynamoDb.send(
      new ScanCommand({ TableName: 'positions', ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }) }),
    );
    for (const { pk, units } of page.Items ?? []) if (isMeant(pk!.S!)) counted += Number(units?.N ?? 0);
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey !== undefined);
  if (counted !== due) throw new Error(`${counted} units were counted, ${due} were sold`);
}

void main();
