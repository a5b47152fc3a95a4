/**
 * Where the contract suites send their calls. Left alone, each starts the local engines it is about behind the real door,
 * so it proves protocol, signature and engine alike. Told otherwise by the environment, the same suites go elsewhere:
 *
 * - CONTRACT_ENDPOINT: a URL, or `aws` for AWS itself, with AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
 *   AWS_SESSION_TOKEN. What a suite makes there has a name of its own and is taken away at its end.
 * - What cannot be made by a call that the suites know is named by CONTRACT_* too (`given`); a suite that lacks it is
 *   skipped: BUCKET and FIREHOSE_ROLE_ARN (a role of Firehose's for that bucket); NAMESPACE, WORKGROUP, DATABASE,
 *   ADMIN_SECRET_ARN and COPY_ROLE_ARN (a role of the namespace's for BUCKET); ATHENA_DATABASE and ATHENA_WORKGROUP (enforced,
 *   with results in BUCKET under `results/`); FUNCTION (behaving-function.cjs, deployed);
 *   FUNCTION_ARN and STATES_ROLE_ARN (the same function, and a role of Step Functions' that may invoke it);
 *   API_URL (an API's stage as execute-api.test.ts describes it); REPLICATION_ARN (the configuration of a replication of
 *   DMS Serverless that never ran).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type AccessKeys, type Door, type DoorOptions, openDoor } from '../../local/door/door';
import { type Engine, localAccount, localRegion } from '../../local/engines/engine';

const elsewhere = process.env.CONTRACT_ENDPOINT;

/** Options for any client of the AWS SDK. */
export interface ClientOptions {
  /** Absent for AWS itself: the SDK knows where each service is. */
  readonly endpoint?: string;
  readonly region: string;
  readonly credentials: AccessKeys;
  readonly maxAttempts: number;
}

export interface Endpoint {
  readonly client: ClientOptions;
  /** Keeps a step for the end that takes away what the suite made. */
  cleanUp(step: () => Promise<unknown>): void;
  close(): Promise<void>;
}

export interface LocalEndpoint extends Endpoint {
  readonly door: Door;
  /** As `client`, but for a caller that has this role, which may do everything. */
  clientAs(roleName: string): ClientOptions;
}

/** Whether the engines under test are those of this repository, so that a suite may also look behind the API. */
export const isLocal = elsewhere === undefined;

/** `describe` and `test`, or what skips. */
export type Runner = Pick<typeof globalThis, 'describe' | 'test'>;

const run: Runner = { describe, test };
const skip = { describe: describe.skip, test: test.skip } as Runner;

/** For what only the local run has. */
export const local = isLocal ? run : skip;

/** The value of CONTRACT_<NAME>, which suites need elsewhere only. */
export function given(name: string): string | undefined {
  return process.env[`CONTRACT_${name}`];
}

/** For what elsewhere needs all of these. */
export function whereGiven(...names: readonly string[]): Runner {
  return isLocal || names.every((name) => given(name) !== undefined) ? run : skip;
}

/** A name that no other run uses. */
export function uniqueName(): string {
  return `contract-${randomUUID()}`;
}

/** The endpoint under test: the given one, or else these engines. */
export async function startEndpoint(
  open: (door: Door) => Promise<readonly Engine[]>,
  options?: Partial<DoorOptions>,
): Promise<Endpoint> {
  if (elsewhere === undefined) return startLocal(open, options);
  const { AWS_REGION, AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN } = process.env;
  const client: ClientOptions = {
    ...(elsewhere === 'aws' ? {} : { endpoint: elsewhere }),
    region: AWS_REGION ?? localRegion,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
    },
    // Others throttle, and creating things is what they throttle first.
    maxAttempts: 8,
  };
  return { client, ...ending(async () => {}) };
}

/** A local account with these engines, whatever the environment says. */
export async function startLocal(
  open: (door: Door) => Promise<readonly Engine[]>,
  options: Partial<DoorOptions> = {},
): Promise<LocalEndpoint> {
  const door = await openDoor({
    engines: [],
    credentials: new Map(),
    // Nothing is encrypted by a key whose use would have to be allowed: policies are not this suite's subject.
    lookup: { keyOf: () => undefined },
    invoke: async (functionName) => {
      throw new Error(`there is no function ${functionName}`);
    },
    kill: () => {},
    ...options,
  });
  const engines = await open(door);
  for (const engine of engines) door.addEngine(engine);
  const clientOf = (credentials: AccessKeys): ClientOptions => ({
    endpoint: door.url,
    region: localRegion,
    credentials,
    // A retry would hide a fault of ours.
    maxAttempts: 1,
  });
  const everything = { Effect: 'Allow', Action: '*', Resource: '*' } as const;
  return {
    door,
    client: clientOf(door.registerAdministrator(`arn:aws:iam::${localAccount}:user/contract`)),
    clientAs: (roleName) =>
      clientOf(
        door.registerFunctionRole({
          functionName: roleName,
          roleName,
          policies: [{ Version: '2012-10-17', Statement: [everything] }],
        }),
      ),
    ...ending(async () => {
      await door.close();
      for (const engine of engines) await engine.close();
    }),
  };
}

function ending(end: () => Promise<void>): Pick<Endpoint, 'cleanUp' | 'close'> {
  const steps: (() => Promise<unknown>)[] = [];
  return {
    cleanUp: (step) => void steps.push(step),
    async close() {
      const failures: string[] = [];
      // The last made may lie in the one made before it.
      for (const step of steps.reverse()) {
        await step().catch(({ name, message }: Error) => {
          // An engine that cannot delete ends with the suite.
          if (!/^(UnknownOperationException|NotImplemented)$/.test(name)) failures.push(`${name}: ${message}`);
        });
      }
      await end();
      if (failures.length > 0) throw new Error(`left behind: ${failures.join('; ')}`);
    },
  };
}

/** Asks again until what is asserted is so: for what an implementation does in its own time. */
export async function eventually<Result>(assertion: () => Promise<Result>, seconds = 20): Promise<Result> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(100);
    }
  }
}
