import { badgeFeatures, type FeatureKind, featureKindOf } from '../../base/domain/badge-features';
import type { ColumnValue } from '../../base/domain/source-columns';
import { onlineKey } from './lookup/online-items';
import type { StoredRow } from './row-state';

/** What lookups read of a row. Nothing is null: a deleted row's item has no features, and says so by that. */
export interface OnlineItem {
  readonly kind: FeatureKind;
  readonly pk: string;
  /** The row's position, and which late filling of it this is (`versionOf`): names this very image, and sorts. */
  readonly position: string;
  readonly committedAt: string | null;
  readonly deleted: boolean;
  readonly features: Readonly<Record<string, ColumnValue>>;
}

const pkOf: Readonly<Record<FeatureKind, (key: readonly string[]) => string>> = {
  sku: ([sku]) => onlineKey.sku(sku!),
  stock: ([sku, location]) => onlineKey.stock(sku!, location!),
  centre: ([fc]) => onlineKey.centre(fc!),
};

/** Partition key of the item that a table's row is served as; undefined for rows that are not served by themselves. */
export function onlinePk(table: string, key: readonly string[]): string | undefined {
  const kind = featureKindOf(table);
  return kind === undefined ? undefined : pkOf[kind](key);
}

/** The position of an image: a late change fills in columns of a row without moving it in the log. */
export function versionOf({ position, fills }: Pick<StoredRow, 'position' | 'fills'>): string {
  return fills === 0 ? position : `${position}/${String(fills).padStart(4, '0')}`;
}

/**
 * The pure feature function: the online item, and with it its row in the lake's history, is a function of the stored row,
 * and of nothing else.
 */
export function onlineItemOf(table: string, key: readonly string[], stored: StoredRow): OnlineItem | undefined {
  const kind = featureKindOf(table);
  if (kind === undefined) return undefined;
  return {
    kind,
    pk: pkOf[kind](key),
    position: versionOf(stored),
    committedAt: stored.commitTime ?? null,
    deleted: stored.deleted,
    features: Object.fromEntries(
      Object.entries(badgeFeatures[kind].features).map(([name, column]) => [name, stored.row[column] ?? null]),
    ),
  };
}
