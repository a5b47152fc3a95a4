import { boundSql, type SqlValues } from '../bound-sql';
import { statementsOf } from '../warehouse';
import outcomeSql from './outcome.sql';

/** What a run answers: sums only. */
export interface ReconciliationOutcome {
  readonly breaks: number;
  readonly unresolvedBreaks: number;
  /** Of all gateways and currencies, without signs: it is zero or it is not. */
  readonly unexplainedMinorUnits: number;
  /** Of all differences, what a class or a person explains; 100 only if that is all. */
  readonly explainedPercent: number;
}

export const outcomeQuery = (values: SqlValues): string => boundSql(statementsOf(outcomeSql)[0]!, values);

export function outcomeOf(rows: readonly (readonly (string | null)[])[]): ReconciliationOutcome {
  const [breaks = 0, unresolvedBreaks = 0, amount = 0, unexplained = 0] = (rows[0] ?? []).map(Number);
  return { breaks, unresolvedBreaks, unexplainedMinorUnits: unexplained, explainedPercent: share(amount, unexplained) };
}

/** In whole hundredths of a percent, rounded down. */
function share(amount: number, unexplained: number): number {
  if (unexplained === 0) return 100;
  return Math.max(0, Math.floor((1 - unexplained / Math.max(amount, unexplained)) * 10_000) / 100);
}
