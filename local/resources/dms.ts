import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

const oneMachine = 'everything is on 127.0.0.1';

export const subnetGroup: ResourceModel<LocalAccount> = {
  uses: ['ReplicationSubnetGroupIdentifier'],
  withoutEffect: { ReplicationSubnetGroupDescription: 'prose', SubnetIds: oneMachine, Tags: 'nothing reads tags' },
  create: ({ properties, generatedName }) => ({
    ref: (properties.ReplicationSubnetGroupIdentifier ?? generatedName).toLowerCase(),
  }),
};

/** The engine itself refuses settings that it does not honour. */
export const endpoint: ResourceModel<LocalAccount> = {
  uses: [
    'EndpointIdentifier',
    'EndpointType',
    'EngineName',
    'ResourceIdentifier',
    'DatabaseName',
    'SslMode',
    'KinesisSettings',
    'PostgreSqlSettings',
  ],
  withoutEffect: { KmsKeyId: 'nothing of an endpoint is stored', Tags: 'nothing reads tags' },
  async create({ properties, generatedName }, { engines }) {
    const { PostgreSqlSettings, ResourceIdentifier = generatedName, ...rest } = properties;
    const { Endpoint } = await engines.dms.call('CreateEndpoint', {
      ...rest,
      ResourceIdentifier,
      ...(PostgreSqlSettings === undefined ? {} : { PostgreSQLSettings: PostgreSqlSettings }),
    });
    return { ref: Endpoint.EndpointArn, attributes: { ExternalId: ResourceIdentifier } };
  },
};

export const replicationConfig: ResourceModel<LocalAccount> = {
  uses: [
    'ReplicationConfigIdentifier',
    'ResourceIdentifier',
    'ReplicationType',
    'SourceEndpointArn',
    'TargetEndpointArn',
    'TableMappings',
    'ReplicationSettings',
  ],
  withoutEffect: { ComputeConfig: 'one process serves, in no network', Tags: 'nothing reads tags' },
  async create({ properties }, { engines }) {
    const { ReplicationConfig } = await engines.dms.call('CreateReplicationConfig', {
      ...properties,
      TableMappings: JSON.stringify(properties.TableMappings),
      ReplicationSettings: JSON.stringify(properties.ReplicationSettings),
    });
    const { ReplicationConfigArn } = ReplicationConfig;
    return { ref: ReplicationConfigArn, attributes: { ReplicationConfigArn } };
  },
};
