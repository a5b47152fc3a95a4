import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AwsError, type Engine, localAccount, localRegion } from './engine';
import { type Definition, readDefinition } from './step-functions-definition';
import { execute, type Outcome } from './step-functions-execution';

/** Step Functions: standard state machines whose tasks invoke functions. */
export interface StepFunctionsEngine extends Engine {
  readonly service: 'states';
  /** Resolves when the execution has ended, with how; of every execution when none is named. */
  settle(executionArn?: string): Promise<void>;
}

export interface StepFunctionsOptions {
  /** Invokes a function under a role, as a call of Lambda's API. */
  readonly invoke: (
    roleArn: string,
    functionName: string,
    payload: unknown,
  ) => Promise<{ payload: string; functionError?: string }>;
  /** Told how each execution ended: what CloudWatch counts. */
  readonly onEnded?: (stateMachineArn: string, status: Outcome['status']) => void;
  /** How long a second is between attempts. */
  readonly millisecondsPerSecond?: number;
}

interface StateMachine {
  readonly arn: string;
  readonly name: string;
  readonly roleArn: string;
  readonly definition: Definition;
}

interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly input: string;
  readonly startDate: number;
  stopDate?: number;
  outcome?: Outcome;
  ended: Promise<void>;
}

/** The members of each request that are modelled; any other is refused. */
const inputs: Readonly<Record<string, readonly string[]>> = {
  CreateStateMachine: ['name', 'definition', 'roleArn', 'type'],
  StartExecution: ['stateMachineArn', 'name', 'input'],
  DescribeExecution: ['executionArn'],
  ListExecutions: ['stateMachineArn', 'statusFilter', 'maxResults'],
};

/** Executions that have ended are forgotten when there are more than so many. */
const kept = 500;

export function openStepFunctions(options: StepFunctionsOptions): StepFunctionsEngine {
  const { invoke, onEnded = () => {}, millisecondsPerSecond = 1_000 } = options;
  const machines = new Map<string, StateMachine>();
  const executions = new Map<string, Execution>();

  const machineOf = (arn: string): StateMachine => {
    const machine = machines.get(arn);
    if (machine === undefined) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    return machine;
  };

  async function run(execution: Execution, { arn, name, roleArn, definition }: StateMachine): Promise<void> {
    const input = JSON.parse(execution.input);
    execution.outcome = await execute(definition, input, {
      invoke: (functionName, payload) => invoke(roleArn, functionName, payload),
      pause: async (seconds) => void (await delay(seconds * millisecondsPerSecond)),
      context: {
        Execution: {
          Id: execution.arn,
          Input: input,
          Name: execution.name,
          RoleArn: roleArn,
          StartTime: new Date(execution.startDate).toISOString(),
        },
        StateMachine: { Id: arn, Name: name },
      },
    });
    execution.stopDate = Date.now();
    onEnded(arn, execution.outcome.status);
    const ended = [...executions.values()].filter(({ outcome }) => outcome !== undefined);
    for (const { arn: old } of ended.slice(0, Math.max(0, ended.length - kept))) executions.delete(old);
  }

  const operations: Record<string, (input: any) => object> = {
    CreateStateMachine({ name, definition, roleArn, type = 'STANDARD' }) {
      if (type !== 'STANDARD') throw new AwsError('ValidationException', `type ${type} is not modelled locally`);
      const stateMachineArn = arnOf('stateMachine', name);
      machines.set(stateMachineArn, { arn: stateMachineArn, name, roleArn, definition: readDefinition(definition) });
      return { stateMachineArn, creationDate: Date.now() / 1_000 };
    },

    StartExecution({ stateMachineArn, name = randomUUID(), input = '{}' }) {
      const machine = machineOf(stateMachineArn);
      if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u.test(name))
        throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
      try {
        JSON.parse(input);
      } catch {
        throw new AwsError('InvalidExecutionInput', "Invalid State Machine Execution Input: 'the input is not JSON'");
      }
      const executionArn = arnOf('execution', `${machine.name}:${name}`);
      const existing = executions.get(executionArn);
      if (existing !== undefined) {
        // The same start again while it runs is the same execution.
        if (existing.outcome === undefined && existing.input === input)
          return { executionArn, startDate: existing.startDate / 1_000 };
        throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
      }
      const execution: Execution = {
        ...{ arn: executionArn, name, stateMachineArn, input, startDate: Date.now(), ended: Promise.resolve() },
      };
      executions.set(executionArn, execution);
      execution.ended = run(execution, machine);
      // Whoever waits for it hears of what is broken here; nobody may be waiting yet.
      execution.ended.catch(() => {});
      return { executionArn, startDate: execution.startDate / 1_000 };
    },

    DescribeExecution({ executionArn }) {
      const execution = executions.get(executionArn);
      if (execution === undefined)
        throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
      const { outcome, input } = execution;
      return {
        ...summaryOf(execution),
        input,
        inputDetails: { included: true },
        ...(outcome?.status === 'SUCCEEDED'
          ? { output: JSON.stringify(outcome.output), outputDetails: { included: true } }
          : outcome),
      };
    },

    ListExecutions({ stateMachineArn, statusFilter, maxResults }) {
      machineOf(stateMachineArn);
      const found = [...executions.values()]
        .filter((execution) => execution.stateMachineArn === stateMachineArn)
        .map(summaryOf)
        .filter(({ status }) => statusFilter === undefined || status === statusFilter)
        .reverse();
      return { executions: found.slice(0, maxResults || 100) };
    },
  };

  return {
    service: 'states',
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined)
        throw new AwsError('UnknownOperationException', `states ${operation} is not modelled locally`);
      const surplus = Object.keys(input).find((name) => !inputs[operation]!.includes(name));
      if (surplus !== undefined)
        throw new AwsError('ValidationException', `states ${operation} with ${surplus} is not modelled locally`);
      return run(input);
    },
    async settle(executionArn) {
      const waited = executionArn === undefined ? [...executions.values()] : [executions.get(executionArn)];
      await Promise.all(waited.map((execution) => execution?.ended));
    },
    async *contents() {
      for (const { arn, input, outcome } of executions.values())
        yield { where: `execution ${arn}`, text: JSON.stringify({ input, outcome }) };
    },
    async close() {
      await Promise.allSettled([...executions.values()].map(({ ended }) => ended));
    },
  };
}

function summaryOf({ arn, stateMachineArn, name, outcome, startDate, stopDate }: Execution) {
  return {
    executionArn: arn,
    stateMachineArn,
    name,
    status: outcome?.status ?? 'RUNNING',
    startDate: startDate / 1_000,
    ...(stopDate === undefined ? {} : { stopDate: stopDate / 1_000 }),
  };
}

const arnOf = (kind: string, name: string): string => `arn:aws:states:${localRegion}:${localAccount}:${kind}:${name}`;
