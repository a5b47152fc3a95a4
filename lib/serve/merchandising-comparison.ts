import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { compactedName } from '../../lambdas/base/domain/lake-views';
import { saleLines } from '../../lambdas/base/domain/sale-rows';
import { NodeFunction, type NodeFunctionProps } from '../base/node-function';
import { runEvery } from '../base/schedules';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import type { LakeStack } from './lake-stack';

export interface MerchandisingComparisonProps {
  readonly stage: Stage;
  readonly key: Key;
  /** The engine's own function, under lambdas/. */
  readonly directory: string;
  readonly network?: NonNullable<NodeFunctionProps['network']>;
  readonly lake: LakeStack;
}

// A batch gathers for ten seconds, Firehose for a quarter of an hour at most; a retry comes on top.
const lakeDelayMinutes = 30;

/** Compares the time series with the lake, every hour, and has what is missing written again. */
export class MerchandisingComparison extends Construct {
  readonly compare: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, key, directory, network, lake }: MerchandisingComparisonProps) {
    super(scope, id);
    const { salesRetentionDays, itemsRetentionDays } = stage.merchandising;
    this.compare = new NodeFunction(this, 'Compare', {
      stage,
      directory,
      description: 'Compares the time series with the lake, and writes what is missing',
      key,
      // Athena works for most of it.
      timeout: Duration.minutes(15),
      // A hundred thousand lines at once.
      memoryMebibytes: 1_024,
      ...(network === undefined ? {} : { network }),
    });
    this.compare
      .queries(lake.workgroup, 'WORKGROUP_NAME')
      .readsTables(lake.databaseName, ['sales', saleLines.name, compactedName(saleLines)], 'DATABASE_NAME')
      .readsObjects(lake.bucket, [
        saleLines.name,
        ...['files', 'lists'].map((kind) => `compacted/${kind}/${saleLines.name}`),
      ])
      .environment('LAKE_DELAY_MINUTES', String(lakeDelayMinutes))
      .environment('SALES_RETENTION_DAYS', String(salesRetentionDays))
      .environment('ITEMS_RETENTION_DAYS', String(itemsRetentionDays));
    runEvery(this, 'Schedule', {
      minutes: 60,
      description: 'Compares the hours of what was accepted in two days with the lake',
      target: this.compare,
    });

    new CfnOutput(this, 'Function', { value: this.compare.function.functionName });

    this.signals = [
      {
        name: 'MerchandisingMissing',
        metric: businessMetric(this.compare, 'SalesMissing'),
        threshold: 0,
        periods: 1,
        impact: 'merchandising lacked sales that the lake has, until now: they are written',
      },
      {
        name: 'MerchandisingItemsMissing',
        metric: businessMetric(this.compare, 'ItemsMissing'),
        threshold: 0,
        periods: 1,
        impact: 'figures of items lacked sales that the lake has, until now: they are written',
      },
      {
        name: 'MerchandisingComparisonErrors',
        metric: this.compare.function.metricErrors({ period: Duration.minutes(5) }),
        threshold: 0,
        periods: 1,
        impact: 'what merchandising lacks is not found, or could not be written',
      },
      {
        name: 'MerchandisingComparisonLeft',
        // Every run reports.
        metric: businessMetric(this.compare, 'HoursLeft').with({
          statistic: Stats.MINIMUM,
          period: Duration.hours(1),
        }),
        threshold: 0,
        periods: 3,
        missing: 'bad',
        impact: 'what merchandising lacks is found late, or never',
      },
    ];
  }
}
