import type { KinesisStreamEvent } from 'aws-lambda';
import { sourceTables } from '../../lambdas/base/domain/source-tables';
import { kinesisEvent } from '../engine-rig';

type SourceRow = Record<string, string | number | null>;

/** A record of `changes` and when it arrived there. */
export interface SourceRecord {
  readonly partitionKey: string;
  readonly text: string;
  /** Milliseconds. */
  readonly arrivedAt: number;
}

/** When the epochs of the tests start: numbers 1, 2, ... a minute apart, the first ten minutes ago. */
export const epochStart = (epoch: number): number => base + epoch * 60_000;
const base = Math.floor(Date.now() / 1_000) * 1_000 - 600_000;

/** Two databases that can be changed and loaded, and what DMS makes of it, written from its documented shapes. */
export class Source {
  readonly rows = new Map<string, SourceRow>();
  readonly records: SourceRecord[] = [];
  #lsn = 0x7c00_0000;
  #epoch = 1;
  /** Whether the log is read. */
  isWatched = true;

  put(database: string, table: string, row: SourceRow, { leaveOut = [] as readonly string[] } = {}): void {
    const id = idOf(database, table, row);
    const before = this.rows.get(id);
    const { columns } = (sourceTables as any)[database][table];
    const whole = { ...Object.fromEntries(columns.map((column: string) => [column, null])), ...before, ...row };
    this.rows.set(id, whole);
    const data = { ...whole };
    if (before !== undefined) for (const column of leaveOut) if (before[column] === whole[column]) delete data[column];
    this.#emit(
      database,
      table,
      before === undefined ? 'insert' : 'update',
      data,
      before === undefined ? {} : { 'before-image': {} },
    );
  }

  delete(database: string, table: string, key: SourceRow): void {
    const id = idOf(database, table, key);
    const row = this.rows.get(id);
    if (row === undefined) return;
    this.rows.delete(id);
    const data = Object.fromEntries(Object.keys(row).map((column) => [column, key[column] ?? null]));
    this.#emit(database, table, 'delete', data);
  }

  changeKey(database: string, table: string, from: SourceRow, to: SourceRow): void {
    const row = this.rows.get(idOf(database, table, from));
    const target = idOf(database, table, to);
    if (row === undefined || this.rows.has(target)) return;
    this.rows.delete(idOf(database, table, from));
    this.rows.set(target, { ...row, ...to });
    this.#emit(database, table, 'update', { ...row, ...to }, { 'before-image': from });
  }

  /** Stops the log, changes what nobody sees, and loads everything under a new epoch; the log starts anew. */
  reload(unseen: () => void = () => {}): void {
    this.isWatched = false;
    unseen();
    this.isWatched = true;
    this.#epoch += 1;
    this.#lsn = 0x1000;
    this.load();
  }

  load(): void {
    for (const [id, row] of this.rows) {
      const [database, table] = id.split('/') as [string, string];
      this.#push(database, table, row, { data: row }, { operation: 'load' });
    }
  }

  /** All slots of both databases, as a change. */
  beat(slots: readonly string[], at = Date.now()): void {
    for (const database of ['inventory', 'orders'])
      for (const slot of slots)
        this.put(database, 'tillstream_heartbeat', {
          slot,
          beat_at: new Date(at).toISOString().replace(/\.000Z$/, 'Z'),
        });
  }

  take(): SourceRecord[] {
    return this.records.splice(0);
  }

  of(database: string, table: string): SourceRow[] {
    return [...this.rows].filter(([id]) => id.startsWith(`${database}/${table}/`)).map(([, row]) => row);
  }

  #emit(database: string, table: string, operation: string, data: SourceRow, more: object = {}): void {
    this.#lsn += 0x40;
    if (!this.isWatched) return;
    const lsn = `00000002/${this.#lsn.toString(16).toUpperCase().padStart(8, '0')}`;
    this.#push(
      database,
      table,
      data,
      { ...more, data },
      {
        operation,
        'transaction-id': 1_139,
        'transaction-record-id': 1,
        'commit-timestamp': new Date(epochStart(this.#epoch) + (this.#lsn % 0x1000)).toISOString().replace('Z', '340Z'),
        'stream-position': `${lsn}.3.${lsn}`,
      },
    );
  }

  #push(database: string, table: string, row: SourceRow, record: object, more: object): void {
    const partitionKey = idOf(database, table, row).replaceAll('/', '.');
    this.records.push({
      partitionKey,
      arrivedAt: epochStart(this.#epoch) + 1_000 + this.records.length,
      text: JSON.stringify({
        ...record,
        metadata: {
          timestamp: '2026-11-22T10:15:30.691762Z',
          'record-type': 'data',
          'partition-key-type': 'primary-key',
          'partition-key-value': partitionKey,
          'schema-name': database,
          'table-name': table,
          ...more,
        },
      }),
    });
  }
}

function idOf(database: string, table: string, row: SourceRow): string {
  const { key } = (sourceTables as any)[database][table];
  return [database, table, ...key.map((column: string) => row[column])].join('/');
}

/** The event that Lambda makes of them. */
export function changesEvent(
  records: readonly SourceRecord[],
  options: { readonly shard?: number; readonly firstSequence?: number } = {},
): KinesisStreamEvent {
  const { Records } = kinesisEvent(
    records.map(({ text }) => text),
    options,
  );
  return {
    Records: Records.map((record, index) => ({
      ...record,
      kinesis: {
        ...record.kinesis,
        partitionKey: records[index]!.partitionKey,
        approximateArrivalTimestamp: records[index]!.arrivedAt / 1_000,
      },
    })),
  };
}
