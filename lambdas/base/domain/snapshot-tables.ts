import type { Column } from './lake-rows';
import { type RowTable, saleLines, saleTenders } from './sale-rows';

/**
 * The tables that data science trains on: what snapshots hold of the lake's tables, and what is known of a card at the
 * moment of its sale. No card number is anywhere near: brand, BIN, country and funding come from the door, and a card is
 * followed by its token.
 */

/** A column that is worked out when a snapshot is made. */
export interface DerivedColumn extends Column {
  readonly expression: string;
  /** The source's last column when this one came: columns that the source gets later come behind, and nothing moves. */
  readonly after: string;
}

export interface SnapshotTable {
  readonly name: 'sale_line_snapshots' | 'sale_tender_snapshots';
  /** The view that names the snapshots that it reads. */
  readonly view: 'training_sales' | 'training_tenders';
  /** The table in which Athena finds the exact files that go into a snapshot. */
  readonly inputs: 'sale_lines_inputs' | 'sale_tenders_inputs';
  readonly source: RowTable;
  readonly derived: readonly DerivedColumn[];
  /** Columns whose sums a manifest states. */
  readonly sums: readonly string[];
  readonly comment: string;
}

/** Partitions: a snapshot, and one try to make it. */
export const snapshotColumn = 'snapshot';
export const attemptColumn = 'attempt';

/** Raised when rows of an old snapshot and of a new one can no longer be read alike. */
export const snapshotSchemaVersion = 1;

const lastOfFirstRelease = 'tender_difference';

const hourMs = 3_600_000;
const spans = [
  ['1h', 'hour', hourMs],
  ['24h', '24 hours', 24 * hourMs],
  ['7d', '7 days', 7 * 24 * hourMs],
  ['30d', '30 days', 30 * 24 * hourMs],
] as const;

/** How far a card is looked back on. */
export const velocityDays = 30;

/** Milliseconds since 1970, in words that Athena and DuckDB share. */
export const milliseconds = (column: string): string =>
  `date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', ${column})`;

/**
 * Of the same card in the time before, by acceptance: at the moment of a sale only what was accepted before it was known,
 * so the range ends a millisecond before the row. What bears no token is a group of its own for each sale.
 */
const velocity: DerivedColumn[] = spans.flatMap(([name, words, ms]) => {
  const over = (by: string) =>
    `OVER (PARTITION BY card_token, ${by}CASE WHEN card_token IS NULL THEN transaction_id END ORDER BY ${milliseconds('accepted_at')} RANGE BETWEEN ${ms} PRECEDING AND 1 PRECEDING)`;
  return [
    {
      name: `token_count_${name}`,
      type: 'bigint',
      optional: true,
      after: lastOfFirstRelease,
      comment: `tenders of the same card accepted in the ${words} before`,
      expression: `CASE WHEN card_token IS NULL THEN NULL ELSE COUNT(*) ${over('')} END`,
    },
    {
      name: `token_amount_${name}`,
      type: 'bigint',
      optional: true,
      after: lastOfFirstRelease,
      comment: `their signed amounts in the same currency, summed`,
      expression: `CASE WHEN card_token IS NULL THEN NULL ELSE COALESCE(SUM(signed_amount) ${over('currency, ')}, 0) END`,
    },
  ];
});

export const lineSnapshots: SnapshotTable = {
  name: 'sale_line_snapshots',
  view: 'training_sales',
  inputs: 'sale_lines_inputs',
  source: saleLines,
  derived: [],
  sums: ['units', 'net'],
  comment: 'Immutable: lines of the sales that a week accepted, one row per key. Ask for a snapshot by name.',
};

export const tenderSnapshots: SnapshotTable = {
  name: 'sale_tender_snapshots',
  view: 'training_tenders',
  inputs: 'sale_tenders_inputs',
  source: saleTenders,
  derived: velocity,
  sums: ['signed_amount'],
  comment:
    'Immutable: tenders of the sales that a week accepted, one row per key, with what was known of the card. Ask for a snapshot by name.',
};

export const snapshotTables: readonly SnapshotTable[] = [lineSnapshots, tenderSnapshots];

/** In the order in which they came: a derived column behind what the source had at the time. */
export function snapshotColumns({ source, derived }: SnapshotTable): Column[] {
  return source.columns.flatMap((column) => [
    column,
    ...derived
      .filter(({ after }) => after === column.name)
      .map(({ expression: _, after: __, ...rest }): Column => rest),
  ]);
}
