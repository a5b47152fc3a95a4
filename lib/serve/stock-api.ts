import { CfnOutput, Duration } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { NodeFunction } from '../base/node-function';
import { queryAnswers, restApi } from '../base/rest-api';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';

export interface StockApiProps {
  readonly stage: Stage;
  readonly key: Key;
  /** What lookups read, and all that they read. */
  readonly positions: TableV2;
}

/**
 * Answers supply chain: `GET /v1/stock`, for callers with a role that may invoke it. The role by which API Gateway writes
 * access logs is the account's, and the Cardholder stack has it: deploy that one before.
 */
export class StockApi extends Construct {
  readonly lookup: NodeFunction;
  readonly api: RestApi;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, key, positions }: StockApiProps) {
    super(scope, id);
    const description = 'Answers what there is of an item at a location, and what of it can be promised';
    this.lookup = new NodeFunction(this, 'Lookup', {
      stage,
      directory: 'serve/inventory/lookup',
      description,
      key,
      // More than the two seconds within which the table answers or is given up.
      timeout: Duration.seconds(5),
      memoryMebibytes: 1_024,
    })
      .uses(positions, 'POSITIONS_TABLE_NAME', ['BatchGetItem'])
      .environment('STOCK_POLICY', JSON.stringify(stage.stock.policy));
    const { requestsPerSecond, burst } = stage.stock;
    this.api = restApi(this, {
      stage,
      key,
      name: 'Stock',
      description,
      requestsPerSecond,
      burst,
      routes: [{ method: 'GET', path: 'stock', function: this.lookup }],
      answers: queryAnswers('the lookup'),
    });
    new CfnOutput(this, 'Url', { value: this.api.urlForPath('/stock') });
    this.signals = this.#signals();
  }

  #signals(): Signal[] {
    const period = Duration.minutes(5);
    const blind = 'supply chain gets no stock positions';
    return [
      {
        name: 'StockServerErrors',
        metric: this.api.metricServerError({ period, statistic: Stats.SUM }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'StockLookupErrors',
        metric: this.lookup.function.metricErrors({ period }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'StockLookupThrottles',
        metric: this.lookup.function.metricThrottles({ period }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'StockAnswersStale',
        metric: businessMetric(this.lookup, 'StaleAnswers'),
        threshold: 0,
        periods: 2,
        impact: 'supply chain is answered from stock that is too old, and told so',
      },
    ];
  }
}
