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

export type Row = readonly (string | null)[];

export function findingOf(row: Row): Finding {
  return Object.fromEntries(findingColumns.map((column, at) => [column, row[at] ?? null])) as unknown as Finding;
}

/** Findings as CSV (RFC 4180), amounts in minor units. */
export function csvOf(findings: readonly Finding[]): string {
  const lines = findings.map((finding) => findingColumns.map((column) => cell(column, finding[column])).join(','));
  return `${[findingColumns.join(','), ...lines].join('\r\n')}\r\n`;
}

/** A text that a spreadsheet would take for a formula is set off by an apostrophe: references come from outside. */
function cell(column: FindingColumn, value: string | null): string {
  if (value === null) return '';
  const text = !numeric.has(column) && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
