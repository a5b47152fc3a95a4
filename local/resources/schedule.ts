import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/**
 * A schedule runs its function whenever the run is idle or draining; intervals are not imitated, except of those that run
 * every minute, which are about time itself: heartbeats and watches.
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
    const functionName = /function:([^:]+)/.exec(properties.Target.Arn)?.[1];
    if (functionName === undefined)
      throw new Error(`${generatedName}: only functions can be scheduled locally: ${properties.Target.Arn}`);
    if (properties.State !== 'DISABLED')
      schedules.push({
        name: properties.Name ?? generatedName,
        functionName,
        roleName: String(properties.Target.RoleArn).split('/').pop()!,
        input: JSON.parse(properties.Target.Input ?? '{}'),
        everyMinutes: minutesOf(properties.ScheduleExpression),
      });
    return { ref: properties.Name ?? generatedName, attributes: { Arn: generatedName } };
  },
};

function minutesOf(expression: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  if (count === undefined) throw new Error(`schedule '${expression}' is not modelled locally: only rate(...) is`);
  return Number(count) * { minute: 1, hour: 60, day: 1_440 }[unit as 'minute' | 'hour' | 'day'];
}
