import { randomUUID } from 'node:crypto';
import type { AthenaCalls } from './athena-catalog';
import { Query, syntaxError, TooMuchScanned } from './athena-query';
import { fromCsv, type ResultColumn, toCsv } from './athena-results';
import { AwsError, type Engine, localAccount } from './engine';

export interface AthenaOptions {
  /** A call of another service in the name of whoever called Athena, who must be allowed to do it himself. */
  readonly call: (callerArn: string, ...rest: Parameters<AthenaCalls>) => ReturnType<AthenaCalls>;
  /** Where an object of the local S3 lies. */
  readonly fileOf: (bucket: string, key: string) => string;
  /** Told what each query is billed for. */
  readonly onScanned?: (workgroup: string, bytes: number) => void;
  readonly now?: () => Date;
}

interface Workgroup {
  readonly name: string;
  readonly enforced: boolean;
  readonly outputLocation: string | undefined;
  readonly encryption: { readonly EncryptionOption: string; readonly KmsKey?: string } | undefined;
  readonly bytesScannedCutoff: number | undefined;
}

interface Execution {
  readonly id: string;
  readonly input: any;
  readonly workgroup: Workgroup;
  readonly outputLocation: string;
  readonly submittedAt: number;
  readonly query: Query;
  state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  reason?: string;
  completedAt?: number;
  columns: readonly ResultColumn[];
  bytes: number;
  files: readonly string[];
  done: Promise<void>;
}

/** Athena keeps what it ran for 45 days; we keep as many of the last as a long local run can afford. */
const maxKept = 2_000;
const maxQueryBytes = 262_144;
const maxRows = 1_000;
// Whoever asks for a query that runs is answered when it is over, or after so long: intervals of polls are not imitated.
const longestAnswerMs = 1_000;
// Whoever calls by no door.
const administrator = `arn:aws:iam::${localAccount}:user/administrator`;

const started = [
  ...['QueryString', 'ClientRequestToken', 'QueryExecutionContext', 'ResultConfiguration', 'WorkGroup'],
  'ExecutionParameters',
];

/** Athena on DuckDB, over the files of the local S3 and the tables of the local Glue catalog. */
export class Athena implements Engine {
  readonly service = 'athena';
  private readonly workgroups = new Map<string, Workgroup>();
  private readonly executions = new Map<string, Execution>();
  private readonly tokens = new Map<string, string>();

  constructor(private readonly options: AthenaOptions) {}

  /** Runs one operation as the administrator. */
  async call(operation: string, input: any): Promise<any> {
    return this.callAs(administrator, operation, input);
  }

  /** Runs one operation as the role that called it. */
  async callAs(callerArn: string, operation: string, input: any): Promise<any> {
    switch (operation) {
      case 'CreateWorkGroup':
        return this.createWorkgroup(input);
      case 'StartQueryExecution':
        return this.start(callerArn, input);
      case 'GetQueryExecution':
        return { QueryExecution: describe(await settled(this.find(input.QueryExecutionId))) };
      case 'GetQueryResults':
        return this.results(callerArn, input);
      case 'StopQueryExecution':
        return this.stop(this.find(input.QueryExecutionId));
      default:
        throw new AwsError('UnknownOperationException', `athena:${operation} is not modelled locally`);
    }
  }

  /** The workgroup of an execution, whose policy is asked about it. */
  workgroupOf(queryExecutionId: string): string | undefined {
    return this.executions.get(queryExecutionId)?.workgroup.name;
  }

  /** The objects that a query has read, as s3://bucket/key. */
  filesScanned(queryExecutionId: string): readonly string[] {
    return this.find(queryExecutionId).files;
  }

  async *contents(): AsyncIterable<{ where: string; text: string }> {
    // Results lie in S3.
    for (const { id, input, reason } of this.executions.values())
      yield { where: `query ${id}`, text: JSON.stringify([input, reason]) };
  }

  async close(): Promise<void> {
    const running = [...this.executions.values()].filter(isActive);
    for (const { query } of running) query.stop();
    await Promise.all(running.map(({ done }) => done));
  }

