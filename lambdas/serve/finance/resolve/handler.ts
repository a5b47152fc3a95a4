import type { Context } from 'aws-lambda';
import { redshiftDataClient } from '../../../base/runtime/clients';
import { requireEnv } from '../../../base/runtime/env';
import { log } from '../../../base/runtime/log';
import { boundSql } from '../bound-sql';
import { literal, statementsOf, timestampLiteral, warehouse } from '../warehouse';
import { readResolution } from './resolution';
import resolveSql from './resolve.sql';

const workgroupName = requireEnv('WORKGROUP_NAME');
const database = requireEnv('DATABASE_NAME');
const redshiftData = redshiftDataClient();

const recordedQuery = [
  'SELECT resolution_id',
  'FROM finance.reconciliation_resolutions',
  'WHERE break_id = :break_id AND difference = :difference AND resolved_by = :resolved_by AND reason = :reason',
].join('\n');

/** What the operator is told. */
export type Answer =
  | {
      readonly resolved: true;
      readonly businessDate: string;
      readonly gateway: string;
      readonly currency: string;
      readonly class: string;
      readonly difference: string;
    }
  | { readonly resolved: false; readonly message: string };

/**
 * Records what a person found out about a break: who, when and why. Neither ledger nor settlement is changed by it.
 *
 * On repeat: the same said again about the same difference is kept once, with its first time. It is about the difference that
 * is named with it: where the break has another one by now, nothing is recorded; when a later run of the day finds another
 * one, the break is open again. On bad data: refused, with the reason.
 * On failure: recorded or not, and saying it again is right.
 */
export async function handler(event: unknown, context: Context): Promise<Answer> {
  const resolution = readResolution(event);
  if ('refused' in resolution) return { resolved: false, message: resolution.refused };
  const ledger = warehouse(redshiftData, {
    workgroupName,
    database,
    remainingMs: () => context.getRemainingTimeInMillis(),
  });
  const breakId = literal(resolution.breakId);
  const [found] = await ledger.rows(
    `SELECT CAST(business_date AS varchar(10)), gateway, currency, class, difference\nFROM finance.reconciliation_breaks\nWHERE break_id = ${breakId}`,
  );
  if (found === undefined) return { resolved: false, message: `there is no break ${resolution.breakId}` };

  const [businessDate = '', gateway = '', currency = '', name = '', difference = ''] = found.map(
    (value) => value ?? '',
  );
  if (difference !== resolution.difference)
    return {
      resolved: false,
      message: `difference is ${resolution.difference}: the break has ${difference} by now, look at it again`,
    };

  const values = {
    break_id: breakId,
    // A whole number, as it was read.
    difference: resolution.difference,
    resolved_by: literal(resolution.by),
    resolved_at: timestampLiteral(new Date()),
    reason: literal(resolution.reason),
  };
  await ledger.run(statementsOf(resolveSql).map((statement) => boundSql(statement, values)));
  // A run may have replaced the break since it was asked for.
  const [recorded] = await ledger.rows(boundSql(recordedQuery, values));
  if (recorded === undefined)
    return { resolved: false, message: `break ${resolution.breakId} has just changed: look at it again` };
  log.info('resolved', { break: resolution.breakId });
  return { resolved: true, businessDate, gateway, currency, class: name, difference };
}
