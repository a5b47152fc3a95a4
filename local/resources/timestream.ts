import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/** Databases and tables keep what they hold from one run to the next; a table follows its retention. */
export const database: ResourceModel<LocalAccount> = {
  uses: ['DatabaseName', 'KmsKeyId'],
  withoutEffect: { Tags: 'nothing reads tags' },
  async create({ properties, generatedName, previous }, { engines: { timestream }, encryptedWith }) {
    const { KmsKeyId } = properties;
    const DatabaseName = properties.DatabaseName ?? generatedName;
    const { Database } = await timestream.call(previous === undefined ? 'CreateDatabase' : 'DescribeDatabase', {
      DatabaseName,
    });
    if (KmsKeyId !== undefined) encryptedWith.set(Database.Arn, KmsKeyId);
    return { ref: DatabaseName, attributes: { Arn: Database.Arn } };
  },
};

export const table: ResourceModel<LocalAccount> = {
  uses: [
    ...['DatabaseName', 'TableName', 'RetentionProperties', 'MagneticStoreWriteProperties'],
    ...['Schema.CompositePartitionKey'],
  ],
  withoutEffect: { Tags: 'nothing reads tags' },
  async create({ properties, generatedName, previous }, { engines: { timestream } }) {
    const { DatabaseName, RetentionProperties, MagneticStoreWriteProperties, Schema } = properties;
    const TableName = properties.TableName ?? generatedName;
    const definition = { RetentionProperties, MagneticStoreWriteProperties, ...(Schema && { Schema }) };
    const { Table } = await timestream.call(previous === undefined ? 'CreateTable' : 'UpdateTable', {
      ...{ DatabaseName, TableName },
      ...definition,
    });
    return { ref: `${DatabaseName}|${TableName}`, attributes: { Arn: Table.Arn, Name: TableName } };
  },
};
