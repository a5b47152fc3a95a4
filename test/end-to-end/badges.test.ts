import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { decodeReceipt, encodeReceipt, type Receipt } from '../../lambdas/serve/badges/receipt/receipt';
import type { ReceiptedAnswer } from '../../lambdas/serve/badges/receipt/receipts';
import { ShopDay } from '../../local/demonstration/shop-day';
import { PatientBadgeCaller } from './asked-badges';
import { deployReorderProposals, proposalsOf } from './deployed-example';
import { RunningPlatform } from './running';
import { makeSale } from './sales';
import { triggersOf } from './stock-triggers';

const skus = Array.from({ length: 300 }, (_, number) => `S${number}`);

/** Runs a command of ours as people do, against the local run in a folder; its output and how it ended. */
function command(program: string, args: readonly string[]): Promise<{ output: string; errors: string; code: number }> {
  const child = spawn(process.execPath, [`build/bin/${program}.js`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ output, errors, code: code ?? -1 }));
  });
}

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

  describe('in the lake', () => {
    let folder: string;
    beforeAll(() => {
      folder = join(platform.folder, 'state');
    });

    test('are computed again from their receipts, to the byte, after all that came later', async () => {
      await update("insert into stock values ('LAMP', 'FC2', 3, 3)");
      const asked = [
        await badges.until('in-stock', 'LAMP', 'FC1'),
        await badges.until('out-of-stock', 'LAMP', 'FC2'),
        ...(await badges.ask(['LAMP', 'NEVER-SEEN', 'S3', 'S4', 'S10'], ['CLOSED', 'FC2', 'FC1'])),
        ...(await badges.ask(['LAMP'], ['FC9'])),
      ];
      await update("update stock set on_hand = on_hand + 7, reserved = 1 where sku = 'LAMP'");
      await orders.query("update orders set status = 'open' where order_id in ('O03', 'O13')");
      await badges.until('fc-at-capacity', 'LAMP', 'FC1');
      await platform.run.drain();

      for (const answer of asked) {
        const again = await command('badge-receipt', [answer.receipt, '--local', folder, '--json']);
        expect([again.errors, again.output]).toEqual(['', `${JSON.stringify(answer)}\n`]);
      }
      const { output, code } = await command('badge-receipt', [asked[0]!.receipt, '--local', folder]);
      expect(output).toMatch(/stock#LAMP#FC1: on_hand 10, reserved 1 \(position 000001:/);
      expect(output).toMatch(/rule at FC1: in-stock: 10 on hand - 1 reserved - 2 safety stock leaves 7/);
      expect(code).toBe(0);
    }, 60_000);

    test('that are not delivered yet, or whose receipt was changed, are said so', async () => {
      const [{ receipt }] = (await badges.ask(['LAMP'], ['FC1'])) as [ReceiptedAnswer];
      const read = decodeReceipt(receipt) as Receipt;
      const unknown = encodeReceipt({ ...read, item: { position: '000009:-' } });
      const later = encodeReceipt({ ...read, evaluatedAt: read.evaluatedAt + 1 });
      const end = { output: '', code: 1 };

      const [missing, changed, broken] = await Promise.all(
        [unknown, later, receipt.slice(0, -4)].map((each) => command('badge-receipt', [each, '--local', folder])),
      );

      expect(missing).toEqual({
        ...end,
        errors: expect.stringMatching(/^not in the history yet, or never: sku sku#LAMP at 000009:-\n/),
      });
      expect(changed).toEqual({ ...end, errors: expect.stringContaining('is not what was answered from') });
      expect(broken).toEqual({
        ...end,
        code: 2,
        errors: expect.stringMatching(/^got a receipt that ends too early, or was changed\n/),
      });
    }, 60_000);

    test('make a training set as it was known at a time', async () => {
      const before = new Date().toISOString();
      await update("update stock set on_hand = 77 where sku = 'LAMP' and location = 'FC1'");
      await platform.run.drain();
      const lamp = async (at: string) => {
        const { output, errors } = await command('badge-training-set', ['--at', at, '--local', folder]);
        expect(errors).toBe('');
        const [header, ...rows] = output
          .trimEnd()
          .split('\n')
          .map((line) => line.split(','));
        const row = rows.find((cells) => cells[3] === 'LAMP' && cells[4] === 'FC1')!;
        expect(rows.length).toBeGreaterThan(500);
        return Object.fromEntries(header!.map((name, index) => [name, row[index]]));
      };

      const [then, now] = [await lamp(before), await lamp(new Date().toISOString())];

      expect(then).toMatchObject({ status: 'active', on_hand: '17', safety_stock: '2', daily_capacity: '5' });
      expect(now).toMatchObject({ on_hand: '77', reserved: '1', orders_day: '5' });
      expect(Date.parse(`${now.orders_as_of!.replace(' ', 'T')}Z`)).toBeGreaterThan(Date.now() - 120_000);
    }, 60_000);
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

  test('have a trigger on the bus for each crossing of their stock, and whoever subscribes to it', async () => {
    await platform.run.drain();
    const before = new Set((await triggersOf(platform.run)).committed);
    await deployReorderProposals(platform);
    await update("insert into skus values ('DESK', 'active', 'office', 5, 0)");
    await update("insert into stock values ('DESK', 'store-1', 7, 0), ('DESK', 'FC1', 2, 0)");
    await platform.run.drain();
    await platform.send([
      makeSale(1, {
        location: 'store-1',
        occurredAt: new Date().toISOString(),
        lines: [{ line: 1, sku: 'DESK', quantity: 3, unitPrice: 100 }],
        tenders: [{ type: 'cash', amount: 300 }],
      }),
    ]);
    await platform.run.drain();

    const { committed, arrived, waiting } = await triggersOf(platform.run);
    // At least once each.
    const ids = [...new Set(arrived.map(({ crossingId }) => crossingId))];
    expect([...ids].sort()).toEqual(committed.sort());
    expect(waiting).toBe(0);
    expect(new Set(arrived.map(({ kind }) => kind)).size).toBe(3);
    // A row of an SKU and one of its stock may come in either order, and make a version each.
    const unversioned = (id: string) => id.replace(/#\d+#/, '#');
    const since = ids.filter((id) => !before.has(id)).sort();
    expect(since.map(unversioned)).toEqual(['DESK#FC1#reorder-point-reached', 'DESK#store-1#reorder-point-reached']);
    const proposals = Object.entries(await proposalsOf(platform));
    expect(Object.fromEntries(proposals.map(([id, quantity]) => [unversioned(id), quantity]))).toEqual({
      'DESK#FC1#reorder-point-reached': 8,
      'DESK#store-1#reorder-point-reached': 6,
    });
    expect(proposals.map(([id]) => id).sort()).toEqual(since);
  }, 60_000);
});
