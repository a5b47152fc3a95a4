import { randomUUID } from 'node:crypto';
import { AwsError, localAccount, localRegion } from '../engine';
import { type Context, onlyMembers } from './context';
import { checkedInput, notModelled, type TableDescription, validationException } from './dynalite';
import type { Table } from './table';
import { streamDescription, viewTypes } from './table-stream';

const createMembers = new Set([
  'TableName',
  'AttributeDefinitions',
  'KeySchema',
  'BillingMode',
  'ProvisionedThroughput',
  'GlobalSecondaryIndexes',
  'LocalSecondaryIndexes',
  'SSESpecification',
  'Tags',
  'DeletionProtectionEnabled',
  'StreamSpecification',
]);

/** The table is there at once: its status is never seen to be CREATING. */
export function createTable(context: Context, input: any): any {
  onlyMembers('CreateTable', input, createMembers);
  if (context.tables.find(input.TableName) !== undefined) {
    throw new AwsError('ResourceInUseException', `Table already exists: ${input.TableName}`);
  }
  const { StreamSpecification, ...others } = input;
  // dynalite knows no streams.
  const data = checkedInput('CreateTable', others);
  const description = {
    ...describe(data, input, context.now()),
    ...streamOf(data.TableName, StreamSpecification, context.now()),
  };
  const tags = Object.fromEntries(((input.Tags ?? []) as any[]).map(({ Key, Value }) => [Key, Value]));
  context.tables.add({ description, tags }).saveSettings();
  return { TableDescription: description };
}

export function deleteTable(context: Context, input: any): any {
  onlyMembers('DeleteTable', input, new Set(['TableName']));
  const table = named(context, input.TableName);
  if (table.description.DeletionProtectionEnabled) {
    throw validationException(
      `Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first. Table: ${table.name}`,
    );
  }
  context.tables.delete(table);
  return { TableDescription: { ...table.description, TableStatus: 'DELETING' } };
}

export function describeTable(context: Context, input: any): any {
  onlyMembers('DescribeTable', input, new Set(['TableName']));
  const table = named(context, input.TableName);
  return { Table: { ...table.description, ItemCount: table.size } };
}

export function listTables(context: Context, input: any): any {
  onlyMembers('ListTables', input, new Set(['ExclusiveStartTableName', 'Limit']));
  const after = context.tables
    .all()
    .map(({ name }) => name)
    .filter((name) => input.ExclusiveStartTableName == null || name > input.ExclusiveStartTableName);
  const page = after.slice(0, input.Limit ?? 100);
  return { TableNames: page, ...(page.length < after.length && { LastEvaluatedTableName: page.at(-1) }) };
}

/** Of all that AWS can change, only what is no more than a switch here. */
export function updateTable(context: Context, input: any): any {
  onlyMembers(
    'UpdateTable',
    input,
    new Set(['TableName', 'BillingMode', 'DeletionProtectionEnabled', 'SSESpecification', 'StreamSpecification']),
  );
  const table = named(context, input.TableName);
  if (input.BillingMode != null && input.BillingMode !== 'PAY_PER_REQUEST') {
    throw notModelled(`BillingMode ${input.BillingMode} of UpdateTable`);
  }
  const { description } = table;
  if (input.BillingMode != null) description.BillingModeSummary = { BillingMode: input.BillingMode };
  if (input.DeletionProtectionEnabled != null) description.DeletionProtectionEnabled = input.DeletionProtectionEnabled;
  if (input.SSESpecification != null) Object.assign(description, encryption(input.SSESpecification));
  if (input.StreamSpecification != null) {
    if (input.StreamSpecification.StreamEnabled !== true) throw notModelled('StreamEnabled false of UpdateTable');
    if (table.stream !== undefined)
      throw validationException(`Table already has an enabled stream: TableName: ${table.name}`);
    Object.assign(description, streamOf(table.name, input.StreamSpecification, context.now()));
    table.openStream();
  }
  table.saveSettings();
  return { TableDescription: description };
}

export function updateTimeToLive(context: Context, input: any): any {
  onlyMembers('UpdateTimeToLive', input, new Set(['TableName', 'TimeToLiveSpecification']));
  const { settings, save } = settingsOf(context, input.TableName);
  const { Enabled, AttributeName } = input.TimeToLiveSpecification ?? {};
  if (typeof Enabled !== 'boolean' || typeof AttributeName !== 'string' || AttributeName === '') {
    throw validationException('TimeToLiveSpecification must have Enabled and AttributeName');
  }
  if (Enabled === (settings.timeToLive !== undefined)) {
    throw validationException(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
  }
  if (!Enabled && settings.timeToLive !== AttributeName) {
    throw validationException(
      `TimeToLive is active on a different AttributeName: current AttributeName is ${settings.timeToLive}`,
    );
  }
  if (Enabled) settings.timeToLive = AttributeName;
  else delete settings.timeToLive;
  save();
  return { TimeToLiveSpecification: { Enabled, AttributeName } };
}

export function describeTimeToLive(context: Context, input: any): any {
  onlyMembers('DescribeTimeToLive', input, new Set(['TableName']));
  const { timeToLive } = named(context, input.TableName).settings;
  return {
    TimeToLiveDescription:
      timeToLive === undefined
        ? { TimeToLiveStatus: 'DISABLED' }
        : { TimeToLiveStatus: 'ENABLED', AttributeName: timeToLive },
  };
}

export function updateContinuousBackups(context: Context, input: any): any {
  onlyMembers('UpdateContinuousBackups', input, new Set(['TableName', 'PointInTimeRecoverySpecification']));
  const { settings, save } = settingsOf(context, input.TableName);
  settings.pointInTimeRecovery = input.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled === true;
  save();
  return describeContinuousBackups(context, { TableName: input.TableName });
}

export function describeContinuousBackups(context: Context, input: any): any {
  onlyMembers('DescribeContinuousBackups', input, new Set(['TableName']));
  const enabled = named(context, input.TableName).settings.pointInTimeRecovery === true;
  return {
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: 'ENABLED',
      PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: enabled ? 'ENABLED' : 'DISABLED' },
    },
  };
}

