import { Match, Template } from 'aws-cdk-lib/assertions';
import { sourceTables } from '../../lambdas/base/domain/source-tables';
import { NetworkStack } from '../../lib/base/network-stack';
import { CdcStack } from '../../lib/cdc/cdc-stack';
import { type Stage, stageNamed } from '../../lib/stages';
import { ownApp } from './own-app';

function synthesize(stage: Stage): Template {
  const app = ownApp();
  const env = { region: stage.region };
  const { vpc, functions } = new NetworkStack(app, 'Network', { stage, env });
  return Template.fromStack(new CdcStack(app, 'Cdc', { stage, env, vpc, functions }));
}
const resources = (template: Template, type: string) => Object.values<any>(template.findResources(type));
const configs = (template: Template) => resources(template, 'AWS::DMS::ReplicationConfig');

const dev = synthesize(stageNamed('dev'));
const prod = synthesize(stageNamed('prod'));

describe('what DMS is told', () => {
  test('an error stops the replication; no policy suspends a table or passes over a record', () => {
    for (const { Properties } of configs(prod)) {
      const policies = Object.entries<any>(Properties.ReplicationSettings.ErrorBehavior).filter(([name]) =>
        name.endsWith('Policy'),
      );

      expect(policies.length).toBeGreaterThan(8);
      expect([...new Set(policies.map(([, policy]) => policy))]).toEqual(['STOP_TASK']);
      expect(JSON.stringify(Properties)).not.toMatch(/SUSPEND|IGNORE_RECORD|LOG_ERROR/);
    }
    expect(configs(prod)).toHaveLength(2);
  });

  test('a TRUNCATE stops it, since it is not carried', () => {
    prod.allResourcesProperties('AWS::DMS::ReplicationConfig', {
      ReplicationSettings: { ErrorBehavior: { ApplyErrorFailOnTruncationDdl: true } },
    });
  });

  test('changes are never applied in batches, and the old key of a changed one travels along', () => {
    prod.allResourcesProperties('AWS::DMS::ReplicationConfig', {
      ReplicationType: 'full-load-and-cdc',
      ReplicationSettings: {
        TargetMetadata: { BatchApplyEnabled: false },
        BeforeImageSettings: { EnableBeforeImage: true, FieldName: 'before-image', ColumnFilter: 'pk-only' },
      },
    });
  });

  test('records say where in the log they are, and tell null from absent', () => {
    prod.hasResourceProperties('AWS::DMS::Endpoint', {
      EngineName: 'kinesis',
      KinesisSettings: {
        MessageFormat: 'json-unformatted',
        IncludeTransactionDetails: true,
        IncludePartitionValue: true,
        PartitionIncludeSchemaTable: true,
        IncludeControlDetails: true,
        IncludeNullAndEmpty: true,
      },
    });
  });

  test('nothing of its own is put into the source database, and no long value is cut', () => {
    for (const { Properties } of resources(prod, 'AWS::DMS::Endpoint').filter(
      ({ Properties: { EndpointType } }) => EndpointType === 'source',
    ))
      expect(Properties.PostgreSqlSettings).toMatchObject({
        CaptureDdls: false,
        HeartbeatEnable: false,
        FailTasksOnLobTruncation: true,
        PluginName: 'test-decoding',
      });
  });

  test('it reads the tables that are needed, keyed by their primary keys, and no wildcard', () => {
    for (const { Properties } of configs(prod)) {
      const { rules } = Properties.TableMappings;
      const name = Properties.ReplicationConfigIdentifier.replace('tillstream-prod-', '') as 'inventory' | 'orders';
      const of = (type: string) => rules.filter((rule: any) => rule['rule-type'] === type);
      const tables = (type: string) => of(type).map((rule: any) => rule['object-locator']['table-name']);

      expect(tables('selection').sort()).toEqual(Object.keys(sourceTables[name]).sort());
      expect(tables('object-mapping').sort()).toEqual(Object.keys(sourceTables[name]).sort());
      for (const rule of of('object-mapping'))
        expect(rule['mapping-parameters']).toEqual({ 'partition-key-type': 'primary-key' });
      expect(JSON.stringify(rules)).not.toContain('%');
      expect(rules.find((rule: any) => rule['rule-target'] === 'schema').value).toBe(name);
    }
  });
});

describe('roles', () => {
  const principals = (template: Template) =>
    resources(template, 'AWS::IAM::Role').map(({ Properties }) => ({
      name: Properties.RoleName,
      service: Properties.AssumeRolePolicyDocument.Statement[0].Principal.Service,
    }));

  test('DMS finds its two roles under their fixed names, unless the account has them', () => {
    const without = synthesize({
      ...stageNamed('dev'),
      replication: { ...stageNamed('dev').replication, createServiceRoles: false },
    });

    expect(principals(dev).filter(({ name }) => name !== undefined)).toEqual([
      { name: 'dms-vpc-role', service: 'dms.amazonaws.com' },
      { name: 'dms-cloudwatch-logs-role', service: 'dms.amazonaws.com' },
    ]);
    expect(principals(without).filter(({ name }) => name !== undefined)).toEqual([]);
  });

  test("a secret is read by the region's DMS, the stream written by DMS", () => {
    const regional = principals(dev).filter(({ service }) => service === 'dms.eu-west-1.amazonaws.com');

    expect(regional).toHaveLength(2);
    const [, streamPolicy] = Object.entries<any>(dev.findResources('AWS::IAM::Policy')).find(([id]) =>
      id.startsWith('StreamRole'),
    )!;
    expect(streamPolicy.Properties.PolicyDocument.Statement.map(({ Action }: any) => Action)).toEqual([
      ['kinesis:DescribeStream', 'kinesis:PutRecord', 'kinesis:PutRecords'],
      'kms:GenerateDataKey',
    ]);
  });

  test('only asking after replications, and interfaces in the network, have no resource', () => {
    const wild = resources(dev, 'AWS::IAM::Policy')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .filter(({ Resource }) => Resource === '*')
      .flatMap(({ Action }) => [Action].flat().map((action: string) => action.split(':')[0]))
      .sort();

    expect([...new Set(wild)]).toEqual(['dms', 'ec2']);
    expect(wild.filter((service) => service === 'dms')).toHaveLength(1);
  });
});

