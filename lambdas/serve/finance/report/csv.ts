export type Row = readonly (string | null)[];

/** Rows as CSV (RFC 4180), amounts in minor units. */
export function csvOf<Name extends string>(
  columns: readonly Name[],
  rows: readonly Row[],
  numeric: ReadonlySet<Name>,
): string {
  const lines = rows.map((row) => columns.map((column, at) => cell(row[at] ?? null, numeric.has(column))).join(','));
  return `${[columns.join(','), ...lines].join('\r\n')}\r\n`;
}

/** A text that a spreadsheet would take for a formula is set off by an apostrophe: references come from outside. */
function cell(value: string | null, isNumber: boolean): string {
  if (value === null) return '';
  const text = !isNumber && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
