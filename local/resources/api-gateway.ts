import { createHash } from 'node:crypto';
import type { LocalAccount, LocalApi } from '../account';
import type { ResourceModel } from '../template/resource-model';

/**
 * The parts of a REST API are gathered as they are created; the account serves what a Stage publishes. Paths are kept by
 * resource id, the way API Gateway does.
 */
export const restApi: ResourceModel<LocalAccount> = {
  uses: ['Name'],
  withoutEffect: {
    Description: 'prose',
    EndpointConfiguration: 'the API listens on 127.0.0.1',
    Policy: 'there is one account',
    DisableExecuteApiEndpoint: 'the API listens on 127.0.0.1',
    Tags: 'nothing reads tags',
  },
  create({ properties, generatedName }, { apis }) {
    // Names of different stacks may end alike.
    const id = createHash('sha256').update(generatedName).digest('hex').slice(0, 10);
    apis.set(id, {
      id,
      name: properties.Name,
      paths: new Map([[`${id}-root`, '']]),
      methods: [],
      gatewayResponses: [],
      stages: [],
    });
    return { ref: id, attributes: { RootResourceId: `${id}-root`, RestApiId: id } };
  },
};

export const resource: ResourceModel<LocalAccount> = {
  uses: ['RestApiId', 'ParentId', 'PathPart'],
  create({ properties, generatedName }, local) {
    const { paths } = apiOf(local, properties.RestApiId);
    paths.set(generatedName, `${paths.get(properties.ParentId)}/${properties.PathPart}`);
    return { ref: generatedName };
  },
};

export const method: ResourceModel<LocalAccount> = {
  uses: ['RestApiId', 'ResourceId', 'HttpMethod', 'AuthorizationType', 'Integration.Type', 'Integration.Uri'],
  withoutEffect: {
    'Integration.IntegrationHttpMethod': 'always POST for a function',
    'Integration.TimeoutInMillis': 'the function has its own timeout',
    'Integration.PassthroughBehavior': 'proxy integrations pass everything',
    RequestParameters: 'the function checks its input',
    OperationName: 'a name for people',
  },
  create({ properties, generatedName }, local) {
    const { RestApiId, ResourceId, HttpMethod, AuthorizationType, Integration } = properties;
    if (Integration?.Type !== 'AWS_PROXY')
      throw new Error(
        `${generatedName}: integration type ${Integration?.Type} is not modelled locally: only AWS_PROXY is`,
      );
    const functionName = /function:([^/:]+)/.exec(Integration.Uri)?.[1];
    if (functionName === undefined)
      throw new Error(`${generatedName}: integration names no function: ${Integration.Uri}`);
    const api = apiOf(local, RestApiId);
    const path = api.paths.get(ResourceId) || '/';
    api.methods.push({ httpMethod: HttpMethod, path, authorizationType: AuthorizationType, functionName });
    return { ref: generatedName };
  },
};

export const gatewayResponse: ResourceModel<LocalAccount> = {
  uses: ['RestApiId', 'ResponseType', 'StatusCode', 'ResponseParameters', 'ResponseTemplates'],
  create({ properties, generatedName }, local) {
    const { RestApiId, ...response } = properties;
    apiOf(local, RestApiId).gatewayResponses.push(response as LocalApi['gatewayResponses'][number]);
    return { ref: generatedName };
  },
};

export const deployment: ResourceModel<LocalAccount> = {
  uses: ['RestApiId'],
  withoutEffect: { Description: 'prose' },
  create: ({ generatedName }) => ({ ref: generatedName, attributes: { DeploymentId: generatedName } }),
};

export const stage: ResourceModel<LocalAccount> = {
  uses: ['RestApiId', 'StageName', 'MethodSettings.ThrottlingRateLimit', 'MethodSettings.ThrottlingBurstLimit'],
  withoutEffect: {
    AccessLogSetting: 'the door counts every call',
    DeploymentId: 'there is one deployment',
    Description: 'prose',
    'MethodSettings.DataTraceEnabled': 'bodies are never logged here',
    'MethodSettings.HttpMethod': 'settings hold for all methods',
    'MethodSettings.ResourcePath': 'settings hold for all methods',
    'MethodSettings.LoggingLevel': 'the door counts every call',
    'MethodSettings.MetricsEnabled': 'the door counts every call',
    Tags: 'nothing reads tags',
    TracingEnabled: 'nothing is traced',
  },
  create({ properties }, local) {
    const { RestApiId, StageName, MethodSettings = [] } = properties;
    if (MethodSettings.length > 1)
      throw new Error(`stage ${StageName}: settings by method are not modelled locally: only one for all methods is`);
    const { ThrottlingRateLimit, ThrottlingBurstLimit } = MethodSettings[0] ?? {};
    apiOf(local, RestApiId).stages.push({
      name: StageName,
      rateLimit: ThrottlingRateLimit,
      burstLimit: ThrottlingBurstLimit,
    });
    return { ref: StageName };
  },
};

export const account: ResourceModel<LocalAccount> = {
  uses: [],
  withoutEffect: { CloudWatchRoleArn: 'the door counts every call' },
  create: ({ generatedName }) => ({ ref: generatedName }),
};

function apiOf({ apis }: LocalAccount, id: string): LocalApi {
  const api = apis.get(id);
  if (api === undefined) throw new Error(`there is no REST API '${id}'`);
  return api;
}
