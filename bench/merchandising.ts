import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DuckDBInstance } from '@duckdb/node-api';
import type { KinesisStreamRecord } from 'aws-lambda';
import { type Sale, saleKey } from '../lambdas/base/domain/sale';
import { administrationOf } from '../lambdas/serve/merchandising/influxdb/mint-tokens/administration';
import { influxDbReader } from '../lambdas/serve/merchandising/influxdb/reader';
import { SalesClient } from '../lambdas/serve/merchandising/query/answer';
import { readQuestion, type SalesQuestion } from '../lambdas/serve/merchandising/query/request';
import { asSale, demoEvents, nthEvent } from './base/demo-sales';
import { median, progress, shown, table } from './base/measured';
import { openTimeSeries, type TimeSeriesAddress } from './base/time-series';

/*
 * How fast merchandising's function, the bundle that is deployed, writes sales into the local time series; and how long
 * each question takes over 30 days of ten million lines. The first hundred thousand lines are written by that function;
 * their points are then copied within the database, a hundred times, to other hours of the month.
 */

const lines = 100_000;
const copies = 100;
const batchSize = 500;
const repetitions = 5;
const [regions, locations, skus] = [20, 5_000, 100_000];
const hourMs = 3_600_000;
const monthMs = 30 * 24 * hourMs;
const stepMs = monthMs / copies;
const end = Date.parse('2026-11-28T00:00:00Z');
const start = end - monthMs;
const databases = { sales: 'merchandising', items: 'merchandising_items' };

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-bench-'));
  try {
    const sales = someSales();
    let timeSeries = await openTimeSeries(folder);
    const tokens = await mintTokens(timeSeries);
    const secondsToWrite = await write(sales, timeSeries, tokens.write);
    table(
      `merchandising: ${shown(lines)} lines of ${shown(sales.length)} sales written, by the function as deployed`,
      [''],
      [
        ['lines a second', shown(lines / secondsToWrite)],
        ['sales a second', shown(sales.length / secondsToWrite)],
      ],
    );
    await timeSeries.close();

    await copyPoints(join(folder, 'influxdb', 'points.duckdb'));
    timeSeries = await openTimeSeries(folder);
    await ask(timeSeries, tokens.read, sales);
    await timeSeries.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Real baskets, of regions, locations and items of which there are as many as a large retailer has. */
function someSales(): Sale[] {
  const demo = demoEvents();
  const sales: Sale[] = [];
  for (let made = 0, number = 0; made < lines; number++) {
    const event = nthEvent(demo, number);
    const region = number % regions;
    const acceptedAt = new Date(start + ((number * 7_919) % stepMs)).toISOString();
    const sale = asSale(
      {
        ...event,
        region: `region-${region}`,
        location: `store-${region + regions * (Math.floor(number / regions) % (locations / regions))}`,
        currency: region < 12 ? 'EUR' : 'USD',
        occurredAt: acceptedAt,
        lines: event.lines
          .slice(0, lines - made)
          .map((line, place) => ({ ...line, sku: `${line.sku}-${(number * 31 + place) % (skus / 2_000)}` })),
      },
      acceptedAt,
    );
    made += sale.lines.length;
    sales.push(sale);
  }
  return sales;
}

async function mintTokens({ url, user }: TimeSeriesAddress): Promise<{ write: string; read: string }> {
  const administration = await administrationOf(url, user.organization, user);
  const buckets = [
    await administration.ensureBucket(databases.sales, 0),
    await administration.ensureBucket(databases.items, 0),
  ];
  const secrets = new SecretsManagerClient({});
  const secretOf = async (action: 'read' | 'write') => {
    const minted = await administration.mintToken(action, action, buckets);
    const { ARN } = await secrets.send(new CreateSecretCommand({ Name: action, SecretString: JSON.stringify(minted) }));
    return ARN!;
  };
  return { write: await secretOf('write'), read: await secretOf('read') };
}

async function write(sales: readonly Sale[], { url }: TimeSeriesAddress, tokenSecretArn: string): Promise<number> {
  const endpoint = 'time-series.bench';
  Object.assign(process.env, {
    INFLUXDB_ENDPOINT: endpoint,
    SALES_DATABASE: databases.sales,
    ITEMS_DATABASE: databases.items,
    WRITE_TOKEN_SECRET_ARN: tokenSecretArn,
    HELD_BUCKET_NAME: 'held',
  });
  const realFetch = globalThis.fetch;
  // Stands in for the network's names and for TLS.
  globalThis.fetch = (address, options) => realFetch(String(address).replace(`https://${endpoint}:8086`, url), options);
  const { handler } = createRequire(resolve('package.json'))(
    './build/lambdas/serve/merchandising/influxdb/write/index.js',
  );
  const records = sales.map(recordOf);
  const { write: print } = process.stdout;
  const started = performance.now();
  for (let at = 0; at < records.length; at += batchSize) {
    progress(`written ${at} of ${records.length} sales`);
    process.stdout.write = () => true;
    await handler({ Records: records.slice(at, at + batchSize) }).finally(() => {
      process.stdout.write = print;
    });
  }
  progress('');
  globalThis.fetch = realFetch;
  return (performance.now() - started) / 1_000;
}

function recordOf(sale: Sale, index: number): KinesisStreamRecord {
  const sequenceNumber = String(index).padStart(20, '0');
  return {
    eventID: `shardId-000000000000:${sequenceNumber}`,
    kinesis: {
      sequenceNumber,
      partitionKey: saleKey(sale),
      data: Buffer.from(JSON.stringify(sale)).toString('base64'),
    },
  } as KinesisStreamRecord;
}

async function copyPoints(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(file, { memory_limit: '4GB' });
  const connection = await instance.connect();
  const tables = (
    await connection.runAndReadAll(`select table_name from duckdb_tables() where table_name like 'points_%'`)
  )
    .getRows()
    .flat();
  for (const table of tables) {
    progress(`copying ${table}`);
    await connection.run(`insert into ${table} by name
      select points.* replace (points.time + copies.range * ${BigInt(stepMs) * 1_000_000n} as time)
      from ${table} as points, range(1, ${copies}) as copies order by time`);
  }
  progress('');
  connection.closeSync();
  instance.closeSync();
}

const day = { from: '2026-11-27T00:00Z', to: '2026-11-28T00:00Z' };
const month = { from: new Date(start).toISOString(), to: new Date(end).toISOString() };
/** What the dashboard asks, of a day and of the whole month. */
const questions: Readonly<Record<string, readonly [SalesQuestion['kind'], Record<string, string>]>> = {
  'totals of a day beside last week': ['totals', { ...day, compare: 'last-week' }],
  'a day by 15 minutes beside last week': ['series', { ...day, every: '15m', compare: 'last-week' }],
  'a day by location': ['groups', { ...day, by: 'location' }],
  'a day, ten top items': ['groups', { ...day, by: 'item' }],
  'totals of 30 days': ['totals', month],
  'totals of 30 days, a region and a channel': ['totals', { ...month, region: 'region-7', channel: 'online' }],
  '30 days by day': ['series', { ...month, every: '1d' }],
  '30 days by hour': ['series', { ...month, every: '1h' }],
  '30 days by region': ['groups', { ...month, by: 'region' }],
  '30 days by channel': ['groups', { ...month, by: 'channel' }],
  '30 days by location': ['groups', { ...month, by: 'location' }],
  '30 days by category': ['groups', { ...month, by: 'category' }],
  '30 days, ten top items': ['groups', { ...month, by: 'item' }],
  '30 days, ten bottom items of a region': ['groups', { ...month, by: 'item', order: 'bottom', region: 'region-7' }],
};

async function ask({ url }: TimeSeriesAddress, tokenSecretArn: string, sales: readonly Sale[]): Promise<void> {
  const reader = influxDbReader({ url, databases, secrets: new SecretsManagerClient({}), tokenSecretArn });
  const client = new SalesClient(reader, () => end);
  await expectAll(client, sales);
  const rows: [string, ...string[]][] = [];
  for (const [name, [kind, parameters]] of Object.entries(questions)) {
    const question = questionOf(kind, parameters);
    const times: number[] = [];
    let answered = 0;
    for (let repetition = 0; repetition < repetitions; repetition++) {
      progress(`${name}: ${repetition + 1} of ${repetitions}`);
      const started = performance.now();
      answered = (await client.ask(question)).rows.length;
      times.push(performance.now() - started);
    }
    rows.push([name, shown(median(times)), shown(Math.max(...times)), shown(answered)]);
  }
  progress('');
  table(
    `merchandising: questions over ${shown(lines * copies)} lines of 30 days`,
    ['ms, median', 'worst', 'rows'],
    rows,
  );
}

/** A fast answer that is wrong counts for nothing. */
async function expectAll(client: SalesClient, sales: readonly Sale[]): Promise<void> {
  const { rows } = await client.ask(questionOf('totals', month));
  const units = rows.reduce((sum, row) => sum + row.units, 0);
  const expected = sales.reduce(
    (sum, { type, lines: some }) =>
      sum + (type === 'return' ? -1 : 1) * some.reduce((all, line) => all + line.quantity, 0),
    0,
  );
  if (units !== expected * copies) throw new Error(`got ${units} units, expected ${expected * copies}`);
}

function questionOf(kind: SalesQuestion['kind'], parameters: Record<string, string>): SalesQuestion {
  const query = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]]));
  const question = readQuestion(kind, query, end);
  if ('code' in question) throw new Error(question.message);
  return question;
}

void main();
