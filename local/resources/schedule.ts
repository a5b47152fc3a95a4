import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/** A schedule runs its function whenever the run is idle or draining; the interval itself is not imitated. */
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
      });
    return { ref: properties.Name ?? generatedName, attributes: { Arn: generatedName } };
  },
};
