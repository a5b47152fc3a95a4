import { Client, type ClientConfig, escapeIdentifier } from 'pg';
import type { TablePlan } from './dms-mappings';
import type { CapturedColumn } from './dms-records';

/** A table as the catalogue has it. */
export interface FoundTable {
  readonly plan: TablePlan;
  readonly columns: readonly CapturedColumn[];
  /** In the order of the primary key. */
  readonly key: readonly string[];
}

/** Runs statements over a connection of their own. */
export async function withClient<Result>(
  connection: ClientConfig,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(connection);
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Looks the tables of the plans up; throws for one without a primary key, whose changes the log could not name. */
export async function findTables(client: Client, plans: readonly TablePlan[]): Promise<FoundTable[]> {
  const found: FoundTable[] = [];
  for (const plan of plans) {
    const { rows } = await client.query(
      `select a.attname::text as name, a.atttypid::int4 as oid, a.atttypmod::int4 as modifier, not a.attnotnull as nullable,
         array_position(i.indkey::int2[], a.attnum) as place
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       left join pg_index i on i.indrelid = c.oid and i.indisprimary
       where n.nspname = $1 and c.relname = $2 and c.relkind = 'r' order by a.attnum`,
      [plan.schema, plan.table],
    );
    if (rows.length === 0) continue;
    const key = rows.filter(({ place }) => place !== null).sort((one, other) => one.place - other.place);
    if (key.length === 0) throw new Error(`table ${plan.schema}.${plan.table} has no primary key`);
    found.push({ plan, columns: rows, key: key.map(({ name }) => name) });
  }
  return found;
}

/** Has the server publish exactly these tables. DMS's own plug-ins need no publication; the local reader's does. */
export async function publish(client: Client, name: string, tables: readonly FoundTable[]): Promise<void> {
  const publication = escapeIdentifier(name);
  const list = tables.map(({ plan }) => qualified(plan)).join(', ');
  const { rowCount } = await client.query('select 1 from pg_publication where pubname = $1', [name]);
  // Never without one in between: the log is read as the catalogue was when it was written.
  if (rowCount === 0) await client.query(`create publication ${publication} for table ${list}`);
  else await client.query(`alter publication ${publication} set table ${list}`);
}

export async function dropSlot(client: Client, slot: string): Promise<void> {
  await client.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active`,
    [slot],
  );
}

export function qualified({ schema, table }: Pick<TablePlan, 'schema' | 'table'>): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
}
