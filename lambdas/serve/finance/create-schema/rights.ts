/** Whoever acts on the ledger, each as a database user of its own: the functions of this room, by their directory. */
export type Part = 'load' | 'settlement' | 'close' | 'reconcile' | 'resolve' | 'report';

type Rights = Readonly<Record<string, readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[]>>;

/** What each part may do to which table, and no more. Locking a table takes the right to update it. */
export const rightsOf: Readonly<Record<Part, Rights>> = {
  load: {
    sale_lines: ['SELECT', 'INSERT', 'UPDATE'],
    sale_tenders: ['SELECT', 'INSERT', 'UPDATE'],
    loaded_files: ['SELECT', 'INSERT', 'UPDATE'],
  },
  settlement: {
    settlement_files: ['SELECT', 'INSERT', 'UPDATE'],
    settlement_batches: ['SELECT', 'INSERT'],
    settlement_lines: ['SELECT', 'INSERT'],
  },
  close: {
    loaded_files: ['SELECT', 'UPDATE'],
    sale_lines: ['SELECT'],
    sale_tenders: ['SELECT'],
    day_reports: ['SELECT', 'INSERT'],
    day_report_totals: ['SELECT', 'INSERT'],
  },
  reconcile: {
    sale_tenders: ['SELECT'],
    settlement_lines: ['SELECT'],
    reconciliation_matches: ['SELECT', 'INSERT', 'DELETE'],
    reconciliation_breaks: ['SELECT', 'INSERT', 'DELETE'],
    reconciliation_totals: ['SELECT', 'INSERT', 'DELETE'],
    reconciliation_runs: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
    reconciliation_findings: ['SELECT'],
  },
  resolve: {
    reconciliation_breaks: ['SELECT'],
    reconciliation_resolutions: ['SELECT', 'INSERT', 'UPDATE'],
  },
  report: {
    day_reports: ['SELECT'],
    day_report_totals: ['SELECT'],
    late_sales: ['SELECT'],
    reconciliation_totals: ['SELECT'],
    reconciliation_runs: ['SELECT'],
    reconciliation_findings: ['SELECT'],
  },
};

/** The database users, by part, as the function is told them. */
export function usersOf(json: string): [Part, string][] {
  const users = JSON.parse(json) as Record<string, unknown>;
  return Object.keys(rightsOf).map((part) => {
    const user = users[part];
    if (typeof user !== 'string') throw new Error(`no database user for ${part}: got ${json}`);
    return [part as Part, user];
  });
}

/** Gives a part its rights. Bears being run again. */
export function grantsTo(part: Part, user: string): string[] {
  const name = `"${user}"`;
  return [
    `GRANT USAGE ON SCHEMA finance TO ${name}`,
    ...Object.entries(rightsOf[part]).map(
      ([table, rights]) => `GRANT ${rights.join(', ')} ON finance.${table} TO ${name}`,
    ),
  ];
}
