import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { kinesisSettings, replicationSettings } from '../../lib/cdc/replication-settings';
import { heartbeatNames, tableMappings } from '../../lib/cdc/table-mappings';
import { stageNamed } from '../../lib/stages';
import { DeploymentOutcomes } from '../../local/deployment-outcomes';
import { type DmsEngine, openDms } from '../../local/engines/dms';
import { type PostgresServer, startPostgres } from '../../local/engines/postgres';
import { type Rig, startRig } from '../engine-rig';

const names = stageNamed('local').databases.inventory;
const arn = 'arn:aws:dms:eu-west-1:000000000000:replication-config:tillstream-inventory';
const shards = 8;
const controlled = { arn, database: 'inventory', load: 'names and host' };

let directory: string;
let server: PostgresServer;
let outcomes: DeploymentOutcomes;
let rig: Rig;
let dms: DmsEngine;
let sql: Client;
let connection: { database: string; databaseName: string; secretArn: string; tls: boolean };
let databases = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tillstream-cdc-'));
  server = await startPostgres({ directory: join(directory, 'postgres') });
  outcomes = await DeploymentOutcomes.open();
});
afterAll(async () => {
  await outcomes.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  const databaseName = `inventory_${++databases}`;
  await server.createDatabase(databaseName);
  sql = new Client({ connectionString: server.url(databaseName) });
  sql.on('error', () => {});
  await sql.connect();
  await sql.query(`create role owner_${databases} login replication password 'secret'`);
  await sql.query(`alter database ${databaseName} owner to owner_${databases}`);
  await sql.query(`alter schema public owner to owner_${databases}`);
  await sql.query(`alter database ${databaseName} set pg_stat_statements.track = top`);
  await sql.query('create extension pg_stat_statements');

  rig = await startRig();
  await rig.engines.dynamodb.call('CreateTable', {
    TableName: 'epochs',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'database', AttributeType: 'S' },
      { AttributeName: 'epoch', AttributeType: 'N' },
    ],
    KeySchema: [
      { AttributeName: 'database', KeyType: 'HASH' },
      { AttributeName: 'epoch', KeyType: 'RANGE' },
    ],
  });
  await rig.engines.kinesis.call('CreateStream', { StreamName: 'changes', ShardCount: shards });
  const place = { host: '127.0.0.1', port: server.port, username: `owner_${databases}`, password: 'secret' };
  const { ARN } = await rig.engines.secretsmanager.call('CreateSecret', {
    Name: 'database',
    SecretString: JSON.stringify(place),
  });
  connection = { database: 'inventory', databaseName, secretArn: ARN, tls: false };

  dms = openDms({
    directory: join(directory, databaseName),
    administrator: (name) => ({ connectionString: server.url(name), options: '-c pg_stat_statements.track=none' }),
    call: (_, service, operation, input) => rig.engines[service]!.call(operation, input),
  });
  rig.attach('dms', dms);
  await dms.call('CreateEndpoint', {
    EndpointType: 'source',
    EngineName: 'aurora-postgresql',
    ResourceIdentifier: 'source',
    DatabaseName: databaseName,
    PostgreSQLSettings: { SecretsManagerSecretId: ARN, SecretsManagerAccessRoleArn: 'role' },
  });
  await dms.call('CreateEndpoint', {
    EndpointType: 'target',
    EngineName: 'kinesis',
    ResourceIdentifier: 'target',
    KinesisSettings: {
      ...Object.fromEntries(
        Object.entries(kinesisSettings).map(([name, value]) => [name[0]!.toUpperCase() + name.slice(1), value]),
      ),
      StreamArn: 'arn:aws:kinesis:eu-west-1:000000000000:stream/changes',
      ServiceAccessRoleArn: 'role',
    },
  });
  await dms.call('CreateReplicationConfig', {
    ReplicationConfigIdentifier: 'tillstream-inventory',
    ReplicationType: 'full-load-and-cdc',
    SourceEndpointArn: 'arn:aws:dms:eu-west-1:000000000000:endpoint:source',
    TargetEndpointArn: 'arn:aws:dms:eu-west-1:000000000000:endpoint:target',
    TableMappings: JSON.stringify(tableMappings('inventory', names)),
    ReplicationSettings: JSON.stringify(replicationSettings),
  });
});
afterEach(async () => {
  await dms.close();
  await rig.close();
  await sql.end();
});

