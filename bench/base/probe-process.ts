import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { Client } from 'pg';
import { BadgeClient, type BadgeClientOptions } from '../../lambdas/serve/badges/client';

export interface ProbeOptions {
  readonly inventory: string;
  readonly dynamoDb: DynamoDBClientConfig;
  readonly tableName: string;
  readonly policy: BadgeClientOptions['policy'];
  readonly sku: string;
  readonly fc: string;
  readonly seconds: number;
}

/** A badge engine that waits for changes which it makes itself, in a process of its own: what it asks with is not measured. */
process.once('message', async (options: ProbeOptions) => {
  const { sku, fc, tableName, policy } = options;
  const inventory = new Client({ connectionString: options.inventory });
  await inventory.connect();
  const badges = new BadgeClient({ dynamoDb: new DynamoDBClient(options.dynamoDb), tableName, policy });
  const available = async () => (await badges.lookup({ skus: [sku], fcs: [fc] })).answers[0]!.available;
  const took: number[] = [];
  const ends = performance.now() + options.seconds * 1_000;
  for (let wanted = 20; performance.now() < ends; wanted++) {
    const started = performance.now();
    await inventory.query('update stock set on_hand = $1 where sku = $2 and location = $3', [wanted, sku, fc]);
    // A pause, since whoever asks without one takes from the machine what the answer waits for.
    while ((await available()) !== wanted) await delay(5);
    took.push(performance.now() - started);
    await delay(20 + (wanted % 7) * 10);
  }
  await inventory.end();
  process.send!(took, () => process.disconnect());
});
