/** What tables of the lake are made of, whatever their rows are about: writers, Glue tables and queries follow from it. */

/**
 * What JSON, Parquet, Glue, Athena, DuckDB and Redshift's COPY all agree on. Dates are strings in the files (a Parquet
 * string loads into no other type) and become dates in the ledger; money and counts are bigint; times are UTC.
 */
export type ColumnType = 'string' | 'bigint' | 'timestamp';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Longest value of a string, in bytes of UTF-8: one that is longer would stop the ledger's loads. */
  readonly bytes?: number;
  /** Null where there is nothing to say. */
  readonly optional?: true;
  readonly comment: string;
}

/**
 * A table of the lake. Parquet files are read by the position of their columns, so a new column goes to the end and an old
 * one never moves.
 */
export interface LakeRowTable {
  readonly name: string;
  readonly comment: string;
  /** Identifies a row; files may repeat one. */
  readonly key: readonly string[];
  /** Of rows that repeat, the one counts that has the least here; one that has nothing, last. */
  readonly earliest: string;
  readonly columns: readonly Column[];
  /** Directory under which a row lies: a UTC date that repeats of a row share, so that they meet in one partition. */
  readonly partition: { readonly column: string; readonly comment: string };
}
