import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { PatientBadgeCaller } from './asked-badges';
import { type WrongBadge, wrongBadges } from './badges-by-sql';
import { makeFolder } from './folder';
import { Program } from './program';
import { SourceTraffic } from './source-traffic';

const skus = 100;
let folder: string;
beforeAll(() => {
  folder = makeFolder('kept');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (...options: string[]) => new Program(join(folder, 'killed'), '--idle', ...options);

async function connect(program: Program) {
  const { oltp, ...endpoints } = await program.endpoints();
  const open = async (connectionString: string) => {
    const client = new Client({ connectionString });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const [inventory, orders] = await Promise.all([open(oltp.inventory!), open(oltp.orders!)]);
  const traffic = new SourceTraffic({ inventory: oltp.inventory!, orders: oltp.orders!, skus, centres: ['FC1'] });
  return { inventory, orders, traffic, badges: new PatientBadgeCaller(endpoints) };
}

test('a run that is killed in the middle of changes goes on from there, with every badge as the sources say', async () => {
  const killed = start();
  const before = await connect(killed);
  await before.inventory.query(`
    insert into fulfillment_centers values ('FC1', 30, '24:00', 'UTC');
    insert into skus select 'S' || n, 'active', 'test', 5, n % 3 from generate_series(1, ${skus}) n;
    insert into stock select 'S' || n, 'FC1', n % 11, n % 3 from generate_series(1, ${skus}) n;
    insert into skus values ('ALWAYS', 'active', 'test', 0, 0); insert into stock values ('ALWAYS', 'FC1', 9, 0)`);
  await before.badges.until('in-stock', 'ALWAYS', 'FC1', 30_000);
  before.traffic.start(200);
  while (before.traffic.done < 400) await delay(20);

  killed.signal('SIGKILL');
  expect(await killed.ended).toBe('SIGKILL');
  await before.traffic.stop().catch(() => {});
  // Nobody is left to end the database but the shell that watches over it.
  while (killed.processes().length > 0) await delay(20);
  const kept = start('--keep');
  // The file with the endpoints is the killed run's until then.
  await kept.says('waiting for your calls');
  const { inventory, orders, badges } = await connect(kept);
  await inventory.query("update stock set on_hand = 50 where sku = 'S7'");

  let wrong: readonly WrongBadge[];
  const deadline = Date.now() + 60_000;
  do {
    await delay(200);
    wrong = await wrongBadges((asked, fcs) => badges.ask(asked, fcs), inventory, orders, 'FC1');
  } while (wrong.length > 0 && Date.now() < deadline);
  expect(wrong).toEqual([]);

  await Promise.all([inventory.end(), orders.end()]);
  kept.signal('SIGINT');
  expect([await kept.ended, kept.output]).toEqual([0, expect.any(String)]);
  expect(kept.processes()).toEqual([]);
}, 150_000);