async function deploy(handler: string, ResourceProperties: object, RequestType = 'Create') {
  const outcome = outcomes.expect();
  const environment: Record<string, string> = handler.includes('control') ? { EPOCHS_TABLE_NAME: 'epochs' } : {};
  await rig.container(`../lambdas/cdc/${handler}/handler`, environment).invoke({
    RequestType,
    RequestId: 'request',
    ResponseURL: outcome.url,
    StackId: 'stack',
    LogicalResourceId: 'step',
    PhysicalResourceId: 'stack/step',
    ResourceProperties,
  });
  return outcome.received;
}
const prepare = (change: object = {}) =>
  deploy('prepare-source', {
    source: JSON.stringify({
      ...connection,
      schema: names.schema,
      tables: names.tables,
      create: true,
      heartbeat: 'ours',
      ...change,
    }),
  });
const run = (change: object = {}) => deploy('control-replication', { action: 'run', ...controlled, ...change });
const invoke = (handler: string, event: object) =>
  rig.container(`../lambdas/cdc/${handler}/handler`, { EPOCHS_TABLE_NAME: 'epochs' }).invoke(event);
const statusOf = async () => (await dms.call('DescribeReplications', {})).Replications[0];
const epochs = async () =>
  (await rig.engines.dynamodb.call('Scan', { TableName: 'epochs' })).Items.map(({ epoch }: any) =>
    Number(epoch.N),
  ).sort();

/** Every record of the stream, with the shard that it came by. */
async function records(): Promise<{ shard: string; metadata: any; data: any }[]> {
  await dms.settle();
  const { Shards } = (await rig.engines.kinesis.call('DescribeStream', { StreamName: 'changes' })).StreamDescription;
  const found = [];
  for (const { ShardId } of Shards) {
    const input = { StreamName: 'changes', ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    const { ShardIterator } = await rig.engines.kinesis.call('GetShardIterator', input);
    const { Records } = await rig.engines.kinesis.call('GetRecords', { ShardIterator });
    for (const { Data } of Records)
      found.push({ shard: ShardId, ...JSON.parse(Buffer.from(Data, 'base64').toString()) });
  }
  return found;
}

test('a database is prepared, loaded and followed; each beat comes by every shard', async () => {
  expect((await prepare()).Status).toBe('SUCCESS');
  expect((await run()).Status).toBe('SUCCESS');
  await sql.query("insert into skus values ('A', 'active')");

  await invoke('beat', { beats: 1, sources: [{ ...connection, heartbeat: heartbeatNames(names) }] });

  const all = await records();
  const beats = (operation: string) =>
    all.filter(({ metadata }) => metadata['table-name'] === 'tillstream_heartbeat' && metadata.operation === operation);
  expect(
    beats('load')
      .map(({ data }) => data.slot)
      .sort(),
  ).toEqual([...heartbeatSlots].sort());
  expect(
    beats('update')
      .map(({ data }) => data.slot)
      .sort(),
  ).toEqual([...heartbeatSlots].sort());
  expect(new Set(beats('update').map(({ shard }) => shard)).size).toBe(shards);
  expect(
    all.filter(({ metadata }) => metadata['table-name'] === 'skus' && metadata.operation === 'insert'),
  ).toHaveLength(1);
  expect(await epochs()).toEqual([1]);
});

test('the source is asked for nothing but its load and its heartbeat', async () => {
  await prepare();
  await run();
  await sql.query("insert into skus select 'S' || n, 'active' from generate_series(1, 50) n");
  await invoke('beat', { beats: 1, sources: [{ ...connection, heartbeat: heartbeatNames(names) }] });
  await records();

  const { rows } = await sql.query(
    `select query from pg_stat_statements s join pg_roles r on r.oid = s.userid
     where dbid = (select oid from pg_database where datname = current_database()) and rolname like 'owner%'`,
  );

  const kinds = rows.map(
    ({ query }) =>
      /^(create table|with beat|declare rows|fetch|close|begin|commit|set transaction snapshot)/.exec(
        query.trim(),
      )?.[1] ?? query,
  );
  expect([...new Set(kinds)].sort()).toEqual([
    'begin',
    'close',
    'commit',
    'create table',
    'declare rows',
    'fetch',
    'set transaction snapshot',
    'with beat',
  ]);
});

test('the beat tells how much of the log a slot holds back that nobody reads', async () => {
  await prepare();
  await run();
  await deploy('control-replication', { action: 'quiesce', arn }, 'Update');
  const beat = rig.container('../lambdas/cdc/beat/handler', {});
  await beat.invoke({ beats: 1, sources: [{ ...connection, heartbeat: heartbeatNames(names) }] });
  const before = beat.metric('SlotBytes')!;

  await sql.query("insert into skus select 'S' || n, 'active' from generate_series(1, 10000) n");
  await beat.invoke({ beats: 1, sources: [{ ...connection, heartbeat: heartbeatNames(names) }] });

  expect(beat.metric('SlotBytes')).toBeGreaterThan(before + 500_000);
});

test('a deployment stops it and has it go on under its epoch; the deletion stops it', async () => {
  await prepare();
  await run();

  expect((await deploy('control-replication', { action: 'quiesce', arn }, 'Update')).Status).toBe('SUCCESS');
  const rested = (await statusOf()).Status;
  expect((await run()).Status).toBe('SUCCESS');
  const running = await statusOf();
  expect((await deploy('control-replication', { action: 'run', ...controlled }, 'Delete')).Status).toBe('SUCCESS');

  expect(rested).toBe('stopped');
  expect(running).toMatchObject({ Status: 'running', StartReplicationType: 'resume-processing' });
  expect((await statusOf()).Status).toBe('stopped');
  expect(await epochs()).toEqual([1]);
});

test('after a TRUNCATE the watch has it loaded anew under another epoch', async () => {
  await prepare();
  await sql.query("insert into skus values ('A', 'active'), ('B', 'active')");
  await run();
  await sql.query('truncate skus');
  while ((await statusOf()).Status !== 'failed') await delay(5);
  await sql.query("insert into skus values ('B', 'paused')");

  await invoke('control-replication', { watch: [controlled] });

  expect(await statusOf()).toMatchObject({ Status: 'running', StartReplicationType: 'reload-target' });
  expect(await epochs()).toEqual([1, 2]);
  const loads = (await records()).filter(
    ({ metadata }) => metadata.operation === 'load' && metadata['table-name'] === 'skus',
  );
  expect(loads.map(({ data }) => `${data.sku} ${data.status}`).sort()).toEqual(['A active', 'B active', 'B paused']);
});

test('the watch notes once when a load is through, and that of the next load anew', async () => {
  const loadedAt = async () =>
    (await rig.engines.dynamodb.call('Scan', { TableName: 'epochs' })).Items.map((item: any) => item.loadedAt?.S);
  const watch = () => invoke('control-replication', { watch: [controlled] });
  await prepare();
  await run();
  await dms.settle();

  await watch();
  const first = await loadedAt();
  await watch();
  const second = await loadedAt();
  await run({ load: 'another load' });
  const reloaded = await loadedAt();
  await dms.settle();
  await watch();

  expect(first).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT.+Z$/)]);
  expect(second).toEqual(first);
  expect(reloaded.filter(Boolean)).toEqual(first);
  expect(new Set(await loadedAt()).size).toBe(2);
  expect((await loadedAt()).every(Boolean)).toBe(true);
});

