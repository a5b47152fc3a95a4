/**
 * How DMS replicates. An error stops the replication, loudly, and never suspends a table, whose rows would silently keep
 * their last values: a stopped replication shows as stale badges and as an alarm.
 */
export const replicationSettings = {
  TargetMetadata: {
    // Batches may lose changes on a Kinesis target (DMS guide, Kinesis target, limitations).
    BatchApplyEnabled: false,
    // Long texts travel whole up to 32 KB; a longer one stops the replication instead of being cut (source endpoint).
    SupportLobs: true,
    FullLobMode: false,
    LimitedSizeLobMode: true,
    LobMaxSize: 32,
    // Several threads, since one waits for each PutRecords. They change the order in which records arrive, also of one
    // row, and PutRecords keeps none anyway: readers go by the position in the log, never by arrival.
    ParallelLoadThreads: 4,
    ParallelLoadBufferSize: 100,
    ParallelLoadQueuesPerThread: 16,
    ParallelApplyThreads: 4,
    ParallelApplyBufferSize: 100,
    ParallelApplyQueuesPerThread: 16,
  },
  FullLoadSettings: {
    TargetTablePrepMode: 'DO_NOTHING',
    CreatePkAfterFullLoad: false,
    StopTaskCachedChangesApplied: false,
    StopTaskCachedChangesNotApplied: false,
    MaxFullLoadSubTasks: 8,
    TransactionConsistencyTimeout: 600,
    CommitRate: 10_000,
  },
  // The old key of a row whose key has changed: its item must go. PostgreSQL's log holds no other old values.
  BeforeImageSettings: { EnableBeforeImage: true, FieldName: 'before-image', ColumnFilter: 'pk-only' },
  ErrorBehavior: {
    DataErrorPolicy: 'STOP_TASK',
    DataTruncationErrorPolicy: 'STOP_TASK',
    DataErrorEscalationPolicy: 'STOP_TASK',
    DataErrorEscalationCount: 0,
    EventErrorPolicy: 'STOP_TASK',
    TableErrorPolicy: 'STOP_TASK',
    TableErrorEscalationPolicy: 'STOP_TASK',
    TableErrorEscalationCount: 0,
    ApplyErrorDeletePolicy: 'STOP_TASK',
    ApplyErrorInsertPolicy: 'STOP_TASK',
    ApplyErrorUpdatePolicy: 'STOP_TASK',
    ApplyErrorEscalationPolicy: 'STOP_TASK',
    ApplyErrorEscalationCount: 0,
    // DMS carries no TRUNCATE to Kinesis. It stops here, and control-replication has the database loaded anew.
    ApplyErrorFailOnTruncationDdl: true,
    FailOnNoTablesCaptured: true,
    FullLoadIgnoreConflicts: true,
    // What comes from outside (a failover, a network) is tried again without end.
    RecoverableErrorCount: -1,
    RecoverableErrorInterval: 5,
    RecoverableErrorThrottling: true,
    RecoverableErrorThrottlingMax: 60,
    RecoverableErrorStopRetryAfterThrottlingMax: false,
  },
  Logging: { EnableLogging: true },
};

/** What the records look like: everything that a reader needs to order them and to tell null from absent. */
export const kinesisSettings = {
  messageFormat: 'json-unformatted',
  includeTransactionDetails: true,
  includePartitionValue: true,
  partitionIncludeSchemaTable: true,
  includeTableAlterOperations: true,
  includeControlDetails: true,
  includeNullAndEmpty: true,
  noHexPrefix: false,
};
