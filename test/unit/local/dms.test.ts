import { readFileSync } from 'node:fs';
import { stageNamed } from '../../../lib/stages';
import { AwsError } from '../../../local/engines/engine';
import { type DmsRig, type StreamedRecord, startDms, stopServer } from './dms-rig';

const canonical = readFileSync('lambdas/cdc/prepare-source/inventory.sql', 'utf8');
const names = stageNamed('local').databases.inventory;

afterAll(stopServer);

let rig: DmsRig;
afterEach(async () => {
  await rig.close();
});

const data = (records: readonly StreamedRecord[]) =>
  records.filter(({ record }) => record.metadata['record-type'] === 'data');
const summary = (records: readonly StreamedRecord[]) =>
  data(records).map(({ record: { metadata, data: row } }) => [metadata.operation, row]);

/** Replication of a table of our own choosing, under the name `things`. */
const thingsMappings = {
  rules: [
    {
      'rule-type': 'selection',
      'rule-id': '1',
      'rule-name': 'read',
      'rule-action': 'include',
      'object-locator': { 'schema-name': 'public', 'table-name': 'things' },
      filters: [],
    },
    {
      'rule-type': 'object-mapping',
      'rule-id': '2',
      'rule-name': 'key',
      'rule-action': 'map-record-to-record',
      'object-locator': { 'schema-name': 'public', 'table-name': 'things' },
      'mapping-parameters': { 'partition-key-type': 'primary-key' },
    },
  ],
};

