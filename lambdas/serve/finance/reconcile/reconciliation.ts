import type { AllGatewayTerms } from '../../../base/domain/gateway-terms';
import { boundSql, dateLiteral, type SqlValues } from '../bound-sql';
import { addDays, addWeekdays, type Day, daysBetween } from '../business-day';
import { literal, statementsOf, timestampLiteral } from '../warehouse';
import type { WorkflowInput } from '../workflow-input';
import classifySql from './classify.sql';
import matchSql from './match.sql';
import recordSql from './record.sql';
import scopeSql from './scope.sql';

/** A pair is found when its two days are at most so far apart; of a line without a time only its settlement is known. */
const windowDays = 7;
/** Lines are looked for in what was settled up to so many days after the sale. */
const settledWithinDays = 60;

/** How Redshift lays out what the statements work on: a gateway's reference is what is joined by most. */
const distributedBy: Readonly<Record<string, string>> = {
  tenders: 'DISTKEY (gateway_reference)',
  lines: 'DISTKEY (gateway_reference)',
  matches: 'DISTKEY (tender_id)',
  pairs: 'DISTKEY (tender_id)',
};

/**
 * The reconciliation of some days as one transaction: the lock first, so that two runs do not mix; what is compared; the
 * pairs; the differences; and then all of it in the place of what was found before. The rules are in the .sql files beside
 * this one; the temporary tables end with the batch.
 */
export function reconciliationStatements(
  { runId, businessDate, days, asOf }: Omit<WorkflowInput, 'startedAt'>,
  terms: AllGatewayTerms,
  now: Date,
): string[] {
  const from = addDays(businessDate, 1 - days);
  const window = { from: addDays(from, -windowDays), to: addDays(businessDate, windowDays) };
  const timelessFrom = addDays(from, -settledWithinDays);
  const values: SqlValues = {
    from_date: dateLiteral(from),
    to_date: dateLiteral(businessDate),
    window_from: dateLiteral(window.from),
    window_to: dateLiteral(window.to),
    timeless_from: dateLiteral(timelessFrom),
    settled_to: dateLiteral(addDays(window.to, settledWithinDays)),
    as_of: dateLiteral(asOf),
    ran_at: timestampLiteral(now),
    run_id: literal(runId),
    terms: literal(JSON.stringify(terms)),
  };
  return [
    'LOCK TABLE finance.reconciliation_runs',
    termsTable(terms),
    dueDatesTable(terms, daysBetween(timelessFrom, window.to)),
    constants(
      'run_dates',
      ['business_date'],
      daysBetween(from, businessDate).map((day) => [dateLiteral(day)]),
    ),
    ...[scopeSql, matchSql, classifySql, recordSql]
      .flatMap(statementsOf)
      .map((statement) => withDistribution(boundSql(statement, values))),
  ];
}

function termsTable(terms: AllGatewayTerms): string {
  return constants(
    'terms',
    ['gateway', 'time_zone', 'rounding', 'settlement_days', 'grace_days'],
    Object.entries(terms).map(([gateway, { timeZone, roundingMinorUnits, settlementDays, graceDays }]) => [
      `CAST(${literal(gateway)} AS varchar(64))`,
      `CAST(${literal(timeZone)} AS varchar(64))`,
      ...[roundingMinorUnits, settlementDays, graceDays].map(String),
    ]),
  );
}

/** Until when the sales of each day are to be settled, by the n of T+n. */
function dueDatesTable(terms: AllGatewayTerms, days: readonly Day[]): string {
  const promised = new Set(Object.values(terms).map(({ settlementDays }) => settlementDays));
  return constants(
    'due_dates',
    ['settlement_days', 'business_date', 'due_date'],
    [...promised].flatMap((settlementDays) =>
      days.map((day) => [String(settlementDays), dateLiteral(day), dateLiteral(addWeekdays(day, settlementDays))]),
    ),
  );
}

/** A small temporary table of constants. Redshift knows no VALUES in a query. */
function constants(name: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const selects = rows.map(
    (row, place) =>
      // The first row names the columns.
      `SELECT ${row.map((value, at) => (place === 0 ? `${value} AS ${columns[at]}` : value)).join(', ')}`,
  );
  return `CREATE TEMP TABLE ${name} AS\n${selects.join('\nUNION ALL\n')}`;
}

function withDistribution(statement: string): string {
  return statement.replace(/^CREATE TEMP TABLE (\w+) AS\b/, (start, name: string) =>
    name in distributedBy ? `CREATE TEMP TABLE ${name} ${distributedBy[name]} AS` : start,
  );
}
