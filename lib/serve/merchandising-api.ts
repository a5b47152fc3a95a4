import { CfnOutput, Duration } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { NodeFunction, type NodeFunctionProps } from '../base/node-function';
import { queryAnswers, restApi } from '../base/rest-api';
import type { Signal } from '../base/signal';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';

export interface MerchandisingApiProps {
  readonly stage: Stage;
  readonly key: Key;
  /** Under lambdas/, of the function that answers. */
  readonly directory: string;
  readonly network?: NonNullable<NodeFunctionProps['network']>;
}

const questions = ['totals', 'groups', 'series', 'completeness', 'dashboard'] as const;

/**
 * Answers merchants: `GET /v1/merchandising/...`, and the page that shows the answers, for callers with a role that may
 * invoke it. The page is a file of the function's, so that no bucket has to be opened to anybody.
 */
export class MerchandisingApi extends Construct {
  readonly query: NodeFunction;
  readonly api: RestApi;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, key, directory, network }: MerchandisingApiProps) {
    super(scope, id);
    this.query = new NodeFunction(this, 'Query', {
      stage,
      directory,
      description: 'Answers what merchants ask of the time series, and shows it',
      key,
      // What API Gateway waits for.
      timeout: Duration.seconds(29),
      memoryMebibytes: 1_024,
      ...(network === undefined ? {} : { network }),
    });
    const { requestsPerSecond, burst } = stage.merchandising;
    this.api = restApi(this, {
      stage,
      key,
      name: 'Merchandising',
      description: 'Answers what merchants ask of the last minutes and weeks',
      requestsPerSecond,
      burst,
      routes: questions.map((question) => ({
        method: 'GET',
        path: `merchandising/${question}`,
        function: this.query,
      })),
      answers: queryAnswers('the time series'),
    });
    new CfnOutput(this, 'Url', { value: this.api.urlForPath('/merchandising/totals') });
    this.signals = this.#signals();
  }

  #signals(): Signal[] {
    const period = Duration.minutes(5);
    const blind = 'merchants get no figures, or none of the last minutes';
    return [
      {
        name: 'MerchandisingQueryServerErrors',
        metric: this.api.metricServerError({ period, statistic: Stats.SUM }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'MerchandisingQueryErrors',
        metric: this.query.function.metricErrors({ period }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'MerchandisingQueryThrottles',
        metric: this.query.function.metricThrottles({ period }),
        threshold: 0,
        periods: 2,
        impact: blind,
      },
      {
        name: 'MerchandisingQuerySlow',
        metric: businessMetric(this.query, 'AnswerMs').with({ statistic: Stats.MAXIMUM }),
        threshold: 10_000,
        periods: 3,
        impact: 'merchants wait for their figures; soon they get none',
      },
    ];
  }
}
