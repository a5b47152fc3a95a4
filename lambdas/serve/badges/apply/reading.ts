import { type Change, parseChange, type UnreadableChange } from '../../../base/domain/change';
import { isSourceName } from '../../../base/domain/source-columns';
import { heartbeatTable, type SourceName } from '../../../base/domain/source-tables';
import type { StreamRecord } from '../../../base/runtime/stream-batch';
import { onlinePk } from '../features';
import type { RowKey } from '../state-table';

/** A record of the batch that is a change. */
export interface ReadChange {
  readonly record: StreamRecord;
  readonly change: Change;
  /** Milliseconds, by Kinesis' clock: tells the epoch, and survives replay and redrive. */
  readonly arrivedAt: number;
}

/** A record that cannot be used, and whom that leaves without news. */
export interface UnusableRecord {
  readonly record: StreamRecord;
  readonly reason: string;
  readonly arrivedAt: number;
  /** When it was committed if it says so, else when it arrived. */
  readonly since: string;
  readonly databases: readonly SourceName[];
  /** The online item that it is about, where that is known. */
  readonly item?: string;
  /** The row that it is about and its place in the database's log, where both are known: a later change makes up for it. */
  readonly row?: RowKey & { readonly logPosition: string };
}

export interface ReadBatch {
  readonly rows: readonly ReadChange[];
  readonly beats: readonly ReadChange[];
  readonly unusable: readonly UnusableRecord[];
  readonly controls: number;
}

const databases: readonly SourceName[] = ['inventory', 'orders'];

/** Sorts a batch's records by what they are. */
export function read(batch: readonly StreamRecord[]): ReadBatch {
  const rows: ReadChange[] = [];
  const beats: ReadChange[] = [];
  const unusable: UnusableRecord[] = [];
  let controls = 0;
  for (const record of batch) {
    const arrivedAt = record.original.kinesis.approximateArrivalTimestamp * 1_000;
    const change = parseChange(record.text);
    if ('control' in change) controls += 1;
    else if ('reason' in change) unusable.push(unusableRecord(record, arrivedAt, change));
    else (change.table === heartbeatTable ? beats : rows).push({ record, change, arrivedAt });
  }
  return { rows, beats, unusable, controls };
}

function unusableRecord(record: StreamRecord, arrivedAt: number, change: UnreadableChange): UnusableRecord {
  const { reason, database, table, key, commitTime, logPosition } = change;
  // The partition key names the database even where nothing else can be read.
  const [named = ''] = record.original.kinesis.partitionKey.split('.', 1);
  const concerned = database ?? (isSourceName(named) ? named : undefined);
  const item = database === undefined || key === undefined ? undefined : onlinePk(`${database}.${table}`, key);
  return {
    record,
    reason,
    arrivedAt,
    since: commitTime ?? new Date(arrivedAt).toISOString(),
    databases: concerned === undefined ? databases : [concerned],
    ...(item === undefined ? {} : { item }),
    ...(database === undefined || key === undefined || logPosition === undefined
      ? {}
      : { row: { table: `${database}.${table}`, key, logPosition } }),
  };
}
