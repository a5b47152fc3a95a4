import { addDays, type Day } from './business-day';

/** What was asked for wrongly: no retry mends it. The workflow knows it by its name. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';
}

/** What every step of the daily workflow is given. */
export interface WorkflowInput {
  /** Name of the execution: a step that is tried again comes with the same one. */
  readonly runId: string;
  readonly businessDate: Day;
  /** So many business days, the last of which is `businessDate`. */
  readonly days: number;
  /** The day as of which payments are in transit or late. */
  readonly asOf: Day;
  /** When the execution started. */
  readonly startedAt: Date;
}

const most = 62;
const known = ['businessDate', 'days', 'asOf', 'scheduledTime'];

/**
 * Reads the input of a step: the execution's own, and its name. A person says `businessDate`, and gets that day; the
 * schedule says when it fired, and gets the day before with those that are still open. The answer depends on the input
 * alone, so that a step that is tried again tomorrow still means the same days.
 */
export function workflowInput(event: unknown, openDays: number): WorkflowInput {
  const { input, executionName, ...told } = (event ?? {}) as Record<string, unknown>;
  if (typeof executionName !== 'string' || !/^[\w-]{1,80}$/.test(executionName))
    throw new InvalidInput(`executionName is ${JSON.stringify(executionName)}: use 1 to 80 letters, digits, _ and -`);
  const asked = (input ?? {}) as Record<string, unknown>;
  const stranger = Object.keys(asked).find((name) => !known.includes(name));
  if (stranger !== undefined) throw new InvalidInput(`${stranger} is unknown: use ${known.join(', ')}`);
  const startedAt = asTime('startedAt', told.startedAt);
  const businessDate =
    asked.businessDate === undefined
      ? addDays(dayOf(asked.scheduledTime === undefined ? startedAt : asTime('scheduledTime', asked.scheduledTime)), -1)
      : asDay('businessDate', asked.businessDate);
  const days = asked.days ?? (asked.businessDate === undefined ? openDays : 1);
  if (!Number.isInteger(days) || (days as number) < 1 || (days as number) > most)
    throw new InvalidInput(`days is ${JSON.stringify(days)}: use a whole number from 1 to ${most}`);
  const asOf = asked.asOf === undefined ? dayOf(startedAt) : asDay('asOf', asked.asOf);
  return { runId: executionName, businessDate, days: days as number, asOf, startedAt };
}

/** Its date in UTC. */
const dayOf = (time: Date): Day => time.toISOString().slice(0, 10);

function asTime(field: string, value: unknown): Date {
  const time = typeof value === 'string' ? new Date(value) : undefined;
  if (time === undefined || Number.isNaN(time.getTime()))
    throw new InvalidInput(`${field} is ${JSON.stringify(value)}: use a time as yyyy-MM-ddThh:mm:ssZ`);
  return time;
}

/** The text of a day that the calendar has. */
function asDay(field: string, value: unknown): Day {
  const isDay = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value));
  if (!isDay || new Date(value).toISOString().slice(0, 10) !== value)
    throw new InvalidInput(`${field} is ${JSON.stringify(value)}: use a date as yyyy-MM-dd`);
  return value;
}
