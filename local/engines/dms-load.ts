import { Client, type ClientConfig, escapeIdentifier } from 'pg';
import { type FoundTable, qualified, withClient } from './dms-catalogue';
import type { OutgoingRecord, RecordOptions } from './dms-records';
import { TableRecords } from './dms-records';

const rowsAtOnce = 2_000;
/** Every value as PostgreSQL writes it. */
const asText = { getTypeParser: () => (value: string) => value } as NonNullable<ClientConfig['types']>;

export interface LoadOptions {
  readonly connection: ClientConfig;
  readonly slot: string;
  readonly tables: readonly FoundTable[];
  readonly records: RecordOptions;
  put(records: readonly OutgoingRecord[]): Promise<void>;
  /** Told before the first row is read. */
  onStarted(): void;
  onProgress(percent: number): void;
  readonly signal: AbortSignal;
}

/**
 * Makes the replication slot and reads all rows as they are at that very point of the log: what the slot delivers
 * afterwards follows without gap or overlap.
 */
export async function load(options: LoadOptions): Promise<void> {
  const { connection, slot, tables, records, put, onStarted, onProgress, signal } = options;
  // The snapshot lives as long as this connection does nothing else.
  const holder = new Client({ ...connection, replication: 'database' } as ClientConfig);
  holder.on('error', () => {});
  await holder.connect();
  try {
    const { rows } = await holder.query(
      `CREATE_REPLICATION_SLOT ${escapeIdentifier(slot)} LOGICAL pgoutput (SNAPSHOT 'export')`,
    );
    onStarted();
    await withClient({ ...connection, types: asText }, async (client) => {
      await client.query('begin isolation level repeatable read read only');
      await client.query(`set transaction snapshot '${rows[0].snapshot_name}'`);
      for (const [index, table] of tables.entries()) {
        const writer = new TableRecords(table.plan, table.columns, table.key, records);
        await put([writer.definition()]);
        await loadTable(client, table, writer);
        onProgress(Math.floor((100 * (index + 1)) / tables.length));
      }
      await client.query('commit');
    });
  } finally {
    await holder.end();
  }

  async function loadTable(client: Client, { plan }: FoundTable, writer: TableRecords): Promise<void> {
    const columns = writer.columns.map(escapeIdentifier).join(', ');
    await client.query(`declare rows no scroll cursor for select ${columns} from ${qualified(plan)}`);
    for (;;) {
      signal.throwIfAborted();
      const { rows } = await client.query(`fetch ${rowsAtOnce} from rows`);
      if (rows.length === 0) break;
      await put(rows.map((row) => writer.load(row)));
    }
    await client.query('close rows');
  }
}