export function tagResource(context: Context, input: any): any {
  const { settings, save } = settingsOf(context, nameOf(input.ResourceArn));
  for (const { Key, Value } of input.Tags ?? []) settings.tags[Key] = Value;
  save();
  return {};
}

export function untagResource(context: Context, input: any): any {
  const { settings, save } = settingsOf(context, nameOf(input.ResourceArn));
  for (const key of input.TagKeys ?? []) delete settings.tags[key];
  save();
  return {};
}

export function listTagsOfResource(context: Context, input: any): any {
  const { settings } = settingsOf(context, nameOf(input.ResourceArn));
  return { Tags: Object.entries(settings.tags).map(([Key, Value]) => ({ Key, Value })) };
}

function describe(data: any, input: any, now: number): TableDescription {
  const arn = `arn:aws:dynamodb:${localRegion}:${localAccount}:table/${data.TableName}`;
  const throughput = { ReadCapacityUnits: 0, WriteCapacityUnits: 0, NumberOfDecreasesToday: 0 };
  const index = (status: object) => (member: any) => ({
    ...member,
    ...status,
    IndexArn: `${arn}/index/${member.IndexName}`,
    ProvisionedThroughput: { ...throughput, ...member.ProvisionedThroughput },
  });
  return {
    TableName: data.TableName,
    TableArn: arn,
    TableId: randomUUID(),
    TableStatus: 'ACTIVE',
    CreationDateTime: now / 1000,
    AttributeDefinitions: data.AttributeDefinitions,
    KeySchema: data.KeySchema,
    ItemCount: 0,
    TableSizeBytes: 0,
    ProvisionedThroughput: { ...throughput, ...data.ProvisionedThroughput },
    DeletionProtectionEnabled: input.DeletionProtectionEnabled === true,
    ...(data.BillingMode === 'PAY_PER_REQUEST' && { BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' } }),
    ...(data.GlobalSecondaryIndexes && {
      GlobalSecondaryIndexes: data.GlobalSecondaryIndexes.map(index({ IndexStatus: 'ACTIVE' })),
    }),
    ...(data.LocalSecondaryIndexes && { LocalSecondaryIndexes: data.LocalSecondaryIndexes.map(index({})) }),
    ...(input.SSESpecification && encryption(input.SSESpecification)),
  };
}

function encryption({ Enabled, KMSMasterKeyId }: any): object {
  if (Enabled !== true) return {};
  return {
    SSEDescription: { Status: 'ENABLED', SSEType: 'KMS', ...(KMSMasterKeyId && { KMSMasterKeyArn: KMSMasterKeyId }) },
  };
}

function streamOf(tableName: string, specification: any, now: number): object {
  if (specification == null) return {};
  const { StreamEnabled, StreamViewType, ...others } = specification;
  if (typeof StreamEnabled !== 'boolean' || Object.keys(others).length > 0)
    throw validationException('StreamSpecification must have StreamEnabled, and with it StreamViewType');
  if (StreamEnabled !== viewTypes.includes(StreamViewType))
    throw validationException(
      StreamEnabled
        ? `One or more parameter values were invalid: StreamViewType '${StreamViewType}' is not one of ${viewTypes.join(', ')}`
        : 'One or more parameter values were invalid: StreamViewType is not allowed when StreamEnabled is false',
    );
  return StreamEnabled ? streamDescription(tableName, StreamViewType, now) : {};
}

function named(context: Context, name: unknown): Table {
  const table = context.tables.find(name);
  if (table === undefined) {
    throw new AwsError('ResourceNotFoundException', `Requested resource not found: Table: ${name} not found`);
  }
  return table;
}

function settingsOf(context: Context, name: unknown) {
  const table = named(context, name);
  return { settings: table.settings, save: () => table.saveSettings() };
}

function nameOf(arn: unknown): string {
  const [, name] = /^arn:aws:dynamodb:[a-z0-9-]+:\d{12}:table\/([^/]+)$/.exec(String(arn)) ?? [];
  if (name === undefined) throw validationException(`Invalid TableArn: Invalid ResourceArn provided as input ${arn}`);
  return name;
}
