import type { TablePlan } from './dms-mappings';
import type { TargetEndpoint, TaskSettings } from './dms-settings';
import { type ColumnType, typeName, type ValueWriter, valueWriter } from './dms-values';

/** A record on its way to the stream. */
export interface OutgoingRecord {
  readonly partitionKey: string;
  readonly text: string;
}

export interface CapturedColumn extends ColumnType {
  readonly name: string;
  readonly nullable: boolean;
}

/** A row as texts by the source's column names; null is null, absent is not known (an unchanged long value). */
export type Row = Readonly<Record<string, string | null | undefined>>;

/** Where a change stands in the log. */
export interface ChangePlace {
  readonly transactionId: number;
  /** Its place in the transaction, from 1. */
  readonly recordId: number;
  /** `XXXXXXXX/XXXXXXXX`. */
  readonly lsn: string;
  readonly commitTimestamp: string;
  readonly previous: { readonly transactionId: number; readonly recordId: number } | undefined;
}

interface WrittenColumn {
  readonly source: string;
  readonly target: string;
  readonly write: ValueWriter;
}

export interface RecordOptions {
  readonly target: TargetEndpoint;
  readonly settings: TaskSettings;
  readonly taskId: string;
}

/** Writes the records of one table in DMS's shapes. */
export class TableRecords {
  readonly #plan: TablePlan;
  readonly #columns: readonly WrittenColumn[];
  readonly #captured: readonly CapturedColumn[];
  readonly #key: readonly string[];
  readonly #options: RecordOptions;

  constructor(
    plan: TablePlan,
    columns: readonly CapturedColumn[],
    /** The source's names, in the order of the primary key. */
    key: readonly string[],
    options: RecordOptions,
  ) {
    const { hexPrefix } = options.target;
    this.#plan = plan;
    this.#captured = columns.filter(({ name }) => plan.targetColumn(name) !== undefined);
    this.#columns = this.#captured.map((column) => ({
      source: column.name,
      target: plan.targetColumn(column.name)!,
      write: valueWriter(column, { hexPrefix, maximumLobBytes: options.settings.maximumLobBytes }),
    }));
    const dropped = key.find((name) => plan.targetColumn(name) === undefined);
    if (dropped !== undefined) throw new Error(`column '${dropped}' of ${plan.table} is dropped, and is of its key`);
    this.#key = key;
    this.#options = options;
  }

  /** Names of the columns that are read. */
  get columns(): readonly string[] {
    return this.#captured.map(({ name }) => name);
  }

  load(row: Row): OutgoingRecord {
    return this.#data('load', row, undefined);
  }

  insert(row: Row, place: ChangePlace): OutgoingRecord {
    return this.#data('insert', row, place);
  }

  /** `old` has the old key where it changed, or the whole old row where the log holds it. */
  update(row: Row, old: Row | null, place: ChangePlace): OutgoingRecord {
    return this.#data('update', row, place, old ?? {});
  }

  /** All that the log holds of a deleted row is its key. */
  delete(old: Row, place: ChangePlace): OutgoingRecord {
    const key = Object.fromEntries(
      this.#columns.map(({ source }) => [source, this.#key.includes(source) ? old[source] : null]),
    );
    return this.#data('delete', key, place);
  }

  /** What the table looks like: the first record of each. */
  definition(): OutgoingRecord {
    const { targetSchema, targetTable } = this.#plan;
    const { taskId, target } = this.#options;
    const columns = this.#captured.map((column) => [
      this.#plan.targetColumn(column.name),
      { ...typeName(column), nullable: column.nullable },
    ]);
    const record = {
      ...(target.controlDetails
        ? {
            control: {
              'table-def': {
                columns: Object.fromEntries(columns),
                'primary-key': this.#key.map((name) => this.#plan.targetColumn(name)),
              },
            },
          }
        : {}),
      metadata: {
        timestamp: microseconds(Date.now()),
        'record-type': 'control',
        operation: 'create-table',
        'partition-key-type': 'task-id',
        ...(target.partitionValue ? { 'partition-key-value': taskId } : {}),
        'schema-name': targetSchema,
        'table-name': targetTable,
      },
    };
    return { partitionKey: `${taskId}.${targetSchema}.${targetTable}`, text: `${JSON.stringify(record)}\n` };
  }

  #data(operation: string, row: Row, place: ChangePlace | undefined, before?: Row): OutgoingRecord {
    const { targetSchema, targetTable } = this.#plan;
    const { target, settings } = this.#options;
    const data: Record<string, string | number | null> = {};
    for (const { source, target: name, write } of this.#columns) {
      const value = row[source];
      if (value === undefined) continue;
      if (value !== null) data[name] = write(value);
      else if (target.nullAndEmpty) data[name] = null;
    }
    const key = this.#key.map((name) => row[name]).join('.');
    const partitionKey = target.partitionSchemaTable ? `${targetSchema}.${targetTable}.${key}` : key;
    const record = {
      ...(before !== undefined && settings.beforeImage !== undefined
        ? { [settings.beforeImage]: this.#keyOf(before) }
        : {}),
      data,
      metadata: {
        timestamp: microseconds(Date.now()),
        'record-type': 'data',
        operation,
        'partition-key-type': 'primary-key',
        ...(target.partitionValue ? { 'partition-key-value': partitionKey } : {}),
        'schema-name': targetSchema,
        'table-name': targetTable,
        ...(place === undefined ? {} : this.#transaction(place)),
      },
    };
    // A partition key is at most 256 characters long; DMS's own rule for longer ones is not known.
    return { partitionKey: partitionKey.slice(0, 256), text: `${JSON.stringify(record)}\n` };
  }

  #keyOf(row: Row): Record<string, string | number> {
    const key: Record<string, string | number> = {};
    for (const { source, target, write } of this.#columns) {
      const value = row[source];
      if (this.#key.includes(source) && typeof value === 'string') key[target] = write(value);
    }
    return key;
  }

  #transaction({ transactionId, recordId, lsn, commitTimestamp, previous }: ChangePlace) {
    if (!this.#options.target.transactionDetails) return { 'transaction-id': transactionId };
    return {
      ...(previous === undefined
        ? {}
        : {
            'prev-transaction-id': previous.transactionId,
            'prev-transaction-record-id': previous.recordId,
          }),
      'transaction-id': transactionId,
      'transaction-record-id': recordId,
      'commit-timestamp': commitTimestamp,
      'stream-position': `${lsn}.3.${lsn}`,
    };
  }
}

/** ISO 8601 with microseconds, of which a clock of milliseconds knows three. */
function microseconds(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}
