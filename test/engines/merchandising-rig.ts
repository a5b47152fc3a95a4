import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Sale } from '../../lambdas/base/domain/sale';
import { administrationOf } from '../../lambdas/serve/merchandising/influxdb/mint-tokens/administration';
import { type InfluxDb, openInfluxDb } from '../../local/engines/influxdb';
import { type Container, type Rig, startRig } from '../engine-rig';

const endpoint = 'tillstream.timestream-influxdb.test';
const user = { username: 'tillstream', password: 'correctHorseBatteryStaple' };
const databases = { sales: 'merchandising', items: 'merchandising_items' };

/** Merchandising's functions on the local engines, with tokens that were minted for them. */
export interface MerchandisingRig {
  readonly rig: Rig;
  /** A fresh container of the function in this directory of the room. */
  open(directory: 'write' | 'query' | 'compare', more?: Readonly<Record<string, string>>): Container;
  /** What the API answers, under this path and with these parameters; a list gives one several times. */
  ask(
    question: string,
    parameters?: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<{ status: number; body: any }>;
  /** Every statement that was sent to the database, in order. */
  readonly statements: string[];
  /** Refuses the next writes. */
  failWrites(times: number): void;
  /** Says that the next writes are done, and forgets them. */
  loseWrites(times: number): void;
  close(): Promise<void>;
}

export async function startMerchandising(retentionDays = 0): Promise<MerchandisingRig> {
  const rig = await startRig();
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  const influx: InfluxDb = await openInfluxDb({ directory: folder });
  influx.provision({ ...user, organization: 'tillstream', bucket: databases.sales });
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });

  const statements: string[] = [];
  let failures = 0;
  let losses = 0;
  const realFetch = globalThis.fetch;
  globalThis.fetch = (async (address: string, options: any = {}) => {
    const { host, pathname, searchParams } = new URL(address);
    if (host !== `${endpoint}:8086`) return realFetch(address, options);
    const { method = 'GET', headers = {}, body = '' } = options;
    if (pathname === '/query') statements.push(new URLSearchParams(body).get('q')!);
    if (pathname === '/write' && failures > 0) {
      failures--;
      return new Response('{"message":"unavailable"}', { status: 503 });
    }
    if (pathname === '/write' && losses > 0) {
      losses--;
      return new Response(null, { status: 204 });
    }
    const request = { method, path: pathname, query: searchParams, headers, body: Buffer.from(body) };
    const answer = await influx.handle(request);
    const text = answer.body.length === 0 ? null : String(answer.body);
    return new Response(text, { status: answer.status, headers: answer.headers });
  }) as typeof fetch;

  const administration = await administrationOf(`https://${endpoint}:8086`, 'tillstream', user);
  const buckets = [
    await administration.ensureBucket(databases.sales, retentionDays),
    await administration.ensureBucket(databases.items, retentionDays),
  ];
  const secretOf = async (action: 'read' | 'write') => {
    const SecretString = JSON.stringify(await administration.mintToken(action, action, buckets));
    return (await rig.engines.secretsmanager.call('CreateSecret', { Name: action, SecretString })).ARN;
  };
  const environment = {
    INFLUXDB_ENDPOINT: endpoint,
    SALES_DATABASE: databases.sales,
    ITEMS_DATABASE: databases.items,
    HELD_BUCKET_NAME: 'held',
    WRITE_TOKEN_SECRET_ARN: await secretOf('write'),
    READ_TOKEN_SECRET_ARN: await secretOf('read'),
  };
  const open = (directory: string, more: Readonly<Record<string, string>> = {}) =>
    rig.container(`../lambdas/serve/merchandising/influxdb/${directory}/handler`, { ...environment, ...more });
  const query = open('query');
  return {
    rig,
    open,
    async ask(question, parameters = {}) {
      const { statusCode, body } = await query.invoke({
        resource: `/merchandising/${question}`,
        multiValueQueryStringParameters: Object.fromEntries(
          Object.entries(parameters).map(([name, value]) => [name, [value].flat()]),
        ),
      });
      return { status: statusCode, body: JSON.parse(body) };
    },
    statements,
    failWrites(times) {
      failures = times;
    },
    loseWrites(times) {
      losses = times;
    },
    async close() {
      globalThis.fetch = realFetch;
      await influx.close();
      await rig.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface SqlRow {
  readonly value: string | null;
  readonly currency: string;
  readonly netSales: number;
  readonly units: number;
  readonly transactions: number;
  readonly returns: number;
  readonly averageBasket: number | null;
  readonly unitsPerBasket: number | null;
  readonly returnsRate: number | null;
  readonly discountShare: number | null;
}

/**
 * What a database says of the very input, in SQL and without anything of the code under test. `by` is a column of the
 * lines: region, channel, location, category or sku; `null` for totals.
 */
export async function bySql(sales: readonly Sale[], by: string | null, where = 'true'): Promise<SqlRow[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = sales.flatMap(({ lines, tenders: _, ...sale }) =>
    lines.map((line) => ({
      ...sale,
      ...line,
      category: line.category ?? 'uncategorized',
      discount: line.discount ?? 0,
    })),
  );
  await connection.run(
    `create table given as select unnest(from_json($rows, '[{"source":"VARCHAR","transactionId":"VARCHAR","type":"VARCHAR",
    "channel":"VARCHAR","region":"VARCHAR","location":"VARCHAR","occurredAt":"TIMESTAMPTZ","currency":"VARCHAR","sku":"VARCHAR",
    "category":"VARCHAR","quantity":"BIGINT","unitPrice":"BIGINT","discount":"BIGINT"}]'), recursive := true)`,
    {
      rows: JSON.stringify(rows),
    },
  );
  const value = by === null ? 'null' : by;
  const answer = await connection.runAndReadAll(`
    with lines as (select *, source || '#' || transactionId as sale, quantity * unitPrice - discount as net from given where ${where}),
    sums as (select ${value} as value, currency,
      coalesce(sum(net) filter (type = 'sale'), 0) as sold, coalesce(sum(net) filter (type = 'return'), 0) as returned,
      coalesce(sum(quantity) filter (type = 'sale'), 0) as units_sold, coalesce(sum(quantity) filter (type = 'return'), 0) as units_returned,
      coalesce(sum(discount) filter (type = 'sale'), 0) as discount,
      count(distinct sale) filter (type = 'sale') as baskets, count(distinct sale) filter (type = 'return') as returns
      from lines group by all)
    select value, currency, (sold - returned)::double as "netSales", (units_sold - units_returned)::double as units,
      (baskets + returns)::double as transactions, returns::double as returns,
      round(sold / nullif(baskets, 0), 0)::double as "averageBasket", round(units_sold / nullif(baskets, 0), 2)::double as "unitsPerBasket",
      round(returned / nullif(sold, 0), 4)::double as "returnsRate", round(discount / nullif(sold + discount, 0), 4)::double as "discountShare"
    from sums order by currency, value`);
  connection.closeSync();
  instance.closeSync();
  return answer.getRowObjectsJson() as unknown as SqlRow[];
}
