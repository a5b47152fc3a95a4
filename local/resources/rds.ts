import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

const oneMachine = 'everything is on 127.0.0.1';
const oneServer = 'one PostgreSQL serves';

export const subnetGroup: ResourceModel<LocalAccount> = {
  uses: ['DBSubnetGroupName'],
  withoutEffect: { DBSubnetGroupDescription: 'prose', SubnetIds: oneMachine, Tags: 'nothing reads tags' },
  create: ({ properties, generatedName }) => ({ ref: properties.DBSubnetGroupName ?? generatedName }),
};

export const parameterGroup: ResourceModel<LocalAccount> = {
  uses: ['DBClusterParameterGroupName'],
  withoutEffect: {
    Description: 'prose',
    Family: oneServer,
    'Parameters.rds.logical_replication': 'the server always has it on',
    'Parameters.idle_in_transaction_session_timeout': 'a person may look at a transaction for long here',
    Tags: 'nothing reads tags',
  },
  create: ({ properties, generatedName }) => ({ ref: properties.DBClusterParameterGroupName ?? generatedName }),
};

/** A cluster is a database of the local PostgreSQL, with its master user as owner. */
export const cluster: ResourceModel<LocalAccount> = {
  uses: ['DatabaseName', 'Engine', 'MasterUsername', 'MasterUserPassword'],
  withoutEffect: {
    CopyTagsToSnapshot: 'there are no snapshots',
    DBClusterParameterGroupName: 'see there',
    DBSubnetGroupName: oneMachine,
    DeletionProtection: 'the state folder is deleted by hand',
    EngineVersion: oneServer,
    KmsKeyId: 'the database lies in the state folder',
    Port: 'the server has a free one',
    ServerlessV2ScalingConfiguration: oneServer,
    StorageEncrypted: 'the database lies in the state folder',
    VpcSecurityGroupIds: oneMachine,
    Tags: 'nothing reads tags',
  },
  async create({ properties, generatedName }, { postgres, sourceDatabases }) {
    const { DatabaseName, MasterUsername, MasterUserPassword, Engine } = properties;
    if (Engine !== 'aurora-postgresql') throw new Error(`${generatedName}: engine '${Engine}' is not modelled locally`);
    const user = localUser(MasterUsername, DatabaseName);
    await postgres.createDatabase(DatabaseName);
    const client = new Client({ connectionString: postgres.url(DatabaseName) });
    await client.connect();
    try {
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [user]);
      const name = escapeIdentifier(user);
      const database = escapeIdentifier(DatabaseName);
      await client.query(`${rowCount === 0 ? 'create' : 'alter'} role ${name} login replication
        password ${escapeLiteral(MasterUserPassword)}`);
      await client.query(`grant pg_monitor to ${name}`);
      await client.query(`alter database ${database} owner to ${name}`);
      await client.query(`alter schema public owner to ${name}`);
      // The log is sent on as far as it is written: without this a commit would wait for the next round of the writer.
      await client.query(`alter database ${database} set synchronous_commit = on`);
      await client.query(`alter database ${database} set pg_stat_statements.track = top`);
      await client.query('create extension if not exists pg_stat_statements');
    } finally {
      await client.end();
    }
    sourceDatabases.set(generatedName, { databaseName: DatabaseName, username: user });
    return {
      ref: generatedName,
      attributes: { 'Endpoint.Address': `${generatedName}.127.0.0.1`, 'Endpoint.Port': String(postgres.port) },
    };
  },
};

export const instance: ResourceModel<LocalAccount> = {
  uses: ['DBInstanceIdentifier'],
  withoutEffect: {
    DBClusterIdentifier: oneServer,
    DBInstanceClass: oneServer,
    Engine: oneServer,
    PromotionTier: oneServer,
    PubliclyAccessible: oneMachine,
    Tags: 'nothing reads tags',
  },
  create: ({ properties, generatedName }) => ({ ref: properties.DBInstanceIdentifier ?? generatedName }),
};

/** Puts into a secret where its database is, and who its user is on the one server here. */
export const secretAttachment: ResourceModel<LocalAccount> = {
  uses: ['SecretId', 'TargetId'],
  withoutEffect: { TargetType: 'only clusters are modelled' },
  async create({ properties: { SecretId, TargetId }, generatedName }, { engines, postgres, sourceDatabases }) {
    const target = sourceDatabases.get(TargetId);
    if (target === undefined) throw new Error(`${generatedName}: there is no cluster ${TargetId}`);
    const { databaseName: dbname, username } = target;
    const { SecretString } = await engines.secretsManager.call('GetSecretValue', { SecretId });
    const place = { host: '127.0.0.1', port: postgres.port, dbname, username, engine: 'postgres' };
    const value = { ...JSON.parse(SecretString), ...place };
    await engines.secretsManager.call('UpdateSecret', { SecretId, SecretString: JSON.stringify(value) });
    return { ref: SecretId };
  },
};

/** Clusters have users of their own; here all are on one server. */
function localUser(name: string, database: string): string {
  return `${database}_${name}`;
}
