import { AwsError, type Engine } from './engine';
import { type Job, type JobRunner, newId, newStep, type Step } from './redshift-job';
import type { RedshiftServerless } from './redshift-serverless';
import { RefusedSql } from './redshift-tokens';
import { parameterNames } from './redshift-translate';

const maxStatements = 40;
const maxStatementBytes = 100 * 1024;
const maxActive = 500;
/** AWS keeps results for a day; we keep as many of the last as a long local run can afford. */
const maxKept = 2_000;
const pageRows = 1_000;

const notModelled = ['ClusterIdentifier', 'DbUser', 'SessionId', 'SessionKeepAliveSeconds', 'WithEvent'];

/** The Redshift Data API in front of PostgreSQL. A caller is the database user `IAMR:<role>`, or, with the secret, the administrator. */
export class RedshiftData implements Engine {
  readonly service = 'redshift-data';
  private readonly jobs = new Map<string, Job>();
  private readonly tokens = new Map<string, string>();

  constructor(
    private readonly serverless: RedshiftServerless,
    private readonly runner: JobRunner,
  ) {}

  /** Runs one operation as the administrator. */
  async call(operation: string, input: any): Promise<any> {
    return this.callAs(undefined, operation, input);
  }

  /** Runs one operation as the role that called it. */
  async callAs(callerArn: string | undefined, operation: string, input: any): Promise<any> {
    switch (operation) {
      case 'ExecuteStatement':
        return this.submit(callerArn, input, [input.Sql], false);
      case 'BatchExecuteStatement':
        return this.submit(callerArn, input, input.Sqls ?? [], true);
      case 'DescribeStatement':
        return this.describe(input);
      case 'GetStatementResult':
        return this.result(input);
      case 'CancelStatement':
        return this.cancel(input);
      case 'ListStatements':
        return this.list(input);
      default:
        throw new AwsError('UnknownOperationException', `redshift-data:${operation} is not modelled locally`);
    }
  }

  async *contents(): AsyncIterable<{ where: string; text: string }> {
    for (const database of this.serverless.databases()) yield* this.runner.rows(database);
    for (const { id, steps, parameters, error } of this.jobs.values()) {
      const results = steps.map(({ result }) => result?.records);
      yield {
        where: `statement ${id}`,
        text: JSON.stringify([steps.map(({ sql }) => sql), [...parameters], error, results]),
      };
    }
  }

  async close(): Promise<void> {
    const running = [...this.jobs.values()].filter(isActive);
    await Promise.all(running.map((job) => this.runner.cancel(job).catch(() => {})));
    await Promise.all(running.map(({ done }) => done));
    await this.runner.close();
  }

  private async submit(callerArn: string | undefined, input: any, sqls: string[], isBatch: boolean): Promise<any> {
    const known = input.ClientToken && this.tokens.get(`${callerArn} ${input.ClientToken}`);
    let job = this.jobs.get(known);
    if (job === undefined) {
      job = this.newJob(callerArn, input, sqls, isBatch);
      this.keep(job);
      if (input.ClientToken) this.tokens.set(`${callerArn} ${input.ClientToken}`, job.id);
      job.done = this.runner.run(job);
    }
    await settle(job, input.WaitTimeSeconds);
    const { id, createdAt, database, workgroupName, secretArn, dbUser, status } = job;
    return {
      Id: id,
      CreatedAt: createdAt / 1_000,
      Database: database,
      WorkgroupName: workgroupName,
      DbUser: dbUser,
      ...(secretArn && { SecretArn: secretArn }),
      ...(input.WaitTimeSeconds && { Status: status, HasResultSet: hasResult(job) }),
    };
  }