describe('records have the shapes that were captured from DMS', () => {
  test('first what each table looks like, then its rows as loads, without a place in the log', async () => {
    rig = await startDms({ tables: `${canonical}; insert into skus values ('A', 'active', 'kitchen', 5, null)` });

    await rig.start('start-replication');

    const records = await rig.records();
    const definition = records.find(({ record }) => record.metadata['table-name'] === 'skus')!;
    expect(definition.record).toEqual({
      control: {
        'table-def': {
          columns: {
            sku: { type: 'WSTRING', length: 64, nullable: false },
            status: { type: 'WSTRING', length: 16, nullable: false },
            category: { type: 'WSTRING', length: 64, nullable: true },
            reorder_point: { type: 'INT32', nullable: true },
            safety_stock: { type: 'INT32', nullable: true },
            updated_at: { type: 'TIMESTAMP', nullable: false },
          },
          'primary-key': ['sku'],
        },
      },
      metadata: {
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        'record-type': 'control',
        operation: 'create-table',
        'partition-key-type': 'task-id',
        'partition-key-value': expect.any(String),
        'schema-name': 'inventory',
        'table-name': 'skus',
      },
    });
    expect(definition.partitionKey).toMatch(/\.inventory\.skus$/);
    const [load] = data(records);
    expect(load!.partitionKey).toBe('inventory.skus.A');
    expect(load!.record).toEqual({
      data: {
        sku: 'A',
        status: 'active',
        category: 'kitchen',
        reorder_point: 5,
        safety_stock: null,
        updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/),
      },
      metadata: {
        timestamp: expect.any(String),
        'record-type': 'data',
        operation: 'load',
        'partition-key-type': 'primary-key',
        'partition-key-value': 'inventory.skus.A',
        'schema-name': 'inventory',
        'table-name': 'skus',
      },
    });
  });

  test('an insert, an update, an update of the key and a delete say which transaction they are of', async () => {
    rig = await startDms({ tables: canonical });
    await rig.start('start-replication');
    await rig.records();

    await rig.sql.query("insert into stock values ('A', 'FC1', 3, 0), ('A', 'FC2', 4, 1)");
    await rig.sql.query("update stock set on_hand = 2 where location = 'FC1'");
    await rig.sql.query("update stock set location = 'FC9' where location = 'FC1'");
    await rig.sql.query("delete from stock where location = 'FC9'");

    const [first, second, updated, moved, deleted] = await rig.records();
    expect(first!.record.metadata).toEqual({
      timestamp: expect.any(String),
      'record-type': 'data',
      operation: 'insert',
      'partition-key-type': 'primary-key',
      'partition-key-value': 'inventory.stock.A.FC1',
      'schema-name': 'inventory',
      'table-name': 'stock',
      'transaction-id': expect.any(Number),
      'transaction-record-id': 1,
      'commit-timestamp': expect.stringMatching(/\.\d{6}Z$/),
      'stream-position': expect.stringMatching(/^[0-9A-F]{8}\/[0-9A-F]{8}\.3\.[0-9A-F]{8}\/[0-9A-F]{8}$/),
    });
    expect(second!.record.metadata).toMatchObject({
      'prev-transaction-id': first!.record.metadata['transaction-id'],
      'prev-transaction-record-id': 1,
      'transaction-id': first!.record.metadata['transaction-id'],
      'transaction-record-id': 2,
    });
    expect(updated!.record).toMatchObject({ 'before-image': {}, data: { sku: 'A', location: 'FC1', on_hand: 2 } });
    expect(moved!.record).toMatchObject({
      'before-image': { sku: 'A', location: 'FC1' },
      data: { sku: 'A', location: 'FC9', on_hand: 2 },
    });
    expect(moved!.partitionKey).toBe('inventory.stock.A.FC9');
    expect(deleted!.record.data).toEqual({
      sku: 'A',
      location: 'FC9',
      on_hand: null,
      reserved: null,
      updated_at: null,
    });
    expect(deleted!.record).not.toHaveProperty('before-image');
    const positions = [first, second, updated, moved, deleted].map(({ record }: any) => [
      record.metadata['stream-position'],
      record.metadata['transaction-record-id'],
    ]);
    expect(positions).toEqual([...positions].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });

  test('values of every type that matters, in the load and in the log alike', async () => {
    rig = await startDms({
      tables: `create table things (id bigint primary key, small smallint, exact numeric(12,2), loose numeric,
        huge numeric(39,0), yes boolean, day date, at timestamptz, whole timestamptz, plain timestamp, doc jsonb, raw bytea,
        who uuid, word text, nothing text)`,
      mappings: thingsMappings,
    });
    const row = `9007199254740991, -7, 36.50, 1.23456789, 123456789012345678901234567890123456789, true, '2015-10-17',
      '2022-12-18T19:28:42.4425Z', '2022-12-18T19:20:00+00', '2022-12-18T19:20:00', '{"foo": "bar"}', '\\x80057d942e',
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ü "quoted"', null`;
    await rig.sql.query(`insert into things values (${row})`);

    await rig.start('start-replication');
    await rig.sql.query(`insert into things values (${row.replace('9007199254740991', '-1')})`);

    const [loaded, inserted] = summary(await rig.records());
    const expected = {
      small: -7,
      exact: 36.5,
      loose: 1.234567,
      huge: '123456789012345678901234567890123456789',
      yes: 't',
      day: '2015-10-17',
      at: '2022-12-18T19:28:42.442500Z',
      whole: '2022-12-18T19:20:00Z',
      plain: '2022-12-18T19:20:00Z',
      doc: '{"foo": "bar"}',
      raw: '0x80057d942e',
      who: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      word: 'ü "quoted"',
      nothing: null,
    };
    expect(loaded).toEqual(['load', { id: 9007199254740991, ...expected }]);
    expect(inserted).toEqual(['insert', { id: -1, ...expected }]);
  });

  test('a bigint of more than 16 digits loses some', async () => {
    rig = await startDms({ tables: 'create table things (id int primary key, big bigint)', mappings: thingsMappings });
    await rig.start('start-replication');

    await rig.sql.query('insert into things values (1, 1234567890123456789)');

    expect(summary(await rig.records())).toEqual([['insert', { id: 1, big: 1234567890123457000 }]]);
  });

  test('an unchanged long value is absent from an update, not null', async () => {
    rig = await startDms({
      tables: 'create table things (id int primary key, n int, long text)',
      mappings: thingsMappings,
    });
    await rig.sql.query('alter table things alter long set storage external');
    await rig.sql.query("insert into things values (1, 1, repeat('x', 9000))");
    await rig.start('start-replication');
    await rig.records();

    await rig.sql.query('update things set n = 2');

    expect(summary(await rig.records())).toEqual([['update', { id: 1, n: 2 }]]);
  });

  test('a value longer than LobMaxSize stops the replication instead of being cut', async () => {
    rig = await startDms({ tables: 'create table things (id int primary key, long text)', mappings: thingsMappings });
    await rig.start('start-replication');

    await rig.sql.query("insert into things values (1, repeat('x', 40000))");

    await expect(rig.waitFor('stopped')).rejects.toThrow('40000 bytes');
  });
});