  private createWorkgroup({ Name, Configuration = {}, ...rest }: any): object {
    refuseOthers('CreateWorkGroup', rest, ['Description', 'State', 'Tags']);
    if (rest.State === 'DISABLED') throw invalid('a disabled workgroup is not modelled locally');
    if (this.workgroups.has(Name)) throw invalid('WorkGroup is already created');
    const { ResultConfiguration = {}, ...others } = Configuration;
    refuseOthers('Configuration', others, [
      'BytesScannedCutoffPerQuery',
      'EnforceWorkGroupConfiguration',
      'EngineVersion',
      'PublishCloudWatchMetricsEnabled',
      'RequesterPaysEnabled',
    ]);
    refuseOthers('ResultConfiguration', ResultConfiguration, [
      'EncryptionConfiguration',
      'ExpectedBucketOwner',
      'OutputLocation',
    ]);
    const { EncryptionConfiguration: encryption } = ResultConfiguration;
    if (encryption !== undefined && encryption.EncryptionOption !== 'SSE_KMS')
      throw invalid(`encryption ${encryption.EncryptionOption} of results is not modelled locally: SSE_KMS is`);
    this.workgroups.set(Name, {
      name: Name,
      enforced: others.EnforceWorkGroupConfiguration ?? true,
      outputLocation: ResultConfiguration.OutputLocation,
      encryption,
      bytesScannedCutoff: others.BytesScannedCutoffPerQuery,
    });
    return {};
  }

  private start(callerArn: string, input: any): object {
    refuseOthers('StartQueryExecution', input, started);
    const { QueryString, ClientRequestToken: token, QueryExecutionContext = {}, ExecutionParameters = [] } = input;
    if (typeof QueryString !== 'string' || QueryString.trim() === '') throw invalid('queryString is empty');
    if (Buffer.byteLength(QueryString) > maxQueryBytes)
      throw invalid(`query string has ${Buffer.byteLength(QueryString)} bytes: at most ${maxQueryBytes} are allowed`);
    if (typeof token !== 'string' || token.length < 32 || token.length > 128)
      throw invalid('ClientRequestToken must have 32 to 128 characters');
    refuseOthers('QueryExecutionContext', QueryExecutionContext, ['Database', 'Catalog']);
    if ((QueryExecutionContext.Catalog ?? 'AwsDataCatalog').toLowerCase() !== 'awsdatacatalog')
      throw invalid(`catalog ${QueryExecutionContext.Catalog} is not modelled locally: AwsDataCatalog is`);
    const workgroup = this.workgroups.get(input.WorkGroup ?? 'primary');
    if (workgroup === undefined) throw invalid(`WorkGroup ${input.WorkGroup ?? 'primary'} is not found.`);

    const known = this.executions.get(this.tokens.get(`${callerArn} ${token}`) ?? '');
    if (known !== undefined) {
      if (JSON.stringify(known.input) !== JSON.stringify(input)) throw invalid('Idempotent parameters do not match');
      return { QueryExecutionId: known.id };
    }
    const id = randomUUID();
    const output = this.outputOf(workgroup, input.ResultConfiguration);
    const call: AthenaCalls = (...rest) => this.options.call(callerArn, ...rest);
    const execution: Execution = {
      id,
      input,
      workgroup,
      outputLocation: `${output.replace(/\/?$/, '/')}${id}.csv`,
      submittedAt: Date.now(),
      query: new Query({
        sql: QueryString,
        parameters: ExecutionParameters,
        database: QueryExecutionContext.Database,
        bytesScannedCutoff: workgroup.bytesScannedCutoff,
        call,
        fileOf: this.options.fileOf,
        now: this.options.now?.() ?? new Date(),
      }),
      state: 'QUEUED',
      columns: [],
      bytes: 0,
      files: [],
      done: Promise.resolve(),
    };
    this.executions.set(id, execution);
    this.tokens.set(`${callerArn} ${token}`, id);
    this.forgetOld();
    execution.done = this.run(execution, call);
    return { QueryExecutionId: id };
  }

  /** Where results go: the workgroup's word counts when it is enforced, else the caller's. */
  private outputOf({ enforced, outputLocation }: Workgroup, given: any = {}): string {
    refuseOthers('ResultConfiguration', given, ['OutputLocation']);
    const location = enforced ? (outputLocation ?? given.OutputLocation) : (given.OutputLocation ?? outputLocation);
    if (location === undefined)
      throw invalid(
        'No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.',
      );
    return location;
  }

  private async run(execution: Execution, call: AthenaCalls): Promise<void> {
    try {
      execution.state = 'RUNNING';
      const { columns, rows } = await execution.query.run(({ bytes, files }) =>
        Object.assign(execution, { bytes, files }),
      );
      execution.columns = columns;
      const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(execution.outputLocation)!;
      await call('s3', 'PutObject', {
        Bucket,
        Key,
        Body: Buffer.from(toCsv(columns, rows)),
        ...encryptionOf(execution.workgroup),
      });
      if (isActive(execution)) execution.state = 'SUCCEEDED';
    } catch (error) {
      if (!isActive(execution)) return;
      execution.state = error instanceof TooMuchScanned ? 'CANCELLED' : 'FAILED';
      execution.reason = reasonOf(error);
    } finally {
      execution.completedAt = Date.now();
      this.options.onScanned?.(execution.workgroup.name, execution.bytes);
    }
  }

