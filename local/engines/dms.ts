import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientConfig } from 'pg';
import { tablePlans } from './dms-mappings';
import { ReplicationRun } from './dms-replication';
import { type SourceEndpoint, sourceEndpoint, type TargetEndpoint, targetEndpoint, taskSettings } from './dms-settings';
import { putAll } from './dms-writer';
import { AwsError, type Engine, localAccount, localRegion } from './engine';

/** DMS Serverless from PostgreSQL to Kinesis: the database's log into a stream, all rows first. */
export interface DmsEngine extends Engine {
  readonly service: 'dms';
  /** Resolves when all that was committed before is in the streams, of every replication that runs. */
  settle(): Promise<void>;
}

export interface DmsOptions {
  /** Keeps how far each replication is. */
  readonly directory: string;
  /** The superuser's connection to a database. */
  readonly administrator: (databaseName: string) => ClientConfig;
  /** Calls a service under an endpoint's role. */
  readonly call: (roleArn: string, service: string, operation: string, input: any) => Promise<any>;
  readonly log?: (message: string) => void;
  /** How far apart the places are that a replication can be resumed at. */
  readonly checkpointMs?: number;
}

/** A replication as it is kept between runs of this process. */
interface Kept {
  status: 'created' | 'initializing' | 'running' | 'stopping' | 'stopped' | 'failed';
  startType: string | undefined;
  loadedPercent: number;
  failures: string[];
  stopReason: string | undefined;
}

interface Config {
  readonly arn: string;
  readonly identifier: string;
  readonly input: any;
  readonly kept: Kept;
  run: ReplicationRun | undefined;
  ended: Promise<void>;
}

