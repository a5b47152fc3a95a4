/**
 * The tables behind badges and stock by their canonical names. A retailer's own names are mapped onto
 * them by configuration (lib/stages.ts); whoever reads `changes` sees these names only.
 */
export const sourceTables = {
  inventory: {
    skus: {
      key: ['sku'],
      columns: ['sku', 'status', 'category', 'reorder_point', 'safety_stock', 'updated_at'],
    },
    stock: {
      key: ['sku', 'location'],
      columns: ['sku', 'location', 'on_hand', 'reserved', 'updated_at'],
    },
    fulfillment_centers: {
      key: ['fc_id'],
      columns: ['fc_id', 'daily_capacity', 'cutoff', 'time_zone', 'updated_at'],
    },
    tillstream_heartbeat: { key: ['slot'], columns: ['slot', 'beat_at'] },
  },
  orders: {
    orders: {
      key: ['order_id'],
      columns: ['order_id', 'fc_id', 'status', 'promised_date', 'created_at', 'updated_at'],
    },
    order_lines: { key: ['order_id', 'line'], columns: ['order_id', 'line', 'sku', 'quantity'] },
    tillstream_heartbeat: { key: ['slot'], columns: ['slot', 'beat_at'] },
  },
} as const satisfies Record<string, Record<string, SourceTable>>;

/** A table by its canonical names. */
export interface SourceTable {
  readonly key: readonly string[];
  /** All that we need of it, key included. */
  readonly columns: readonly string[];
}

export type SourceName = keyof typeof sourceTables;

export const heartbeatTable = 'tillstream_heartbeat';
