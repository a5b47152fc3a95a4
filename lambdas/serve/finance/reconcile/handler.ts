import type { Context } from 'aws-lambda';
import { redshiftDataClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { dateLiteral } from '../bound-sql';
import { addDays, daysBetween } from '../business-day';
import { gatewayTermsOf } from '../gateway-terms';
import { warehouse } from '../warehouse';
import { workflowInput } from '../workflow-input';
import { outcomeOf, outcomeQuery, type ReconciliationOutcome } from './outcome';
import { reconciliationStatements } from './reconciliation';

const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const openDays = Number(requireEnv('OPEN_DAYS'));
const terms = gatewayTermsOf(requireEnv('GATEWAY_TERMS'));
const redshiftData = redshiftDataClient();

/**
 * Reconciles business days: which tender is which line of the gateways' settlements, and what every cent of difference is.
 * All in the warehouse; only sums come here. It adjusts nothing.
 *
 * On repeat: a day is replaced whole, in one transaction, from what ledger and settlements hold; the run is recorded as
 * another revision, or as the same one when it comes under the same name. Late data: the next run of the day sees it. On
 * failure, wherever: a day stands as it stood before, or as this run found it; trying again is right either way.
 */
export async function handler(event: unknown, context: Context): Promise<ReconciliationOutcome> {
  const input = workflowInput(event, openDays);
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });

  await ledger.run(reconciliationStatements(input, terms, new Date()));

  const from = addDays(input.businessDate, 1 - input.days);
  const period = { from_date: dateLiteral(from), to_date: dateLiteral(input.businessDate) };
  const outcome = outcomeOf(await ledger.rows(outcomeQuery(period)));
  countMetrics({
    Breaks: outcome.breaks,
    UnresolvedBreaks: outcome.unresolvedBreaks,
    UnexplainedMinorUnits: outcome.unexplainedMinorUnits,
    ExplainedPercent: outcome.explainedPercent,
    // Yesterday is not behind.
    DaysBehind: Math.max(0, daysBetween(input.businessDate, input.asOf).length - 2),
  });
  log.info('reconciled', { run: input.runId, from, to: input.businessDate, asOf: input.asOf, breaks: outcome.breaks });
  return outcome;
}
