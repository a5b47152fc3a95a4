import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Client } from 'pg';
import { BadgeClient } from '../lambdas/serve/badges/client';
import { stageNamed } from '../lib/stages';
import { Run } from '../local/run';
import { PatientBadgeCaller } from '../test/end-to-end/asked-badges';
import { wrongBadges } from '../test/end-to-end/badges-by-sql';
import { RunningReplications } from '../test/end-to-end/replications';
import { progress, shown, sum, table } from './base/measured';
import { probe } from './base/probe';
import type { ProbeOptions } from './base/probe-process';
import { Traffic } from './base/traffic';

/*
 * How fast a badge follows its source databases, and whether it is right: SKUs with five centres each come by a full load,
 * then hundreds of updates a second. Meanwhile the consumer is paused, a replication restarts from an earlier position and
 * a database is loaded anew. In the end every SKU's answer with every centre is compared with SQL on the sources.
 *
 * Smaller and shorter by BADGES_SKUS, BADGES_SECONDS (0: no questions), BADGES_PAUSE_SECONDS, BADGES_UPDATES (a second, at
 * most).
 */

const skus = Number(process.env.BADGES_SKUS ?? 100_000);
const seconds = Number(process.env.BADGES_SECONDS ?? 20);
const pauseSeconds = Number(process.env.BADGES_PAUSE_SECONDS ?? 20);
const updatesPerSecond = Number(process.env.BADGES_UPDATES ?? 500);
const rates = [0.1, 0.2, 0.5, 1].map((part) => Math.round(part * updatesPerSecond));
const centres = ['FC1', 'FC2', 'FC3', 'FC4', 'FC5'];
const { policy } = stageNamed('local').badges;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-bench-'));
  const run = await Run.start({ directory: join(folder, 'state'), keep: false, log: progress });
  const { oltp, aws } = run.endpoints;
  const inventory = new Client({ connectionString: oltp.inventory! });
  const orders = new Client({ connectionString: oltp.orders! });
  try {
    await Promise.all([inventory.connect(), orders.connect()]);
    const replications = new RunningReplications(run);
    const badges = new PatientBadgeCaller(run.endpoints);
    const { endpoint, region, accessKeyId, secretAccessKey } = aws;
    const dynamoDb = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    const tableName = run.valueOf('Badges', 'ONLINE_TABLE_NAME');
    const client = new BadgeClient({ dynamoDb: new DynamoDBClient(dynamoDb), tableName, policy });
    const probing = {
      inventory: oltp.inventory!,
      ...{ dynamoDb, tableName, policy, seconds },
      sku: 'PROBE',
      fc: 'FC1',
    };

    await fullLoad(run, replications, inventory, orders);
    await replications.vouch();
    await badges.until('in-stock', 'PROBE', 'FC1');
    const traffic = new Traffic({ inventory: oltp.inventory!, orders: oltp.orders!, skus, centres });

    const phase = async (name: string, work: () => Promise<void>) => {
      const before = traffic.done;
      const started = performance.now();
      const cpu = process.cpuUsage();
      progress(name);
      await work();
      const took = (performance.now() - started) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      const updates = traffic.done - before;
      progress('');
      console.log(
        `${name}: ${shown(took)} s, ${shown(updates / took)} updates a second, ${shown((user + system) / 1_000 / updates)} ms CPU each`,
      );
    };
    for (const perSecond of rates) {
      traffic.pace(perSecond);
      await phase(`updates and their badges, ${perSecond} a second`, () => callsDuring(run, () => commits(probing)));
    }
    await phase('questions', () => questions(badges, client));
    await phase('the consumer paused and gone on', () => pause(run));
    await phase('the replication of orders restarted from an earlier position', async () => {
      await replications.stop('orders');
      await delay(1_000);
      await replications.resume('orders');
    });
    await phase('orders loaded anew in the middle of changes', async () => {
      await replications.reload('orders');
      await delay(2_000);
    });
    await traffic.stop();
    const drained = performance.now();
    await run.drain();
    console.log(`drained after ${shown((performance.now() - drained) / 1_000)} s\n`);
    await replications.vouch();
    await badges.until('in-stock', 'PROBE', 'FC1');
    await compare(client, inventory, orders);
    await expectNothingElse(inventory, orders);
    console.log(`memory: ${shown(process.resourceUsage().maxRSS / 1_024)} MiB at most, without PostgreSQL`);
  } finally {
    await Promise.all([inventory.end(), orders.end()]);
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the rows while nothing is replicated, and has them loaded. */
async function fullLoad(run: Run, replications: RunningReplications, inventory: Client, orders: Client): Promise<void> {
  await replications.stop('inventory');
  await inventory.query(
    `insert into fulfillment_centers select 'FC' || n, case n when 5 then 100 else 1000000 end,
       case n when 4 then '00:00' else '24:00' end, case when n % 2 = 0 then 'Europe/Berlin' else 'UTC' end from generate_series(1, 5) n`,
  );
  await inventory.query(
    `insert into skus select 'S' || n, (array['active', 'active', 'active', 'active', 'active', 'paused', 'discontinued'])[1 + n % 7],
       'category ' || n % 40, 5, case when n % 7 = 0 then null else n % 4 end from generate_series(1, $1::int) n`,
    [skus],
  );
  await inventory.query(
    `insert into stock select 'S' || n, 'FC' || fc, n % 23, n % 3 from generate_series(1, $1::int) n, generate_series(1, 5) fc
     where (n + fc) % 12 > 0`,
    [skus],
  );
  await inventory.query(`insert into skus values ('PROBE', 'active', 'probe', 0, 0)`);
  await inventory.query(`insert into stock select 'PROBE', 'FC' || fc, 10, 0 from generate_series(1, 5) fc`);
  await orders.query(
    `insert into orders select 'O' || n, 'FC' || 1 + n % 5, (array['open', 'shipped', 'cancelled'])[1 + n % 3], current_date + n % 2
     from generate_series(1, 1400) n`,
  );
  await run.drain();
  const { rows } = await inventory.query('select (select count(*) from skus) + (select count(*) from stock) as rows');
  const started = performance.now();
  const cpu = process.cpuUsage();
  await replications.reload('inventory');
  const telling = setInterval(() => progress(`loading: ${behind(run)} records on their way`), 500);
  await run.drain();
  clearInterval(telling);
  const took = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  progress('');
  console.log(
    `full load: ${shown(Number(rows[0].rows))} rows in ${shown(took)} s: ${shown(rows[0].rows / took)} rows a second, ${shown((user + system) / 1_000 / rows[0].rows)} ms CPU a row`,
  );
}

function behind(run: Run): number {
  return [...run.mappings].reduce((sum, { mapping }) => sum + mapping.state().behind, 0);
}

/** Does work, and prints what the functions that read the changes called meanwhile. */
async function callsDuring({ account, mappings }: Run, work: () => Promise<void>): Promise<void> {
  const appliers = [...mappings].filter(({ functionName }) => /(Badges|Inventory)-Apply/.test(functionName));
  const delivered = () => appliers.map(({ mapping }) => mapping.state().delivered);
  const before = delivered();
  account.door.meter.reset();
  await work();
  const { calls, billedByFunction } = account.door.meter.snapshot();
  const after = delivered();
  const rows = appliers.map(({ functionName }, index) => {
    const records = after[index]! - before[index]!;
    const made = calls.byFunction[functionName] ?? {};
    const writeUnits = sum(
      Object.values(billedByFunction[functionName]?.dynamodb ?? {}).map((units) => units.writeUnits),
    );
    return [
      functionName.replace(/^Tillstream-local-|(Consumer)?Function[0-9A-F]{8}$/g, ''),
      shown(sum(Object.values(made)) / records),
      shown(writeUnits / records),
    ];
  });
  table('of a record of changes', ['calls', 'write units'], rows);
}

const row = (name: string, times: number[]) => [
  name,
  shown(quantile(times, 0.5)),
  shown(quantile(times, 0.99)),
  shown(times.length),
];

/** From an update sent to an answer that shows it, while other updates go on. */
async function commits(probing: ProbeOptions): Promise<void> {
  if (seconds === 0) return;
  const times = await probe(probing);
  progress('');
  table('ms', ['p50', 'p99', 'times'], [row('update sent to visible in an answer', times)]);
}

async function questions(badges: PatientBadgeCaller, client: BadgeClient): Promise<void> {
  if (seconds === 0) return;
  const lookups = async (count: number, ask: (skus: string[]) => Promise<unknown>) => {
    const times: number[] = [];
    for (let turn = 0; turn < 300; turn++) {
      const asked = Array.from({ length: count }, (_, index) => `S${1 + ((turn * 977 + index * 131) % skus)}`);
      const started = performance.now();
      await ask(asked);
      times.push(performance.now() - started);
    }
    return times;
  };
  const viaApi = (skus: string[]) => badges.ask(skus, ['FC1']);
  const direct = (skus: string[]) => client.lookup({ skus, fcs: ['FC1'] });
  const rows = [
    row('lookup of 1 SKU, API', await lookups(1, viaApi)),
    row('lookup of 48 SKUs, API', await lookups(48, viaApi)),
    row('lookup of 1 SKU, client', await lookups(1, direct)),
    row('lookup of 48 SKUs, client', await lookups(48, direct)),
  ];
  progress('');
  table(`with ${updatesPerSecond} updates a second, ms`, ['p50', 'p99', 'times'], rows);
}

async function pause(run: Run): Promise<void> {
  const { mapping: apply } = run.mappings.find(({ functionName }) => functionName.includes('Badges-Apply'))!;
  apply.pause();
  await delay(pauseSeconds * 1_000);
  const { behind: backlog, delivered } = apply.state();
  const started = performance.now();
  apply.resume();
  while (apply.state().behind > 50) await delay(10);
  const took = (performance.now() - started) / 1_000;
  console.log(
    `paused for ${pauseSeconds} s: ${shown(backlog)} records behind, caught up in ${shown(took)} s: ${shown((apply.state().delivered - delivered) / took)} records a second`,
  );
}

/** Every SKU with every centre. */
async function compare(client: BadgeClient, inventory: Client, orders: Client): Promise<void> {
  const started = performance.now();
  const ask = async (skus: readonly string[], fcs: readonly string[]) => (await client.lookup({ skus, fcs })).answers;
  const reasons = new Map<string, number>();
  let wrong = 0;
  for (const fc of centres) {
    progress(`comparing with ${fc}`);
    for (const { answered, bySql } of await wrongBadges(ask, inventory, orders, fc, reasons))
      if (wrong++ < 10) console.log(`  with ${fc}: ${JSON.stringify(answered)}, by SQL ${JSON.stringify(bySql)}`);
  }
  progress('');
  const rows = [...reasons].map(([reason, count]) => [reason, shown(count)]);
  table('answers by reason', ['answers'], rows);
  const took = shown((performance.now() - started) / 1_000);
  console.log(
    `${shown(sum([...reasons.values()]))} answers compared with SQL on the sources in ${took} s: ${wrong} differ\n`,
  );
  if (wrong > 0) throw new Error(`${wrong} answers are wrong`);
}

/** What a load, the heartbeat and the preparation of a database of our own ask for. */
const allowed =
  /^(declare rows|fetch|close rows|begin isolation level repeatable read|set transaction snapshot|commit|with beat as|create table if not exists)/;

/** What the product asked the sources for, beside reading their logs, which is no statement. */
async function expectNothingElse(...databases: readonly Client[]): Promise<void> {
  for (const database of databases) {
    const { rows } = await database.query(
      `select current_database() as name, regexp_replace(query, '\\s+', ' ', 'g') as query, calls::int
       from pg_stat_statements s join pg_roles r on r.oid = s.userid
       where dbid = (select oid from pg_database where datname = current_database()) and rolname <> current_user
       order by calls desc`,
    );
    table(
      `asked of ${rows[0].name}`,
      ['calls'],
      rows.map(({ query, calls }) => [query.slice(0, 80), shown(calls)]),
    );
    const other = rows.find(({ query }) => !allowed.test(query));
    if (other !== undefined) throw new Error(`${rows[0].name} was asked for more: ${other.query}`);
  }
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

void main();
