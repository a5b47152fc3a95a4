import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Alarms } from './alarms';
import { DeploymentOutcomes } from './deployment-outcomes';
import type { ApiDescription } from './door/api-gateway';
import { type AccessKeys, type Door, openDoor } from './door/door';
import { Meter } from './door/meter';
import { type Credential, roleSession } from './door/principal';
import { Athena } from './engines/athena';
import { type DmsEngine, openDms } from './engines/dms';
import { type DynamoDbEngine, openDynamoDb } from './engines/dynamodb';
import { type Engine, localAccount, localRegion } from './engines/engine';
import { type EventBridgeEngine, openEventBridge } from './engines/eventbridge';
import { type FirehoseEngine, openFirehose } from './engines/firehose';
import { type GlueEngine, openGlue } from './engines/glue';
import { type InfluxDb, openInfluxDb } from './engines/influxdb';
import { type KinesisEngine, openKinesis } from './engines/kinesis';
import { openKms } from './engines/kms';
import { type PostgresServer, startPostgres } from './engines/postgres';
import { openRedshift, type Redshift } from './engines/redshift';
import { openS3, type S3Engine } from './engines/s3';
import { openSecretsManager } from './engines/secrets-manager';
import { openSqs, type SqsEngine } from './engines/sqs';
import { openStepFunctions, type StepFunctionsEngine } from './engines/step-functions';
import { openTimestream } from './engines/timestream';
import { EventTargets } from './event-targets';
import { FunctionHost, type Invocation } from './lambda/function-host';
import { Roles } from './roles';

/** A REST API as its resources are gathered. */
export interface LocalApi {
  readonly id: string;
  readonly name: string;
  /** Path of each resource id. */
  readonly paths: Map<string, string>;
  readonly methods: ApiDescription['methods'][number][];
  readonly gatewayResponses: NonNullable<ApiDescription['gatewayResponses']>[number][];
  readonly stages: { readonly name: string; readonly rateLimit?: number; readonly burstLimit?: number }[];
}

/** A function as the template declares it. */
export interface LocalFunction {
  readonly name: string;
  readonly arn: string;
  readonly handlerFile: string;
  readonly handlerExport: string;
  readonly roleName: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly concurrency: number | undefined;
}

/** A cluster of the template: a database of the one local server. */
export interface LocalSourceDatabase {
  readonly databaseName: string;
  readonly username: string;
}

export interface LocalSchedule {
  readonly name: string;
  /** A function or a state machine. */
  readonly target: { readonly functionName: string } | { readonly stateMachineArn: string };
  readonly roleName: string;
  /** JSON text. */
  readonly input: string;
  /** How often it runs; a day and more: at a time of day. */
  readonly everyMinutes: number;
}

/** An AWS account on 127.0.0.1: engines behind one door, and what the template's resources have declared so far. */
export interface LocalAccount {
  readonly directory: string;
  readonly door: Door;
  readonly engines: {
    readonly dynamodb: DynamoDbEngine;
    readonly kinesis: KinesisEngine;
    readonly s3: S3Engine;
    readonly kms: Engine;
    readonly eventBridge: EventBridgeEngine;
    readonly sqs: SqsEngine;
    readonly secretsManager: Engine;
    readonly firehose: FirehoseEngine;
    readonly glue: GlueEngine;
    readonly athena: Athena;
    readonly redshift: Redshift;
    readonly redshiftServerless: Engine;
    readonly influxdb: InfluxDb;
    readonly timestream: Engine;
    readonly dms: DmsEngine;
    readonly stepFunctions: StepFunctionsEngine;
  };
  /** Behind Redshift and the source databases. */
  readonly postgres: PostgresServer;
  /** By the name of their cluster. */
  readonly sourceDatabases: Map<string, LocalSourceDatabase>;
  readonly administrator: AccessKeys;
  readonly functions: ReadonlyMap<string, LocalFunction>;
  readonly functionHost: FunctionHost;
  readonly roles: Roles;
  readonly alarms: Alarms;
  readonly apis: Map<string, LocalApi>;
  readonly mappings: { readonly id: string; readonly properties: Readonly<Record<string, any>> }[];
  readonly schedules: LocalSchedule[];
  /** What events reach: functions and queues, and on which terms. */
  readonly eventTargets: EventTargets;
  /** Key of each encrypted resource, by the resource's ARN. */
  readonly encryptedWith: Map<string, string>;
  /** Addresses of instances in the network, and where they are found here. */
  readonly hosts: Record<string, string>;
  readonly influxDbUrl: string;
  readonly outcomes: DeploymentOutcomes;
  /** The last error of each function that failed last time it ran. */
  readonly problems: ReadonlyMap<string, string>;
  defineFunction(declared: LocalFunction): void;
  /** As the account's administrator: deployment steps, and people. */
  invoke(functionName: string, event: unknown): Promise<Invocation>;
  /** The same for an event that is JSON text already. */
  invokeJson(functionName: string, event: string): Promise<Invocation>;
  assetFolder(stackName: string, code: { readonly S3Key?: string }): string;
  /** The secret with which Redshift would manage its administrator's password. */
  adminSecretOf(namespaceName: string, adminUsername: string): Promise<string>;
  close(): Promise<void>;
}

