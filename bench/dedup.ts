import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import { saleKey } from '../lambdas/base/domain/sale';
import { localAccount, localRegion } from '../local/engines/engine';
import { kinesisEntry } from '../local/lambda/mapping-kinesis';
import { type Account, type Cost, openAccount } from './base/account';
import { asSale, demoEvents, nthEvent } from './base/demo-sales';
import { callsOf, compare, cpuPerUnit, inTurn, progress, shown, writeUnitsOf } from './base/measured';

/*
 * What it costs to count each sale once: our dedup, the bundle that is deployed, against Powertools' idempotency and batch
 * utilities (bench/peers) on the same stream batches, batch by batch in turn.
 */

const batches = 20;
const batchSize = 500;
const events = batches * batchSize;
const repeatEvery = 20;

/** How many records back the sale of a repeat lies. */
const scenarios = { 'in a later batch': batchSize + 5, 'in the same batch': 10 };

interface Contender {
  readonly name: string;
  /** Where it hands sales over. */
  readonly stream: string;
  readonly handler: (event: KinesisStreamEvent, context: object) => Promise<KinesisStreamBatchResponse>;
}

async function main(): Promise<void> {
  const account = await openAccount();
  const kinesis = new KinesisClient({});
  const contenders = await openContenders(kinesis);
  for (const [where, distance] of Object.entries(scenarios)) {
    const records = recordsOf(where, distance);
    const costs = new Map<Contender, Cost[]>(contenders.map((contender) => [contender, []]));
    const deliveries = new Map<Contender, number>(contenders.map((contender) => [contender, 0]));
    // The first batch warms up, and is what the repeats of the next go back to.
    for (let batch = 0; batch <= batches; batch++) {
      progress(`repeats ${where}: batch ${batch} of ${batches}`);
      const Records = records.slice(batch * batchSize, (batch + 1) * batchSize);
      for (const contender of inTurn(contenders, batch)) {
        const { delivered, cost } = await deliver(account, contender, Records);
        if (batch === 0) continue;
        costs.get(contender)!.push(cost);
        deliveries.set(contender, deliveries.get(contender)! + delivered);
      }
    }
    const keys = new Set(records.map(({ kinesis: { partitionKey } }) => partitionKey));
    for (const { name, stream } of contenders) {
      const handedOver = (await keysIn(kinesis, stream)).filter((key) => keys.has(key));
      if (handedOver.length !== keys.size || new Set(handedOver).size !== keys.size)
        throw new Error(`${name} handed over ${handedOver.length} records of ${keys.size} sales`);
    }
    compare(
      `dedup: ${shown(events)} events, 1 in ${repeatEvery} repeats one ${where}`,
      ['deliveries/event', 'calls/event', 'write units/event', 'CPU us/event'],
      contenders.map((contender) => {
        const cost = costs.get(contender)!;
        const per = [deliveries.get(contender)! / events, callsOf(cost) / events, writeUnitsOf(cost) / events];
        return [contender.name, ...per, cpuPerUnit(cost, batchSize)];
      }),
    );
  }
  account.close();
}

async function openContenders(kinesis: KinesisClient): Promise<readonly Contender[]> {
  const dynamoDb = new DynamoDBClient({});
  for (const TableName of ['claims', 'idempotency'])
    await dynamoDb.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      }),
    );
  // More shards than are filled: nothing is to be throttled.
  for (const StreamName of ['sales', 'powertools-sales'])
    await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 50 }));
  Object.assign(process.env, {
    CLAIMS_TABLE_NAME: 'claims',
    CLAIM_DAYS: '16',
    SALES_STREAM_NAME: 'sales',
    HELD_BUCKET_NAME: 'held',
    POWERTOOLS_TABLE_NAME: 'idempotency',
    POWERTOOLS_SALES_STREAM_NAME: 'powertools-sales',
  });
  const handlerOf = (bundle: string) => createRequire(__filename)(resolve('build', bundle)).handler;
  return [
    { name: 'tillstream', stream: 'sales', handler: handlerOf('lambdas/refine/dedup') },
    { name: 'Powertools', stream: 'powertools-sales', handler: handlerOf('bench/peers/powertools-dedup') },
  ];
}

/** The records of one shard: a batch to warm up, and those that are measured. */
function recordsOf(scenario: string, distance: number): KinesisStreamRecord[] {
  const demo = demoEvents();
  const source = {
    streamArn: `arn:aws:kinesis:${localRegion}:${localAccount}:stream/sales-ingest`,
    roleArn: `arn:aws:iam::${localAccount}:role/dedup`,
    region: localRegion,
  };
  return Array.from({ length: events + batchSize }, (_, index) => {
    const repeats = index % repeatEvery === repeatEvery - 1 && index >= distance;
    const event = nthEvent(demo, repeats ? index - distance : index);
    const transactionId = `${event.transactionId}-${scenario.replaceAll(' ', '-')}`;
    const acceptedAt = new Date(Date.UTC(2026, 10, 22) + index).toISOString();
    const sale = asSale({ ...event, transactionId }, acceptedAt);
    const record = {
      SequenceNumber: String(49590338271490256608559692538361571095921575989136588898n + BigInt(index)),
      PartitionKey: saleKey(sale),
      Data: Buffer.from(JSON.stringify(sale)).toString('base64'),
      ApproximateArrivalTimestamp: 1_795_342_530.987,
    };
    return JSON.parse(kinesisEntry(record, 'shardId-000000000000', source).text);
  });
}

/** Delivers a batch as an event source mapping does: again from the first failed record on, until none fails. */
async function deliver(account: Account, { name, handler }: Contender, batch: readonly KinesisStreamRecord[]) {
  let delivered = 0;
  const cost = await account.measure(async () => {
    for (let Records = [...batch]; Records.length > 0; ) {
      delivered += Records.length;
      if (delivered > 10 * batchSize) throw new Error(`${name} fails the same batch again and again`);
      const { batchItemFailures } = await handler({ Records }, { getRemainingTimeInMillis: () => 120_000 });
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const first = Records.findIndex(({ kinesis }) => failed.has(kinesis.sequenceNumber));
      Records = first === -1 ? [] : Records.slice(first);
    }
  });
  return { delivered, cost };
}

async function keysIn(kinesis: KinesisClient, StreamName: string): Promise<string[]> {
  const keys: string[] = [];
  const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName }));
  for (const { ShardId } of Shards) {
    const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
    let { ShardIterator } = await kinesis.send(new GetShardIteratorCommand(start));
    for (;;) {
      const { Records = [], NextShardIterator } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      if (Records.length === 0) break;
      for (const { PartitionKey } of Records) keys.push(PartitionKey!);
      ShardIterator = NextShardIterator;
    }
  }
  return keys;
}

void main();
