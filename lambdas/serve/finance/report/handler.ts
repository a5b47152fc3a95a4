import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import { redshiftDataClient, s3Client } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { boundSql, dateLiteral, type SqlValues } from '../bound-sql';
import { addDays, daysBetween } from '../business-day';
import { outcomeOf, outcomeQuery } from '../reconcile/outcome';
import { statementsOf, warehouse } from '../warehouse';
import { workflowInput } from '../workflow-input';
import classesSql from './classes.sql';
import { daysCsv, daysToReconcile, lateCsv } from './day-reports';
import daysSql from './days.sql';
import { breaksCsv, findingOf } from './findings';
import findingsSql from './findings.sql';
import lateSql from './late.sql';
import { reportPage } from './report-page';
import reportedSql from './reported.sql';
import totalsSql from './totals.sql';
import waitingSql from './waiting.sql';

const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const bucket = requireEnv('REPORT_BUCKET_NAME');
const openDays = Number(requireEnv('OPEN_DAYS'));
const redshiftData = redshiftDataClient();
const s3 = s3Client();

export interface ReportOutcome {
  readonly page: string;
  /** Breaks, days, late sales. */
  readonly csv: readonly string[];
}

/**
 * Writes how business days stand: a page for people, and as CSV every break with its evidence, every revision of the days'
 * figures, and every sale that came late.
 *
 * On repeat: the same days have the same keys, and the bucket keeps the versions. Late data, resolutions: the next report
 * shows them. On failure, wherever: trying again writes all; the page comes last, so that what it refers to is there.
 */
export async function handler(event: unknown, context: Context): Promise<ReportOutcome> {
  const { businessDate: to, days, startedAt } = workflowInput(event, openDays);
  const from = addDays(to, 1 - days);
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  const period = { from_date: dateLiteral(from), to_date: dateLiteral(to) };
  const ask = (sql: string, values: SqlValues = period) => ledger.rows(boundSql(statementsOf(sql)[0]!, values));
  const findings = await ask(findingsSql);
  const reported = await ask(reportedSql);
  // Those of the report and those that wait to be reconciled: named one by one, they are found without a scan.
  const shown = new Set([...daysBetween(from, to), ...reported.map(([day]) => day ?? to)]);
  const ofDays = { days: [...shown].map(dateLiteral).join(', ') };
  const { unexplainedMinorUnits, explainedPercent } = outcomeOf(await ledger.rows(outcomeQuery(period)));
  const late = await ask(lateSql, ofDays);
  const page = reportPage({
    from,
    to,
    writtenAt: new Date(),
    days: await ask(daysSql),
    totals: await ask(totalsSql),
    classes: await ask(classesSql),
    findings: findings.map(findingOf),
    lateSales: late.length,
    reported,
    waiting: await ask(waitingSql, ofDays),
    unexplained: unexplainedMinorUnits > 0,
    explainedPercent,
  });

  const folder = `reconciliation/${from === to ? to : `${from}_${to}`}`;
  const tables = {
    [`${folder}/breaks.csv`]: breaksCsv(findings),
    [`${folder}/days.csv`]: daysCsv(reported),
    [`${folder}/late-sales.csv`]: lateCsv(late),
  };
  for (const [key, body] of Object.entries(tables)) await put(key, 'text/csv; charset=utf-8', body);
  const outcome = { page: `${folder}/report.html`, csv: Object.keys(tables) };
  await put(outcome.page, 'text/html; charset=utf-8', page);
  // The daily run takes the open days anew, and none before them.
  const firstOpen = addDays(startedAt.toISOString().slice(0, 10), -openDays);
  countMetrics({ DaysToReconcile: daysToReconcile({ reported }, from, to).filter((day) => day < firstOpen).length });
  log.info('reported', { from, to, breaks: findings.length });
  return outcome;
}

async function put(key: string, type: string, body: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, ContentType: type, Body: body }));
}
