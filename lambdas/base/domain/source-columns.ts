import { type SourceName, sourceTables } from './source-tables';

/** A column's value as the platform keeps it: times as text, whole numbers as numbers, nothing as null. */
export type ColumnValue = string | number | null;

/** A row of a source table, by canonical column names. A column that is missing was not sent. */
export type Row = Readonly<Record<string, ColumnValue>>;

/** What may stand in a column; a list names the allowed words. */
export type ColumnKind = 'name' | 'text' | 'integer' | 'timestamp' | 'date' | 'time' | 'zone' | readonly string[];

type ColumnKinds = {
  readonly [D in SourceName]: {
    readonly [T in keyof (typeof sourceTables)[D]]: (typeof sourceTables)[D][T] extends {
      readonly columns: readonly (infer Column extends string)[];
    }
      ? Readonly<Record<Column, ColumnKind>>
      : never;
  };
};

/** What each column of the canonical tables holds: one that is added there without a kind here does not compile. */
const columnKinds: ColumnKinds = {
  inventory: {
    skus: {
      sku: 'name',
      status: ['active', 'paused', 'discontinued'],
      category: 'text',
      reorder_point: 'integer',
      safety_stock: 'integer',
      updated_at: 'timestamp',
    },
    stock: { sku: 'name', location: 'name', on_hand: 'integer', reserved: 'integer', updated_at: 'timestamp' },
    fulfillment_centers: {
      fc_id: 'name',
      daily_capacity: 'integer',
      cutoff: 'time',
      time_zone: 'zone',
      updated_at: 'timestamp',
    },
    tillstream_heartbeat: { slot: 'name', beat_at: 'timestamp' },
  },
  orders: {
    orders: {
      order_id: 'name',
      fc_id: 'name',
      status: ['open', 'shipped', 'cancelled'],
      promised_date: 'date',
      created_at: 'timestamp',
      updated_at: 'timestamp',
    },
    order_lines: { order_id: 'name', line: 'name', sku: 'name', quantity: 'integer' },
    tillstream_heartbeat: { slot: 'name', beat_at: 'timestamp' },
  },
};

/** A table with the kinds of its columns. */
export interface TypedTable {
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnKind>>;
}

export function isSourceName(name: string): name is SourceName {
  return Object.hasOwn(sourceTables, name);
}

/** Finds a table by its names; undefined when there is none. */
export function typedTable(database: SourceName, table: string): TypedTable | undefined {
  const tables: Readonly<Record<string, { readonly key: readonly string[] }>> = sourceTables[database];
  if (!Object.hasOwn(tables, table)) return undefined;
  const kinds: Readonly<Record<string, Readonly<Record<string, ColumnKind>>>> = columnKinds[database];
  return { key: tables[table]!.key, columns: kinds[table]! };
}
