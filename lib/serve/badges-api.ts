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

export interface BadgesApiProps {
  readonly stage: Stage;
  readonly key: Key;
  /** What lookups read, and all that they read. */
  readonly online: TableV2;
}

/**
 * Answers product pages: `GET /v1/badges`, for callers with a role that may invoke it. The role by which API Gateway
 * writes access logs is the account's, and the Cardholder stack has it: deploy that one before.
 */
export class BadgesApi extends Construct {
  readonly lookup: NodeFunction;
  readonly api: RestApi;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, key, online }: BadgesApiProps) {
    super(scope, id);
    this.lookup = new NodeFunction(this, 'Lookup', {
      stage,
      directory: 'serve/badges/lookup',
      description: 'Answers which items can be promised for the same day',
      key,
      // More than the two seconds within which the table answers or is given up.
      timeout: Duration.seconds(5),
      memoryMebibytes: 1_024,
    })
      .uses(online, 'ONLINE_TABLE_NAME', ['BatchGetItem'])
      .environment('BADGE_POLICY', JSON.stringify(stage.badges.policy));
    const { requestsPerSecond, burst } = stage.badges;
    this.api = restApi(this, {
      stage,
      key,
      name: 'Badges',
      description: 'Answers which items can be promised for the same day',
      requestsPerSecond,
      burst,
      routes: [{ method: 'GET', path: 'badges', function: this.lookup }],
      answers: queryAnswers('the lookup'),
    });
    new CfnOutput(this, 'Url', { value: this.api.urlForPath('/badges') });
    this.signals = this.#signals();
  }

  #signals(): Signal[] {
    const period = Duration.minutes(5);
    const dark = 'product pages get no answer and show no badge';
    return [
      {
        name: 'BadgeServerErrors',
        metric: this.api.metricServerError({ period, statistic: Stats.SUM }),
        threshold: 0,
        periods: 2,
        impact: dark,
      },
      {
        name: 'BadgeLookupErrors',
        metric: this.lookup.function.metricErrors({ period }),
        threshold: 0,
        periods: 2,
        impact: dark,
      },
      {
        name: 'BadgeLookupThrottles',
        metric: this.lookup.function.metricThrottles({ period }),
        threshold: 0,
        periods: 2,
        impact: dark,
      },
      {
        name: 'BadgeAnswersStale',
        metric: businessMetric(this.lookup, 'StaleAnswers'),
        threshold: 0,
        periods: 2,
        impact: 'items that are in stock show no badge, since what is known of them is too old',
      },
    ];
  }
}
