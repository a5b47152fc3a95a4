import { csvOf, type Row } from './csv';

/** The columns of findings.sql, in its order: also those of the CSV file. */
export const findingColumns = [
  ...['break_id', 'business_date', 'class', 'gateway', 'currency', 'difference', 'age_days', 'due_date', 'rule'],
  ...['source', 'transaction_id', 'tender', 'ledger_business_date', 'ledger_occurred_at', 'ledger_currency'],
  ...['ledger_amount', 'ledger_reference', 'card_brand', 'card_last4', 'settlement_line_id', 'batch', 'row_number'],
  ...['kind', 'gateway_day', 'gateway_occurred_at', 'settled_date', 'gateway_currency', 'gateway_amount'],
  ...['gateway_fee', 'gateway_reference', 'merchant_reference', 'related', 'resolved_by', 'resolved_at', 'reason'],
] as const;

export type FindingColumn = (typeof findingColumns)[number];
export type Finding = Readonly<Record<FindingColumn, string | null>>;

const numeric = new Set<FindingColumn>([
  ...(['difference', 'age_days', 'tender', 'ledger_amount', 'row_number', 'gateway_amount', 'gateway_fee'] as const),
]);

export function findingOf(row: Row): Finding {
  return Object.fromEntries(findingColumns.map((column, at) => [column, row[at] ?? null])) as unknown as Finding;
}

/** Every break with its evidence, as rows of findings.sql. */
export const breaksCsv = (rows: readonly Row[]): string => csvOf(findingColumns, rows, numeric);
