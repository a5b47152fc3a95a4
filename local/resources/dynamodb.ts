import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

export const table: ResourceModel<LocalAccount> = {
  uses: [
    'TableName',
    'AttributeDefinitions',
    'KeySchema',
    'GlobalSecondaryIndexes',
    'BillingMode',
    'StreamSpecification.StreamViewType',
    'TimeToLiveSpecification',
    'SSESpecification',
    'Replicas.SSESpecification.KMSMasterKeyId',
  ],
  withoutEffect: {
    'Replicas.GlobalSecondaryIndexes': 'settings of indexes in a region: none that a laptop has',
    'Replicas.Region': 'there is one region',
    'Replicas.DeletionProtectionEnabled': 'tables go with the state folder',
    'Replicas.PointInTimeRecoverySpecification': 'the state folder has no history',
    'Replicas.Tags': 'nothing reads tags',
  },
  async create({ properties, generatedName, previous }, { engines, encryptedWith }) {
    const name = properties.TableName ?? generatedName;
    const arn = `arn:aws:dynamodb:${localRegion}:${localAccount}:table/${name}`;
    const keyArn = properties.Replicas?.[0]?.SSESpecification?.KMSMasterKeyId;
    if (keyArn !== undefined) encryptedWith.set(arn, keyArn);
    const stream = properties.StreamSpecification && { StreamEnabled: true, ...properties.StreamSpecification };
    if (previous !== undefined) {
      // A table of a run before it had a stream.
      if (stream !== undefined && previous.attributes?.StreamArn === undefined)
        await engines.dynamodb.call('UpdateTable', { TableName: name, StreamSpecification: stream });
      return created();
    }
    const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, BillingMode, TimeToLiveSpecification } =
      properties;
    await engines.dynamodb.call('CreateTable', {
      TableName: name,
      AttributeDefinitions,
      KeySchema,
      BillingMode,
      ...(GlobalSecondaryIndexes === undefined ? {} : { GlobalSecondaryIndexes }),
      ...(stream === undefined ? {} : { StreamSpecification: stream }),
    });
    if (TimeToLiveSpecification !== undefined)
      await engines.dynamodb.call('UpdateTimeToLive', { TableName: name, TimeToLiveSpecification });
    return created();

    async function created() {
      const { Table } = await engines.dynamodb.call('DescribeTable', { TableName: name });
      const StreamArn = Table.LatestStreamArn;
      return { ref: name, attributes: { Arn: arn, TableId: name, ...(StreamArn && { StreamArn }) } };
    }
  },
};
