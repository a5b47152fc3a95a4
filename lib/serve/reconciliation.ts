import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct, type IDependable } from 'constructs';
import { NodeFunction } from '../base/node-function';
import { privateBucket } from '../base/private-bucket';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import { actsOnWarehouse, type Warehouse } from './warehouse-access';
import { type Step, Workflow } from './workflow';

export interface ReconciliationProps {
  readonly stage: Stage;
  readonly key: Key;
  readonly warehouse: Warehouse;
  readonly roleNames: Readonly<Record<'close' | 'reconcile' | 'resolve' | 'report', string>>;
  /** What a day needs before it can be closed, in order: the first steps of the workflow. */
  readonly before: readonly Step[];
  readonly after: readonly IDependable[];
}

const impact = 'finance does not know whether the ledger agrees with the gateways';

/**
 * Every day, and for any day on demand: what must be done before, the day's close, the reconciliation of the ledger with
 * the gateways' settlements, and its report. A break is resolved by a function of its own, which people call.
 */
export class Reconciliation extends Construct {
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: ReconciliationProps) {
    super(scope, id);
    const { stage, key, warehouse, roleNames, before, after } = props;
    const { openDays, gatewayTerms, closeAtHour } = stage.finance;
    if (closeAtHour < 12 || closeAtHour > 23)
      throw new Error(
        `finance.closeAtHour is ${closeAtHour}: use 12 to 23, before noon in UTC yesterday is not over everywhere`,
      );
    const reports = privateBucket(this, 'Reports', { stage, key });

    const close = new NodeFunction(this, 'Close', {
      stage,
      directory: 'serve/finance/close',
      description: 'Writes down the figures of business days, and restates those that have moved',
      key,
      timeout: Duration.minutes(15),
      memoryMebibytes: 256,
    }).environment('OPEN_DAYS', String(openDays));
    actsOnWarehouse(close, warehouse, roleNames.close);

    const reconcile = new NodeFunction(this, 'Reconcile', {
      stage,
      directory: 'serve/finance/reconcile',
      description: "Matches the ledger's tenders with the gateways' settlements",
      key,
      timeout: Duration.minutes(15),
      memoryMebibytes: 256,
    })
      .environment('OPEN_DAYS', String(openDays))
      .environment('GATEWAY_TERMS', JSON.stringify(gatewayTerms));
    actsOnWarehouse(reconcile, warehouse, roleNames.reconcile);

    const report = new NodeFunction(this, 'Report', {
      stage,
      directory: 'serve/finance/report',
      description: 'Writes how business days stand, for people',
      key,
      timeout: Duration.minutes(10),
      // Up to 100,000 breaks are held at once.
      memoryMebibytes: 1_024,
    })
      .environment('OPEN_DAYS', String(openDays))
      .holdsIn(reports, 'reconciliation', 'REPORT_BUCKET_NAME');
    actsOnWarehouse(report, warehouse, roleNames.report);

    const resolve = new NodeFunction(this, 'Resolve', {
      stage,
      directory: 'serve/finance/resolve',
      description: 'Records what a person found out about a break',
      key,
      timeout: Duration.minutes(2),
      memoryMebibytes: 256,
    });
    actsOnWarehouse(resolve, warehouse, roleNames.resolve);

    const { stateMachineArn } = new Workflow(this, 'Daily', {
      stage,
      key,
      description: 'Closes the business day: load, settle, close, reconcile, report',
      steps: [
        ...before,
        { name: 'CloseDay', runs: close },
        { name: 'Reconcile', runs: reconcile },
        { name: 'Report', runs: report },
      ],
      atHour: closeAtHour,
      after,
    });

    new CfnOutput(this, 'ReportBucketName', { value: reports.bucketName });
    new CfnOutput(this, 'StateMachineArn', { value: stateMachineArn });
    new CfnOutput(this, 'ResolveFunction', { value: resolve.function.functionName });
    const executions = (metricName: string) =>
      new Metric({
        namespace: 'AWS/States',
        metricName,
        dimensionsMap: { StateMachineArn: stateMachineArn },
        statistic: Stats.SUM,
        period: Duration.minutes(5),
        region: Stack.of(this).region,
      });
    const daily = (metricName: string, statistic: string) =>
      businessMetric(reconcile, metricName).with({ statistic, period: Duration.days(1) });
    this.signals = [
      { name: 'DailyCloseFailed', metric: executions('ExecutionsFailed'), threshold: 0, periods: 1, impact },
      { name: 'DailyCloseTimedOut', metric: executions('ExecutionsTimedOut'), threshold: 0, periods: 1, impact },
      {
        name: 'ReconciliationLag',
        // A day that was asked for by a person may be an old one; the daily one is yesterday's.
        metric: daily('DaysBehind', Stats.MINIMUM),
        threshold: 1,
        // The daily run may lie on either side of the border between two periods.
        periods: 2,
        missing: 'bad',
        impact,
      },
      {
        name: 'DayToReconcile',
        metric: businessMetric(report, 'DaysToReconcile').with({ statistic: Stats.MAXIMUM, period: Duration.days(1) }),
        threshold: 0,
        periods: 1,
        impact: 'a day that is open no more was restated, and nobody knows whether it still agrees with the gateways',
      },
      {
        name: 'UnexplainedDifference',
        metric: daily('UnexplainedMinorUnits', Stats.MAXIMUM),
        threshold: 0,
        periods: 1,
        impact: 'money differs between the ledger and a gateway, and nothing says why',
      },
    ];
  }
}