export interface AccountOptions {
  /** Where everything lies. */
  readonly directory: string;
  readonly assetFolder: (code: { readonly S3Key?: string }) => string;
  /** The built worker in which functions run. */
  readonly workerFile: string;
  /** Told what a person may want to know. */
  readonly log: (message: string) => void;
}

/** Opens the engines on the state folder, side by side, and the door in front of them. */
export async function openAccount({ directory, assetFolder, workerFile, log }: AccountOptions): Promise<LocalAccount> {
  const folder = (name: string) => {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const meter = new Meter();
  const alarms = new Alarms();
  const hosts: Record<string, string> = {};
  const encryptedWith = new Map<string, string>();
  const functions = new Map<string, LocalFunction>();
  const functionHost = new FunctionHost({
    workerFile,
    onLog: (_, line) => alarms.recordLine(line),
    onMetric: (FunctionName, metric, value) => alarms.record('AWS/Lambda', metric, { FunctionName }, value),
  });

  const problems = new Map<string, string>();
  const invokeJson = async (functionName: string, event: string): Promise<Invocation> => {
    const invocation = await functionHost.invokeJson(functionName, event);
    if (invocation.functionError === undefined) problems.delete(functionName);
    else {
      const { errorType, errorMessage } = JSON.parse(invocation.payload);
      problems.set(functionName, `${errorType}: ${errorMessage}`);
    }
    return invocation;
  };

  const [dynamodb, kinesis, s3, kms, secretsManager, glue, influxdb, postgres, outcomes] = await Promise.all([
    openDynamoDb({ directory: folder('dynamodb') }),
    openKinesis({
      directory: folder('kinesis'),
      onConsumed: meter.kinesis,
    }),
    openS3({ directory: folder('s3') }),
    openKms({ directory: folder('kms') }),
    openSecretsManager({ directory: folder('secrets-manager') }),
    openGlue(),
    openInfluxDb({ directory: folder('influxdb') }),
    startPostgres({ directory: folder('postgres'), log }),
    DeploymentOutcomes.open(),
  ]);
  dynamodb.onConsumed = meter.dynamodb;

  const credentials = new Map<string, Credential>();
  const door = await openDoor({
    engines: [dynamodb, kinesis, s3, kms, secretsManager, glue],
    influx: {
      async handle({ query, ...request }) {
        const { status, ...answer } = await influxdb.handle({ ...request, query: new URLSearchParams(query) });
        return { statusCode: status, ...answer };
      },
    },
    credentials,
    meter,
    lookup: {
      workgroupOf: (queryExecutionId) => athena.workgroupOf(queryExecutionId),
      keyOf: (_, resourceArn) =>
        encryptedWith.get(resourceArn.replace(/\/index\/.*$/, '').replace(/^(arn:aws:s3:::[^/]+).*$/, '$1')),
    },
    invoke: (functionName, event) => invokeJson(nameOf(functionName), JSON.stringify(event)),
    kill: (functionName) => functionHost.kill(functionName),
  });
  const administrator = door.registerAdministrator(`arn:aws:iam::${localAccount}:user/administrator`);
  const roles = new Roles(door.registerRole);
  const sqs = openSqs({ directory: folder('sqs') });
  const eventTargets = new EventTargets({ door, sqs, functions, invoke: invokeJson, log });
  const eventBridge = openEventBridge({
    directory: folder('eventbridge'),
    deliver: (delivery, signal) => eventTargets.deliver(delivery, signal),
    bury: (delivery, attributes) => eventTargets.bury(delivery, attributes),
    onConsumed: meter.eventBridge,
  });

  const timestream = await openTimestream({
    directory: folder('timestream'),
    address: () => new URL(door.url).hostname,
    // As a service, in nobody's name: what it may put where is said by the bucket's policy.
    report: ({ BucketName, Key }, body) =>
      s3.call('PutObject', { Bucket: BucketName, Key, Body: Buffer.from(body), ContentType: 'application/json' }),
    onRejectedLater: (DatabaseName, TableName, count) =>
      alarms.record('AWS/Timestream', 'MagneticStoreRejectedRecordCount', { DatabaseName, TableName }, count),
  });

  const redshift = openRedshift({
    postgres,
    s3: (roleArn, operation, input) => door.call(roleSession(nameOf(roleArn), 'redshift'), 's3', operation, input),
    fileOf: (bucket, key) => s3.fileOf(bucket, key),
  });
  const athena = new Athena({
    call: (callerArn, service, operation, input) =>
      door.call(
        callerArn.includes(':role/')
          ? roleSession(nameOf(callerArn), 'athena')
          : { arn: callerArn, administrator: true },
        service,
        operation,
        input,
      ),
    fileOf: (bucket, key) => s3.fileOf(bucket, key),
    onScanned: meter.athena,
  });
  const firehose = await openFirehose({
    directory: folder('firehose'),
    s3: (roleArn, operation, input) => door.call(roleSession(nameOf(roleArn), 'firehose'), 's3', operation, input),
    table: (database, name) => glue.table(database, name),
    onConsumed: meter.firehose,
  });
  const dms = openDms({
    directory: folder('dms'),
    administrator: (databaseName) => ({
      connectionString: postgres.url(databaseName),
      // What only the local DMS asks is not counted among what the source database is asked.
      options: '-c pg_stat_statements.track=none',
    }),
    call: (roleArn, service, operation, input) =>
      door.call(roleSession(nameOf(roleArn), 'dms'), service, operation, input),
    log,
  });
  const stepFunctions = openStepFunctions({
    invoke: (roleArn, FunctionName, Payload) =>
      door.call(roleSession(nameOf(roleArn), 'states'), 'lambda', 'Invoke', {
        FunctionName: nameOf(FunctionName),
        Payload,
      }),
    onEnded: (StateMachineArn, status) => {
      const metric = { SUCCEEDED: 'ExecutionsSucceeded', FAILED: 'ExecutionsFailed', TIMED_OUT: 'ExecutionsTimedOut' };
      alarms.record('AWS/States', metric[status], { StateMachineArn }, 1);
    },
    // A person waits for what is tried again.
    millisecondsPerSecond: 10,
  });
  for (const engine of [
    redshift.data,
    redshift.serverless,
    firehose,
    athena,
    dms,
    stepFunctions,
    eventBridge,
    sqs,
    timestream,
  ])
    door.addEngine(engine);

  return {
    directory,
    door,
    engines: {
      dynamodb,
      kinesis,
      s3,
      kms,
      eventBridge,
      sqs,
      secretsManager,
      firehose,
      glue,
      athena,
      redshift,
      redshiftServerless: redshift.serverless,
      influxdb,
      timestream,
      dms,
      stepFunctions,
    },
    postgres,
    sourceDatabases: new Map(),
    administrator,
    functions,
    functionHost,
    roles,
    alarms,
    apis: new Map(),
    mappings: [],
    schedules: [],
    eventTargets,
    encryptedWith,
    hosts,
    influxDbUrl: door.url,
    outcomes,
    defineFunction(declared) {
      const { name, roleName, environment, concurrency } = declared;
      const policies = roles.policiesOf(roleName);
      const keys = door.registerFunctionRole({ functionName: name, roleName, policies });
      functions.set(name, declared);
      functionHost.define({
        functionName: name,
        handlerFile: declared.handlerFile,
        handlerExport: declared.handlerExport,
        timeoutSeconds: declared.timeoutSeconds,
        memoryMb: declared.memoryMb,
        logFile: join(folder('logs'), `${name}.log`),
        hosts,
        environment: {
          ...environment,
          AWS_REGION: localRegion,
          AWS_LAMBDA_FUNCTION_NAME: name,
          AWS_ACCESS_KEY_ID: keys.accessKeyId,
          AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
          AWS_SESSION_TOKEN: keys.sessionToken ?? '',
          AWS_ENDPOINT_URL: door.url,
        },
        ...(concurrency === undefined ? {} : { reservedConcurrency: concurrency }),
      });
    },
    problems,
    invoke: (functionName, event) => invokeJson(functionName, JSON.stringify(event)),
    invokeJson,
    assetFolder: (_, code) => assetFolder(code),
    async adminSecretOf(namespaceName, adminUsername) {
      const Name = `redshift!${namespaceName}-${adminUsername}`;
      const found = await secretsManager.call('DescribeSecret', { SecretId: Name }).catch(() => undefined);
      if (found !== undefined) return found.ARN;
      const SecretString = JSON.stringify({ username: adminUsername });
      return (await secretsManager.call('CreateSecret', { Name, SecretString })).ARN;
    },
    async close() {
      await dms.close();
      await eventBridge.close();
      await functionHost.close();
      await stepFunctions.close();
      await door.close();
      await outcomes.close();
      await athena.close();
      await firehose.close();
      await redshift.data.close();
      await redshift.serverless.close();
      await Promise.all(
        [dynamodb, kinesis, s3, kms, secretsManager, glue, influxdb, timestream].map((engine) => engine.close()),
      );
      await postgres.stop();
    },
  };
}

/** The name at the end of an ARN; a name stays as it is. */
function nameOf(arn: string): string {
  return arn.split(/[:/]/).pop()!;
}
