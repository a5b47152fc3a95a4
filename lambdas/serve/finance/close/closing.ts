import { boundSql, dateLiteral } from '../bound-sql';
import { addDays, type Day, daysBetween } from '../business-day';
import { literal, statementsOf, timestampLiteral } from '../warehouse';
import type { WorkflowInput } from '../workflow-input';
import closeSql from './close.sql';
import closedSql from './closed.sql';

/** What a run answers: counts only. */
export interface CloseOutcome {
  /** Days that were reported for the first time. */
  readonly closed: number;
  /** Days that were reported before and have moved since. */
  readonly restated: number;
  /** Sales and returns that came after their day's last report. */
  readonly lateSales: number;
}

/**
 * Of the days that were asked for, those that are over everywhere: a day on which is still sold cannot be closed. The last
 * clocks of the world show midnight at noon of the next day in UTC.
 */
export function daysToClose({ businessDate, days, startedAt }: Omit<WorkflowInput, 'runId' | 'asOf'>): Day[] {
  return daysBetween(addDays(businessDate, 1 - days), businessDate).filter(
    (day) => new Date(`${addDays(day, 1)}T12:00:00Z`) <= startedAt,
  );
}

/**
 * The close as one transaction. The lock comes first and is that of the loads: so none is half in the figures, every load
 * is before the report or after it, and two closes do not count at once.
 */
export function closeStatements(runId: string, days: readonly Day[], now: Date): string[] {
  const values = { run_id: literal(runId), reported_at: timestampLiteral(now) };
  return [
    'LOCK TABLE finance.loaded_files',
    'CREATE TEMP TABLE asked (business_date date NOT NULL)',
    ...(days.length === 0
      ? []
      : [
          `INSERT INTO asked (business_date)\n${days.map((day) => `SELECT ${dateLiteral(day)}`).join('\nUNION ALL\n')}`,
        ]),
    ...statementsOf(closeSql).map((statement) => boundSql(statement, values)),
  ];
}

export const closedQuery = (runId: string): string => boundSql(statementsOf(closedSql)[0]!, { run_id: literal(runId) });

export function closeOutcomeOf(rows: readonly (readonly (string | null)[])[]): CloseOutcome {
  const [closed = 0, restated = 0, lateSales = 0] = (rows[0] ?? []).map(Number);
  return { closed, restated, lateSales };
}
