import type { Client } from 'pg';
import { heartbeatTable, type SourceName } from '../../base/domain/source-tables';
import { secretsManagerClient } from '../../base/runtime/clients';
import { deployStep } from '../../base/runtime/deploy-step';
import { beatOnce } from '../heartbeat';
import { type SourceConnection, withSource } from '../source-connection';
import inventory from './inventory.sql';
import orders from './orders.sql';
import { type ConfiguredTables, type FoundTable, objections } from './source-check';

const secrets = secretsManagerClient();
const canonicalTables: Readonly<Record<SourceName, string>> = { inventory, orders };

interface Source extends SourceConnection, ConfiguredTables {
  readonly database: SourceName;
  /** The database is ours, so we make its tables. */
  readonly create: boolean;
  readonly heartbeat: 'ours' | 'owners';
}

/**
 * Runs at deploy, before a database is replicated: makes the tables of a database that is ours, looks into the catalogue
 * of any whether it is as configured, and beats once, so that the load already brings all heartbeat rows. The only queries
 * that we send to a source database, apart from the heartbeat and what DMS reads.
 *
 * On repeat: nothing changes but the time of the beat. On failure: the deployment stops with all reasons, and nothing has
 * been read from the tables.
 */
export const handler = deployStep(async ({ source: text }) => {
  const source: Source = JSON.parse(text!);
  await withSource(secrets, source, async (client) => {
    if (source.create) await client.query(canonicalTables[source.database]);
    else {
      const reasons = objections(source.database, source, await foundTables(client, source), await walLevel(client));
      if (reasons.length > 0)
        throw new Error(`the database ${source.database} cannot be replicated: ${reasons.join('; ')}`);
    }
    const { table, columns } = source.tables[heartbeatTable]!;
    if (source.heartbeat === 'ours')
      await beatOnce(client, { schema: source.schema, table, slot: columns.slot!, beatAt: columns.beat_at! });
  });
  return {};
});

async function foundTables(client: Client, { schema, tables }: ConfiguredTables): Promise<FoundTable[]> {
  const { rows } = await client.query(
    `select c.relname as table,
      array(select a.attname::text from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum) as columns,
      array(select a.attname::text from pg_index i, unnest(i.indkey::int2[]) with ordinality k(attnum, place), pg_attribute a
        where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.attnum order by k.place) as key
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = any($2) and c.relkind = 'r'`,
    [schema, Object.values(tables).map(({ table }) => table)],
  );
  return rows;
}

async function walLevel(client: Client): Promise<string> {
  const { rows } = await client.query('show wal_level');
  return rows[0].wal_level;
}
