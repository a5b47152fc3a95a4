import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KinesisStreamEvent } from 'aws-lambda';
import { send } from '../local/door/http';
import { openDynamoDb } from '../local/engines/dynamodb';
import { AwsError, type Engine, localAccount, localRegion } from '../local/engines/engine';
import { openKinesis } from '../local/engines/kinesis';
import { openKms } from '../local/engines/kms';
import { openS3 } from '../local/engines/s3';
import { openSecretsManager } from '../local/engines/secrets-manager';
import { type Container, openContainer } from './engine-rig/container';
import {
  type CallPlace,
  ContainerDied,
  type Crash,
  CrashSwitch,
  Faults,
  type Interceptor,
  type Throttle,
} from './engine-rig/faults';
import { readCall } from './engine-rig/protocol';

export type { Container } from './engine-rig/container';
export type { CallPlace, Crash, Interceptor, Throttle } from './engine-rig/faults';

type Bill = (tableName: string, kind: 'read' | 'write', units: number) => void;

/** The engines behind the rig, opened by their first call. Others are attached by the tests that need them. */
const openings: Readonly<Record<string, (directory: string, bill: Bill) => Promise<Engine>>> = {
  dynamodb: async (_, bill) => Object.assign(await openDynamoDb(), { onConsumed: bill }),
  kinesis: () => openKinesis(),
  s3: (directory) => openS3({ directory }),
  kms: () => openKms(),
  secretsmanager: () => openSecretsManager(),
};

export type RigEngines = Readonly<Record<'dynamodb' | 'kinesis' | 's3' | 'kms' | 'secretsmanager', Engine>> &
  Readonly<Record<string, Engine>>;

/** Handlers in process against the real local engines, behind one endpoint that can fail on demand. No IAM: that is the door's. */
export interface Rig {
  /** The engines themselves, for set-up and inspection: not counted, no faults. */
  readonly engines: RigEngines;
  readonly endpoint: string;
  /** Options for a client of the AWS SDK that a test uses itself. */
  readonly client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  /** Puts an engine behind the endpoint that the rig does not open by itself, for example Firehose with options. */
  attach(service: string, engine: Engine): void;
  /** A fresh container of the handler at `modulePath` (relative to test/), with these variables added to its environment. */
  container(modulePath: string, environment: Readonly<Record<string, string>>): Container;
  /** Makes a container answer Lambda's Invoke under this name. */
  serve(functionName: string, container: Container): void;
  /** The container that makes this call dies there: every later call of it is refused, its `invoke` rejects. */
  crash(crash: Crash): void;
  /** This call, or one part of it, is throttled once. */
  throttle(throttle: Throttle): void;
  /** Puts code between one call and its engine. */
  intercept(place: CallPlace, interceptor: Interceptor): void;
  /** Calls by `service:operation` since the start or the last `forget`. */
  calls(): Readonly<Record<string, number>>;
  /** DynamoDB's units by `<table>:read` and `<table>:write` since the start or the last `forget`. */
  billed(): Readonly<Record<string, number>>;
  /** Forgets counted calls and units, and faults that were not met. */
  forget(): void;
  close(): Promise<void>;
}

