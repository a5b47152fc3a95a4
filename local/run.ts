import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { MerchandisingEngine } from '../lib/stages';
import { type LocalAccount, type LocalSchedule, openAccount } from './account';
import { serveDashboard } from './dashboard';
import { roleSession } from './door/principal';
import type { LoopbackServer } from './door/server';
import { type Endpoints, openEndpoints, secretValue, variableOf } from './endpoints';
import { localAccount, localRegion } from './engines/engine';
import { type EventSourceMapping, startEventSourceMapping } from './lambda/event-source-mapping';
import { sourceOf } from './lambda/mapping-properties';
import { models } from './resources/models';
import { inputAt } from './resources/schedule';
import { openStateFolder, type StateFolder } from './state-folder';
import { synthesizeLocalStage } from './synthesize';
import { provision } from './template/provisioner';

export interface RunOptions {
  readonly directory: string;
  readonly keep: boolean;
  /** Scripts to run in source databases once all is up. */
  readonly oltp?: readonly { readonly database: string; readonly file: string }[];
  /** Absent: the stage's own. */
  readonly merchandisingEngine?: MerchandisingEngine | undefined;
  readonly log: (message: string) => void;
  readonly onProgress?: (done: number, total: number, what: string) => void;
  /** Ends the boot, too. */
  readonly signal?: AbortSignal;
}

// More than the two seconds by which a heartbeat must come after a load to be behind it.
const scheduleGapMs = 3_000;
const soonAgainMs = [10_000, 25_000];

/** A function that reads a stream. It may read several. */
export interface RunningMapping {
  readonly id: string;
  readonly functionName: string;
  readonly mapping: EventSourceMapping;
}

/** The platform, running on this machine. */
export class Run {
  #closing: Promise<void> | undefined;
  #settling: Promise<void> = Promise.resolve();
  #housekeeping: NodeJS.Timeout | undefined;
  readonly #minutes: NodeJS.Timeout[] = [];
  #unsettled = false;
  readonly #failedSchedules = new Map<string, string>();
  /** What had been delivered when the day was last closed. */
  #closedAt = '';

  private constructor(
    readonly account: LocalAccount,
    readonly endpoints: Endpoints,
    readonly mappings: readonly RunningMapping[],
    private readonly state: StateFolder,
    private readonly dashboard: LoopbackServer,
  ) {}

  /** Synthesizes the local stage, makes what it says, and starts reading the streams. */
  static async start(options: RunOptions): Promise<Run> {
    const state = openStateFolder(options.directory, options.keep);
    try {
      return await Run.#startIn(state, options);
    } catch (error) {
      state.release();
      throw error;
    }
  }