  private newJob(callerArn: string | undefined, input: any, sqls: string[], isBatch: boolean): Job {
    const { Database, WorkgroupName, SecretArn, Parameters = [], StatementName, ResultFormat, ExecutionMode } = input;
    const extra = notModelled.find((member) => input[member]);
    if (extra !== undefined) throw invalid(`${extra} is not modelled locally`);
    if (ResultFormat && ResultFormat !== 'JSON')
      throw invalid(`ResultFormat ${ResultFormat} is not modelled locally: JSON is`);
    if (ExecutionMode && ExecutionMode !== 'TRANSACTION')
      throw invalid(`ExecutionMode ${ExecutionMode} is not modelled locally: TRANSACTION is`);
    if (!WorkgroupName || !Database) throw invalid('WorkgroupName and Database are required.');
    if (sqls.length < 1 || sqls.length > maxStatements) {
      throw invalid(`Member must have length between 1 and ${maxStatements}: got ${sqls.length} SQL statements`);
    }
    for (const sql of sqls) {
      if (typeof sql !== 'string' || sql.trim() === '') throw invalid('A SQL statement must not be empty.');
      if (Buffer.byteLength(sql) > maxStatementBytes)
        throw invalid(`Statement text is larger than ${maxStatementBytes} bytes`);
    }
    const parameters = readParameters(Parameters, sqls);
    const namespace = this.serverless.namespaceOf(WorkgroupName);
    if (namespace === undefined) throw invalid("Redshift endpoint doesn't exist in this region.");
    if (SecretArn && SecretArn !== namespace.adminPasswordSecretArn) {
      throw invalid(
        `secret ${SecretArn} is not modelled locally: the namespace's own is, ${namespace.adminPasswordSecretArn}`,
      );
    }
    if ([...this.jobs.values()].filter(isActive).length >= maxActive) {
      throw new AwsError('ActiveStatementsExceededException', 'Active statements exceeded the allowed quota.');
    }
    const isAdmin = SecretArn !== undefined || callerArn === undefined;
    return {
      id: newId(),
      isBatch,
      name: StatementName,
      database: Database,
      workgroupName: WorkgroupName,
      secretArn: SecretArn,
      dbUser: isAdmin ? namespace.adminUsername.toLowerCase() : databaseUser(callerArn),
      defaultRoleArn: namespace.defaultIamRoleArn,
      allowedRoleArns: namespace.iamRoles,
      parameters,
      steps: sqls.map(newStep),
      createdAt: Date.now(),
      updatedAt: Date.now(),
      status: 'SUBMITTED',
      isCancelled: false,
      done: Promise.resolve(),
    };
  }

  private keep(job: Job): void {
    this.jobs.set(job.id, job);
    for (const [id, old] of this.jobs) {
      if (this.jobs.size <= maxKept) break;
      if (!isActive(old)) this.jobs.delete(id);
    }
  }

  private async describe({ Id, WaitTimeSeconds }: any): Promise<any> {
    const { job, step } = this.find(Id);
    await settle(job, WaitTimeSeconds);
    if (step !== undefined && job.isBatch) return { ...describeStep(step, Id), Database: job.database };
    const last = job.steps.at(-1)!;
    return {
      Id,
      Status: job.status,
      CreatedAt: job.createdAt / 1_000,
      UpdatedAt: job.updatedAt / 1_000,
      Database: job.database,
      WorkgroupName: job.workgroupName,
      DbUser: job.dbUser,
      RedshiftPid: job.pid ?? 0,
      RedshiftQueryId: job.isBatch ? 0 : last.queryId,
      Duration: job.steps.reduce((sum, { durationNs }) => sum + Math.max(durationNs, 0), 0),
      HasResultSet: hasResult(job),
      ResultRows: job.isBatch ? -1 : last.rows,
      ResultSize: job.isBatch ? -1 : (last.result?.bytes ?? 0),
      ResultFormat: 'JSON',
      ...(job.secretArn && { SecretArn: job.secretArn }),
      ...(job.error && { Error: job.error }),
      ...(job.parameters.size > 0 && {
        QueryParameters: [...job.parameters].map(([name, value]) => ({ name, value })),
      }),
      ...(job.isBatch
        ? { SubStatements: job.steps.map((one, index) => describeStep(one, `${job.id}:${index + 1}`)) }
        : { QueryString: last.sql }),
    };
  }

  private async result({ Id, NextToken, WaitTimeSeconds }: any): Promise<any> {
    const { job, step } = this.find(Id);
    await settle(job, WaitTimeSeconds);
    const result = job.status === 'FINISHED' ? step?.result : undefined;
    if (result === undefined) {
      throw missing('Query does not have result. Please check query status with DescribeStatement.');
    }
    const from = Number(NextToken ?? 0);
    const to = from + pageRows;
    return {
      ColumnMetadata: result.columns,
      Records: result.records.slice(from, to),
      TotalNumRows: result.records.length,
      ...(to < result.records.length && { NextToken: String(to) }),
    };
  }