/** Starts the endpoint; engines start when they are first called. Everything lies in a folder that `close` removes. */
export async function startRig(): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'tillstream-rig-'));
  const opened = new Map<string, Promise<Engine>>();
  const faults = new Faults();
  const switches = new Map<string, CrashSwitch>();
  const sockets = new Map<string, Set<Socket>>();
  const functions = new Map<string, Container>();
  let counts: Record<string, number> = {};
  let units: Record<string, number> = {};
  let containers = 0;

  const bill: Bill = (tableName, kind, used) => {
    units[`${tableName}:${kind}`] = (units[`${tableName}:${kind}`] ?? 0) + used;
  };
  const engine = (service: string): Promise<Engine> => {
    let open = opened.get(service);
    if (open === undefined) {
      const opening = openings[service];
      if (opening === undefined) throw new Error(`the rig has no engine ${service}: attach it`);
      open = opening(join(directory, service), bill);
      opened.set(service, open);
    }
    return open;
  };
  const engines = new Proxy({} as RigEngines, {
    get: (_, service: string): Engine => ({
      service,
      call: async (operation, input) => (await engine(service)).call(operation, input),
      contents: async function* () {
        yield* (await engine(service)).contents();
      },
      close: async () => (await engine(service)).close(),
    }),
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const accessKeyId = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const caller = switches.get(accessKeyId);
    if (caller !== undefined) sockets.get(accessKeyId)!.add(request.socket);
    const call = await readCall(request);
    const { service, operation } = call;
    if (caller?.crashed) return void request.socket.destroy();
    const name = `${service}:${operation}`;
    counts[name] = (counts[name] ?? 0) + 1;
    try {
      const proceed = async (given: any) =>
        service === 'lambda' ? invoke(given) : (await engine(service)).call(operation, given);
      const output = await faults.run(name, call.input, caller, proceed);
      if (caller?.crashed) request.socket.destroy();
      else send(response, call.answer(output));
    } catch (error) {
      if (error instanceof ContainerDied || caller?.crashed) return void request.socket.destroy();
      const refusal =
        error instanceof AwsError ? error : new AwsError('InternalFailure', String((error as Error).stack), 500);
      send(response, call.refuse(refusal));
    }
  }

  async function invoke({ FunctionName, Payload }: { FunctionName: string; Payload: string }) {
    const container = functions.get(FunctionName);
    if (container === undefined)
      throw new AwsError('ResourceNotFoundException', `Function not found: ${FunctionName}`, 404);
    try {
      return { Payload: JSON.stringify((await container.invoke(JSON.parse(Payload))) ?? null) };
    } catch (error) {
      const { name, message } = error as Error;
      return { FunctionError: 'Unhandled', Payload: JSON.stringify({ errorType: name, errorMessage: message }) };
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error) => response.writeHead(500).end(String(error.stack)));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    engines,
    endpoint,
    client: { endpoint, region: localRegion, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } },
    attach: (service, given) => void opened.set(service, Promise.resolve(given)),
    container(modulePath, environment) {
      const accessKeyId = `CONTAINER${++containers}`;
      const ownSockets = new Set<Socket>();
      const crash = new CrashSwitch(() => {
        for (const socket of ownSockets) socket.destroy();
      });
      sockets.set(accessKeyId, ownSockets);
      switches.set(accessKeyId, crash);
      return openContainer({
        modulePath,
        crash,
        environment: {
          AWS_REGION: localRegion,
          AWS_ENDPOINT_URL: endpoint,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: 'container',
          AWS_EC2_METADATA_DISABLED: 'true',
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
          AWS_LAMBDA_FUNCTION_NAME: modulePath.replace(/^.*lambdas\//, '').replace(/\/handler$/, ''),
          ...environment,
        },
      });
    },
    serve: (functionName, container) => void functions.set(functionName, container),
    crash: (crash) => faults.crash(crash),
    throttle: (throttle) => faults.throttle(throttle),
    intercept: (place, interceptor) => faults.intercept(place, interceptor),
    calls: () => ({ ...counts }),
    billed: () => ({ ...units }),
    forget() {
      counts = {};
      units = {};
      faults.clear();
    },
    async close() {
      for (const crash of switches.values()) crash.crash('the rig was closed');
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      for (const open of opened.values()) await (await open).close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Every call of a clean run as places to crash at: before it, and after it. */
export function crashPoints(calls: Readonly<Record<string, number>>): Crash[] {
  return Object.entries(calls).flatMap(([operation, count]) =>
    Array.from({ length: count }, (_, index) => index + 1).flatMap((call) => [
      { operation, call, when: 'before' as const },
      { operation, call, when: 'after' as const },
    ]),
  );
}

export interface KinesisEventOptions {
  /** Number of the shard; default 0. */
  readonly shard?: number;
  /** Number of the first record; the records after it count up. Default 1. */
  readonly firstSequence?: number;
  readonly streamName?: string;
}

/** The event that Lambda makes of these records: texts as they are, anything else as JSON. */
export function kinesisEvent(records: readonly unknown[], options: KinesisEventOptions = {}): KinesisStreamEvent {
  const { shard = 0, firstSequence = 1, streamName = 'stream' } = options;
  const shardId = `shardId-${String(shard).padStart(12, '0')}`;
  return {
    Records: records.map((record, index) => {
      // As long as real sequence numbers are: nobody gets by with a Number.
      const sequenceNumber = (
        49590338271490256608559692538361571095921575989136588898n + BigInt(firstSequence + index)
      ).toString();
      const text = typeof record === 'string' ? record : JSON.stringify(record);
      return {
        kinesis: {
          kinesisSchemaVersion: '1.0',
          partitionKey: 'key',
          sequenceNumber,
          data: Buffer.from(text).toString('base64'),
          approximateArrivalTimestamp: 1_795_342_530.987,
        },
        eventSource: 'aws:kinesis',
        eventVersion: '1.0',
        eventID: `${shardId}:${sequenceNumber}`,
        eventName: 'aws:kinesis:record',
        invokeIdentityArn: `arn:aws:iam::${localAccount}:role/reader`,
        awsRegion: localRegion,
        eventSourceARN: `arn:aws:kinesis:${localRegion}:${localAccount}:stream/${streamName}`,
      };
    }),
  };
}
