import {
  AccessLogField,
  AccessLogFormat,
  AuthorizationType,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  ResponseType,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Stage } from '../stages';
import { removalOf } from './encryption-key';
import type { NodeFunction } from './node-function';

export interface RestApiProps {
  readonly stage: Stage;
  /** The room's key: encrypts the access log. */
  readonly key: Key;
  /** Added to the platform's own: `Tillstream-prod-Badges`; the door for sales has none. */
  readonly name?: string;
  readonly description: string;
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly routes: readonly Route[];
  /** What API Gateway itself answers, in place of a function. */
  readonly answers: readonly GatewayAnswer[];
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Under the API's version, for example `badges` or `sales/complete-through`. */
  readonly path: string;
  readonly function: NodeFunction;
}

export interface GatewayAnswer {
  readonly type: ResponseType;
  readonly statusCode: string;
  /** For programs, and the name of the resource. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

/**
 * An API for callers with a role that may invoke it: every request signed, all of them throttled together, an access log
 * without anything of what was asked. The role by which API Gateway writes that log is the account's, and the Cardholder
 * stack sets it: deploy that one before. The API and its log are made in `scope` as `Api` and `AccessLog`, so a scope has
 * one.
 */
export function restApi(scope: Construct, props: RestApiProps): RestApi {
  const { stage, key, name, description, requestsPerSecond, burst, routes, answers } = props;
  const accessLog = new LogGroup(scope, 'AccessLog', {
    retention: stage.logRetentionDays as RetentionDays,
    encryptionKey: key,
    removalPolicy: removalOf(stage),
  });
  const api = new RestApi(scope, 'Api', {
    restApiName: ['Tillstream', stage.name, ...(name === undefined ? [] : [name])].join('-'),
    description,
    endpointTypes: [EndpointType.REGIONAL],
    cloudWatchRole: false,
    deployOptions: {
      stageName: 'v1',
      throttlingRateLimit: requestsPerSecond,
      throttlingBurstLimit: burst,
      accessLogDestination: new LogGroupLogDestination(accessLog),
      accessLogFormat: accessLogFormat(),
      // Execution logs with data would hold bodies, and bodies hold card numbers. Neither is ever switched on.
      loggingLevel: MethodLoggingLevel.OFF,
      dataTraceEnabled: false,
      metricsEnabled: true,
    },
    defaultMethodOptions: { authorizationType: AuthorizationType.IAM },
  });
  for (const { method, path, function: target } of routes)
    api.root
      .resourceForPath(path)
      .addMethod(method, new LambdaIntegration(target.function, { allowTestInvoke: false, proxy: true }));
  for (const { type, statusCode, code, message, retryAfterSeconds } of answers)
    api.addGatewayResponse(code, {
      type,
      statusCode,
      ...(retryAfterSeconds === undefined ? {} : { responseHeaders: { 'Retry-After': `'${retryAfterSeconds}'` } }),
      templates: { 'application/json': JSON.stringify({ code, message }) },
    });
  return api;
}

/** What API Gateway answers for a function that only reads: nothing is lost, so ask again. */
export function queryAnswers(who: string): GatewayAnswer[] {
  const answer = (type: ResponseType, statusCode: string, code: string, message: string): GatewayAnswer => ({
    type,
    statusCode,
    code,
    message,
    retryAfterSeconds: 1,
  });
  return [
    answer(ResponseType.THROTTLED, '429', 'throttled', 'more requests than this stage takes: ask again, later'),
    answer(ResponseType.INTEGRATION_FAILURE, '503', 'unavailable', `${who} did not answer: ask again`),
    answer(ResponseType.INTEGRATION_TIMEOUT, '503', 'timeout', `${who} took too long: ask again`),
  ];
}

/**
 * What an API logs of a request: who, when, what came of it. No path, query, header or body: any of them can be made to
 * hold a card number, and a query says what a shop's visitors look at.
 */
function accessLogFormat(): AccessLogFormat {
  return AccessLogFormat.custom(
    JSON.stringify({
      requestId: AccessLogField.contextRequestId(),
      time: AccessLogField.contextRequestTime(),
      caller: AccessLogField.contextIdentityUserArn(),
      sourceIp: AccessLogField.contextIdentitySourceIp(),
      method: AccessLogField.contextHttpMethod(),
      resource: AccessLogField.contextResourcePath(),
      status: AccessLogField.contextStatus(),
      latencyMs: AccessLogField.contextResponseLatency(),
      integrationStatus: AccessLogField.contextIntegrationStatus(),
      errorType: AccessLogField.contextErrorResponseType(),
    }),
  );
}
