import { Aws, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import {
  AuthorizationType,
  CfnAccount,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  ResponseType,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { accessLogFormat } from '../base/access-log';
import { EncryptionKey, removalOf } from '../base/encryption-key';
import { NodeFunction } from '../base/node-function';
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

    const api = this.#api(stage, key, ingest);
    new CfnOutput(this, 'ApiId', { value: api.restApiId });
    new CfnOutput(this, 'IngestUrl', { value: api.urlForPath('/sales') });
    this.signals = [...this.#signals(api, ingest), ...vault.signals];
  }

  #api(stage: Stage, key: IKey, ingest: NodeFunction): RestApi {
    const accessLog = new LogGroup(this, 'AccessLog', {
      retention: stage.logRetentionDays as RetentionDays,
      encryptionKey: key,
      removalPolicy: removalOf(stage),
    });
    const api = new RestApi(this, 'Api', {
      restApiName: `Tillstream-${stage.name}`,
      description: 'Takes sales in',
      endpointTypes: [EndpointType.REGIONAL],
      cloudWatchRole: false,
      deployOptions: {
        stageName: 'v1',
        throttlingRateLimit: stage.ingest.requestsPerSecond,
        throttlingBurstLimit: stage.ingest.burst,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat: accessLogFormat(),
        // Execution logs with data would hold bodies, and bodies hold card numbers. Neither is ever switched on.
        loggingLevel: MethodLoggingLevel.OFF,
        dataTraceEnabled: false,
        metricsEnabled: true,
      },
      defaultMethodOptions: { authorizationType: AuthorizationType.IAM },
    });
    api.root
      .addResource('sales')
      .addMethod('POST', new LambdaIntegration(ingest.function, { allowTestInvoke: false, proxy: true }));
    const logging = this.#accessLogging();
    api.deploymentStage.node.addDependency(logging);

    const answer = (type: ResponseType, statusCode: string, code: string, message: string, seconds?: number) =>
      api.addGatewayResponse(code, {
        type,
        statusCode,
        ...(seconds === undefined ? {} : { responseHeaders: { 'Retry-After': `'${seconds}'` } }),
        templates: { 'application/json': JSON.stringify({ code, message }) },
      });
    const again = 'send the same sales again';
    answer(ResponseType.THROTTLED, '429', 'throttled', `more requests than this stage takes: ${again}, later`, 1);
    answer(ResponseType.REQUEST_TOO_LARGE, '413', 'too-large', 'body: allowed: at most 4194304 bytes');
    answer(ResponseType.INTEGRATION_FAILURE, '503', 'unavailable', `ingest did not answer: ${again}`, 5);
    answer(ResponseType.INTEGRATION_TIMEOUT, '503', 'timeout', `ingest took too long: ${again}`, 5);
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

  #signals(api: RestApi, ingest: NodeFunction): Signal[] {
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
      counted('IngestRetried', 'Retried', 0, 2, shut),
      counted('IngestRejected', 'Rejected', 100, 3, 'a till sends sales that never come in; the answers say why'),
      counted('SecurityCodesRemoved', 'SecurityCodesRemoved', 0, 1, careless),
      counted('CardNumbersMasked', 'CardNumbersMasked', 0, 1, careless),
    ];
  }
}
