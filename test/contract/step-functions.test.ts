import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { localAccount } from '../../local/engines/engine';
import { openStepFunctions } from '../../local/engines/step-functions';
import { type Endpoint, eventually, given, isLocal, local, startEndpoint, uniqueName, whereGiven } from './endpoint';
import { behaving, type Functions, startFunctions } from './functions';

const { describe, test } = whereGiven('FUNCTION_ARN', 'STATES_ROLE_ARN');
const FunctionName = given('FUNCTION_ARN') ?? behaving;
const roleArn = given('STATES_ROLE_ARN') ?? `arn:aws:iam::${localAccount}:role/states`;

let functions: Functions | undefined;
let endpoint: Endpoint;
let client: SFNClient;

beforeAll(async () => {
  if (isLocal) functions = startFunctions();
  endpoint = await startEndpoint(
    async () => [
      openStepFunctions({
        invoke: (_, name, payload) => functions!.invoke(name, payload),
        millisecondsPerSecond: 5,
      }),
    ],
    functions && { invoke: functions.invoke },
  );
  client = new SFNClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
  await functions?.close();
});

async function machine(States: object, StartAt = 'Ask'): Promise<string> {
  const { stateMachineArn } = await client.send(
    new CreateStateMachineCommand({ name: uniqueName(), roleArn, definition: JSON.stringify({ StartAt, States }) }),
  );
  endpoint.cleanUp(() => client.send(new DeleteStateMachineCommand({ stateMachineArn: stateMachineArn! })));
  return stateMachineArn!;
}

const start = (stateMachineArn: string, input: object = {}, name?: string) =>
  client.send(
    new StartExecutionCommand({
      stateMachineArn,
      input: JSON.stringify(input),
      ...(name === undefined ? {} : { name }),
    }),
  );

/** Starts it and waits until it is over. */
async function run(stateMachineArn: string, input: object = {}) {
  const { executionArn } = await start(stateMachineArn, input);
  return eventually(async () => {
    const execution = await client.send(new DescribeExecutionCommand({ executionArn: executionArn! }));
    expect(execution.status).not.toBe('RUNNING');
    return execution;
  }, 60);
}

const asks = (Payload: object, more: object = { End: true }) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Parameters: { FunctionName, Payload },
  ...more,
});
const failed = { Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: '$.failure.Cause' };

describe('an execution', () => {
  test('goes where the first choice that is met says, back to an earlier state too, or on by default', async () => {
    const left = (Variable: string, Next: string) => ({ Variable, NumericGreaterThan: 0, Next });
    const arn = await machine({
      Ask: asks({ behave: 'answer', answer: 2 }, { ResultPath: '$.ask', Next: 'More' }),
      More: { Type: 'Choice', Choices: [left('$.none', 'Failed'), left('$.ask.Payload', 'Again')], Default: 'Done' },
      Again: asks({ behave: 'answer', answer: 0 }, { ResultPath: '$.ask', Next: 'More' }),
      Failed: { Type: 'Fail', Error: 'Some' },
      Done: { Type: 'Succeed' },
    });

    expect(JSON.parse((await run(arn, { none: 0 })).output!)).toMatchObject({ ask: { Payload: 0 } });
    // No number is not greater than one.
    expect(JSON.parse((await run(arn, { none: '1' })).output!)).toMatchObject({ ask: { Payload: 0 } });
    expect(await run(arn, { none: 1 })).toMatchObject({ status: 'FAILED', error: 'Some' });
    expect(await run(arn, {})).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });

  test('passes from state to state, and its output is that of the last', async () => {
    const arn = await machine({
      Ask: asks(
        {
          'event.$': '$',
          'name.$': '$$.Execution.Name',
          'started.$': '$$.Execution.StartTime',
          'input.$': '$$.Execution.Input',
        },
        { ResultSelector: { 'told.$': '$.Payload.event' }, ResultPath: '$.first', Next: 'Again' },
      ),
      Again: asks({ behave: 'answer', 'answer.$': '$.first.told.name' }, { ResultPath: '$.second', Next: 'Done' }),
      Done: { Type: 'Succeed' },
    });

    const execution = await run(arn, { day: '2026-11-27' });

    expect(execution).toMatchObject({ status: 'SUCCEEDED', stateMachineArn: arn, input: '{"day":"2026-11-27"}' });
    const output = JSON.parse(execution.output!);
    expect(output).toMatchObject({
      day: '2026-11-27',
      first: { told: { event: { day: '2026-11-27' }, name: execution.name, input: { day: '2026-11-27' } } },
      second: { Payload: execution.name, StatusCode: 200 },
    });
    expect(new Date(output.first.told.started).getTime()).toBe(execution.startDate!.getTime());
    expect(execution.stopDate!.getTime()).toBeGreaterThanOrEqual(execution.startDate!.getTime());
  });

  test('whose name is taken is refused', async () => {
    const arn = await machine({ Ask: asks({}) });
    const name = uniqueName();

    const first = await start(arn, {}, name);
    await eventually(async () => {
      const { status } = await client.send(new DescribeExecutionCommand({ executionArn: first.executionArn! }));
      expect(status).toBe('SUCCEEDED');
    });

    await expect(start(arn, { other: true }, name)).rejects.toBeInstanceOf(ExecutionAlreadyExists);
  });

  test('is listed, newest first, by its state', async () => {
    const arn = await machine({ Ask: asks({}) });
    const one = await run(arn);
    const two = await run(arn);

    const { executions } = await client.send(
      new ListExecutionsCommand({ stateMachineArn: arn, statusFilter: 'SUCCEEDED' }),
    );

    expect(executions!.map(({ name }) => name)).toEqual([two.name, one.name]);
    const none = await client.send(new ListExecutionsCommand({ stateMachineArn: arn, statusFilter: 'FAILED' }));
    expect(none.executions).toEqual([]);
  });
});

