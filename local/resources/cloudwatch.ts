import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/** An alarm is kept with its metric: the live page shows which ones would ring. */
export const alarm: ResourceModel<LocalAccount> = {
  uses: [
    'AlarmName',
    'AlarmDescription',
    'ComparisonOperator',
    'Dimensions',
    'EvaluationPeriods',
    'MetricName',
    'Namespace',
    'Period',
    'Statistic',
    'Threshold',
    'TreatMissingData',
  ],
  withoutEffect: {
    AlarmActions: 'nobody is called: the live summary shows the alarm',
    Tags: 'nothing reads tags',
  },
  create({ properties, generatedName }, { alarms }) {
    const name = properties.AlarmName ?? generatedName;
    alarms.declare({
      name,
      description: properties.AlarmDescription ?? '',
      namespace: properties.Namespace,
      metricName: properties.MetricName,
      dimensions: Object.fromEntries((properties.Dimensions ?? []).map((each: any) => [each.Name, each.Value])),
      statistic: properties.Statistic,
      threshold: properties.Threshold,
      comparison: properties.ComparisonOperator,
    });
    return { ref: name, attributes: { Arn: `arn:aws:cloudwatch:::alarm:${name}` } };
  },
};

export const dashboard: ResourceModel<LocalAccount> = {
  uses: ['DashboardName'],
  withoutEffect: {
    DashboardBody: 'there is no CloudWatch console: the terminal shows the run',
    Tags: 'nothing reads tags',
  },
  create: ({ properties, generatedName }) => ({ ref: properties.DashboardName ?? generatedName }),
};
