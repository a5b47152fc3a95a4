import { withLayout } from '../ledger';
import { statementsOf, timestampLiteral, unlessAny } from '../warehouse';
import closingSql from './closing.sql';
import dailySql from './daily.sql';
import ledgerSql from './ledger.sql';
import reconciliationSql from './reconciliation.sql';
import schemaSql from './schema.sql';
import settlementSql from './settlement.sql';

/** A step of the schema that was deployed once is never edited: what comes later is another step. */
export interface Migration {
  readonly version: number;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  { version: 1, statements: statementsOf(ledgerSql).map(withLayout) },
  { version: 2, statements: statementsOf(settlementSql).map(withLayout) },
  { version: 3, statements: statementsOf(reconciliationSql).map(withLayout) },
  { version: 4, statements: statementsOf(dailySql) },
  { version: 5, statements: statementsOf(closingSql).map(withLayout) },
];

/** Bears being run again. */
export const beforeMigrations: readonly string[] = statementsOf(schemaSql).map(withLayout);

/** Index of the statement that stops a step which another run of the deploy has applied meanwhile. */
export const migrationGuard = 1;

/** One transaction: the step and its record, or neither. */
export function migrationStatements({ version, statements }: Migration, now: Date): string[] {
  return [
    'LOCK TABLE finance.schema_versions',
    unlessAny(`finance.schema_versions\nWHERE version = ${version}`),
    ...statements,
    `INSERT INTO finance.schema_versions (version, applied_at)\nVALUES (${version}, ${timestampLiteral(now)})`,
  ];
}
