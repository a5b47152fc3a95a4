import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type LocalAccount, type LocalSchedule, openAccount } from './account';
import type { AccessKeys } from './door/door';
import { roleSession } from './door/principal';
import { localAccount, localRegion } from './engines/engine';
import { type EventSourceMapping, startEventSourceMapping } from './lambda/event-source-mapping';
import { models } from './resources/models';
import { openStateFolder } from './state-folder';
import { synthesizeLocalStage } from './synthesize';
import { provision } from './template/provisioner';

/** Where everything is while it runs; written to `endpoints.json` in the state folder. */
export interface Endpoints {
  /** POST sales here, signed for `execute-api`. */
  readonly ingestUrl: string;
  /** GET badges here, signed for `execute-api`: append `?sku=A&fc=FC1`. */
  readonly badgesUrl: string;
  /** PostgreSQL URL of the ledger. */
  readonly warehouseUrl: string;
  /** InfluxQL: append `&q=SELECT ...`. */
  readonly timeseriesUrl: string;
  readonly lakeDir: string;
  /** PostgreSQL URLs of the source databases, as the superuser. */
  readonly oltp: Readonly<Record<string, string>>;
  readonly aws: { readonly endpoint: string; readonly region: string } & AccessKeys;
  /** Kill functions and inject faults: POST `<control>/faults`. */
  readonly control: string;
}

export interface RunOptions {
  readonly directory: string;
  readonly keep: boolean;
  /** Scripts to run in source databases once all is up. */
  readonly oltp?: readonly { readonly database: string; readonly file: string }[];
  readonly log: (message: string) => void;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** The platform, running on this machine. */
export class Run {
  #closing: Promise<void> | undefined;
  #settling: Promise<void> = Promise.resolve();
  #housekeeping: NodeJS.Timeout | undefined;
  #minute: NodeJS.Timeout | undefined;
  #unsettled = false;

  private constructor(
    readonly account: LocalAccount,
    readonly endpoints: Endpoints,
    readonly mappings: ReadonlyMap<string, EventSourceMapping>,
    private readonly options: RunOptions,
    private readonly removeAssembly: () => void,
  ) {}

  /** Synthesizes the local stage, makes what it says, and starts reading the streams. */
  static async start(options: RunOptions): Promise<Run> {
    const { directory, keep, log, onProgress } = options;
    const state = openStateFolder(directory, keep);
    const synthesized = synthesizeLocalStage();
    const account = await openAccount({ directory: state.path, assetFolder: synthesized.assetFolder, log });
    try {
      const { created } = await provision({
        stacks: synthesized.stacks,
        models,
        local: account,
        previous: state.created,
        pseudoParameters: {
          'AWS::AccountId': localAccount,
          'AWS::Region': localRegion,
          'AWS::Partition': 'aws',
          'AWS::URLSuffix': 'amazonaws.com',
        },
        resolveDynamic: (reference) => secretValue(account, reference),
        onCreated: (done, total, { stackName, logicalId }) => onProgress?.(done, total, `${stackName}/${logicalId}`),
      });
      state.save(created);
      const mappings = await startMappings(account);
      const endpoints = await openEndpoints(account);
      const run = new Run(account, endpoints, mappings, options, synthesized.remove);
      writeFileSync(join(directory, 'endpoints.json'), JSON.stringify(endpoints, null, 2), { mode: 0o600 });
      run.#keepHouse();
      run.#keepTime();
      for (const { database, file } of options.oltp ?? []) await runScript(account, database, file);
      return run;
    } catch (error) {
      await account.close();
      synthesized.remove();
      throw error;
    }
  }

  /** The value of a variable of a room's functions: how the run finds what the template has named. */
  valueOf(room: string, variable: string): string {
    return variableOf(this.account, room, variable);
  }

  /** Why the function, or its event source, does not get on; undefined when it does. */
  problemOf(functionName: string): string | undefined {
    return this.account.problems.get(functionName) ?? this.mappings.get(functionName)?.state().problem;
  }

  /** Asks the time series as a reader. */
  async queryTimeSeries(influxQl: string): Promise<any> {
    const answer = await fetch(`${this.endpoints.timeseriesUrl}&q=${encodeURIComponent(influxQl)}`);
    return answer.json();
  }