/** Opens DMS without endpoints; those and the replications come from the template. */
export function openDms(options: DmsOptions): DmsEngine {
  const { directory, administrator, call, log = () => {}, checkpointMs = 5_000 } = options;
  mkdirSync(directory, { recursive: true });
  const sources = new Map<string, SourceEndpoint>();
  const targets = new Map<string, TargetEndpoint>();
  const configs = new Map<string, Config>();

  const operations: Record<string, (input: any) => Promise<object> | object> = {
    CreateEndpoint(input) {
      const EndpointArn = arn('endpoint', input.ResourceIdentifier);
      if (input.EndpointType === 'source') sources.set(EndpointArn, sourceEndpoint(input));
      else targets.set(EndpointArn, targetEndpoint(input));
      return { Endpoint: { ...input, EndpointArn, Status: 'active' } };
    },

    CreateReplicationConfig(input) {
      const { ReplicationConfigIdentifier: identifier, ResourceIdentifier = identifier, ReplicationType } = input;
      if (ReplicationType !== 'full-load-and-cdc')
        throw new AwsError(
          'InvalidParameterValueException',
          `ReplicationType ${ReplicationType} is not modelled locally`,
        );
      if (!sources.has(input.SourceEndpointArn) || !targets.has(input.TargetEndpointArn))
        throw new AwsError('ResourceNotFoundFault', 'an endpoint of the replication does not exist');
      // Refused now rather than at the start.
      tablePlans(JSON.parse(input.TableMappings));
      taskSettings(JSON.parse(input.ReplicationSettings));
      const ReplicationConfigArn = arn('replication-config', ResourceIdentifier);
      configs.set(ReplicationConfigArn, {
        arn: ReplicationConfigArn,
        identifier,
        input,
        kept: keptOf(identifier),
        run: undefined,
        ended: Promise.resolve(),
      });
      return { ReplicationConfig: { ...input, ReplicationConfigArn } };
    },

    DescribeReplications({ Filters = [] }) {
      const wanted = Filters.find(({ Name }: any) => Name === 'replication-config-arn')?.Values;
      const found = [...configs.values()].filter((config) => wanted === undefined || wanted.includes(config.arn));
      return { Replications: found.map(described) };
    },

    StartReplication({ ReplicationConfigArn, StartReplicationType: type, ...rest }) {
      const surplus = Object.keys(rest)[0];
      if (surplus !== undefined)
        throw new AwsError(
          'InvalidParameterValueException',
          `StartReplication with ${surplus} is not modelled locally`,
        );
      const config = configOf(ReplicationConfigArn);
      const { kept } = config;
      const first = kept.startType === undefined;
      const allowed = first ? ['start-replication'] : ['resume-processing', 'reload-target'];
      if (!['created', 'stopped', 'failed'].includes(kept.status) || !allowed.includes(type))
        throw new AwsError('InvalidResourceStateFault', `replication is ${kept.status}: ${type} is not possible`);
      kept.failures = [];
      kept.stopReason = undefined;
      // A load that was cut short is made again: nothing says which rows it had sent.
      const loads = type !== 'resume-processing' || kept.loadedPercent < 100;
      if (loads) kept.loadedPercent = 0;
      kept.startType = type;
      update(config, 'initializing');
      config.ended = start(config, loads ? 'load' : 'resume');
      return { Replication: described(config) };
    },

    StopReplication({ ReplicationConfigArn }) {
      const config = configOf(ReplicationConfigArn);
      if (!['initializing', 'running'].includes(config.kept.status))
        throw new AwsError('InvalidResourceStateFault', `replication is ${config.kept.status}: it cannot be stopped`);
      update(config, 'stopping');
      void stop(config);
      return { Replication: described(config) };
    },
  };

  async function start(config: Config, type: 'load' | 'resume'): Promise<void> {
    const { kept, identifier, input } = config;
    try {
      const from = sources.get(input.SourceEndpointArn)!;
      const target = targets.get(input.TargetEndpointArn)!;
      const secret = await call(from.secretRoleArn, 'secretsmanager', 'GetSecretValue', { SecretId: from.secretId });
      const { host, port, username, password } = JSON.parse(secret.SecretString);
      // As DMS tests its connections first.
      await call(target.roleArn, 'kinesis', 'DescribeStream', { StreamARN: target.streamArn });
      const writer = {
        put: (input: object) =>
          call(target.roleArn, 'kinesis', 'PutRecords', { StreamARN: target.streamArn, ...input }),
        goesOn: () => ['initializing', 'running'].includes(kept.status),
      };
      const settings = taskSettings(JSON.parse(input.ReplicationSettings));
      const session = '-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1';
      config.run = new ReplicationRun({
        slot: `dms_${identifier.replace(/\W/g, '_')}`,
        plans: tablePlans(JSON.parse(input.TableMappings)),
        records: {
          target,
          settings: { ...settings, maximumLobBytes: from.failOnLobTruncation ? settings.maximumLobBytes : Infinity },
          taskId: taskIdOf(identifier),
        },
        source: {
          host,
          port: Number(port),
          user: username,
          password,
          database: from.databaseName,
          application_name: 'dms',
          options: session,
        },
        administrator: administrator(from.databaseName),
        put: (records) => putAll(records, writer),
        checkpointMs,
        onProgress(percent) {
          kept.loadedPercent = percent;
          if (kept.status === 'initializing') update(config, 'running');
          else save(config);
        },
        log,
      });
      if (kept.status === 'initializing') await config.run.run(type);
    } catch (error) {
      if (kept.status === 'stopping') return;
      kept.failures = [(error as Error).message];
      kept.stopReason = 'Stop Reason FATAL_ERROR';
      log(`replication ${identifier} failed: ${(error as Error).message}`);
      await config.run?.stop().catch(() => {});
      update(config, 'failed');
    }
  }

  async function stop(config: Config): Promise<void> {
    await config.run?.stop().catch(() => {});
    await config.ended;
    config.run = undefined;
    config.kept.stopReason = 'Stop Reason NORMAL';
    update(config, 'stopped');
  }

  function configOf(configArn: string): Config {
    const config = configs.get(configArn);
    if (config === undefined) throw new AwsError('ResourceNotFoundFault', `replication config ${configArn} not found`);
    return config;
  }

  function update(config: Config, status: Kept['status']): void {
    config.kept.status = status;
    save(config);
  }

  const fileOf = (identifier: string) => join(directory, `${identifier}.json`);
  function save({ identifier, kept }: Config): void {
    writeFileSync(fileOf(identifier), JSON.stringify(kept));
  }

  function keptOf(identifier: string): Kept {
    const fresh: Kept = {
      status: 'created',
      startType: undefined,
      loadedPercent: 0,
      failures: [],
      stopReason: undefined,
    };
    try {
      const kept: Kept = { ...fresh, ...JSON.parse(readFileSync(fileOf(identifier), 'utf8')) };
      // It was cut off with the process that ran it.
      return ['created', 'failed'].includes(kept.status) ? kept : { ...kept, status: 'stopped' };
    } catch {
      return fresh;
    }
  }

  return {
    service: 'dms',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined)
        throw new AwsError('UnknownOperationException', `dms ${operation} is not modelled locally`);
      return run(input);
    },
    async settle() {
      await Promise.all(
        [...configs.values()].map(async (config) => {
          while (config.kept.status === 'initializing') await delay(10);
          if (config.kept.status === 'running') await config.run?.settled(randomUUID()).catch(() => {});
        }),
      );
    },
    async *contents() {
      for (const { arn: where, input, kept } of configs.values()) yield { where, text: JSON.stringify([input, kept]) };
    },
    async close() {
      for (const config of configs.values()) {
        if (!['initializing', 'running'].includes(config.kept.status)) continue;
        update(config, 'stopping');
        await stop(config);
      }
    },
  };
}

function described({ arn: ReplicationConfigArn, identifier, input, kept }: Config) {
  return {
    ReplicationConfigIdentifier: identifier,
    ReplicationConfigArn,
    SourceEndpointArn: input.SourceEndpointArn,
    TargetEndpointArn: input.TargetEndpointArn,
    ReplicationType: input.ReplicationType,
    Status: kept.status,
    ...(kept.startType === undefined ? {} : { StartReplicationType: kept.startType }),
    ...(kept.stopReason === undefined ? {} : { StopReason: kept.stopReason }),
    FailureMessages: kept.failures,
    ReplicationStats: { FullLoadProgressPercent: kept.loadedPercent },
  };
}

function arn(type: string, name: string): string {
  return `arn:aws:dms:${localRegion}:${localAccount}:${type}:${name}`;
}

/** Looks like DMS's own ids of tasks, and is the same for the same replication. */
function taskIdOf(identifier: string): string {
  return `LOCAL${identifier.toUpperCase().replace(/[^A-Z0-9]/g, '')}`;
}