test('a retailer whose schema, tables and columns have other names ends in the same records', async () => {
  rig = await startDms({
    tables: `create schema "Shop";
      create table "Shop".article (article_no varchar(20) primary key, state varchar(12) not null, grp varchar(20), min_stock int,
        buffer int, changed timestamptz not null, buyer_phone varchar(30));
      create table "Shop".on_shelf (art varchar(20), site varchar(10), qty int, held int, changed timestamptz,
        counted_by varchar(40), primary key (art, site));
      create table "Shop".dc (code varchar(10) primary key, cap int, last_order varchar(5), tz varchar(40), changed timestamptz);
      create table "Shop".pulse (id varchar(32) primary key, seen timestamptz)`,
    names: {
      ...names,
      schema: 'Shop',
      tables: {
        skus: {
          table: 'article',
          columns: {
            sku: 'article_no',
            status: 'state',
            category: 'grp',
            reorder_point: 'min_stock',
            safety_stock: 'buffer',
            updated_at: 'changed',
          },
          leaveOut: ['buyer_phone'],
        },
        stock: {
          table: 'on_shelf',
          columns: { sku: 'art', location: 'site', on_hand: 'qty', reserved: 'held', updated_at: 'changed' },
          leaveOut: ['counted_by'],
        },
        fulfillment_centers: {
          table: 'dc',
          columns: {
            fc_id: 'code',
            daily_capacity: 'cap',
            cutoff: 'last_order',
            time_zone: 'tz',
            updated_at: 'changed',
          },
        },
        tillstream_heartbeat: { table: 'pulse', columns: { slot: 'id', beat_at: 'seen' } },
      },
    },
  });
  await rig.sql.query(
    `insert into "Shop".article values ('A-1', 'active', 'garden', 3, 1, '2026-01-02T03:04:05Z', '555')`,
  );

  await rig.start('start-replication');
  await rig.sql.query(`insert into "Shop".on_shelf values ('A-1', 'N', 7, 2, '2026-01-02T03:04:05Z', 'somebody')`);
  await rig.sql.query(`update "Shop".on_shelf set site = 'S'`);

  const records = data(await rig.records());
  expect(
    records.map(({ partitionKey, record: { metadata, data: row, 'before-image': before } }) => ({
      partitionKey,
      table: `${metadata['schema-name']}.${metadata['table-name']}`,
      row,
      before,
    })),
  ).toEqual([
    {
      partitionKey: 'inventory.skus.A-1',
      table: 'inventory.skus',
      row: {
        sku: 'A-1',
        status: 'active',
        category: 'garden',
        reorder_point: 3,
        safety_stock: 1,
        updated_at: '2026-01-02T03:04:05Z',
      },
      before: undefined,
    },
    {
      partitionKey: 'inventory.stock.A-1.N',
      table: 'inventory.stock',
      row: { sku: 'A-1', location: 'N', on_hand: 7, reserved: 2, updated_at: '2026-01-02T03:04:05Z' },
      before: undefined,
    },
    {
      partitionKey: 'inventory.stock.A-1.S',
      table: 'inventory.stock',
      row: { sku: 'A-1', location: 'S', on_hand: 7, reserved: 2, updated_at: '2026-01-02T03:04:05Z' },
      before: { sku: 'A-1', location: 'N' },
    },
  ]);
});