  /** Waits until every store has absorbed everything that was accepted. Throws when nothing moves for two minutes. */
  async drain(): Promise<void> {
    let progress = '';
    let since = Date.now();
    for (;;) {
      await this.account.engines.dms.settle();
      const states = [...this.mappings].map(([name, mapping]) => ({ name, ...mapping.state() }));
      if ([...this.mappings.values()].every((mapping) => mapping.idle())) {
        await this.settle();
        // Settling may take a while, and records may have come meanwhile; a schedule may have failed.
        await this.account.engines.dms.settle();
        if (!this.#unsettled && [...this.mappings.values()].every((mapping) => mapping.idle())) return;
      }
      const now = JSON.stringify(states.map(({ delivered, held }) => [delivered, held]));
      if (now !== progress) {
        progress = now;
        since = Date.now();
      } else if (Date.now() - since > 120_000) {
        const stuck = states
          .filter(({ behind }) => behind > 0)
          .map(
            ({ name, behind }) => `${name} is ${behind} records behind: ${this.problemOf(name) ?? 'no error was seen'}`,
          );
        throw new Error(
          `nothing has moved for two minutes: ${stuck.join('; ')}: see the logs in ${join(this.options.directory, 'logs')}`,
        );
      }
      await delay(20);
    }
  }

  /** Flushes buffers and runs schedules once, as time would. One at a time. */
  settle(): Promise<void> {
    this.#settling = this.#settling
      .catch(() => {})
      .then(async () => {
        this.#unsettled = false;
        const { engines, schedules } = this.account;
        await engines.firehose.flush();
        for (const schedule of schedules.filter(({ everyMinutes }) => everyMinutes > 1)) {
          const failure = await this.#runSchedule(schedule);
          if (failure === undefined) continue;
          this.#unsettled = true;
          this.options.log(`schedule ${schedule.name} failed and will run again: ${failure}`);
        }
        if (this.#unsettled && this.#closing === undefined) await delay(200);
      });
    return this.#settling;
  }

  /** Runs it once; answers why it failed. */
  async #runSchedule({ functionName, roleName, input }: LocalSchedule): Promise<string | undefined> {
    const principal = roleSession(roleName, 'schedule');
    const call = { FunctionName: functionName, Payload: input };
    const { payload, functionError } = await this.account.door.call(principal, 'lambda', 'Invoke', call);
    return functionError === undefined ? undefined : payload;
  }

  /** What is about time itself goes by the clock: heartbeats and watches, every minute. */
  #keepTime(): void {
    const minutely = this.account.schedules.filter(({ everyMinutes }) => everyMinutes === 1);
    const running = new Set<LocalSchedule>();
    const tick = () => {
      for (const schedule of minutely) {
        if (running.has(schedule)) continue;
        running.add(schedule);
        this.#runSchedule(schedule)
          .catch((error) => error.message)
          .then((failure) => {
            running.delete(schedule);
            if (failure !== undefined && this.#closing === undefined)
              this.options.log(`schedule ${schedule.name} failed: ${failure}`);
          });
      }
    };
    this.#minute = setInterval(tick, 60_000);
    tick();
  }

  /** What Lambda reports of its event source mappings. */
  #recordMetrics(held: Map<string, number>): void {
    const { alarms, mappings } = this.account;
    for (const [FunctionName, mapping] of this.mappings) {
      const state = mapping.state();
      const id = mappings.find(({ properties }) => properties.FunctionName === FunctionName)!.id;
      alarms.record('AWS/Lambda', 'IteratorAge', { FunctionName }, state.iteratorAgeMs);
      const newlyHeld = state.held - (held.get(id) ?? 0);
      held.set(id, state.held);
      alarms.record('AWS/Lambda', 'OnFailureDestinationDeliveredEventCount', { EventSourceMappingUUID: id }, newlyHeld);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      clearInterval(this.#housekeeping);
      clearInterval(this.#minute);
      await Promise.all([...this.mappings.values()].map((mapping) => mapping.stop()));
      await this.#settling.catch(() => {});
      await this.account.close();
      this.removeAssembly();
    })();
    return this.#closing;
  }

  /** While sales come in: whenever the streams are idle, or every few seconds at the latest, buffers are flushed. */
  #keepHouse(): void {
    const held = new Map<string, number>();
    let delivered = 0;
    let settledAt = Date.now();
    let busy = false;
    this.#housekeeping = setInterval(async () => {
      this.#recordMetrics(held);
      if (busy) return;
      const now = [...this.mappings.values()].reduce((sum, mapping) => sum + mapping.state().delivered, 0);
      if (now !== delivered) this.#unsettled = true;
      const idle = now === delivered && [...this.mappings.values()].every((mapping) => mapping.idle());
      delivered = now;
      if (!this.#unsettled || (!idle && Date.now() - settledAt < 3_000)) return;
      busy = true;
      await this.settle().catch((error) => this.options.log(`flushing failed: ${error.message}`));
      settledAt = Date.now();
      busy = false;
    }, 250);
  }
}

