import {
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-lambda';
import { type Endpoint, given, isLocal, local, startEndpoint, uniqueName, whereGiven } from './endpoint';
import { behaving, exhausted, type Functions, startFunctions } from './functions';

const { describe, test } = whereGiven('FUNCTION');
const FunctionName = given('FUNCTION') ?? behaving;

let functions: Functions | undefined;
let endpoint: Endpoint;
let lambda: LambdaClient;

beforeAll(async () => {
  if (isLocal) functions = startFunctions();
  endpoint = await startEndpoint(async () => [], functions && { invoke: functions.invoke });
  lambda = new LambdaClient(endpoint.client);
});

afterAll(async () => {
  await endpoint.close();
  lambda.destroy();
  await functions?.close();
});

async function invoke(event: unknown, more: Partial<InvokeCommandInput> = {}) {
  const Payload = JSON.stringify(event);
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName, InvocationType: 'RequestResponse', Payload, ...more }),
  );
  return { ...answer, result: JSON.parse(answer.Payload!.transformToString()) };
}

describe('an invocation', () => {
  test('answers what the function returns', async () => {
    const answer = await invoke({ behave: 'answer', answer: { größe: [1, null, 'zwei'] } });

    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(answer.FunctionError).toBeUndefined();
    expect(answer.result).toEqual({ größe: [1, null, 'zwei'] });
  });

  test('hands over the event as it is, and says which function it is and which request', async () => {
    const event = {
      Records: [{ kinesis: { data: 'eA==', sequenceNumber: '49590338271490256608559692538361571095' } }],
    };

    const { result } = await invoke(event);

    expect(result.event).toEqual(event);
    expect(result.arn).toMatch(/^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:/);
    expect(result.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('waits for the answer when no type is given', async () => {
    const Payload = JSON.stringify({ behave: 'answer', answer: 'here' });

    const answer = await lambda.send(new InvokeCommand({ FunctionName, Payload }));

    expect(answer.Payload!.transformToString()).toBe('"here"');
  });

  test('finds the function by its ARN', async () => {
    const { result } = await invoke({});

    const { result: again } = await invoke({ behave: 'answer', answer: 'found' }, { FunctionName: result.arn });

    expect(again).toBe('found');
  });

  test('of a function that returns nothing answers null', async () => {
    expect((await invoke({ behave: 'answer nothing' })).result).toBeNull();
  });

  test('takes an event of 5 MB', async () => {
    const { result } = await invoke({ text: 'x'.repeat(5_000_000) });

    expect(result.event.text).toHaveLength(5_000_000);
  });
});

describe('a failure of the function', () => {
  test('is an answer that names the error', async () => {
    const answer = await invoke({ behave: 'throw', name: 'KeysetUnavailable', message: 'the vault has no keyset yet' });

    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(answer.result).toMatchObject({
      errorType: 'KeysetUnavailable',
      errorMessage: 'the vault has no keyset yet',
    });
  });

  test('may be its end, after which the next invocation begins anew', async () => {
    const ended = await invoke({ behave: 'exit' });
    const next = await invoke({ behave: 'answer', answer: 'anew' });

    expect(ended).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(ended.result).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(next.result).toBe('anew');
  });

  test('may be an answer above 6 MB', async () => {
    const answer = await invoke({ behave: 'answer at length', bytes: 6_300_000 });

    expect(answer.FunctionError).toBe('Unhandled');
    expect(answer.result.errorType).toBe('Function.ResponseSizeTooLarge');
  });
});

describe('Lambda itself', () => {
  test('does not find a function that is not there', async () => {
    const call = invoke({}, { FunctionName: uniqueName() });

    await expect(call).rejects.toBeInstanceOf(ResourceNotFoundException);
    await expect(call).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } });
  });

  test('refuses a payload that is not JSON', async () => {
    const call = invoke({}, { Payload: '{"half' });

    await expect(call).rejects.toMatchObject({
      name: 'InvalidRequestContentException',
      $metadata: { httpStatusCode: 400 },
    });
  });

  local.test('refuses more invocations at a time than the function may have', async () => {
    const call = invoke({}, { FunctionName: exhausted });

    await expect(call).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      $metadata: { httpStatusCode: 429 },
    });
  });
});