test('killed between the epoch and the start, the next run loads under an epoch of its own', async () => {
  await prepare();
  rig.crash({ operation: 'dms:StartReplication', call: 1, when: 'before' });

  await run().catch(() => {});
  const between = await epochs();
  expect((await run()).Status).toBe('SUCCESS');

  expect(between).toEqual([1]);
  expect(await epochs()).toEqual([1, 2]);
  expect((await statusOf()).Status).toBe('running');
});

test('a database of somebody else that is not as configured is refused before anything is read', async () => {
  await sql.query('create table skus (sku text, buyer text)');

  const { Status, Reason } = await prepare({ create: false });

  expect(Status).toBe('FAILED');
  expect(Reason).toContain('cannot be replicated');
  expect(Reason).toContain("column 'buyer' of public.skus is neither mapped nor left out");
  expect(Reason).toContain('there is no table public.stock');
});

test('a database that cannot be reached does not keep the others from their beat', async () => {
  await prepare();
  const heartbeat = heartbeatNames(names);
  const before = await sql.query('select max(beat_at) as at from tillstream_heartbeat');

  await invoke('beat', {
    beats: 1,
    sources: [
      { ...connection, databaseName: 'nowhere', heartbeat },
      { ...connection, heartbeat },
    ],
  });

  const after = await sql.query('select min(beat_at) as at from tillstream_heartbeat');
  expect(after.rows[0].at.getTime()).toBeGreaterThan(before.rows[0].at.getTime());
});
