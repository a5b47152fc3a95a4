import type { ColumnValue, Row } from '../../base/domain/source-columns';
import { onlineKey } from './lookup/online-items';
import type { StoredRow } from './row-state';

/** What lookups read of a row. Nothing is null: a deleted row's item has no features, and says so by that. */
export interface OnlineItem {
  readonly pk: string;
  readonly position: string;
  readonly committedAt: string | null;
  readonly features: Readonly<Record<string, ColumnValue>>;
}

type Feature = (row: Row) => ColumnValue;

interface OnlineTableOf {
  readonly pk: (key: readonly string[]) => string;
  readonly features: Readonly<Record<string, Feature>>;
}

const column =
  (name: string): Feature =>
  (row) =>
    row[name] ?? null;

/** The features of each table's rows, by `<database>.<table>`: the only definition of them. */
const definitions: Readonly<Record<string, OnlineTableOf>> = {
  'inventory.skus': {
    pk: ([sku]) => onlineKey.sku(sku!),
    features: {
      status: column('status'),
      category: column('category'),
      safetyStock: column('safety_stock'),
      reorderPoint: column('reorder_point'),
    },
  },
  'inventory.stock': {
    pk: ([sku, location]) => onlineKey.stock(sku!, location!),
    features: { onHand: column('on_hand'), reserved: column('reserved') },
  },
  'inventory.fulfillment_centers': {
    pk: ([fc]) => onlineKey.centre(fc!),
    features: {
      dailyCapacity: column('daily_capacity'),
      cutoff: column('cutoff'),
      timeZone: column('time_zone'),
    },
  },
};

/** Partition key of the item that a table's row is served as; undefined for rows that are not served by themselves. */
export function onlinePk(table: string, key: readonly string[]): string | undefined {
  return definitions[table]?.pk(key);
}

/** The pure feature function: the online item is a function of the stored row, and of nothing else. */
export function onlineItemOf(table: string, key: readonly string[], stored: StoredRow): OnlineItem | undefined {
  const definition = definitions[table];
  if (definition === undefined) return undefined;
  const { pk, features } = definition;
  return {
    pk: pk(key),
    position: stored.position,
    committedAt: stored.commitTime ?? null,
    features: Object.fromEntries(Object.entries(features).map(([name, feature]) => [name, feature(stored.row)])),
  };
}
