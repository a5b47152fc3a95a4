import { isSourceName, typedTable } from './source-columns';

/** What kinds of rows badges are served from. */
export type FeatureKind = 'sku' | 'stock' | 'centre';

/** Features of one source table. */
export interface FeatureGroup {
  /** `<database>.<table>`. */
  readonly table: string;
  /** Columns by the feature's name. The history in the lake keeps features under the names of their columns. */
  readonly features: Readonly<Record<string, string>>;
}

/**
 * The features of badges, defined once: the online table's items, the columns of their history in the lake, what lookups
 * and re-evaluations read and the training set all follow from it.
 */
export const badgeFeatures: Readonly<Record<FeatureKind, FeatureGroup>> = {
  sku: {
    table: 'inventory.skus',
    features: {
      status: 'status',
      category: 'category',
      safetyStock: 'safety_stock',
      reorderPoint: 'reorder_point',
    },
  },
  stock: {
    table: 'inventory.stock',
    features: { onHand: 'on_hand', reserved: 'reserved' },
  },
  centre: {
    table: 'inventory.fulfillment_centers',
    features: { dailyCapacity: 'daily_capacity', cutoff: 'cutoff', timeZone: 'time_zone' },
  },
};

export const featureKinds = Object.keys(badgeFeatures) as readonly FeatureKind[];

/** The kind of a source table's rows; undefined for tables whose rows are not served by themselves. */
export function featureKindOf(table: string): FeatureKind | undefined {
  return featureKinds.find((kind) => badgeFeatures[kind].table === table);
}

/** What a feature is in files: whole numbers are numbers, everything else is text. */
export function featureType(kind: FeatureKind, column: string): 'string' | 'bigint' {
  const [database = '', table = ''] = badgeFeatures[kind].table.split('.');
  const definition = isSourceName(database) ? typedTable(database, table) : undefined;
  return definition?.columns[column] === 'integer' ? 'bigint' : 'string';
}