async function startMappings(account: LocalAccount): Promise<ReadonlyMap<string, EventSourceMapping>> {
  const { door, engines, functions, directory } = account;
  const mappings = new Map<string, EventSourceMapping>();
  for (const { id, properties } of account.mappings) {
    const declared = functions.get(properties.FunctionName);
    if (declared === undefined) throw new Error(`${id}: function '${properties.FunctionName}' is not in the template`);
    const service = roleSession(declared.roleName, declared.name);
    mappings.set(
      declared.name,
      await startEventSourceMapping({
        id,
        properties,
        roleArn: `arn:aws:iam::${localAccount}:role/${declared.roleName}`,
        directory: join(directory, 'mappings'),
        tips: engines.kinesis,
        kinesis: (operation, input) => door.call(service, 'kinesis', operation, input),
        s3: (operation, input) => door.call(service, 's3', operation, input),
        invoke: (event) => account.invokeJson(declared.name, event),
      }),
    );
  }
  return mappings;
}

async function openEndpoints(account: LocalAccount): Promise<Endpoints> {
  const { door, apis, engines, administrator } = account;
  const urls = new Map<string, string>();
  for (const { id, name, methods, gatewayResponses, stages } of apis.values()) {
    for (const { name: stageName, rateLimit, burstLimit } of stages) {
      const { url } = await door.openApi({
        apiId: id,
        stageName,
        methods,
        gatewayResponses,
        ...(rateLimit === undefined || burstLimit === undefined ? {} : { throttling: { rateLimit, burstLimit } }),
      });
      for (const { httpMethod, path } of methods) urls.set(`${httpMethod} ${path}`, `${url}${path}`);
      if (methods.length === 0) throw new Error(`REST API ${name} has no methods`);
    }
  }
  const urlOf = (route: string): string => {
    const url = urls.get(route);
    if (url === undefined) throw new Error(`the template has no ${route}: ${[...urls.keys()].join(', ')}`);
    return url;
  };

  const readToken = JSON.parse(
    await secretValue(
      account,
      `secretsmanager:${variableOf(account, 'Merchandising', 'READ_TOKEN_SECRET_ARN')}:SecretString`,
    ),
  ).token;
  return {
    ingestUrl: urlOf('POST /sales'),
    badgesUrl: urlOf('GET /badges'),
    warehouseUrl: engines.redshift.warehouseUrl(),
    timeseriesUrl: `${door.url}/query?db=${variableOf(account, 'Merchandising', 'SALES_DATABASE')}&u=reader&p=${encodeURIComponent(readToken)}`,
    oltp: Object.fromEntries(
      [...account.sourceDatabases.values()].map(({ databaseName }) => [
        databaseName,
        account.postgres.url(databaseName),
      ]),
    ),
    lakeDir: engines.s3.directoryOf(variableOf(account, 'Finance', 'LAKE_BUCKET_NAME')),
    aws: { endpoint: door.url, region: localRegion, ...administrator },
    control: `${door.url}/_control`,
  };
}

/** Runs a file of statements, as one, as psql would with --single-transaction. */
async function runScript({ sourceDatabases, postgres }: LocalAccount, database: string, file: string): Promise<void> {
  const names = [...sourceDatabases.values()].map(({ databaseName }) => databaseName);
  if (!names.includes(database)) throw new Error(`--oltp: database '${database}' is unknown: use ${names.join(', ')}`);
  const client = new Client({ connectionString: postgres.url(database) });
  await client.connect();
  try {
    await client.query(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`--oltp ${database}:${file}: ${(error as Error).message}`);
  } finally {
    await client.end();
  }
}

function variableOf({ functions }: LocalAccount, room: string, variable: string): string {
  for (const { name, environment } of functions.values())
    if (name.startsWith(`Tillstream-local-${room}-`) && environment[variable] !== undefined)
      return environment[variable];
  throw new Error(`no function of ${room} has the variable ${variable}`);
}

/** `secretsmanager:<arn or name>:SecretString[:<key>]`, as in `{{resolve:...}}`. */
async function secretValue({ engines }: LocalAccount, reference: string): Promise<string> {
  const [, SecretId, key] = /^secretsmanager:(.+?):SecretString(?::([^:]*))?/.exec(reference) ?? [];
  if (SecretId === undefined) throw new Error(`dynamic reference {{resolve:${reference}}} is not modelled locally`);
  const { SecretString } = await engines.secretsManager.call('GetSecretValue', { SecretId });
  return key ? JSON.parse(SecretString)[key] : SecretString;
}
