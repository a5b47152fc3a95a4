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
    if (previous !== undefined) return previous;
    const { AttributeDefinitions, KeySchema, GlobalSecondaryIndexes, BillingMode, TimeToLiveSpecification } =
      properties;
    await engines.dynamodb.call('CreateTable', {
      TableName: name,
      AttributeDefinitions,
      KeySchema,
      BillingMode,
      ...(GlobalSecondaryIndexes === undefined ? {} : { GlobalSecondaryIndexes }),
    });
    if (TimeToLiveSpecification !== undefined)
      await engines.dynamodb.call('UpdateTimeToLive', { TableName: name, TimeToLiveSpecification });
    return { ref: name, attributes: { Arn: arn, TableId: name } };
  },
};
