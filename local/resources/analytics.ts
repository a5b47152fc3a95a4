import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

export const deliveryStream: ResourceModel<LocalAccount> = {
  uses: [
    'DeliveryStreamName',
    'DeliveryStreamType',
    'ExtendedS3DestinationConfiguration',
    'DeliveryStreamEncryptionConfigurationInput',
  ],
  withoutEffect: { Tags: 'nothing reads tags' },
  async create({ properties, generatedName }, { engines, encryptedWith }) {
    const name = (properties.DeliveryStreamName ?? generatedName).slice(-64);
    const arn = `arn:aws:firehose:${localRegion}:${localAccount}:deliverystream/${name}`;
    const { DeliveryStreamType, ExtendedS3DestinationConfiguration, DeliveryStreamEncryptionConfigurationInput } =
      properties;
    if (DeliveryStreamEncryptionConfigurationInput?.KeyARN !== undefined)
      encryptedWith.set(arn, DeliveryStreamEncryptionConfigurationInput.KeyARN);
    await engines.firehose.call('CreateDeliveryStream', {
      DeliveryStreamName: name,
      DeliveryStreamType,
      ExtendedS3DestinationConfiguration,
    });
    return { ref: name, attributes: { Arn: arn } };
  },
};

export const glueDatabase: ResourceModel<LocalAccount> = {
  uses: ['CatalogId', 'DatabaseInput'],
  async create({ properties }, { engines }) {
    await engines.glue.call('CreateDatabase', { DatabaseInput: properties.DatabaseInput });
    return { ref: properties.DatabaseInput.Name };
  },
};

export const glueTable: ResourceModel<LocalAccount> = {
  uses: ['CatalogId', 'DatabaseName', 'TableInput'],
  async create({ properties }, { engines }) {
    const { DatabaseName, TableInput } = properties;
    await engines.glue.call('CreateTable', { DatabaseName, TableInput });
    return { ref: TableInput.Name };
  },
};

export const athenaWorkgroup: ResourceModel<LocalAccount> = {
  uses: ['Name', 'State', 'WorkGroupConfiguration'],
  withoutEffect: {
    Description: 'prose',
    RecursiveDeleteOption: 'the state folder is cleared by the next run',
    Tags: 'nothing reads tags',
  },
  async create({ properties: { Name, State, WorkGroupConfiguration } }, { engines }) {
    await engines.athena.call('CreateWorkGroup', { Name, State, Configuration: WorkGroupConfiguration });
    return { ref: Name };
  },
};

export const redshiftNamespace: ResourceModel<LocalAccount> = {
  uses: ['NamespaceName', 'DbName', 'AdminUsername', 'ManageAdminPassword', 'IamRoles', 'DefaultIamRoleArn'],
  withoutEffect: {
    AdminPasswordSecretKmsKeyId: 'the secret lies in the state folder',
    KmsKeyId: 'the database lies in the state folder',
    LogExports: 'the database logs into the state folder',
    Tags: 'nothing reads tags',
  },
  async create({ properties }, { engines, adminSecretOf }) {
    const { NamespaceName: namespaceName } = properties;
    const adminPasswordSecretArn = await adminSecretOf(namespaceName, properties.AdminUsername);
    await engines.redshiftServerless.call('CreateNamespace', {
      namespaceName,
      dbName: properties.DbName,
      adminUsername: properties.AdminUsername,
      adminPasswordSecretArn,
      iamRoles: properties.IamRoles,
      defaultIamRoleArn: properties.DefaultIamRoleArn,
    });
    const arn = `arn:aws:redshift-serverless:${localRegion}:${localAccount}:namespace/${namespaceName}`;
    return {
      ref: namespaceName,
      attributes: {
        'Namespace.NamespaceArn': arn,
        'Namespace.NamespaceName': namespaceName,
        'Namespace.NamespaceId': namespaceName,
      },
    };
  },
};

export const redshiftWorkgroup: ResourceModel<LocalAccount> = {
  uses: ['WorkgroupName', 'NamespaceName'],
  withoutEffect: {
    BaseCapacity: 'one PostgreSQL serves',
    MaxCapacity: 'one PostgreSQL serves',
    ConfigParameters: 'they bound cost and demand TLS on the network; here is neither',
    EnhancedVpcRouting: 'everything is on 127.0.0.1',
    PubliclyAccessible: 'everything is on 127.0.0.1',
    SecurityGroupIds: 'everything is on 127.0.0.1',
    SubnetIds: 'everything is on 127.0.0.1',
    Tags: 'nothing reads tags',
  },
  async create({ properties }, { engines }) {
    const { WorkgroupName: workgroupName, NamespaceName: namespaceName } = properties;
    await engines.redshiftServerless.call('CreateWorkgroup', { workgroupName, namespaceName });
    const arn = `arn:aws:redshift-serverless:${localRegion}:${localAccount}:workgroup/${workgroupName}`;
    return {
      ref: workgroupName,
      attributes: {
        'Workgroup.WorkgroupArn': arn,
        'Workgroup.WorkgroupName': workgroupName,
        'Workgroup.WorkgroupId': workgroupName,
      },
    };
  },
};

export const influxDbInstance: ResourceModel<LocalAccount> = {
  uses: ['Name', 'Username', 'Password', 'Organization', 'Bucket'],
  withoutEffect: {
    AllocatedStorage: 'the disk of the machine serves',
    DbInstanceType: 'one process serves',
    DbStorageType: 'the disk of the machine serves',
    DeploymentType: 'one process serves',
    KmsKeyId: 'the database lies in the state folder',
    PubliclyAccessible: 'everything is on 127.0.0.1',
    VpcSecurityGroupIds: 'everything is on 127.0.0.1',
    VpcSubnetIds: 'everything is on 127.0.0.1',
    Tags: 'nothing reads tags',
  },
  async create({ properties, previous }, { engines, hosts, influxDbUrl }) {
    const { Name, Username, Password, Organization, Bucket } = properties;
    if (previous === undefined)
      await engines.influxdb.provision({
        username: Username,
        password: Password,
        organization: Organization,
        bucket: Bucket,
      });
    const endpoint = `${Name}.timestream-influxdb.${localRegion}.on.aws`;
    // Stands in for the network's names and for TLS: functions call the instance's real address.
    hosts[`${endpoint}:8086`] = influxDbUrl;
    return { ref: Name, attributes: { Endpoint: endpoint, Id: Name } };
  },
};
