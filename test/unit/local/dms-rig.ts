import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import { kinesisSettings, replicationSettings } from '../../../lib/cdc/replication-settings';
import { tableMappings } from '../../../lib/cdc/table-mappings';
import { type SourceDatabaseNames, stageNamed } from '../../../lib/stages';
import { type DmsEngine, openDms } from '../../../local/engines/dms';
import { AwsError, type Engine } from '../../../local/engines/engine';
import { openKinesis } from '../../../local/engines/kinesis';
import { type PostgresServer, startPostgres } from '../../../local/engines/postgres';

export interface StreamedRecord {
  readonly partitionKey: string;
  readonly record: any;
}

export interface DmsRig {
  readonly server: PostgresServer;
  /** The source database, as its superuser. */
  readonly sql: Client;
  readonly dms: DmsEngine;
  readonly arn: string;
  start(type: string): Promise<void>;
  stop(): Promise<void>;
  status(): Promise<any>;
  waitFor(status: string): Promise<any>;
  /** All that the stream has since the last call, after all that was committed has arrived. */
  records(): Promise<StreamedRecord[]>;
  /** Replaces the engine, as after a restart of the process. */
  reopen(): Promise<void>;
  /** Refuses these calls of PutRecords: by their number, from 1 on. */
  readonly refuse: Map<number, AwsError | 'some records'>;
  close(): Promise<void>;
}

const account = 'arn:aws:kinesis:eu-west-1:000000000000:stream/changes';
const source = 'arn:aws:dms:eu-west-1:000000000000:endpoint:source';
const target = 'arn:aws:dms:eu-west-1:000000000000:endpoint:target';

let shared: { server: PostgresServer; directory: string } | undefined;
let databases = 0;

export async function stopServer(): Promise<void> {
  await shared?.server.stop();
  if (shared !== undefined) rmSync(shared.directory, { recursive: true, force: true });
  shared = undefined;
}

