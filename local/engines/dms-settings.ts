import { AwsError } from './engine';

/** What the local DMS honours of an endpoint that reads PostgreSQL. */
export interface SourceEndpoint {
  readonly databaseName: string;
  readonly secretId: string;
  readonly secretRoleArn: string;
  readonly failOnLobTruncation: boolean;
}

/** What it honours of an endpoint that writes to Kinesis. */
export interface TargetEndpoint {
  readonly streamArn: string;
  readonly roleArn: string;
  readonly transactionDetails: boolean;
  readonly partitionValue: boolean;
  readonly partitionSchemaTable: boolean;
  readonly controlDetails: boolean;
  readonly nullAndEmpty: boolean;
  readonly hexPrefix: boolean;
}

/** What it honours of a replication's settings. */
export interface TaskSettings {
  /** Name of the member with the old key; undefined: none is written. */
  readonly beforeImage: string | undefined;
  readonly failOnTruncate: boolean;
  readonly failOnNoTables: boolean;
  readonly maximumLobBytes: number;
}

/** Whatever it says, it is honoured as it is, or changes nothing here. */
const anything = 'anything';
type Allowed = Readonly<Record<string, readonly unknown[] | 'anything'>>;

/** Refuses a setting that is neither honoured nor known to change nothing here. */
function check(what: string, settings: any, allowed: Allowed): void {
  for (const [name, value] of Object.entries(settings ?? {})) {
    const values = allowed[name];
    if (values === undefined)
      throw new AwsError('InvalidParameterValueException', `${what}: ${name} is not modelled locally`);
    if (values !== anything && !values.includes(value))
      throw new AwsError(
        'InvalidParameterValueException',
        `${what}: ${name}: got ${JSON.stringify(value)}, modelled locally: ${values.map((one) => JSON.stringify(one)).join(', ')}`,
      );
  }
}

const either = [true, false];
const identity: Allowed = {
  EndpointIdentifier: anything,
  ResourceIdentifier: anything,
  EndpointType: ['source', 'target'],
  EngineName: ['postgres', 'aurora-postgresql', 'kinesis'],
  KmsKeyId: anything,
  Tags: anything,
};

/** Reads the input of CreateEndpoint for a source. */
export function sourceEndpoint(input: any): SourceEndpoint {
  check('source endpoint', input, {
    ...identity,
    EngineName: ['postgres', 'aurora-postgresql'],
    DatabaseName: anything,
    // Everything is on 127.0.0.1.
    SslMode: ['none'],
    PostgreSQLSettings: anything,
  });
  const settings = input.PostgreSQLSettings ?? {};
  check('PostgreSQLSettings', settings, {
    SecretsManagerSecretId: anything,
    SecretsManagerAccessRoleArn: anything,
    // Either plug-in gives the same records; the local one reads by pgoutput, which every server has.
    PluginName: ['test-decoding', 'pglogical', 'no-preference'],
    CaptureDdls: [false],
    HeartbeatEnable: [false],
    FailTasksOnLobTruncation: either,
  });
  return {
    databaseName: required('DatabaseName', input.DatabaseName),
    secretId: required('SecretsManagerSecretId', settings.SecretsManagerSecretId),
    secretRoleArn: required('SecretsManagerAccessRoleArn', settings.SecretsManagerAccessRoleArn),
    failOnLobTruncation: settings.FailTasksOnLobTruncation ?? false,
  };
}