  private async results(callerArn: string, { QueryExecutionId, NextToken, MaxResults = maxRows, ...rest }: any) {
    refuseOthers('GetQueryResults', rest, []);
    if (MaxResults < 1 || MaxResults > maxRows)
      throw invalid(`MaxResults is ${MaxResults}: 1 to ${maxRows} are allowed`);
    const { state, outputLocation, columns } = this.find(QueryExecutionId);
    if (state !== 'SUCCEEDED') throw invalid(`Query did not finish successfully. Final query state: ${state}`);
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(outputLocation)!;
    const { Body } = await this.options.call(callerArn, 's3', 'GetObject', { Bucket, Key });
    const rows = fromCsv(Buffer.from(Body).toString('utf8'));
    const from = Number(NextToken ?? 0);
    const to = from + MaxResults;
    return {
      UpdateCount: 0,
      ResultSet: {
        // The first row of all is the header.
        Rows: rows.slice(from, to).map((row) => ({
          Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
        })),
        ResultSetMetadata: {
          ColumnInfo: columns.map(({ name, type }) => ({
            CatalogName: 'hive',
            SchemaName: '',
            TableName: '',
            Name: name,
            Label: name,
            Type: type,
            Precision: 0,
            Scale: 0,
            Nullable: 'UNKNOWN',
            CaseSensitive: type === 'varchar',
          })),
        },
      },
      ...(to < rows.length ? { NextToken: String(to) } : {}),
    };
  }

  private stop(execution: Execution): object {
    if (isActive(execution)) {
      execution.state = 'CANCELLED';
      execution.reason = 'Query cancelled by user';
      execution.query.stop();
    }
    return {};
  }

  private find(id: string): Execution {
    const found = this.executions.get(id);
    if (found === undefined) throw invalid(`QueryExecution ${id} was not found`);
    return found;
  }

  private forgetOld(): void {
    for (const [id, old] of this.executions) {
      if (this.executions.size <= maxKept) break;
      if (!isActive(old)) this.executions.delete(id);
    }
  }
}

const isActive = ({ state }: Execution): boolean => state === 'QUEUED' || state === 'RUNNING';
async function settled(execution: Execution): Promise<Execution> {
  if (!isActive(execution)) return execution;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((over) => {
    timer = setTimeout(over, longestAnswerMs);
  });
  await Promise.race([execution.done, patience]);
  clearTimeout(timer);
  return execution;
}

const invalid = (message: string): AwsError => new AwsError('InvalidRequestException', message);

function describe(execution: Execution): object {
  const { id, input, workgroup, outputLocation, state, reason, submittedAt, completedAt, bytes } = execution;
  const took = (completedAt ?? Date.now()) - submittedAt;
  return {
    QueryExecutionId: id,
    Query: input.QueryString,
    StatementType: 'DML',
    ResultConfiguration: {
      OutputLocation: outputLocation,
      ...(workgroup.encryption === undefined ? {} : { EncryptionConfiguration: workgroup.encryption }),
    },
    QueryExecutionContext: input.QueryExecutionContext ?? {},
    ...(input.ExecutionParameters === undefined ? {} : { ExecutionParameters: input.ExecutionParameters }),
    Status: {
      State: state,
      SubmissionDateTime: submittedAt / 1_000,
      ...(reason === undefined ? {} : { StateChangeReason: reason }),
      ...(completedAt === undefined ? {} : { CompletionDateTime: completedAt / 1_000 }),
      ...(state === 'FAILED'
        ? { AthenaError: { ErrorCategory: 2, ErrorType: 1_000, Retryable: false, ErrorMessage: reason } }
        : {}),
    },
    Statistics: { DataScannedInBytes: bytes, EngineExecutionTimeInMillis: took, TotalExecutionTimeInMillis: took },
    WorkGroup: workgroup.name,
    EngineVersion: { SelectedEngineVersion: 'AUTO', EffectiveEngineVersion: 'Athena engine version 3' },
  };
}

/** Why a query failed, in the words of Athena. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message: string; code?: string };
  if (code === undefined) return error instanceof TooMuchScanned ? message : syntaxError(message);
  if (/^AccessDenied/.test(code)) return `Insufficient permissions to execute the query. ${message}`;
  return `${code}: ${message}`;
}

function encryptionOf({ encryption }: Workgroup): object {
  if (encryption === undefined) return {};
  return { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: encryption.KmsKey };
}

function refuseOthers(where: string, given: object, allowed: readonly string[]): void {
  const surplus = Object.entries(given).find(([name, value]) => value !== undefined && !allowed.includes(name));
  if (surplus !== undefined) throw invalid(`athena ${where} with ${surplus[0]} is not modelled locally`);
}
