import { createHash } from 'node:crypto';
import { type RowTable, rowTables } from '../../../base/domain/sale-rows';
import { copyFiles, createArrived, createCopied, createThisLoad, mergeArrived } from '../ledger';
import { literal, timestampLiteral, unlessAny } from '../warehouse';
import type { LakeFile } from './new-files';

/** What one transaction brings into the ledger. */
export interface Load {
  /** Made from the names of the files: the same files are the same load. */
  readonly id: string;
  readonly loadedAt: Date;
  readonly files: readonly LakeFile[];
  readonly manifests: readonly Manifest[];
}

/** The exact files that COPY takes for one table. */
export interface Manifest {
  readonly table: RowTable;
  readonly key: string;
  readonly body: string;
}

export function loadOf(files: readonly LakeFile[], lakeBucketName: string, loadedAt: Date): Load {
  const id = createHash('sha256')
    .update(files.map(({ key }) => key).join('\n'))
    .digest('hex')
    .slice(0, 32);
  const manifests = rowTables.flatMap((table) => {
    const entries = files
      .filter((file) => file.table === table.name)
      // Parquet is copied by ranges, for which Redshift wants the length here.
      .map(({ key, bytes }) => ({
        url: `s3://${lakeBucketName}/${key}`,
        mandatory: true,
        meta: { content_length: bytes },
      }));
    if (entries.length === 0) return [];
    return [{ table, key: `manifests/${id}/${table.name}.json`, body: JSON.stringify({ entries }) }];
  });
  return { id, loadedAt, files, manifests };
}

/** Index of the statement that stops a load of which a file is in the ledger already. */
export const loadGuard = 1;

/**
 * The load as one transaction. The lock comes first, so that the guard sees what was committed while the load
 * waited: as we understand Redshift, it takes a transaction's snapshot at its first query (docs/unverified.md). Then both tables are copied, thinned to one row per key and
 * merged, and the files are recorded, all under the load's number. The temporary tables end with the batch, which is a session of its own.
 */
export function loadStatements(load: Load, manifestBucketName: string, copyRoleArn: string): string[] {
  const loadedAt = timestampLiteral(load.loadedAt);
  return [
    'LOCK TABLE finance.loaded_files',
    unlessAny(
      `finance.loaded_files\nWHERE object_key IN (\n${load.files.map(({ key }) => literal(key)).join(',\n')}\n)`,
    ),
    createThisLoad,
    ...load.manifests.flatMap(({ table, key }) => [
      createCopied(table),
      copyFiles(table, literal(`s3://${manifestBucketName}/${key}`), literal(copyRoleArn)),
      createArrived(table, loadedAt),
      mergeArrived(table),
    ]),
    'CREATE TEMP TABLE arrived_files (object_key varchar(1024), table_name varchar(32), accepted_date date, bytes bigint)',
    `INSERT INTO arrived_files (object_key, table_name, accepted_date, bytes)\nVALUES\n${load.files
      .map(
        ({ key, table, acceptedDate, bytes }) =>
          `(${literal(key)}, ${literal(table)}, ${literal(acceptedDate)}, ${bytes})`,
      )
      .join(',\n')}`,
    [
      'INSERT INTO finance.loaded_files (',
      '  object_key, table_name, accepted_date, bytes, load_id, loaded_at, load_number',
      ')',
      'SELECT',
      `  files.object_key, files.table_name, files.accepted_date, files.bytes, ${literal(load.id)}, ${loadedAt}, this_load.load_number`,
      'FROM arrived_files AS files',
      'CROSS JOIN this_load',
    ].join('\n'),
  ];
}

/** Files that the ledger has, as far back as the lake will be listed. */
export function loadedFilesQuery(from: string | undefined): string {
  return `SELECT object_key\nFROM finance.loaded_files${from === undefined ? '' : `\nWHERE accepted_date >= ${literal(from)}`}`;
}

/** The newest date, and how many files were booked without a load's number. */
export const newestLoadedDateQuery = [
  'SELECT CAST(MAX(accepted_date) AS varchar(10)), COUNT(*) - COUNT(load_number)',
  'FROM finance.loaded_files',
].join('\n');

/**
 * Gives what a loader of before has booked without a number one, as if it were loaded now: so it is later than every day's
 * report, and the next close restates the days. Numbers stay in the order in which they were given, under the loads' lock.
 */
export const numberStatements: readonly string[] = [
  'LOCK TABLE finance.loaded_files',
  createThisLoad,
  ...['sale_lines', 'sale_tenders', 'loaded_files'].map(
    (table) =>
      `UPDATE finance.${table}\nSET load_number = (SELECT load_number FROM this_load)\nWHERE load_number IS NULL`,
  ),
];
