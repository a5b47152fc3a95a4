import { Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { table } from '../../lib/base/table';
import { BadgesApi } from '../../lib/serve/badges-api';
import { stageNamed } from '../../lib/stages';
import { ownApp, stackBefore, typesIn } from './own-app';

const stage = stageNamed('prod');
let template: Template;
beforeAll(() => {
  const app = ownApp();
  const env = { region: stage.region };
  const { before, key } = stackBefore(app, stage);
  const stack = new Stack(app, 'Badges', { env });
  const online = table(before, 'Online', { stage, key, partitionKey: 'pk', expiry: 'expiresAt' });
  new BadgesApi(stack, 'Api', { stage, key, online });
  template = Template.fromStack(stack);
});

test('it holds what it is made of, and nothing else', () => {
  expect(typesIn(template)).toEqual({
    'AWS::ApiGateway::Deployment': 1,
    'AWS::ApiGateway::GatewayResponse': 3,
    'AWS::ApiGateway::Method': 1,
    'AWS::ApiGateway::Resource': 1,
    'AWS::ApiGateway::RestApi': 1,
    'AWS::ApiGateway::Stage': 1,
    'AWS::IAM::Policy': 1,
    'AWS::IAM::Role': 1,
    'AWS::Lambda::Function': 1,
    'AWS::Lambda::Permission': 1,
    'AWS::Logs::LogGroup': 2,
  });
});

test('the API wants a signature, limits requests, and does not log what was asked for', () => {
  template.hasResourceProperties('AWS::ApiGateway::Method', { HttpMethod: 'GET', AuthorizationType: 'AWS_IAM' });
  template.hasResourceProperties('AWS::ApiGateway::RestApi', { EndpointConfiguration: { Types: ['REGIONAL'] } });
  template.hasResourceProperties('AWS::ApiGateway::Stage', {
    StageName: 'v1',
    MethodSettings: [
      Match.objectLike({
        DataTraceEnabled: false,
        LoggingLevel: 'OFF',
        ThrottlingRateLimit: stage.badges.requestsPerSecond,
        ThrottlingBurstLimit: stage.badges.burst,
      }),
    ],
  });
  const [{ Properties }] = Object.values<any>(template.findResources('AWS::ApiGateway::Stage')) as [any];
  expect(Properties.AccessLogSetting.Format).not.toMatch(/context\.path|query|requestOverride|input|header|message/i);
});

test('lookups read the online table by BatchGetItem and do nothing else to anything', () => {
  const [policy] = Object.values<any>(template.findResources('AWS::IAM::Policy'));
  const actions = policy.Properties.PolicyDocument.Statement.flatMap(({ Action }: any) => Action);

  expect(actions.filter((action: string) => !/^(logs|kms):/.test(action))).toEqual(['dynamodb:BatchGetItem']);
  expect(JSON.stringify(policy.Properties.PolicyDocument.Statement.map(({ Resource }: any) => Resource))).not.toMatch(
    /"\*"/,
  );
});

test('the policy of the stage is the one that lookups go by', () => {
  const [fn] = Object.values<any>(template.findResources('AWS::Lambda::Function'));
  const { Variables } = fn.Properties.Environment;

  expect(Object.keys(Variables).sort()).toEqual(['BADGE_POLICY', 'ONLINE_TABLE_NAME']);
  expect(JSON.parse(Variables.BADGE_POLICY)).toEqual(stage.badges.policy);
});

test.each([
  ['THROTTLED', '429'],
  ['INTEGRATION_FAILURE', '503'],
  ['INTEGRATION_TIMEOUT', '503'],
])('the answer to %s says when to try again', (ResponseType, StatusCode) => {
  template.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
    ResponseType,
    StatusCode,
    ResponseParameters: { 'gatewayresponse.header.Retry-After': "'1'" },
  });
});
