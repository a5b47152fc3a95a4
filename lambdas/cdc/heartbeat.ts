import { type Client, escapeIdentifier } from 'pg';
import { heartbeatSlots } from '../base/domain/heartbeat-slots';

/** The heartbeat table by its own names. */
export interface HeartbeatNames {
  readonly schema: string;
  readonly table: string;
  readonly slot: string;
  readonly beatAt: string;
}

/**
 * One beat: all 64 rows with the database's own time, and how many bytes of its log the replication slots of this
 * database hold back. One statement, the only one that we ever send to a source database while things run.
 */
export function beatStatement({ schema, table, slot, beatAt }: HeartbeatNames): string {
  const [name, id, at] = [[schema, table].map(escapeIdentifier).join('.'), ...[slot, beatAt].map(escapeIdentifier)];
  return `with beat as (
  insert into ${name} (${id}, ${at}) select unnest($1::text[]), clock_timestamp()
  on conflict (${id}) do update set ${at} = excluded.${at}
) select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::bigint as bytes
  from pg_replication_slots where database = current_database()`;
}

/** Beats once; answers the bytes that the slots hold back. */
export async function beatOnce(client: Client, names: HeartbeatNames): Promise<number> {
  const { rows } = await client.query(beatStatement(names), [heartbeatSlots]);
  return Number(rows[0].bytes);
}