describe('stopping and starting', () => {
  const insert = (id: number) => rig.sql.query(`insert into things values (${id})`);
  const ids = (records: readonly StreamedRecord[]) =>
    data(records).map(({ record: { metadata, data: row } }) => `${metadata.operation} ${row.id}`);
  const things = (more: object = {}) =>
    startDms({ tables: 'create table things (id int primary key)', mappings: thingsMappings, ...more });

  test('what changes during and after the load comes once, without a gap', async () => {
    rig = await things();
    await rig.sql.query('insert into things select generate_series(1, 900)');

    await Promise.all([
      rig.start('start-replication'),
      rig.sql.query('insert into things select generate_series(901, 1500)'),
    ]);
    await rig.sql.query('delete from things where id = 1');

    const seen = ids(await rig.records());
    const rows = seen.filter((one) => !one.startsWith('delete')).map((one) => Number(one.split(' ')[1]));
    expect(new Set(rows).size).toBe(1500);
    expect(rows).toHaveLength(1500);
    expect(seen.at(-1)).toBe('delete 1');
  });

  test('resumed, it sends its tail again, each record under the position that it had', async () => {
    rig = await things();
    await rig.start('start-replication');
    await insert(1);
    await insert(2);
    const before = data(await rig.records());
    await rig.stop();
    await insert(3);

    await rig.start('resume-processing');

    const after = data(await rig.records());
    expect(ids(after)).toEqual(['insert 1', 'insert 2', 'insert 3']);
    const place = ({ record: { metadata } }: StreamedRecord) => [
      metadata['stream-position'],
      metadata['transaction-id'],
      metadata['transaction-record-id'],
      metadata['commit-timestamp'],
    ];
    expect(after.slice(0, 2).map(place)).toEqual(before.map(place));
  });

  test('with checkpoints it sends only what came after them', async () => {
    rig = await things({ checkpointMs: 10 });
    await rig.start('start-replication');
    await insert(1);
    await rig.records();
    let resent: string[] = ['unknown'];
    // The checkpoint trails by up to two rounds.
    while (resent.length > 0) {
      await rig.stop();
      await rig.start('resume-processing');
      resent = ids(await rig.records());
    }

    await insert(2);

    expect(ids(await rig.records())).toEqual(['insert 2']);
  });

  test('the process may go: what it was doing goes on in the next', async () => {
    rig = await things();
    await rig.sql.query('insert into things values (1)');
    await rig.start('start-replication');
    await rig.records();

    await rig.reopen();
    await insert(2);
    expect((await rig.status()).Status).toBe('stopped');
    await rig.start('resume-processing');

    expect(ids(await rig.records())).toEqual(['insert 2']);
  });

  test('a reload sends every row again as a load, and then what changes', async () => {
    rig = await things();
    await insert(1);
    await rig.start('start-replication');
    await insert(2);
    await rig.records();
    await rig.stop();
    await rig.sql.query('delete from things where id = 1');

    await rig.start('reload-target');
    await insert(3);

    expect(ids(await rig.records())).toEqual(['load 2', 'insert 3']);
  });

  test('it can only be started at rest, and loaded before it is resumed', async () => {
    rig = await things();
    const start = (StartReplicationType: string) =>
      rig.dms.call('StartReplication', { ReplicationConfigArn: rig.arn, StartReplicationType });

    await expect(start('resume-processing')).rejects.toThrow('created');
    await rig.start('start-replication');
    await expect(start('resume-processing')).rejects.toThrow('running');
  });

  test('a TRUNCATE is not carried: it stops there, and says so', async () => {
    rig = await things();
    await rig.start('start-replication');
    await insert(1);
    await rig.records();

    await rig.sql.query('truncate things');

    await expect(rig.waitFor('stopped')).rejects.toThrow('truncation of public.things');
    expect(ids(await rig.records())).toEqual([]);
  });

  test('unless it is told to go on', async () => {
    const { replicationSettings } = await import('../../../lib/cdc/replication-settings');
    rig = await things({
      settings: { ErrorBehavior: { ...replicationSettings.ErrorBehavior, ApplyErrorFailOnTruncationDdl: false } },
    });
    await rig.start('start-replication');
    await insert(1);

    await rig.sql.query('truncate things');
    await insert(2);

    expect(ids(await rig.records())).toEqual(['insert 1', 'insert 2']);
  });

  test('what the stream refuses comes later, and nothing is lost', async () => {
    rig = await things();
    rig.refuse.set(2, 'some records');
    rig.refuse.set(3, new AwsError('ProvisionedThroughputExceededException', 'slow down'));
    await rig.start('start-replication');

    await rig.sql.query('insert into things select generate_series(1, 3)');

    expect(ids(await rig.records()).sort()).toEqual(['insert 1', 'insert 2', 'insert 3']);
  });

  test('a stream that it may not write to fails it', async () => {
    rig = await things();
    rig.refuse.set(2, new AwsError('AccessDeniedException', 'not allowed'));
    await rig.start('start-replication');

    await insert(1);

    await expect(rig.waitFor('stopped')).rejects.toThrow('not allowed');
  });
});

describe('what it does not do is refused', () => {
  test('two transformations of one object', async () => {
    const rule = (id: string, value: string) => ({
      'rule-type': 'transformation',
      'rule-target': 'table',
      'rule-id': id,
      'rule-name': id,
      'rule-action': 'rename',
      'object-locator': { 'schema-name': 'public', 'table-name': 'things' },
      value,
    });
    const mappings = { rules: [...thingsMappings.rules, rule('3', 'one'), rule('4', 'two')] };
    rig = await startDms({ tables: 'create table things (id int primary key)', mappings: thingsMappings });

    await expect(
      rig.dms.call('CreateReplicationConfig', {
        ReplicationConfigIdentifier: 'other',
        ReplicationType: 'full-load-and-cdc',
        SourceEndpointArn: 'arn:aws:dms:eu-west-1:000000000000:endpoint:source',
        TargetEndpointArn: 'arn:aws:dms:eu-west-1:000000000000:endpoint:target',
        TableMappings: JSON.stringify(mappings),
        ReplicationSettings: '{}',
      }),
    ).rejects.toThrow('more than one transformation of public.things');
  });

  test.each([
    ['pretty records', { MessageFormat: 'json' }, 'MessageFormat'],
    ['a setting that nobody knows', { Compression: 'gzip' }, 'Compression'],
  ])('%s', async (_, change, message) => {
    rig = await startDms({ tables: 'create table things (id int primary key)', mappings: thingsMappings });

    await expect(
      rig.dms.call('CreateEndpoint', {
        EndpointType: 'target',
        EngineName: 'kinesis',
        ResourceIdentifier: 'other',
        KinesisSettings: { StreamArn: 'a', ServiceAccessRoleArn: 'b', ...change },
      }),
    ).rejects.toThrow(message);
  });

  test('a table without a primary key', async () => {
    rig = await startDms({ tables: 'create table things (id int)', mappings: thingsMappings });

    await expect(rig.start('start-replication')).rejects.toThrow('no primary key');
  });
});
