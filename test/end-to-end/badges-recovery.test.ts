import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Client, escapeIdentifier } from 'pg';
import { BadgeClient } from '../../lambdas/serve/badges/client';
import { AwsError } from '../../local/engines/engine';
import { readIterator } from '../../local/engines/kinesis-iterator';
import { wrongBadges } from './badges-by-sql';
import { RunningReplications } from './replications';
import { RunningPlatform } from './running';
import { SourceTraffic } from './source-traffic';

const skus = 60;
const centres = ['FC1', 'FC2'];
const maximumAgeSeconds = 3;

/**
 * Changes go on all the time, and arrive out of order: each call of DMS is mixed, and the stream refuses some of its
 * records, which come later. Whatever happens meanwhile, in the end every answer is that of the sources.
 */
describe('badges recover', () => {
  let platform: RunningPlatform;
  let replications: RunningReplications;
  let inventory: Client;
  let orders: Client;
  let badges: BadgeClient;
  let traffic: SourceTraffic;
  let beating: NodeJS.Timeout;
  /** Nobody gets records of it. */
  let blockedShard: string | undefined;
  let random = 20261128;
  const chance = () => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
    return (random >>> 8) / 2 ** 24;
  };

  const connect = async (database: 'inventory' | 'orders') => {
    const client = new Client({ connectionString: platform.run.endpoints.oltp[database]! });
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  beforeAll(async () => {
    platform = await RunningPlatform.start();
    const { account, endpoints } = platform.run;
    const { kinesis } = account.engines;
    const call = kinesis.call.bind(kinesis);
    kinesis.call = async (operation, input) => {
      if (operation === 'GetRecords' && readIterator(input.ShardIterator, Date.now()).shard === blockedShard)
        throw new AwsError('ProvisionedThroughputExceededException', 'nothing comes of this shard');
      return operation === 'PutRecords' ? mixed(input, (given) => call(operation, given)) : call(operation, input);
    };
    replications = new RunningReplications(platform.run);
    [inventory, orders] = await Promise.all([connect('inventory'), connect('orders')]);
    await fill(inventory);
    const { endpoint, region, accessKeyId, secretAccessKey } = endpoints.aws;
    badges = new BadgeClient({
      dynamoDb: new DynamoDBClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } }),
      tableName: platform.run.valueOf('Badges', 'ONLINE_TABLE_NAME'),
      policy: { version: 'test', maximumAgeSeconds, safetyStock: 0, capacityShare: 1 },
    });
    await replications.vouch();
    beat();
    traffic = newTraffic();
  }, 120_000);

  afterAll(async () => {
    clearInterval(beating);
    await traffic?.stop();
    await Promise.all([inventory?.end(), orders?.end()]);
    await platform?.stop();
  }, 60_000);

  /** Some records of a call are refused, and the others are taken in another order. */
  async function mixed(input: any, put: (input: any) => Promise<any>) {
    const order = input.Records.map((_: unknown, index: number) => ({ index, at: chance() }))
      .filter(() => chance() < 0.9)
      .sort((one: any, other: any) => one.at - other.at);
    const refused = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'come again' };
    const Records = input.Records.map(() => refused);
    if (order.length > 0) {
      const taken = await put({ ...input, Records: order.map(({ index }: any) => input.Records[index]) });
      for (const [place, { index }] of order.entries()) Records[index] = taken.Records[place];
    }
    return { FailedRecordCount: Records.filter(({ ErrorCode }: any) => ErrorCode !== undefined).length, Records };
  }

  let traffics = 0;
  function newTraffic(): SourceTraffic {
    const { inventory, orders } = platform.run.endpoints.oltp;
    const started = new SourceTraffic({
      inventory: inventory!,
      orders: orders!,
      skus,
      centres,
      name: `T${traffics++}`,
    });
    started.start(150);
    return started;
  }

  const beatOnce = () =>
    Promise.all(
      [inventory, orders].map((client) =>
        client.query('update tillstream_heartbeat set beat_at = clock_timestamp()').catch(() => {}),
      ),
    );
  /** As the owner's own job would, and more often. */
  function beat(): void {
    beating = setInterval(beatOnce, 500);
  }

  const consumer = () =>
    platform.run.mappings.find(({ functionName }) => functionName.includes('Badges-Apply'))!.mapping;
  const ask = async (skus: readonly string[], fcs: readonly string[]) => (await badges.lookup({ skus, fcs })).answers;
  async function until(state: () => Promise<boolean>, what: string): Promise<void> {
    for (const deadline = Date.now() + 20_000; !(await state()); await delay(50))
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
  }

  /** What the inventory alone decides is as old as the inventory is, and a badge as old as the older of the two. */
  async function expectStale(wanted: { inventory: boolean; orders: boolean }): Promise<void> {
    await until(async () => {
      const [gone, always] = await ask(['GONE', 'ALWAYS'], ['FC1']);
      if (gone!.stale !== wanted.inventory || always!.stale !== (wanted.inventory || wanted.orders)) return false;
      // Of the orders no answer tells then.
      return !wanted.inventory || (await ordersAreOld()) === wanted.orders;
    }, JSON.stringify(wanted));
  }

  async function ordersAreOld(): Promise<boolean> {
    const { Item } = await platform.run.account.engines.dynamodb.call('GetItem', {
      TableName: platform.run.valueOf('Badges', 'ONLINE_TABLE_NAME'),
      Key: { pk: { S: 'beats#orders' } },
    });
    const oldest = Math.min(...Object.values<any>(Item.beats.M).map(({ S }) => Date.parse(S)));
    return Date.now() - oldest > maximumAgeSeconds * 1_000;
  }

  /** Stops the changes for as long as it takes to compare all answers and counts with the sources. */
  async function expectTheSourcesAnswers({ loaded = false } = {}): Promise<void> {
    await traffic.stop();
    // Beats, too: a busy machine is never through with them.
    clearInterval(beating);
    await platform.run.absorb();
    // A load that was not yet swept, since its changes never paused, is now.
    if (loaded) await replications.vouch();
    // What is compared next is not about to grow stale.
    await beatOnce();
    await platform.run.absorb();
    beat();
    await expectStale({ inventory: false, orders: false });
    for (const fc of [...centres, 'NOWHERE']) expect(await wrongBadges(ask, inventory, orders, fc)).toEqual([]);
    expect(await counted()).toEqual(await promised());
    traffic = newTraffic();
  }

  async function counted(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const fc of centres) {
      const { Item } = await platform.run.account.engines.dynamodb.call('GetItem', {
        TableName: platform.run.valueOf('Badges', 'ONLINE_TABLE_NAME'),
        Key: { pk: { S: `centre#${fc}` } },
      });
      for (const [day, { N }] of Object.entries<any>(Item.promised?.M ?? {}))
        if (N !== '0') counts[`${fc} ${day}`] = +N;
    }
    return counts;
  }

  async function promised(): Promise<Record<string, number>> {
    const { rows } = await orders.query(
      `select fc_id || ' ' || promised_date::text as place, count(*)::int from orders where status <> 'cancelled' group by 1`,
    );
    return Object.fromEntries(rows.map(({ place, count }) => [place, count]));
  }

  test('from a consumer that was paused', async () => {
    await expectStale({ inventory: false, orders: false });
    consumer().pause();
    try {
      await expectStale({ inventory: true, orders: true });
    } finally {
      consumer().resume();
    }

    await expectTheSourcesAnswers();
  }, 60_000);

  test.each(['orders', 'inventory'] as const)(
    'from a replication of %s that was stopped, and sends its tail again',
    async (database) => {
      await replications.stop(database);
      // Exactly the database that it is of.
      await expectStale({ inventory: database === 'inventory', orders: database === 'orders' });

      await replications.resume(database);

      await expectTheSourcesAnswers();
    },
    60_000,
  );

  test('from a shard that is stuck, which concerns all databases, since each has rows in it', async () => {
    blockedShard = 'shardId-000000000001';
    try {
      await expectStale({ inventory: true, orders: true });
    } finally {
      blockedShard = undefined;
    }

    await expectTheSourcesAnswers();
  }, 60_000);

  test('from a load anew in the middle of changes', async () => {
    await replications.reload('orders');
    await expectStale({ inventory: false, orders: true });
    await replications.vouch();

    await expectTheSourcesAnswers({ loaded: true });
  }, 60_000);

  test('from a table that was truncated', async () => {
    await orders.query('truncate orders');
    await expectStale({ inventory: false, orders: true });
    // The watch finds it, and has it loaded anew.
    await replications.vouch();
    await replications.vouch();

    await expectTheSourcesAnswers({ loaded: true });
  }, 60_000);

  test('from a database that was replaced by another one', async () => {
    await traffic.stop();
    await replications.stop('inventory');
    await inventory.end();
    const { username } = [...platform.run.account.sourceDatabases.values()].find(
      ({ databaseName }) => databaseName === 'inventory',
    )!;
    await orders.query(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = 'inventory'`,
    );
    await orders.query('drop database inventory with (force)');
    await orders.query(`create database inventory owner ${escapeIdentifier(username)}`);
    inventory = await connect('inventory');
    await inventory.query(`alter schema public owner to ${escapeIdentifier(username)}`);
    await inventory.query(`set role ${escapeIdentifier(username)}`);
    await inventory.query(readFileSync('lambdas/cdc/prepare-source/inventory.sql', 'utf8'));
    // Other rows: a third of the SKUs is not there any more.
    await fill(inventory);
    await inventory.query(`delete from stock where right(sku, 1) in ('1', '4', '7')`);
    await inventory.query(`delete from skus where right(sku, 1) in ('1', '4', '7')`);

    await replications.reload('inventory');
    traffic = newTraffic();
    await replications.vouch();

    await expectTheSourcesAnswers({ loaded: true });
    expect(await ask(['S1'], ['FC1'])).toMatchObject([{ reason: 'unknown-sku', badge: false }]);
  }, 60_000);
});

async function fill(inventory: Client): Promise<void> {
  await inventory.query(`
    insert into fulfillment_centers values ('FC1', 40, '24:00', 'UTC'), ('FC2', 100000, '24:00', 'Europe/Berlin');
    insert into skus values ('ALWAYS', 'active', 'test', 0, 0), ('GONE', 'discontinued', 'test', 0, 0);
    insert into stock values ('ALWAYS', 'FC1', 10, 0), ('ALWAYS', 'FC2', 10, 0);
    insert into skus select 'S' || n, (array['active', 'active', 'paused', 'discontinued'])[1 + n % 4], 'test', 5, n % 3 from generate_series(1, ${skus}) n;
    insert into stock select 'S' || n, fc, n % 11, n % 3 from generate_series(1, ${skus}) n, (values ('FC1'), ('FC2')) f(fc);`);
}