  static async #startIn(state: StateFolder, options: RunOptions): Promise<Run> {
    const { log, onProgress, signal } = options;
    const endpointsFile = join(state.path, 'endpoints.json');
    // Of a run that was killed: nothing is there any more.
    rmSync(endpointsFile, { force: true });
    const { stacks, assetFolder } = synthesizeLocalStage(join(state.path, 'assembly'), options.merchandisingEngine);
    // Functions start at any time, also while another run is being built.
    const workerFile = join(state.path, 'assembly', 'function-worker.js');
    copyFileSync(join('build', 'local', 'lambda', 'function-worker.js'), workerFile);
    const account = await openAccount({ directory: state.path, assetFolder, workerFile, log });
    try {
      const { created } = await provision({
        stacks,
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
        onCreated: (done, total, { stackName, logicalId }) => {
          signal?.throwIfAborted();
          onProgress?.(done, total, `${stackName}/${logicalId}`);
        },
      });
      state.save(created);
      const mappings = await startMappings(account);
      account.engines.eventBridge.resume();
      const endpoints = await openEndpoints(account);
      const dashboard = await serveDashboard({
        apiUrl: endpoints.merchandisingUrl,
        region: endpoints.aws.region,
        credentials: endpoints.aws,
      });
      const dashboardUrl = `${dashboard.url}/merchandising/dashboard`;
      const run = new Run(account, { ...endpoints, dashboardUrl }, mappings, state, dashboard);
      run.#keepHouse();
      run.#keepTime();
      for (const { database, file } of options.oltp ?? []) await runScript(account, database, file);
      // Whoever waits for the file finds it whole.
      writeFileSync(`${endpointsFile}.new`, JSON.stringify(run.endpoints, null, 2), { mode: 0o600 });
      renameSync(`${endpointsFile}.new`, endpointsFile);
      return run;
    } catch (error) {
      await account.close();
      throw error;
    }
  }

  /** The value of a variable of a room's functions: how the run finds what the template has named. */
  valueOf(room: string, variable: string): string {
    return variableOf(this.account, room, variable);
  }

  /** Why the function, or its event source, does not get on; undefined when it does. */
  problemOf(functionName: string): string | undefined {
    const read = this.mappings.filter((each) => each.functionName === functionName);
    return (
      this.account.problems.get(functionName) ??
      read.map(({ mapping }) => mapping.state().problem).find((problem) => problem !== undefined)
    );
  }

  /** What does not get on at the moment, by function or schedule. */
  problems(): ReadonlyMap<string, string> {
    const problems = new Map(this.#failedSchedules);
    for (const name of this.account.functions.keys()) {
      const problem = this.problemOf(name);
      if (problem !== undefined) problems.set(name, problem);
    }
    const { problem } = this.account.engines.eventBridge.state();
    if (problem !== undefined) problems.set('events', problem);
    return problems;
  }

  /** Waits until every store has absorbed everything that was accepted. Throws when nothing moves for two minutes. */
  absorb(signal?: AbortSignal): Promise<void> {
    return this.#absorb(async () => true, signal);
  }

  /** The same, and closes the day then. */
  drain(signal?: AbortSignal): Promise<void> {
    return this.#absorb(() => this.#closeDay(), signal);
  }

  async #absorb(finish: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
    let progress = '';
    let since = Date.now();
    for (;;) {
      signal?.throwIfAborted();
      await this.account.engines.dms.settle();
      for (const { mapping } of this.mappings) mapping.hurry();
      const states = this.mappings.map(({ id, mapping }) => ({ id, ...mapping.state() }));
      if (this.#idle()) {
        await this.settle();
        // Read at once: housekeeping may begin to settle again while the databases are waited for.
        const isSettled = !this.#unsettled;
        await this.account.engines.dms.settle();
        // Settling may take a while, and records may have come meanwhile; a schedule may have failed.
        if (isSettled && this.#idle() && (await finish())) return;
      }
      const events = this.account.engines.eventBridge.state();
      const now = JSON.stringify([states.map(({ delivered, held }) => [delivered, held]), events]);
      if (now !== progress) {
        progress = now;
        since = Date.now();
      } else if (Date.now() - since > 120_000) {
        const stuck = states
          .filter(({ behind }) => behind > 0)
          .map(({ id, behind }) => `${id} is ${behind} records behind`);
        if (events.waiting > 0) stuck.push(`${events.waiting} events wait for their targets`);
        const problems = [...this.problems()].map(([name, problem]) => `${name}: ${problem}`);
        throw new Error(
          `nothing has moved for two minutes: ${[...stuck, ...problems].join('; ')}: see ${join(this.state.path, 'logs')}`,
        );
      }
      await delay(20);
    }
  }

  #idle(): boolean {
    return this.mappings.every(({ mapping }) => mapping.idle()) && this.account.engines.eventBridge.idle();
  }

  /** Flushes buffers and runs schedules once, as time would. One at a time. */
  settle(): Promise<void> {
    this.#settling = this.#settling.then(async () => {
      this.#unsettled = false;
      const { engines, schedules } = this.account;
      if (!(await this.#attempt('flush', () => engines.firehose.flush()))) this.#unsettled = true;
      for (const schedule of schedules.filter((each) => each.everyMinutes > 1 && !isDaily(each)))
        if (!(await this.#runSchedule(schedule))) this.#unsettled = true;
      if (this.#unsettled && this.#closing === undefined) await delay(200);
    });
    return this.#settling;
  }

  /**
   * What is about time itself goes by the clock: heartbeats and watches, every minute. Each has its own second of the
   * minute, in the template's order, counted from when the first, the watch of the replications, is through. So within the
   * first seconds a load is found to be through, the heartbeat comes late enough after it to tell of that, and the sweep
   * vouches for the database.
   */
  #keepTime(): void {
    const minutely = this.account.schedules.filter(({ everyMinutes }) => everyMinutes === 1);
    const running = new Set<LocalSchedule>();
    const tick = async (schedule: LocalSchedule): Promise<void> => {
      if (running.has(schedule)) return;
      running.add(schedule);
      await this.#runSchedule(schedule).finally(() => running.delete(schedule));
    };
    const begin = (schedule: LocalSchedule): Promise<void> => {
      this.#minutes.push(setInterval(tick, 60_000, schedule));
      // On a busy machine the one before was not through in time, and a whole minute is long at a start.
      for (const milliseconds of soonAgainMs) this.#minutes.push(setTimeout(tick, milliseconds, schedule));
      return tick(schedule);
    };
    const [watch, ...others] = minutely;
    if (watch === undefined) return;
    void begin(watch).then(() => {
      if (this.#closing !== undefined) return;
      for (const [index, schedule] of others.entries())
        this.#minutes.push(setTimeout(begin, (index + 1) * scheduleGapMs, schedule));
    });
  }

  /** Runs what runs once a day, when everything is in the stores: once, unless more has come since. Whether it went well. */
  async #closeDay(): Promise<boolean> {
    const delivered = JSON.stringify(this.mappings.map(({ mapping }) => mapping.state().delivered));
    if (delivered === this.#closedAt) return true;
    let isClosed = true;
    for (const schedule of this.account.schedules.filter(isDaily))
      if (!(await this.#runSchedule(schedule))) isClosed = false;
    if (isClosed) this.#closedAt = delivered;
    else if (this.#closing === undefined) await delay(200);
    return isClosed;
  }

  #runSchedule(schedule: LocalSchedule): Promise<boolean> {
    const { name, target, roleName } = schedule;
    return this.#attempt(name, async () => {
      const { door, engines } = this.account;
      const principal = roleSession(roleName, 'schedule');
      const input = inputAt(schedule, new Date());
      if ('functionName' in target) {
        const call = { FunctionName: target.functionName, Payload: JSON.parse(input) };
        const { payload, functionError } = await door.call(principal, 'lambda', 'Invoke', call);
        if (functionError !== undefined) throw new Error(payload);
        return;
      }
      // The schedule's part ends with the start; how the execution ends is what a person wants to know.
      const { executionArn } = await door.call(principal, 'states', 'StartExecution', { ...target, input });
      await engines.stepFunctions.settle(executionArn);
      const { status, cause } = await engines.stepFunctions.call('DescribeExecution', { executionArn });
      if (status !== 'SUCCEEDED') throw new Error(cause);
    });
  }

  /** Whether it went well. What fails is tried again, as it is in time. */
  async #attempt(name: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      this.#failedSchedules.delete(name);
      return true;
    } catch (error) {
      if (this.#closing === undefined) this.#failedSchedules.set(name, (error as Error).message);
      return false;
    }
  }

  /** What Lambda reports of its event source mappings, and SQS of its queues. */
  #recordMetrics(held: Map<string, number>): void {
    const { alarms, engines } = this.account;
    for (const [QueueName, depth] of engines.sqs.depths())
      alarms.record('AWS/SQS', 'ApproximateNumberOfMessagesVisible', { QueueName }, depth);
    for (const { id, functionName: FunctionName, mapping } of this.mappings) {
      const state = mapping.state();
      alarms.record('AWS/Lambda', 'IteratorAge', { FunctionName }, state.iteratorAgeMs);
      const newlyHeld = state.held - (held.get(id) ?? 0);
      held.set(id, state.held);
      alarms.record('AWS/Lambda', 'OnFailureDestinationDeliveredEventCount', { EventSourceMappingUUID: id }, newlyHeld);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      clearInterval(this.#housekeeping);
      for (const timer of this.#minutes) clearInterval(timer);
      rmSync(join(this.state.path, 'endpoints.json'), { force: true });
      try {
        await Promise.all(this.mappings.map(({ mapping }) => mapping.stop()));
        await this.#settling;
        await this.dashboard.close();
        await this.account.close();
      } finally {
        this.state.release();
      }
    })();
    return this.#closing;
  }

  /** While sales come in: whenever the streams are idle, or every few seconds at the latest, buffers are flushed. */
  #keepHouse(): void {
    const held = new Map<string, number>();
    let delivered = 0;
    let settledAt = Date.now();
    let restMs = 0;
    let busy = false;
    this.#housekeeping = setInterval(async () => {
      this.#recordMetrics(held);
      if (busy) return;
      const now = this.mappings.reduce((sum, { mapping }) => sum + mapping.state().delivered, 0);
      if (now !== delivered) this.#unsettled = true;
      const idle = now === delivered && this.#idle();
      delivered = now;
      if (!this.#unsettled || Date.now() - settledAt < Math.max(idle ? 0 : 3_000, restMs)) return;
      busy = true;
      const started = Date.now();
      await this.settle();
      settledAt = Date.now();
      // However slow the machine: what comes in has four fifths of it.
      restMs = 4 * (settledAt - started);
      busy = false;
    }, 250);
  }
}

const isDaily = ({ everyMinutes }: LocalSchedule): boolean => everyMinutes >= 1_440;

async function startMappings(account: LocalAccount): Promise<readonly RunningMapping[]> {
  const { door, engines, functions, directory } = account;
  const mappings: RunningMapping[] = [];
  for (const { id, properties } of account.mappings) {
    const declared = functions.get(properties.FunctionName);
    if (declared === undefined) throw new Error(`${id}: function '${properties.FunctionName}' is not in the template`);
    const role = roleSession(declared.roleName, declared.name);
    // What cannot be read is refused by the mapping itself.
    const service = sourceOf(properties.EventSourceArn)?.service ?? 'kinesis';
    const mapping = await startEventSourceMapping({
      id,
      properties,
      roleArn: `arn:aws:iam::${localAccount}:role/${declared.roleName}`,
      directory: join(directory, 'mappings'),
      tips: engines[service],
      stream: (operation, input) => door.call(role, service, operation, input),
      s3: (operation, input) => door.call(role, 's3', operation, input),
      invoke: (event) => account.invokeJson(declared.name, event),
    });
    mappings.push({ id, functionName: declared.name, mapping });
  }
  return mappings;
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
