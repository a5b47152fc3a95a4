import type { LocalAccount, LocalSchedule } from '../account';
import type { ResourceModel } from '../template/resource-model';

/**
 * A schedule runs its function, or starts its state machine, whenever the run is idle or draining; intervals are not
 * imitated, except of those that run every minute, which are about time itself: heartbeats and watches. One that runs once
 * a day is about the day's end, and the nearest to that is a run that drains: it does not run before.
 */
export const schedule: ResourceModel<LocalAccount> = {
  uses: ['Name', 'ScheduleExpression', 'Target.Arn', 'Target.Input', 'Target.RoleArn', 'State'],
  withoutEffect: {
    FlexibleTimeWindow: 'intervals are not imitated',
    ScheduleExpressionTimezone: 'intervals are not imitated',
    'Target.RetryPolicy': 'the next idle moment tries again',
    'Target.DeadLetterConfig': 'a failed run is printed',
    Description: 'prose',
    GroupName: 'names are unique anyway',
  },
  create({ properties, generatedName }, { schedules }) {
    if (properties.State !== 'DISABLED')
      schedules.push({
        name: properties.Name ?? generatedName,
        target: targetOf(generatedName, properties.Target.Arn),
        roleName: String(properties.Target.RoleArn).split('/').pop()!,
        input: properties.Target.Input ?? '{}',
        everyMinutes: minutesOf(properties.ScheduleExpression),
      });
    return { ref: properties.Name ?? generatedName, attributes: { Arn: generatedName } };
  },
};

/** What the schedule's own words in an input stand for. */
export function inputAt({ input }: LocalSchedule, scheduledTime: Date): string {
  const text = input.replaceAll('<aws.scheduler.scheduled-time>', `${scheduledTime.toISOString().slice(0, 19)}Z`);
  const unknown = /<aws\.scheduler\.[\w-]+>/.exec(text)?.[0];
  if (unknown !== undefined) throw new Error(`${unknown} in a schedule's input is not modelled locally`);
  return text;
}

function targetOf(name: string, arn: string): LocalSchedule['target'] {
  const functionName = /^arn:aws:lambda:.*:function:([^:]+)/.exec(arn)?.[1];
  if (functionName !== undefined) return { functionName };
  if (/^arn:aws:states:.*:stateMachine:/.test(arn)) return { stateMachineArn: arn };
  throw new Error(`${name}: only functions and state machines can be scheduled locally: ${arn}`);
}

function minutesOf(expression: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (count !== undefined)
    return Number(count) * { minute: 1, hour: 60, day: 1_440 }[unit as 'minute' | 'hour' | 'day'];
  // Minute and hour, and every day.
  if (/^cron\(\d{1,2} \d{1,2} (\* \* \?|\? \* \*) \*\)$/.test(expression)) return 1_440;
  throw new Error(`schedule '${expression}' is not modelled locally: only rate(...) is, and cron(m h * * ? *)`);
}