describe('a task that fails', () => {
  const throws = { behave: 'throw', name: 'Mistake', message: 'no such day' };

  test('fails its execution with the error and the cause', async () => {
    const execution = await run(await machine({ Ask: asks(throws) }));

    expect(execution).toMatchObject({ status: 'FAILED', error: 'Mistake' });
    expect(JSON.parse(execution.cause!)).toMatchObject({ errorType: 'Mistake', errorMessage: 'no such day' });
    expect(execution.output).toBeUndefined();
  });

  test('is caught after as many attempts as it may have, and what is caught says what it was', async () => {
    const arn = await machine({
      Ask: asks(throws, {
        End: true,
        Retry: [
          { ErrorEquals: ['Another'], MaxAttempts: 0 },
          { ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 1.5, MaxDelaySeconds: 2 },
        ],
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Failed' }],
      }),
      Failed: failed,
    });

    const execution = await run(arn, { day: 1 });

    expect(execution).toMatchObject({ status: 'FAILED', error: 'Mistake' });
    expect(execution.cause).toContain('no such day');
  });

  test('is tried no more where its error may not be', async () => {
    const arn = await machine({
      Ask: asks(throws, {
        End: true,
        Retry: [
          { ErrorEquals: ['Mistake'], MaxAttempts: 0 },
          { ErrorEquals: ['States.ALL'], IntervalSeconds: 3_600 },
        ],
      }),
    });

    await expect(run(arn)).resolves.toMatchObject({ status: 'FAILED', error: 'Mistake' });
  });

  test('because its input lacks something is not what States.ALL means', async () => {
    const arn = await machine({
      Ask: asks({ 'day.$': '$.day' }, { End: true, Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Done' }] }),
      Done: { Type: 'Succeed' },
    });

    await expect(run(arn)).resolves.toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  });
});

describe('what is refused', () => {
  test.each([
    ['a state that is not there', { Ask: asks({}, { Next: 'Nowhere' }) }],
    ['a task without a way on', { Ask: asks({}, {}) }],
    ['an unknown member', { Ask: asks({}, { End: true, Whatever: 1 }) }],
  ])('%s', async (_, states) => {
    await expect(machine(states)).rejects.toMatchObject({ name: 'InvalidDefinition' });
  });

  test('an execution of nothing, an input that is no JSON, and an unknown execution', async () => {
    const arn = await machine({ Ask: asks({}) });

    await expect(start(`${arn}-other`)).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
    await expect(
      client.send(new StartExecutionCommand({ stateMachineArn: arn, input: 'no json' })),
    ).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
    await expect(
      client.send(new DescribeExecutionCommand({ executionArn: `${arn.replace('stateMachine', 'execution')}:none` })),
    ).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
  });

  local.test.each([
    [
      'another comparison',
      { Ask: { Type: 'Choice', Choices: [{ Variable: '$.a', StringEquals: 'b', Next: 'Ask' }], Default: 'Ask' } },
      'StringEquals is not modelled locally',
    ],
    ['a wait', { Ask: { Type: 'Wait', Seconds: 1, End: true } }, 'type Wait is not modelled locally'],
    [
      'another service',
      { Ask: { ...asks({}), Resource: 'arn:aws:states:::sqs:sendMessage' } },
      'sqs:sendMessage is not modelled locally',
    ],
    ['an output path', { Ask: asks({}, { End: true, OutputPath: '$.x' }) }, 'OutputPath is not modelled locally'],
  ])('%s, by its name', async (_, states, message) => {
    await expect(machine(states)).rejects.toThrow(message);
  });
});
