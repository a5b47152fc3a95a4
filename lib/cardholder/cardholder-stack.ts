import { Aws, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnAccount, ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
import { restApi } from '../base/rest-api';
import type { Signal } from '../base/signal';
import { stream } from '../base/stream';
import { businessMetric } from '../base/stream-consumer';
import type { Stage } from '../stages';
import type { TokenVaultStack } from './token-vault-stack';

export interface CardholderStackProps extends StackProps {
  readonly stage: Stage;
  readonly vault: TokenVaultStack;
}

/**
 * Takes sales in: the API, the function that replaces card numbers by tokens, and the stream of what came in. With the
 * vault it is the room that may see card numbers; the stream, which holds none, is all that leaves it.
 */
export class CardholderStack extends Stack {
  /** Tokenized sales as the door took them: may hold repeats. */
  readonly salesIngest: Stream;
  /** The room's, the vault's among them. */
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, { stage, vault, ...props }: CardholderStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream ingest' });
    this.salesIngest = stream(this, 'SalesIngest', { stage, key });

    const { maximumSaleAgeDays, cardLikeIdentifiers, reservedConcurrency } = stage.ingest;
    const ingest = new NodeFunction(this, 'Ingest', {
      stage,
      directory: 'cardholder/ingest',
      description: 'Checks sales, replaces card numbers by tokens, and writes them to the stream',
      key,
      // What API Gateway waits for.
      timeout: Duration.seconds(29),
      memoryMebibytes: 1_024,
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrency }),
    }).writes(this.salesIngest, 'SALES_INGEST_STREAM_NAME');
    vault.allowTokenizing(ingest);
    // Empty means any age, and no exceptions.
    ingest
      .environment('MAXIMUM_SALE_AGE_DAYS', String(maximumSaleAgeDays ?? ''))
      .environment('CARD_LIKE_IDENTIFIERS', cardLikeIdentifiers.join(','));

    const completeThrough = new NodeFunction(this, 'CompleteThrough', {
      stage,
      directory: 'cardholder/complete-through',
      description: 'Puts the marks by which sources vouch for completeness behind their sales',
      key,
      timeout: Duration.seconds(29),
      memoryMebibytes: 256,
    })
      .writes(this.salesIngest, 'SALES_INGEST_STREAM_NAME')
      .allow(['kinesis:ListShards'], [this.salesIngest.streamArn]);

    const api = this.#api(stage, key, ingest, completeThrough);
    new CfnOutput(this, 'ApiId', { value: api.restApiId });
    new CfnOutput(this, 'IngestUrl', { value: api.urlForPath('/sales') });
    this.signals = [...this.#signals(api, ingest, completeThrough), ...vault.signals];
  }

  #api(stage: Stage, key: Key, ingest: NodeFunction, completeThrough: NodeFunction): RestApi {
    const again = 'send the same sales again';
    const { requestsPerSecond, burst } = stage.ingest;
    const api = restApi(this, {
      stage,
      key,
      description: 'Takes sales in',
      requestsPerSecond,
      burst,
      routes: [
        { method: 'POST', path: 'sales', function: ingest },
        { method: 'POST', path: 'sales/complete-through', function: completeThrough },
      ],
      answers: [
        {
          type: ResponseType.THROTTLED,
          statusCode: '429',
          code: 'throttled',
          message: `more requests than this stage takes: ${again}, later`,
          retryAfterSeconds: 1,
        },
        {
          type: ResponseType.REQUEST_TOO_LARGE,
          statusCode: '413',
          code: 'too-large',
          message: 'body: allowed: at most 4194304 bytes',
        },
        {
          type: ResponseType.INTEGRATION_FAILURE,
          statusCode: '503',
          code: 'unavailable',
          message: `ingest did not answer: ${again}`,
          retryAfterSeconds: 5,
        },
        {
          type: ResponseType.INTEGRATION_TIMEOUT,
          statusCode: '503',
          code: 'timeout',
          message: `ingest took too long: ${again}`,
          retryAfterSeconds: 5,
        },
      ],
    });
    api.deploymentStage.node.addDependency(this.#accessLogging());
    return api;
  }

  /** API Gateway writes logs under one role per account and region; this is it. */
  #accessLogging(): CfnAccount {
    const role = new Role(this, 'ApiGatewayLogs', {
      assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
      inlinePolicies: {
        // What AmazonAPIGatewayPushToCloudWatchLogs has: API Gateway asks for all of it before it takes the role.
        logs: new PolicyDocument({
          statements: [
            new PolicyStatement({
              actions: [
                'logs:CreateLogGroup',
                'logs:CreateLogStream',
                'logs:DescribeLogGroups',
                'logs:DescribeLogStreams',
                'logs:FilterLogEvents',
                'logs:GetLogEvents',
                'logs:PutLogEvents',
              ],
              resources: [`arn:${Aws.PARTITION}:logs:${this.region}:${Aws.ACCOUNT_ID}:*`],
            }),
          ],
        }),
      },
    });
    return new CfnAccount(this, 'ApiGatewayAccount', { cloudWatchRoleArn: role.roleArn });
  }

  #signals(api: RestApi, ingest: NodeFunction, completeThrough: NodeFunction): Signal[] {
    const period = Duration.minutes(5);
    const shut = 'sales are not taken in; tills keep them and send again';
    const careless = 'some till sends card data where it must not: find it by its source, and tell its owner';
    const counted = (name: string, metricName: string, threshold: number, periods: number, impact: string) => ({
      name,
      metric: businessMetric(ingest, metricName),
      threshold,
      periods,
      impact,
    });
    const full = new Metric({
      namespace: 'AWS/Kinesis',
      metricName: 'WriteProvisionedThroughputExceeded',
      dimensionsMap: { StreamName: this.salesIngest.streamName },
      statistic: Stats.SUM,
      period,
    });
    const delayed = 'sales come in later than they could';
    return [
      {
        name: 'IngestServerErrors',
        metric: api.metricServerError({ period, statistic: Stats.SUM }),
        threshold: 0,
        periods: 2,
        impact: shut,
      },
      {
        name: 'IngestErrors',
        metric: ingest.function.metricErrors({ period }),
        threshold: 0,
        periods: 2,
        impact: shut,
      },
      {
        name: 'IngestThrottles',
        metric: ingest.function.metricThrottles({ period }),
        threshold: 0,
        periods: 2,
        impact: delayed,
      },
      { name: 'IngestStreamFull', metric: full, threshold: 0, periods: 3, impact: delayed },
      {
        name: 'CompletenessMarksUnavailable',
        metric: businessMetric(completeThrough, 'MarksUnavailable'),
        threshold: 0,
        periods: 2,
        impact: 'answers to merchants say less than they know: they are complete up to an earlier minute',
      },
      counted('IngestRetried', 'Retried', 0, 2, shut),
      counted('IngestRejected', 'Rejected', 100, 3, 'a till sends sales that never come in; the answers say why'),
      counted('SecurityCodesRemoved', 'SecurityCodesRemoved', 0, 1, careless),
      counted('CardNumbersMasked', 'CardNumbersMasked', 0, 1, careless),
    ];
  }
}
