import { Client } from 'pg';
import { centres, type Happening } from './retailer';

type Database = 'inventory' | 'orders';

/** Begins the ids of the demonstration's orders. */
export const orderPrefix = 'demo';

/** The rows of the source databases, as a retailer's own systems would write them. */
export class SourceRows {
  private constructor(private readonly clients: Readonly<Record<Database, Client>>) {}

  /** Opens the shop: centres, and no orders left of an earlier day. */
  static async open(oltp: Readonly<Record<string, string>>): Promise<SourceRows> {
    const connect = async (database: Database) => {
      const client = new Client({ connectionString: oltp[database]! });
      // Whoever writes next is told.
      client.on('error', () => {});
      await client.connect();
      return client;
    };
    const [inventory, orders] = await Promise.all([connect('inventory'), connect('orders')]);
    for (const { fc, dailyCapacity, timeZone } of centres)
      await inventory.query(
        `insert into fulfillment_centers (fc_id, daily_capacity, cutoff, time_zone) values ($1, $2, '24:00', $3)
         on conflict (fc_id) do update set daily_capacity = excluded.daily_capacity, updated_at = now()`,
        [fc, dailyCapacity, timeZone],
      );
    await orders.query(
      `update orders set status = 'cancelled', updated_at = now() where order_id like '${orderPrefix}-%' and status <> 'cancelled'`,
    );
    return new SourceRows({ inventory, orders });
  }

  /** In the order in which it happens, a transaction each. */
  async write(happenings: readonly Happening[]): Promise<void> {
    for (const happening of happenings) {
      const { database, text, values } = statementOf(happening);
      await this.clients[database].query(text, values);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.clients).map((client) => client.end()));
  }
}

function statementOf(happening: Happening): { database: Database; text: string; values: unknown[] } {
  switch (happening.kind) {
    case 'stock':
      return {
        database: 'inventory',
        text: `insert into stock (sku, location, on_hand) values ($1, $2, $3)
          on conflict (sku, location) do update set on_hand = excluded.on_hand, updated_at = now()`,
        values: [happening.sku, happening.fc, happening.onHand],
      };
    case 'status':
      return {
        database: 'inventory',
        text: `insert into skus (sku, status, reorder_point, safety_stock) values ($1, $2, 5, 0)
          on conflict (sku) do update set status = excluded.status, updated_at = now()`,
        values: [happening.sku, happening.status],
      };
    case 'order':
      return {
        database: 'orders',
        text: `with made as (
            insert into orders (order_id, fc_id, status, promised_date) values ($1, $2, 'open', (now() at time zone $3)::date)
          ) insert into order_lines (order_id, line, sku, quantity)
            select $1, line, sku, quantity from unnest($4::text[], $5::int[]) with ordinality as lines(sku, quantity, line)`,
        values: [
          happening.id,
          happening.fc,
          centres.find(({ fc }) => fc === happening.fc)!.timeZone,
          happening.lines.map(({ sku }) => sku),
          happening.lines.map(({ quantity }) => quantity),
        ],
      };
    case 'order-status':
      return {
        database: 'orders',
        text: 'update orders set status = $2, updated_at = now() where order_id = $1',
        values: [happening.id, happening.status],
      };
  }
}
