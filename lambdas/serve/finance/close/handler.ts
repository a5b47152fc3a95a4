import type { Context } from 'aws-lambda';
import { redshiftDataClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { countMetrics, log } from '../../../base/runtime/log';
import { warehouse } from '../warehouse';
import { workflowInput } from '../workflow-input';
import { type CloseOutcome, closedQuery, closeOutcomeOf, closeStatements, daysToClose } from './closing';

const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const openDays = Number(requireEnv('OPEN_DAYS'));
const redshiftData = redshiftDataClient();

/**
 * Closes business days: writes down their figures, as a revision that is never changed. With the days that are asked for,
 * every day that was reported before and has moved since is restated, with what came late.
 *
 * On repeat: a day that has not moved gets no other revision. Late data: the next close restates its day. On failure,
 * wherever: the revisions are there or not, all of them; trying again is right either way.
 */
export async function handler(event: unknown, context: Context): Promise<CloseOutcome> {
  const input = workflowInput(event, openDays);
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });

  const days = daysToClose(input);
  await ledger.run(closeStatements(input.runId, days, new Date()));

  const outcome = closeOutcomeOf(await ledger.rows(closedQuery(input.runId)));
  countMetrics({ DaysClosed: outcome.closed, DaysRestated: outcome.restated, LateSales: outcome.lateSales });
  log.info('closed', { run: input.runId, asked: days.length, ...outcome });
  return outcome;
}
