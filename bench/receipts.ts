import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { evaluate } from '../lambdas/base/domain/badge';
import { heartbeatSlots } from '../lambdas/base/domain/heartbeat-slots';
import { BadgeClient } from '../lambdas/serve/badges/client';
import { attributesOf } from '../lambdas/serve/badges/item-values';
import { OnlineReader } from '../lambdas/serve/badges/lookup/online-reader';
import { openAccount } from './base/account';
import { inTurn, median, shown, table } from './base/measured';

/*
 * What a receipt costs a lookup: the client that gives them against the same reader and evaluation without, in turn, 1 and 48
 * SKUs of one centre. CPU of this process only; time from call to answer, the account in another process.
 */

const rounds = 30;
const lookupsPerRound = 50;
const skus = Array.from({ length: 48 }, (_, index) => `SKU-${index}`);
const policy = { version: '1', maximumAgeSeconds: 86_400, safetyStock: 0, capacityShare: 1 };
const tableName = 'online';

async function main(): Promise<void> {
  const account = await openAccount();
  const dynamoDb = new DynamoDBClient({});
  await fill(dynamoDb);
  const client = new BadgeClient({ dynamoDb, tableName, policy });
  const reader = new OnlineReader({ dynamoDb, tableName, clock: Date.now });
  const contenders = [
    {
      name: 'with receipts',
      ask: async (some: string[]) => (await client.lookup({ skus: some, fcs: ['FC1'] })).answers,
    },
    {
      name: 'without',
      async ask(some: string[]) {
        const request = { skus: some, fcs: ['FC1'] };
        return evaluate(await reader.read(request), request, policy, new Date());
      },
    },
  ];
  const rows: string[][] = [];
  for (const count of [1, 48]) {
    const cpu = contenders.map((): number[] => []);
    const times = contenders.map((): number[] => []);
    for (let round = 0; round <= rounds; round++)
      for (const contender of inTurn(contenders, round)) {
        const place = contenders.indexOf(contender);
        const { cpuMicros } = await account.measure(async () => {
          for (let lookup = 0; lookup < lookupsPerRound; lookup++) {
            const began = performance.now();
            const answers = await contender.ask(skus.slice(0, count));
            // The first round warms up.
            if (round > 0) times[place]!.push(performance.now() - began);
            if (answers.some(({ reason }) => reason !== 'in-stock')) throw new Error('a wrong answer');
          }
        });
        if (round > 0) cpu[place]!.push(cpuMicros / lookupsPerRound);
      }
    for (const [place, { name }] of contenders.entries()) {
      const sorted = times[place]!.sort((one, other) => one - other);
      const at = (share: number) => shown(sorted[Math.floor(share * (sorted.length - 1))]!);
      rows.push([`${count} SKUs, ${name}`, shown(median(cpu[place]!)), at(0.5), at(0.99)]);
    }
  }
  table('a lookup', ['CPU us', 'p50 ms', 'p99 ms'], rows);
  account.close();
}

async function fill(dynamoDb: DynamoDBClient): Promise<void> {
  await dynamoDb.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
  const position = '000001:000000027C000080:0000000001';
  const committedAt = new Date().toISOString();
  const row = (pk: string, features: Record<string, string | number>) => ({
    pk: { S: pk },
    ...attributesOf({ ...features, position, committedAt }),
  });
  const slots = (value: string) => ({ M: Object.fromEntries(heartbeatSlots.map((slot) => [slot, { S: value }])) });
  const items = [
    ...['inventory', 'orders'].map((database) => ({
      pk: { S: `beats#${database}` },
      beats: slots(committedAt),
      positions: slots(position),
    })),
    {
      ...row('centre#FC1', { dailyCapacity: 100, cutoff: '24:00', timeZone: 'Europe/Berlin' }),
      countsVersion: { N: String(Date.now()) },
      promised: { M: Object.fromEntries([committedAt.slice(0, 10)].map((day) => [day, { N: '7' }])) },
    },
    ...skus.flatMap((sku) => [
      row(`sku#${sku}`, { status: 'active', category: 'kitchen', safetyStock: 2, reorderPoint: 5 }),
      row(`stock#${sku}#FC1`, { onHand: 40, reserved: 3 }),
    ]),
  ];
  for (let start = 0; start < items.length; start += 25)
    await dynamoDb.send(
      new BatchWriteItemCommand({
        RequestItems: { [tableName]: items.slice(start, start + 25).map((Item) => ({ PutRequest: { Item } })) },
      }),
    );
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
