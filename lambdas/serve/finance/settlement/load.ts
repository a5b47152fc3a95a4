import { boundSql } from '../bound-sql';
import { literal, statementsOf, timestampLiteral } from '../warehouse';
import loadSql from './load.sql';
import type { Totals } from './settlement-file';
import type { SettlementLine } from './settlement-line';

export interface SettlementLoad {
  readonly digest: string;
  readonly objectKey: string;
  readonly manifestUrl: string;
  readonly copyRoleArn: string;
  readonly totals: Totals;
  readonly loadedAt: Date;
}

/** One part of a file that is copied has at most this many rows: some megabytes, packed. */
export const rowsOfPart = 100_000;

/** The transaction that brings a file in. */
export function loadStatements(load: SettlementLoad): string[] {
  const { digest, objectKey, manifestUrl, copyRoleArn, totals, loadedAt } = load;
  const values = {
    digest: literal(digest),
    object_key: literal(objectKey),
    manifest: literal(manifestUrl),
    role: literal(copyRoleArn),
    rows: String(totals.rows),
    gross: String(totals.gross),
    fee: String(totals.fee),
    net: String(totals.net),
    loaded_at: timestampLiteral(loadedAt),
  };
  return statementsOf(loadSql).map((statement) => boundSql(statement, values));
}

/** Indexes of the statements that stop a load which has been overtaken: the file, or one of its batches, is there. */
export const overtakenGuards: readonly number[] = [1, 5];

/** The cells of a line in the order of the table that is copied to. */
export function copiedCells(line: SettlementLine & { readonly settledDate: string }): (string | number | undefined)[] {
  return [
    line.id,
    line.gateway,
    line.batch,
    line.rowNumber,
    line.kind,
    line.gatewayReference,
    line.paymentReference,
    line.merchantReference,
    line.occurredAt?.toISOString().slice(0, 23).replace('T', ' '),
    line.settledDate,
    line.currency,
    line.gross,
    line.fee,
    line.net,
    line.originalCurrency,
    line.originalGross,
  ];
}

/** Whether this content is in the ledger, and under which name it came. */
export function loadedFileQuery(digest: string): string {
  return `SELECT object_key\nFROM finance.settlement_files\nWHERE file_digest = ${literal(digest)}`;
}

/**
 * The batches, of those named, that the ledger has from other files. Not from the same one: another run may have loaded it
 * since it was asked for.
 */
export function loadedBatchesQuery(gateway: string, digest: string, batches: readonly string[]): string {
  return [
    'SELECT DISTINCT booked.batch, files.object_key',
    'FROM finance.settlement_batches AS booked',
    'JOIN finance.settlement_files AS files ON files.file_digest = booked.file_digest',
    `WHERE booked.gateway = ${literal(gateway)} AND booked.file_digest <> ${literal(digest)}`,
    `  AND booked.batch IN (${batches.map(literal).join(', ')})`,
    'ORDER BY booked.batch',
  ].join('\n');
}
