import { DuckDBInstance } from '@duckdb/node-api';
import type { Sale } from '../../lambdas/base/domain/sale';
import type { MerchandisingEngine } from '../../lib/stages';
import { type Container, type Rig, startRig } from '../engine-rig';
import { type EngineBehind, openEngine } from './merchandising-engines';

/** Merchandising's functions on the local engines. */
export interface MerchandisingRig extends EngineBehind {
  readonly rig: Rig;
  /** A fresh container of the function in this directory of the engine's. */
  open(directory: 'write' | 'query' | 'compare', more?: Readonly<Record<string, string>>): Container;
  /** What the API answers, under this path and with these parameters; a list gives one several times. */
  ask(
    question: string,
    parameters?: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<{ status: number; body: any }>;
}

export async function startMerchandising(
  engine: MerchandisingEngine = 'influxdb',
  retentionDays = 0,
): Promise<MerchandisingRig> {
  const rig = await startRig();
  await rig.engines.s3.call('CreateBucket', { Bucket: 'held' });
  const behind = await openEngine[engine](rig, retentionDays);
  const open = (directory: string, more: Readonly<Record<string, string>> = {}) =>
    rig.container(`../lambdas/serve/merchandising/${engine}/${directory}/handler`, {
      ...behind.environment,
      HELD_BUCKET_NAME: 'held',
      ...more,
    });
  const query = open('query');
  return {
    ...behind,
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
    async close() {
      await behind.close();
      await rig.close();
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
