import { badgeFeatures, type FeatureKind, featureKinds, featureType } from './badge-features';
import { heartbeatSlots } from './heartbeat-slots';
import type { Column, LakeRowTable } from './lake-rows';

/**
 * What badges went by and when, as the lake keeps it: the table, and the query for a training set, which is the same text
 * on Athena and DuckDB.
 *
 * Rows come at least once, so files repeat them. A repeat may have a later `readable_at`: a batch that was killed between
 * the online table and the lake comes again. Of several, the earliest counts.
 */

/** What a row of the history is about. */
export type HistoryKind = FeatureKind | 'count' | 'beat' | 'held' | 'end' | 'policy';

const featureColumns = featureKinds.flatMap((kind) =>
  Object.values(badgeFeatures[kind].features).map(
    (name): Column => ({
      name,
      type: featureType(kind, name),
      optional: true,
      comment: `of a ${kind}, as in ${badgeFeatures[kind].table}`,
    }),
  ),
);

const columns: readonly Column[] = [
  { name: 'kind', type: 'string', comment: 'sku, stock, centre, count, beat, held, end or policy' },
  { name: 'item', type: 'string', comment: "the online table's item; a beat's also names its slot" },
  { name: 'position', type: 'string', comment: "place in the item's history; sorts as text" },
  { name: 'committed_at', type: 'timestamp', optional: true, comment: "UTC, the source's commit; a load has none" },
  {
    name: 'readable_at',
    type: 'timestamp',
    optional: true,
    comment: 'UTC, when lookups could read it at the latest; none: it came too late to be read, or that is not known',
  },
  { name: 'deleted', type: 'bigint', optional: true, comment: '1: the row is gone' },
  ...featureColumns,
  { name: 'day', type: 'string', optional: true, comment: 'of a count: the promised day, yyyy-MM-dd' },
  { name: 'orders', type: 'bigint', optional: true, comment: 'of a count: orders of that centre and day by then' },
  { name: 'order_id', type: 'string', optional: true, comment: 'of a count: an order that changed it' },
  { name: 'order_position', type: 'string', optional: true, comment: "of a count: that order's place in its history" },
  { name: 'order_change', type: 'bigint', optional: true, comment: 'of a count: 1 added, -1 taken away' },
  { name: 'beat_at', type: 'timestamp', optional: true, comment: "UTC, of a beat: by the source's clock" },
  { name: 'held_since', type: 'timestamp', optional: true, comment: 'UTC: nothing is vouched for from then on' },
  { name: 'ends_at', type: 'timestamp', optional: true, comment: 'UTC: the item counts as absent from then on' },
  { name: 'policy', type: 'string', optional: true, comment: 'of a policy: all of it, as JSON' },
];

export const badgeHistory: LakeRowTable = {
  name: 'badge_history',
  comment:
    'What badges went by: each row as it was served, with its position, commit time and when it became readable. Files may repeat rows; of the times of one row the earliest counts.',
  key: ['kind', 'item', 'position', 'day', 'order_id'],
  earliest: 'readable_at',
  columns,
  partition: { column: 'arrived_date', comment: 'UTC date on which its batch of changes arrived, yyyy-MM-dd' },
};

/** A row as it is written: times in ISO 8601; what is undefined or null says nothing. */
export interface HistoryRow {
  readonly kind: HistoryKind;
  readonly item: string;
  readonly position: string;
  readonly [column: string]: string | number | null | undefined;
}

/** Milliseconds are what files and both query engines keep of a time. */
function timestamp(at: Date): string {
  return `TIMESTAMP '${at.toISOString().replace('T', ' ').replace('Z', '')}'`;
}

/** A text in a query. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const counts = [
  ['day_before', -1],
  ['day', 0],
  ['day_after', 1],
] as const;

const groupColumns = featureKinds.flatMap((kind) => [
  ...Object.values(badgeFeatures[kind].features).map((name) => ({ kind, name, as: name })),
  ...['position', 'committed_at', 'readable_at'].map((name) => ({ kind, name, as: `${kind}_${name}` })),
]);

/** The columns of a training set, in their order. */
export const trainingSetColumns: readonly string[] = [
  ...['known_at', 'inventory_as_of', 'orders_as_of', 'sku', 'fc'],
  ...groupColumns.map(({ as }) => as),
  ...counts.map(([name]) => `orders_${name}`),
];

/**
 * The query for a training set as it was known at a time: for each SKU and centre with stock the features that lookups
 * could read then, whatever has been committed by then and came later. Orders are given for three days, since a centre's
 * own day is the UTC day or one beside it, as its `time_zone` says. `inventory_as_of` and `orders_as_of` are the
 * databases' watermarks; null where a slot had never beaten.
 */
export function trainingSetQuery(knownAt: Date, table: string = badgeHistory.name): string {
  const date = (shift: number) => new Date(knownAt.getTime() + shift * 86_400_000).toISOString().slice(0, 10);
  const { column: partition } = badgeHistory.partition;
  const names = featureColumns.map(({ name }) => name).join(', ');
  const watermark = (database: string) =>
    `(SELECT MIN(beat_at) FROM known WHERE newest = 1 AND item LIKE 'beats#${database}#%' HAVING COUNT(*) = ${heartbeatSlots.length})`;
  const selected = [
    `${timestamp(knownAt)} AS known_at`,
    `${watermark('inventory')} AS inventory_as_of`,
    `${watermark('orders')} AS orders_as_of`,
    "split_part(stock_now.item, '#', 2) AS sku",
    "split_part(stock_now.item, '#', 3) AS fc",
    ...groupColumns.map(({ kind, name, as }) => `${kind}_now.${name}${name === as ? '' : ` AS ${as}`}`),
    ...counts.map(([name]) => `COALESCE(orders_${name}.orders, 0) AS orders_${name}`),
  ];
  return [
    'WITH known AS (',
    `  SELECT kind, item, position, committed_at, readable_at, deleted, ${names}, day, orders, beat_at,`,
    '    ROW_NUMBER() OVER (PARTITION BY kind, item, day ORDER BY position DESC, readable_at) AS newest',
    `  FROM ${table}`,
    `  WHERE ${partition} <= ${quoted(date(0))} AND readable_at <= ${timestamp(knownAt)}`,
    ')',
    'SELECT',
    ...selected.map((column, index) => `  ${column}${index === selected.length - 1 ? '' : ','}`),
    'FROM known AS stock_now',
    "JOIN known AS sku_now ON sku_now.kind = 'sku' AND sku_now.newest = 1 AND sku_now.deleted = 0",
    "  AND sku_now.item = 'sku#' || split_part(stock_now.item, '#', 2)",
    "LEFT JOIN known AS centre_now ON centre_now.kind = 'centre' AND centre_now.newest = 1 AND centre_now.deleted = 0",
    "  AND centre_now.item = 'centre#' || split_part(stock_now.item, '#', 3)",
    ...counts.flatMap(([name, shift]) => [
      `LEFT JOIN known AS orders_${name} ON orders_${name}.kind = 'count' AND orders_${name}.newest = 1 AND orders_${name}.day = ${quoted(date(shift))}`,
      `  AND orders_${name}.item = 'centre#' || split_part(stock_now.item, '#', 3)`,
    ]),
    "WHERE stock_now.kind = 'stock' AND stock_now.newest = 1 AND stock_now.deleted = 0",
    'ORDER BY sku, fc',
  ].join('\n');
}