  private async cancel({ Id }: any): Promise<any> {
    const { job } = this.find(Id);
    if (!isActive(job)) throw invalid(`Could not cancel a query that is already in ${job.status} state with ID: ${Id}`);
    await this.runner.cancel(job);
    return { Status: true };
  }

  private list({ Status = 'ALL', StatementName, MaxResults = 100 }: any): any {
    const jobs = [...this.jobs.values()].reverse();
    const wanted = jobs.filter(
      (job) => (Status === 'ALL' || job.status === Status) && (job.name ?? '').startsWith(StatementName ?? ''),
    );
    return {
      Statements: wanted.slice(0, MaxResults).map((job) => ({
        Id: job.id,
        Status: job.status,
        CreatedAt: job.createdAt / 1_000,
        UpdatedAt: job.updatedAt / 1_000,
        IsBatchStatement: job.isBatch,
        ...(job.name && { StatementName: job.name }),
        ...(job.isBatch ? { QueryStrings: job.steps.map(({ sql }) => sql) } : { QueryString: job.steps[0]!.sql }),
      })),
    };
  }

  /** The job of an id, and the statement: the one that `<id>:<n>` names, or the only one. */
  private find(id: string): { job: Job; step: Step | undefined } {
    const [jobId, number] = String(id).split(':');
    const job = this.jobs.get(jobId!);
    const step = job?.steps[number === undefined ? 0 : Number(number) - 1];
    if (job === undefined || step === undefined) throw missing('Query does not exist.');
    return { job, step: job.isBatch && number === undefined ? undefined : step };
  }
}

/** The database user of an IAM role or user. Redshift folds its name to lower case, quoted or not. */
export function databaseUser(arn: string): string {
  const [kind, ...path] = arn.split(':').slice(5).join(':').split('/');
  const name = kind === 'assumed-role' ? path[0] : path.at(-1);
  return `${kind === 'user' ? 'IAM' : 'IAMR'}:${name}`.toLowerCase();
}

function readParameters(given: { name: string; value: string }[], sqls: string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const { name, value } of given) {
    if (typeof value !== 'string' || value === '')
      throw invalid(`Parameter ${name} must be a string of at least one character.`);
    parameters.set(name, value);
  }
  if (given.length === 0) return parameters;
  const used = new Set(sqls.flatMap(namesIn));
  const unused = [...parameters.keys()].find((name) => !used.has(name));
  if (unused !== undefined) throw invalid(`Parameter ${unused} is not used by any of the SQL statements.`);
  return parameters;
}

/** What can't be read as SQL fails when it is run, not when it is sent. */
function namesIn(sql: string): string[] {
  try {
    return parameterNames(sql);
  } catch (error) {
    if (error instanceof RefusedSql) return [];
    throw error;
  }
}

const describeStep = (step: Step, Id: string): any => ({
  Id,
  Status: step.status,
  QueryString: step.sql,
  CreatedAt: (step.startedAt || step.updatedAt) / 1_000,
  UpdatedAt: step.updatedAt / 1_000,
  Duration: step.durationNs,
  HasResultSet: step.result !== undefined,
  ResultRows: step.rows,
  ResultSize: step.result?.bytes ?? 0,
  RedshiftQueryId: step.queryId,
  ...(step.error && { Error: step.error }),
});

const isActive = ({ status }: Job): boolean => status === 'SUBMITTED' || status === 'STARTED';
const hasResult = ({ steps }: Job): boolean => steps.some(({ result }) => result !== undefined);
const invalid = (message: string): AwsError => new AwsError('ValidationException', message);
const missing = (message: string): AwsError => new AwsError('ResourceNotFoundException', message);

/** Waits for the end of a job, as long as the caller wants to. */
async function settle(job: Job, seconds: number | undefined): Promise<void> {
  if (!seconds || !isActive(job)) return;
  if (seconds < 1 || seconds > 30) throw invalid(`WaitTimeSeconds must be between 1 and 30: got ${seconds}`);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((over) => {
    timer = setTimeout(over, seconds * 1_000);
  });
  await Promise.race([job.done, patience]);
  clearTimeout(timer);
}
