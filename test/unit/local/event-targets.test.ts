import { AwsError } from '../../../local/engines/engine';
import { openSqs, type SqsEngine } from '../../../local/engines/sqs';
import { EventTargets } from '../../../local/event-targets';
import type { Invocation } from '../../../local/lambda/function-host';
import { failed, succeeded } from './mapping-rig';

const ruleArn = 'arn:aws:events:eu-west-1:000000000000:rule/inventory/triggers';
const functionArn = 'arn:aws:lambda:eu-west-1:000000000000:function:subscriber';
const queueArn = 'arn:aws:sqs:eu-west-1:000000000000:undelivered';
const event = { id: 'e1', detail: { number: 1 } };
const delivery = { eventId: 'e1', ruleArn, text: JSON.stringify(event), since: 0 };
const toFunction = { ...delivery, target: { Id: 'one', Arn: functionArn } };
const toQueue = { ...delivery, target: { Id: 'one', Arn: queueArn, DeadLetterConfig: { Arn: queueArn } } };

/** Nothing ends. */
const running = new AbortController().signal;

let sqs: SqsEngine;
let targets: EventTargets;
let invocations: string[];
let callers: string[];
let messages: string[];
let answer: () => Invocation;

beforeEach(async () => {
  sqs = openSqs();
  await sqs.call('CreateQueue', { QueueName: 'undelivered' });
  invocations = [];
  callers = [];
  messages = [];
  answer = () => succeeded;
  targets = new EventTargets({
    door: {
      call: async (principal, _service, operation, input) => {
        callers.push(principal.roleName ?? principal.arn);
        return sqs.call(operation, input);
      },
    },
    sqs,
    functions: new Map([['subscriber', { arn: functionArn, roleName: 'subscriber-role' }]]),
    invoke: async (_name, text) => {
      invocations.push(text);
      return answer();
    },
    log: (message) => messages.push(message),
  });
});

function permit(more: object = {}): void {
  targets.permissions.push({
    functionName: 'subscriber',
    action: 'lambda:InvokeFunction',
    service: 'events.amazonaws.com',
    sourceArn: ruleArn,
    ...more,
  });
}

async function permitQueue(statement: object = {}): Promise<void> {
  const Statement = [
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'sqs:*',
      Resource: queueArn,
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
    {
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: queueArn,
      Condition: { ArnEquals: { 'aws:SourceArn': ruleArn } },
      ...statement,
    },
  ];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await sqs.call('SetQueueAttributes', { QueueUrl: 'undelivered', Attributes: { Policy } });
}

async function waiting(): Promise<any[]> {
  const all = { MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] };
  return (await sqs.call('ReceiveMessage', { QueueUrl: 'undelivered', ...all })).Messages ?? [];
}

test('a function that lets the rule invoke it gets the event', async () => {
  permit();

  await targets.deliver(toFunction, running);

  expect(invocations).toEqual([delivery.text]);
});

test.each<[string, object]>([
  ['another rule', { sourceArn: `${ruleArn}-2` }],
  ['another service', { service: 'apigateway.amazonaws.com' }],
  ['another action', { action: 'lambda:GetFunction' }],
  ['another function', { functionName: 'other' }],
])('a function that lets %s invoke it gets nothing', async (_, more) => {
  permit(more);

  await expect(targets.deliver(toFunction, running)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  expect(invocations).toEqual([]);
});

test('a function that is not there is told apart', async () => {
  const target = { Id: 'one', Arn: functionArn.replace('subscriber', 'absent') };

  await expect(targets.deliver({ ...delivery, target }, running)).rejects.toMatchObject({
    code: 'ResourceNotFoundException',
  });
});

test('a function that fails is tried twice again, and then its queue gets what it did not process', async () => {
  permit();
  targets.configs.set('subscriber', { maxRetries: 2, maxAgeSeconds: 21_600, failureQueue: queueArn });
  answer = () => failed;

  await targets.deliver(toFunction, running);

  expect(invocations).toHaveLength(3);
  expect(callers).toEqual(['subscriber-role']);
  const [{ Body }] = (await waiting()) as [any];
  expect(JSON.parse(Body)).toEqual({
    version: '1.0',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    requestContext: {
      requestId: expect.any(String),
      functionArn: `${functionArn}:$LATEST`,
      condition: 'RetriesExhausted',
      approximateInvokeCount: 3,
    },
    requestPayload: event,
    responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
    responsePayload: JSON.parse(failed.payload),
  });
});

test('a function that comes to itself meanwhile has processed it', async () => {
  permit();
  answer = () => (invocations.length < 3 ? failed : succeeded);

  await targets.deliver(toFunction, running);

  expect(invocations).toHaveLength(3);
  expect(messages).toEqual([]);
});

test('being throttled costs a function no try', async () => {
  permit();
  answer = () => {
    if (invocations.length < 5) throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
    return succeeded;
  };

  await targets.deliver(toFunction, running);

  expect(invocations).toHaveLength(5);
});

test('a function that is throttled without end does not hold up the end of the run', async () => {
  permit();
  const ending = new AbortController();
  answer = () => {
    if (invocations.length === 3) ending.abort();
    throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
  };

  await expect(targets.deliver(toFunction, ending.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(invocations).toHaveLength(3);
});

test('without a queue what a function does not process is gone, and that is said', async () => {
  permit();
  answer = () => failed;

  await targets.deliver(toFunction, running);

  expect(messages).toEqual(['subscriber did not process an event, and has no queue for it']);
});

test('a queue whose policy lets the rule send gets the event, and what is given up with its reasons', async () => {
  await permitQueue();

  await targets.deliver(toQueue, running);
  await targets.bury(toQueue, { ERROR_CODE: 'NO_PERMISSIONS' });

  const found = await waiting();
  expect(found.map(({ Body }) => JSON.parse(Body))).toEqual([event, event]);
  expect(found.map(({ MessageAttributes }) => MessageAttributes)).toEqual([
    undefined,
    { ERROR_CODE: { DataType: 'String', StringValue: 'NO_PERMISSIONS' } },
  ]);
});

test.each<[string, object]>([
  ['another rule', { Condition: { ArnEquals: { 'aws:SourceArn': `${ruleArn}-2` } } }],
  ['another service', { Principal: { Service: 'sns.amazonaws.com' } }],
  ['another action', { Action: 'sqs:ReceiveMessage' }],
  ['nobody', { Effect: 'Deny', Condition: {} }],
])('a queue whose policy speaks of %s gets nothing', async (_, statement) => {
  await permitQueue(statement);

  await expect(targets.deliver(toQueue, running)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  expect(await waiting()).toEqual([]);
});

test('a queue without a policy gets nothing', async () => {
  await expect(targets.bury(toQueue, {})).rejects.toMatchObject({ code: 'AccessDeniedException' });
});