/** DMS as the stage configures it for `inventory`, on a real PostgreSQL and the local Kinesis. */
export async function startDms(options: {
  readonly tables: string;
  readonly names?: SourceDatabaseNames;
  readonly mappings?: object;
  readonly checkpointMs?: number;
  readonly settings?: object;
}): Promise<DmsRig> {
  const { tables, checkpointMs = 60_000 } = options;
  const names = options.names ?? stageNamed('local').databases.inventory;
  const directory = mkdtempSync(join(tmpdir(), 'tillstream-dms-'));
  if (shared === undefined) {
    const serverDirectory = mkdtempSync(join(tmpdir(), 'tillstream-dms-server-'));
    shared = { directory: serverDirectory, server: await startPostgres({ directory: serverDirectory }) };
  }
  const { server } = shared;
  const database = `source_${++databases}`;
  await server.createDatabase(database);
  const sql = new Client({ connectionString: server.url(database) });
  // The server ends while it is idle when a test before it failed.
  sql.on('error', () => {});
  await sql.connect();
  await sql.query(`alter database ${database} set synchronous_commit = on`);
  await sql.query('create extension if not exists pg_stat_statements');
  await sql.query(tables);
  const user = `user_${database}`;
  await sql.query(`create role ${user} login replication password 'secret'`);
  const schema = escapeIdentifier(names.schema);
  await sql.query(
    `grant usage on schema ${schema} to ${user}; grant select on all tables in schema ${schema} to ${user}`,
  );

  const kinesis: Engine = await openKinesis({ directory: join(directory, 'kinesis') });
  await kinesis.call('CreateStream', { StreamName: 'changes', ShardCount: 1 });
  const refuse = new Map<number, AwsError | 'some records'>();
  let puts = 0;
  const call = async (role: string, service: string, operation: string, input: any): Promise<any> => {
    if (service === 'secretsmanager') {
      expect(role).toBe('arn:aws:iam::000000000000:role/secret');
      return {
        SecretString: JSON.stringify({ host: '127.0.0.1', port: server.port, username: user, password: 'secret' }),
      };
    }
    expect(role).toBe('arn:aws:iam::000000000000:role/stream');
    if (operation !== 'PutRecords') return kinesis.call(operation, input);
    const refusal = refuse.get(++puts);
    if (refusal instanceof AwsError) throw refusal;
    if (refusal === undefined) return kinesis.call(operation, input);
    const { Records } = await kinesis.call(operation, { ...input, Records: input.Records.slice(1) });
    return { FailedRecordCount: 1, Records: [{ ErrorCode: 'ProvisionedThroughputExceededException' }, ...Records] };
  };

  const open = async (): Promise<DmsEngine> => {
    const dms = openDms({
      directory: join(directory, 'dms'),
      administrator: (name) => ({
        connectionString: server.url(name),
        options: '-c pg_stat_statements.track=none',
      }),
      call,
      checkpointMs,
    });
    await dms.call('CreateEndpoint', {
      EndpointType: 'source',
      EngineName: 'aurora-postgresql',
      ResourceIdentifier: 'source',
      DatabaseName: database,
      SslMode: 'none',
      PostgreSQLSettings: {
        SecretsManagerSecretId: 'secret',
        SecretsManagerAccessRoleArn: 'arn:aws:iam::000000000000:role/secret',
        PluginName: 'test-decoding',
        CaptureDdls: false,
        HeartbeatEnable: false,
        FailTasksOnLobTruncation: true,
      },
    });
    const settings = Object.entries(kinesisSettings).map(([name, value]) => [
      name[0]!.toUpperCase() + name.slice(1),
      value,
    ]);
    await dms.call('CreateEndpoint', {
      EndpointType: 'target',
      EngineName: 'kinesis',
      ResourceIdentifier: 'target',
      KinesisSettings: {
        ...Object.fromEntries(settings),
        StreamArn: account,
        ServiceAccessRoleArn: 'arn:aws:iam::000000000000:role/stream',
      },
    });
    await dms.call('CreateReplicationConfig', {
      ReplicationConfigIdentifier: `tillstream-${database}`,
      ReplicationType: 'full-load-and-cdc',
      SourceEndpointArn: source,
      TargetEndpointArn: target,
      TableMappings: JSON.stringify(options.mappings ?? tableMappings('inventory', names)),
      ReplicationSettings: JSON.stringify({ ...replicationSettings, ...options.settings }),
    });
    return dms;
  };

  const arn = `arn:aws:dms:eu-west-1:000000000000:replication-config:tillstream-${database}`;
  let dms = await open();
  const status = async () =>
    (
      await dms.call('DescribeReplications', {
        Filters: [{ Name: 'replication-config-arn', Values: [arn] }],
      })
    ).Replications[0];
  const waitFor = async (wanted: string) => {
    for (;;) {
      const now = await status();
      if (now.Status === wanted) return now;
      if (now.Status === 'failed') throw new Error(now.FailureMessages.join());
      await delay(5);
    }
  };
  let iterator: string | undefined;

  return {
    server,
    sql,
    get dms() {
      return dms;
    },
    arn,
    refuse,
    status,
    waitFor,
    async start(StartReplicationType) {
      await dms.call('StartReplication', { ReplicationConfigArn: arn, StartReplicationType });
      await waitFor('running');
    },
    async stop() {
      await dms.call('StopReplication', { ReplicationConfigArn: arn });
      await waitFor('stopped');
    },
    async records() {
      await dms.settle();
      if (iterator === undefined) {
        const [shard] = (await kinesis.call('DescribeStream', { StreamName: 'changes' })).StreamDescription.Shards;
        const input = { StreamName: 'changes', ShardId: shard.ShardId, ShardIteratorType: 'TRIM_HORIZON' };
        iterator = (await kinesis.call('GetShardIterator', input)).ShardIterator as string;
      }
      const found: StreamedRecord[] = [];
      for (;;) {
        const { Records, NextShardIterator } = await kinesis.call('GetRecords', { ShardIterator: iterator });
        iterator = NextShardIterator;
        if (Records.length === 0) return found;
        for (const { PartitionKey, Data } of Records) {
          const text = Buffer.from(Data, 'base64').toString();
          expect(text.endsWith('\n')).toBe(true);
          found.push({ partitionKey: PartitionKey, record: JSON.parse(text) });
        }
      }
    },
    async reopen() {
      await dms.close();
      dms = await open();
    },
    async close() {
      await dms.close();
      await sql.end();
      await kinesis.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