describe('deploying', () => {
  test('a replication is stopped before its configuration changes and started after it, by one revision', () => {
    const [config] = Object.entries<any>(dev.findResources('AWS::DMS::ReplicationConfig'));
    const [quiesced] = Object.entries<any>(dev.findResources('Custom::ReplicationQuiesced'));
    const [running] = Object.entries<any>(dev.findResources('Custom::ReplicationRunning'));

    expect(config![1].DependsOn).toContain(quiesced![0]);
    expect(running![1].DependsOn).toContain(config![0]);
    expect(quiesced![1].Properties.revision).toBe(running![1].Properties.revision);
    expect(quiesced![1].Properties.arn).toEqual(running![1].Properties.arn);
  });

  test('other columns mean another load and another revision; other capacity another revision only', () => {
    const stage = stageNamed('dev');
    const changed = (change: Partial<Stage>) =>
      resources(synthesize({ ...stage, ...change }), 'Custom::ReplicationRunning').map(({ Properties }) => ({
        revision: Properties.revision,
        load: JSON.stringify(Properties.load),
      }))[0]!;
    const before = changed({});
    const { inventory } = stage.databases;

    const renamed = changed({
      databases: {
        ...stage.databases,
        inventory: { ...inventory, schema: 'shop' },
      },
    });
    const larger = changed({ replication: { ...stage.replication, maximumCapacityUnits: 16 } });

    expect(renamed.load).not.toBe(before.load);
    expect(renamed.revision).not.toBe(before.revision);
    expect(larger.load).toBe(before.load);
    expect(larger.revision).not.toBe(before.revision);
  });

  test('in prod the databases are asked for: no deployment goes to a made-up host', () => {
    const parameters = prod.findParameters('*');

    for (const name of ['Inventory', 'Orders'])
      for (const suffix of ['DatabaseName', 'SecretArn', 'SecretKeyArn'])
        expect(parameters[`${name}${suffix}`]).not.toHaveProperty('Default');
    prod.resourceCountIs('AWS::RDS::DBCluster', 0);
  });

  test("in prod clients get out at both databases' ports, by rules that differ though the ports be the same", () => {
    const rules = resources(prod, 'AWS::EC2::SecurityGroupEgress').map(({ Properties }) => [
      Properties.CidrIp,
      Properties.FromPort.Ref,
      Properties.ToPort.Ref,
    ]);

    expect(rules).toEqual([
      ['0.0.0.0/0', 'InventoryPort', 'InventoryPort'],
      ['0.0.0.0/1', 'OrdersPort', 'OrdersPort'],
      ['128.0.0.0/1', 'OrdersPort', 'OrdersPort'],
    ]);
  });

  test.each([
    ['dev', dev],
    ['prod', prod],
  ])('in %s no database is prepared before its clients are let out', (_stage, template) => {
    const rules = Object.keys(template.findResources('AWS::EC2::SecurityGroupEgress'));

    expect(rules.length).toBeGreaterThan(0);
    for (const { DependsOn } of resources(template, 'Custom::SourceDatabase'))
      expect(DependsOn).toEqual(expect.arrayContaining(rules));
  });

  test('in dev two small clusters are made, with logical replication and TLS', () => {
    dev.resourceCountIs('AWS::RDS::DBCluster', 2);
    dev.allResourcesProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: Match.objectLike({ 'rds.logical_replication': '1', 'rds.force_ssl': '1' }),
    });
    dev.allResourcesProperties('AWS::RDS::DBInstance', { PubliclyAccessible: false });
    for (const { Properties } of resources(dev, 'AWS::DMS::Endpoint').filter(
      ({ Properties: { EndpointType } }) => EndpointType === 'source',
    ))
      expect(Properties.SslMode).toBe('require');
  });
});

test('the heartbeat of a database whose owner writes it is not ours', () => {
  const stage = stageNamed('dev');
  const { inventory, orders } = stage.databases;

  const template = synthesize({
    ...stage,
    databases: { inventory, orders: { ...orders, heartbeat: 'owners' } },
  });

  const inputs = resources(template, 'AWS::Scheduler::Schedule').map(({ Properties }) =>
    JSON.stringify(Properties.Target.Input),
  );
  const [beat] = inputs.filter((input) => input.includes('beats'));
  expect(beat).toContain('inventory');
  expect(beat!.match(/heartbeat\\*":\{/g)).toHaveLength(1);
});
