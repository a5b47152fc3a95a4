import { type Door, type DoorOptions, openDoor } from '../../../../local/door/door';
import type { PolicyDocument, PolicyStatement } from '../../../../local/door/policy';
import type { Engine } from '../../../../local/engines/engine';

/** A call that reached an engine. */
export interface RecordedCall {
  readonly operation: string;
  readonly input: any;
}

/** An engine that answers as told and keeps the calls it got. */
export interface FakeEngine extends Engine {
  readonly calls: RecordedCall[];
}

export function fakeEngine(service: string, answer: (operation: string, input: any) => any = () => ({})): FakeEngine {
  const calls: RecordedCall[] = [];
  return {
    service,
    calls,
    async call(operation, input) {
      calls.push({ operation, input });
      return answer(operation, input);
    },
    async *contents() {},
    async close() {},
  };
}

/** A door in front of the given engines, with nothing encrypted and no functions, unless said otherwise. */
export function openTestDoor(engines: readonly Engine[], options: Partial<DoorOptions> = {}): Promise<Door> {
  return openDoor({
    engines,
    credentials: new Map(),
    lookup: { keyOf: () => undefined },
    invoke: async () => ({ payload: 'null' }),
    kill: () => {},
    ...options,
  });
}

/** Options for a client of the SDK that calls as an administrator of the local account. */
export function administratorOf(door: Door) {
  const credentials = door.registerAdministrator('arn:aws:iam::000000000000:user/operator');
  return { endpoint: door.url, region: 'eu-west-1', credentials, maxAttempts: 1 };
}

/** Options for a client of the SDK that calls as a function whose role has these statements. */
export function functionOf(door: Door, functionName: string, ...statements: readonly PolicyStatement[]) {
  const policies = statements.length === 0 ? [] : [policy(...statements)];
  const credentials = door.registerFunctionRole({ functionName, roleName: `${functionName}-role`, policies });
  return { endpoint: door.url, region: 'eu-west-1', credentials, maxAttempts: 1 };
}

export function policy(...statements: readonly PolicyStatement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements };
}

export function allow(action: string | readonly string[], resource: string | readonly string[]): PolicyStatement {
  return { Effect: 'Allow', Action: action, Resource: resource };
}
