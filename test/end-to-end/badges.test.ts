import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { ShopDay } from '../../local/demonstration/shop-day';
import { PatientBadgeCaller } from './asked-badges';
import { RunningPlatform } from './running';

const skus = Array.from({ length: 300 }, (_, number) => `S${number}`);

/** Rows in the source databases, and what the API says of them moments later. */
describe('badges of a run', () => {
  let platform: RunningPlatform;
  let badges: PatientBadgeCaller;
  let inventory: Client;
  let orders: Client;

  beforeAll(async () => {
    platform = await RunningPlatform.start();
    const { endpoints } = platform.run;
    badges = new PatientBadgeCaller(endpoints);
    inventory = new Client({ connectionString: endpoints.oltp.inventory! });
    orders = new Client({ connectionString: endpoints.oltp.orders! });
    await Promise.all([inventory.connect(), orders.connect()]);
    await inventory.query(`
      insert into fulfillment_centers values ('FC1', 5, '24:00', 'UTC'), ('FC2', 100000, '24:00', 'Europe/Berlin'),
        ('CLOSED', 5, '00:00', 'UTC');
      insert into skus select 'S' || n, (array['active', 'active', 'active', 'paused', 'discontinued'])[1 + n % 5],
        'kitchen', 5, case when n % 7 = 0 then null else n % 4 end from generate_series(0, 299) n;
      insert into stock select 'S' || n, fc, n % 11, n % 3 from generate_series(0, 299) n, (values ('FC1'), ('FC2')) f(fc)
        where (n + ascii(right(fc, 1))) % 6 > 0;
      insert into skus values ('LAMP', 'active', 'light', 5, 2);
      insert into stock values ('LAMP', 'FC1', 10, 1), ('LAMP', 'FC2', 4, 1), ('LAMP', 'CLOSED', 10, 0);`);
  }, 120_000);

  afterAll(async () => {
    await Promise.all([inventory?.end(), orders?.end()]);
    await platform?.stop();
  }, 60_000);

  const update = (set: string) => inventory.query(set);

  test('are vouched for within the first seconds', async () => {
    const answer = await badges.until('in-stock', 'LAMP', 'FC1');

    expect(answer).toMatchObject({ badge: true, fc: 'FC1', available: 7, stale: false });
  });

  test('follow the life of a SKU: discontinued, and back with its stock', async () => {
    await update("update skus set status = 'discontinued' where sku = 'LAMP'");
    expect(await badges.until('discontinued', 'LAMP', 'FC1')).toMatchObject({ badge: false, fc: null, available: 0 });

    await update("update skus set status = 'active' where sku = 'LAMP'");

    expect(await badges.until('in-stock', 'LAMP', 'FC1')).toMatchObject({ available: 7 });
  });

  test('come back after their serving rows have expired or gone, and no expired row is served', async () => {
    const TableName = platform.run.valueOf('Badges', 'ONLINE_TABLE_NAME');
    const { dynamodb } = platform.run.account.engines;
    const keyOf = (pk: string) => ({ TableName, Key: { pk: { S: pk } } });
    await update("update skus set status = 'discontinued' where sku = 'LAMP'");
    await badges.until('discontinued', 'LAMP', 'FC1');
    // Its stock is given an end right after that.
    const hasEnd = async (fc: string) =>
      (await dynamodb.call('GetItem', keyOf(`stock#LAMP#${fc}`))).Item.expiresAt?.N !== undefined;
    while (!((await hasEnd('FC1')) && (await hasEnd('FC2')))) await delay(20);
    // As an hour later: one has expired, and DynamoDB has not come to remove it; the other it has removed.
    await dynamodb.call('UpdateItem', {
      ...keyOf('stock#LAMP#FC1'),
      UpdateExpression: 'SET expiresAt = :past',
      ExpressionAttributeValues: { ':past': { N: String(Math.floor(Date.now() / 1_000) - 60) } },
    });
    await dynamodb.call('DeleteItem', keyOf('stock#LAMP#FC2'));
    // Whatever the SKU may say.
    const say = (status: string) =>
      dynamodb.call('UpdateItem', {
        ...keyOf('sku#LAMP'),
        UpdateExpression: 'SET #status = :status',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':status': { S: status } },
      });
    await say('active');
    expect(await badges.ask(['LAMP'], ['FC1'])).toMatchObject([{ badge: false, reason: 'not-stocked' }]);
    expect((await dynamodb.call('GetItem', keyOf('stock#LAMP#FC1'))).Item.onHand).toEqual({ N: '10' });
    await say('discontinued');

    await update("update skus set status = 'active' where sku = 'LAMP'");

    expect(await badges.until('in-stock', 'LAMP', 'FC1')).toMatchObject({ available: 7 });
    expect(await badges.until('in-stock', 'LAMP', 'FC2')).toMatchObject({ available: 1 });
    await update("update skus set status = 'paused' where sku = 'LAMP'");
    expect(await badges.until('paused', 'LAMP', 'FC1')).toMatchObject({ badge: false });
    await update("update skus set status = 'active' where sku = 'LAMP'");
    await badges.until('in-stock', 'LAMP', 'FC1');
  }, 60_000);

  test('follow the stock', async () => {
    await update("update stock set on_hand = 0 where sku = 'LAMP' and location = 'FC2'");
    expect(await badges.until('out-of-stock', 'LAMP', 'FC2')).toMatchObject({ badge: false, available: 0 });

    await update("update stock set on_hand = 9 where sku = 'LAMP' and location = 'FC2'");
    expect(await badges.until('in-stock', 'LAMP', 'FC2')).toMatchObject({ available: 6 });

    await update("delete from stock where sku = 'LAMP' and location = 'FC2'");
    expect(await badges.until('not-stocked', 'LAMP', 'FC2')).toMatchObject({ badge: false, available: 0 });
  });

  test('end where a centre has its orders for the day, until one is cancelled', async () => {
    // Tomorrow's too: a test may run at midnight.
    await orders.query(`insert into orders select 'O' || day || n, 'FC1', 'open', (now() at time zone 'UTC')::date + day
      from generate_series(1, 5) n, generate_series(0, 1) day`);
    expect(await badges.until('fc-at-capacity', 'LAMP', 'FC1')).toMatchObject({ badge: false });

    await orders.query("update orders set status = 'cancelled' where order_id in ('O03', 'O13')");

    expect(await badges.until('in-stock', 'LAMP', 'FC1')).toMatchObject({ badge: true });
  });

  test('are given by the nearest centre that can serve', async () => {
    const [answer] = await badges.ask(['LAMP'], ['CLOSED', 'FC2', 'FC1']);

    expect(answer).toMatchObject({ badge: true, fc: 'FC1' });
    expect(await badges.ask(['LAMP'], ['CLOSED'])).toMatchObject([{ badge: false, reason: 'past-cutoff' }]);
  });

  test('say what is not known', async () => {
    const unknown = await badges.ask(['NEVER-SEEN'], ['FC1']);
    const nowhere = await badges.ask(['LAMP'], ['FC9']);

    expect(unknown).toMatchObject([{ badge: false, reason: 'unknown-sku', stale: false }]);
    expect(nowhere).toMatchObject([{ badge: false, reason: 'unknown-fc', stale: false }]);
  });

  test('agree with the source, SKU for SKU', async () => {
    await update("update stock set reserved = on_hand where location = 'FC2' and right(sku, 1) = '4'");
    await update("delete from stock where location = 'FC2' and right(sku, 1) = '6'");
    await platform.run.drain();

    const answers = [];
    for (let start = 0; start < skus.length; start += 40)
      answers.push(...(await badges.ask(skus.slice(start, start + 40), ['FC2'])));

    const { rows } = await inventory.query(
      `select sku, reason = 'in-stock' as badge, reason, coalesce(case when status = 'active' then available end, 0) as available
      from (select *, case when status <> 'active' then status when available is null then 'not-stocked'
          when available <= 0 then 'out-of-stock' else 'in-stock' end as reason
        from (select sku, status, case when on_hand is not null then greatest(0, on_hand - reserved - coalesce(safety_stock, 0)) end as available
          from skus left join (select * from stock where location = 'FC2') there using (sku)) known) reasons`,
    );
    expect(new Set(rows.map(({ reason }) => reason)).size).toBeGreaterThan(3);
    expect(answers.map(({ sku, badge, reason, available }) => ({ sku, badge, reason, available }))).toEqual(
      skus.map((sku) => rows.find((row) => row.sku === sku)),
    );
  }, 60_000);

  test('of the demonstration go off and on while its sales come in', async () => {
    const shop = (await ShopDay.open(platform.run.endpoints, ['demo/sales.ndjson.gz']))!;
    const seen = new Set<string>();
    const all = ['on', 'off: out-of-stock', 'off: fc-at-capacity', 'off: paused', 'off: discontinued'];
    try {
      await platform.run.drain();
      await shop.look();
      const started = Date.now();
      shop.follow(() => (Date.now() - started) / 8);
      while (!all.every((each) => seen.has(each)) && Date.now() < started + 40_000) {
        for (const change of (await shop.look()).changes) seen.add(/(on|off: .+)$/.exec(change)![0]);
        await delay(50);
      }

      expect([...seen]).toEqual(expect.arrayContaining(all));
      const { on, all: shown, ageSeconds } = await shop.look();
      expect(on).toBeGreaterThan(0);
      expect(on).toBeLessThan(shown);
      expect(ageSeconds).toBeLessThan(120);
    } finally {
      await shop.close();
    }
  }, 60_000);
});