/** Reads the input of CreateEndpoint for a target. */
export function targetEndpoint(input: any): TargetEndpoint {
  check('target endpoint', input, { ...identity, EngineName: ['kinesis'], KinesisSettings: anything });
  const settings = input.KinesisSettings ?? {};
  check('KinesisSettings', settings, {
    StreamArn: anything,
    ServiceAccessRoleArn: anything,
    MessageFormat: ['json-unformatted'],
    IncludeTransactionDetails: either,
    IncludePartitionValue: either,
    PartitionIncludeSchemaTable: either,
    // No change of a table's definition is written here: the log of PostgreSQL holds none.
    IncludeTableAlterOperations: either,
    IncludeControlDetails: either,
    IncludeNullAndEmpty: either,
    NoHexPrefix: either,
  });
  return {
    streamArn: required('StreamArn', settings.StreamArn),
    roleArn: required('ServiceAccessRoleArn', settings.ServiceAccessRoleArn),
    transactionDetails: settings.IncludeTransactionDetails ?? false,
    partitionValue: settings.IncludePartitionValue ?? false,
    partitionSchemaTable: settings.PartitionIncludeSchemaTable ?? false,
    controlDetails: settings.IncludeControlDetails ?? false,
    nullAndEmpty: settings.IncludeNullAndEmpty ?? false,
    hexPrefix: !(settings.NoHexPrefix ?? false),
  };
}

const stops = ['STOP_TASK'];

/** Reads ReplicationSettings. */
export function taskSettings(settings: any): TaskSettings {
  check('ReplicationSettings', settings, {
    TargetMetadata: anything,
    FullLoadSettings: anything,
    BeforeImageSettings: anything,
    ErrorBehavior: anything,
    // What DMS would log is in the replication's failure messages.
    Logging: anything,
  });
  const { TargetMetadata: target = {}, BeforeImageSettings: before, ErrorBehavior: errors = {} } = settings;
  check('TargetMetadata', target, {
    BatchApplyEnabled: [false],
    SupportLobs: [true],
    FullLobMode: [false],
    LimitedSizeLobMode: [true],
    LobMaxSize: anything,
    // One writer serves.
    ParallelLoadThreads: anything,
    ParallelLoadBufferSize: anything,
    ParallelLoadQueuesPerThread: anything,
    ParallelApplyThreads: anything,
    ParallelApplyBufferSize: anything,
    ParallelApplyQueuesPerThread: anything,
  });
  check('FullLoadSettings', settings.FullLoadSettings, {
    TargetTablePrepMode: ['DO_NOTHING'],
    CreatePkAfterFullLoad: [false],
    StopTaskCachedChangesApplied: [false],
    StopTaskCachedChangesNotApplied: [false],
    // One table after the other, from one snapshot.
    MaxFullLoadSubTasks: anything,
    TransactionConsistencyTimeout: anything,
    CommitRate: anything,
  });
  check('BeforeImageSettings', before, {
    EnableBeforeImage: either,
    FieldName: anything,
    ColumnFilter: ['pk-only'],
  });
  check('ErrorBehavior', errors, {
    DataErrorPolicy: stops,
    DataTruncationErrorPolicy: stops,
    DataErrorEscalationPolicy: stops,
    DataErrorEscalationCount: [0],
    EventErrorPolicy: stops,
    TableErrorPolicy: stops,
    TableErrorEscalationPolicy: stops,
    TableErrorEscalationCount: [0],
    ApplyErrorDeletePolicy: stops,
    ApplyErrorInsertPolicy: stops,
    ApplyErrorUpdatePolicy: stops,
    ApplyErrorEscalationPolicy: stops,
    ApplyErrorEscalationCount: [0],
    ApplyErrorFailOnTruncationDdl: either,
    FailOnNoTablesCaptured: either,
    // A stream knows no conflicts.
    FullLoadIgnoreConflicts: either,
    RecoverableErrorCount: [-1],
    // What comes from outside is tried again every second.
    RecoverableErrorInterval: anything,
    RecoverableErrorThrottling: anything,
    RecoverableErrorThrottlingMax: anything,
    RecoverableErrorStopRetryAfterThrottlingMax: [false],
  });
  return {
    beforeImage: before?.EnableBeforeImage ? required('BeforeImageSettings.FieldName', before.FieldName) : undefined,
    failOnTruncate: errors.ApplyErrorFailOnTruncationDdl ?? false,
    failOnNoTables: errors.FailOnNoTablesCaptured ?? true,
    maximumLobBytes: (target.LobMaxSize ?? 32) * 1024,
  };
}

function required(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new AwsError('InvalidParameterValueException', `${name} is missing`);
}
