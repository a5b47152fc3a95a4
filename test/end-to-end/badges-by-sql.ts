import type { Client } from 'pg';
import type { BadgeAnswer } from '../../lambdas/base/domain/badge';

/** What a badge's answer says of itself, without its time. */
export interface SqlBadge {
  readonly sku: string;
  readonly reason: string;
  readonly fc: string | null;
  readonly available: number;
}

/** How many orders each centre has for each day, by the orders database. */
const loads = `
  select fc_id, promised_date::text as day, count(*)::int as orders
  from orders where status <> 'cancelled' group by fc_id, promised_date`;

/** The rules of badges, written anew: nothing of the product's code is in it. */
const answers = `
  with centre as (
    select fc_id, daily_capacity, cutoff::time as cutoff, $2::timestamptz at time zone time_zone as clock
    from fulfillment_centers where fc_id = $1
  ), here as (
    select centre.*, coalesce(sum(load.orders), 0) as orders
    from centre left join json_to_recordset($3) as load(fc_id text, day date, orders int)
      on load.fc_id = centre.fc_id and load.day = centre.clock::date
    group by centre.fc_id, daily_capacity, centre.cutoff, clock
  ), known as (
    select sku, status,
      case when on_hand is not null then greatest(0, on_hand - greatest(0, reserved) - greatest(0, coalesce(safety_stock, 0))) end as available
    from skus left join (select * from stock where location = $1) as there using (sku)
  )
  select sku, reason, coalesce(case when status = 'active' and here.fc_id is not null then available end, 0)::int as available,
    case when status = 'active' then $1 end as fc
  from known left join here on true cross join lateral (select case
    when status <> 'active' then status
    when here.fc_id is null then 'unknown-fc'
    when available is null then 'not-stocked'
    when available <= 0 then 'out-of-stock'
    when clock::time >= cutoff then 'past-cutoff'
    when here.orders >= daily_capacity then 'fc-at-capacity'
    else 'in-stock' end) as reasons(reason)
  order by sku`;

/**
 * The badges of all SKUs with one centre, by the source databases themselves: what every answer must say once all changes
 * have come through. For the policy of the local stage, which has no safety stock of its own and the whole capacity.
 */
export async function badgesBySql(inventory: Client, orders: Client, fc: string, at: Date): Promise<SqlBadge[]> {
  const { rows } = await orders.query(loads);
  return (await inventory.query(answers, [fc, at, JSON.stringify(rows)])).rows;
}

/** An answer that is not what the sources say. */
export interface WrongBadge {
  readonly answered: BadgeAnswer;
  readonly bySql: SqlBadge;
}

/** Asks for all SKUs with one centre, and compares. Counts the answers by reason into `reasons`. */
export async function wrongBadges(
  ask: (skus: readonly string[], fcs: readonly string[]) => Promise<readonly BadgeAnswer[]>,
  inventory: Client,
  orders: Client,
  fc: string,
  reasons: Map<string, number> = new Map(),
): Promise<WrongBadge[]> {
  const rows = await badgesBySql(inventory, orders, fc, new Date());
  const wrong: WrongBadge[] = [];
  for (let start = 0; start < rows.length; start += 48) {
    const asked = rows.slice(start, start + 48);
    const answers = await ask(
      asked.map(({ sku }) => sku),
      [fc],
    );
    for (const [index, answered] of answers.entries()) {
      const bySql = asked[index]!;
      const { sku, reason, available, badge } = answered;
      reasons.set(bySql.reason, (reasons.get(bySql.reason) ?? 0) + 1);
      const isRight =
        sku === bySql.sku && reason === bySql.reason && available === bySql.available && answered.fc === bySql.fc;
      if (!isRight || badge !== (reason === 'in-stock')) wrong.push({ answered, bySql });
    }
  }
  return wrong;
}
