import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsError } from '../../../local/engines/engine';
import { type EventBridgeEngine, type EventBridgeOptions, openEventBridge } from '../../../local/engines/eventbridge';
import { until } from './mapping-rig';

const functionArn = 'arn:aws:lambda:eu-west-1:000000000000:function:subscriber';
const queueArn = 'arn:aws:sqs:eu-west-1:000000000000:undelivered';

let directory: string;
let engine: EventBridgeEngine;
let delivered: any[];
let buried: { readonly event: any; readonly attributes: Readonly<Record<string, string>> }[];
let nowMs: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'eventbridge-'));
  delivered = [];
  buried = [];
  nowMs = Date.parse('2026-11-28T10:00:00.700Z');
});

afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

async function open(options: Partial<EventBridgeOptions> = {}, target: object = {}): Promise<void> {
  engine = openEventBridge({
    directory,
    now: () => nowMs,
    deliver: async ({ text }) => void delivered.push(JSON.parse(text)),
    bury: async ({ text }, attributes) => void buried.push({ event: JSON.parse(text), attributes }),
    backoff: { first: 0, longest: 0 },
    ...options,
  });
  await engine.call('CreateEventBus', { Name: 'inventory' });
  const rule = { EventBusName: 'inventory', EventPattern: JSON.stringify({ source: ['till'] }) };
  await engine.call('PutRule', { Name: 'triggers', ...rule });
  const Targets = [{ Id: 'subscriber', Arn: functionArn, DeadLetterConfig: { Arn: queueArn }, ...target }];
  await engine.call('PutTargets', { Rule: 'triggers', EventBusName: 'inventory', Targets });
}

const entry = (number: number, more: object = {}) => ({
  EventBusName: 'inventory',
  Source: 'till',
  DetailType: 'StockTrigger',
  Detail: JSON.stringify({ number }),
  ...more,
});
const put = (...Entries: object[]) => engine.call('PutEvents', { Entries });
const numbers = () => delivered.map(({ detail }) => detail.number).sort();

test('an event reaches the target as AWS shapes it', async () => {
  await open();

  const { Entries, FailedEntryCount } = await put(entry(1, { Resources: ['arn:one'] }));
  await until(() => engine.idle());

  expect(FailedEntryCount).toBe(0);
  expect(delivered).toEqual([
    {
      version: '0',
      id: Entries[0].EventId,
      'detail-type': 'StockTrigger',
      source: 'till',
      account: '000000000000',
      time: '2026-11-28T10:00:00Z',
      region: 'eu-west-1',
      resources: ['arn:one'],
      detail: { number: 1 },
    },
  ]);
});

test('only events of the bus that match go, each once to each target', async () => {
  await open();
  const Targets = [{ Id: 'other', Arn: queueArn }];
  await engine.call('PutTargets', { Rule: 'triggers', EventBusName: 'inventory', Targets });

  await put(entry(1), entry(2, { Source: 'other' }), entry(3, { EventBusName: 'default' }), entry(4));
  await until(() => engine.idle());

  expect(numbers()).toEqual([1, 1, 4, 4]);
});

test('a rule that is disabled sends nothing', async () => {
  await open();
  const rule = { Name: 'triggers', EventBusName: 'inventory', EventPattern: '{"source":["till"]}', State: 'DISABLED' };
  await engine.call('PutRule', rule);

  await put(entry(1));

  expect(engine.idle()).toBe(true);
  expect(delivered).toEqual([]);
});

test('what a target refuses for now is tried again', async () => {
  let tries = 0;
  await open({
    deliver: async ({ text }) => {
      tries += 1;
      if (tries < 4) throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429);
      delivered.push(JSON.parse(text));
    },
  });

  await put(entry(1));
  await until(() => engine.idle());

  expect(numbers()).toEqual([1]);
  expect(engine.state()).toEqual({ delivered: 1, buried: 0, dropped: 0, waiting: 0, problem: undefined });
});

test('what is refused more often than the policy allows is buried, and says why', async () => {
  let tries = 0;
  await open(
    {
      deliver: async () => {
        tries += 1;
        throw new AwsError('ServiceException', 'not now', 500);
      },
    },
    { RetryPolicy: { MaximumRetryAttempts: 2 } },
  );

  await put(entry(1));
  await until(() => engine.idle());

  expect(tries).toBe(3);
  expect(buried).toEqual([
    {
      event: expect.objectContaining({ detail: { number: 1 } }),
      attributes: {
        RULE_ARN: 'arn:aws:events:eu-west-1:000000000000:rule/inventory/triggers',
        TARGET_ARN: functionArn,
        ERROR_CODE: 'SDK_CLIENT_ERROR',
        ERROR_MESSAGE: 'not now',
        RETRY_ATTEMPTS: '2',
        EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
      },
    },
  ]);
});

test('what is refused for longer than the policy allows is buried', async () => {
  await open(
    {
      deliver: async () => {
        nowMs += 45_000;
        throw new AwsError('ServiceException', 'not now', 500);
      },
    },
    { RetryPolicy: { MaximumEventAgeInSeconds: 60 } },
  );

  await put(entry(1));
  await until(() => engine.idle());

  expect(buried[0]!.attributes).toMatchObject({
    RETRY_ATTEMPTS: '1',
    EXHAUSTED_RETRY_CONDITION: 'MaximumEventAgeInSeconds',
  });
});

test('what is refused for good is buried at once', async () => {
  await open({
    deliver: async () => {
      throw new AwsError('AccessDeniedException', 'no', 403);
    },
  });

  await put(entry(1));
  await until(() => engine.idle());

  expect(buried[0]!.attributes).toMatchObject({ RETRY_ATTEMPTS: '0', ERROR_CODE: 'NO_PERMISSIONS' });
  expect(engine.state()).toMatchObject({ delivered: 0, buried: 1 });
});

test('without a queue it is lost, and counted', async () => {
  await open(
    {
      deliver: async () => {
        throw new AwsError('AccessDeniedException', 'no', 403);
      },
    },
    { DeadLetterConfig: undefined },
  );

  await put(entry(1));
  await until(() => engine.idle());

  expect(engine.state()).toMatchObject({ buried: 0, dropped: 1, problem: 'AccessDeniedException: no' });
});

test('one target that hangs does not hold up others', async () => {
  let open_ = () => {};
  const opened = new Promise<void>((resolve) => {
    open_ = resolve;
  });
  await open({
    deliver: async ({ text }) => {
      const event = JSON.parse(text);
      if (event.detail.number === 1) await opened;
      delivered.push(event);
    },
  });

  await put(entry(1), entry(2));
  await until(() => delivered.length === 1);
  const waiting = engine.state().waiting;
  open_();
  await until(() => engine.idle());

  expect(waiting).toBe(1);
  expect(numbers()).toEqual([1, 2]);
});

test('what was taken and not handed over goes on after the end of its process', async () => {
  await open({ deliver: () => new Promise(() => {}) });
  await put(entry(1), entry(2));
  // The process ends here: nothing is closed.
  await open();
  const before = [...delivered];

  engine.resume();
  await until(() => engine.idle());
  await engine.close();
  await open();
  engine.resume();
  await put(entry(3));
  await until(() => engine.idle());

  expect(before).toEqual([]);
  expect(numbers()).toEqual([1, 2, 3]);
});

test('an archive keeps what matches, over restarts, as long as it says', async () => {
  await open();
  const archive = {
    ArchiveName: 'triggers',
    EventSourceArn: 'arn:aws:events:eu-west-1:000000000000:event-bus/inventory',
    EventPattern: JSON.stringify({ source: ['till'] }),
    RetentionDays: 2,
  };
  await engine.call('CreateArchive', archive);
  await put(entry(1), entry(2, { Source: 'other' }));
  nowMs += 86_400_000;
  await put(entry(3));
  const first = engine.archived('triggers').map(({ detail }) => detail);
  await engine.close();
  nowMs += 1.5 * 86_400_000;
  await open();
  await engine.call('CreateArchive', archive);

  expect(first).toEqual([{ number: 1 }, { number: 3 }]);
  expect(engine.archived('triggers').map(({ detail }) => detail)).toEqual([{ number: 3 }]);
  expect(await engine.call('DescribeArchive', { ArchiveName: 'triggers' })).toMatchObject({ EventCount: 1 });
});

test('the scan for card numbers sees what is archived and what is on its way', async () => {
  await open({ deliver: () => new Promise(() => {}) });
  const EventSourceArn = 'arn:aws:events:eu-west-1:000000000000:event-bus/inventory';
  await engine.call('CreateArchive', { ArchiveName: 'all', EventSourceArn });
  await put(entry(42));
  const places: string[] = [];
  for await (const { where, text } of engine.contents()) if (text.includes('42')) places.push(where);

  expect(places).toEqual(['eventbridge archive all', 'eventbridge, on its way']);
  engine = openEventBridge({ deliver: async () => {}, bury: async () => {} });
});

test('what is billed is each event by 64 KB', async () => {
  const billed: [string, number][] = [];
  await open({ onConsumed: (bus, events) => billed.push([bus, events]) });

  await put(entry(1), entry(2, { Detail: JSON.stringify({ text: 'x'.repeat(65_536) }) }));

  expect(billed).toEqual([
    ['inventory', 1],
    ['inventory', 2],
  ]);
});

test.each<[string, object, string]>([
  ['a target of another kind', { Arn: 'arn:aws:sns:eu-west-1:000000000000:topic' }, 'is not modelled'],
  ['a transformed input', { InputPath: '$.detail' }, 'parameter InputPath of a target is not modelled'],
  ['too many retries', { RetryPolicy: { MaximumRetryAttempts: 186 } }, 'use 0 to 185'],
  ['too short an age', { RetryPolicy: { MaximumEventAgeInSeconds: 59 } }, 'use 60 to 86400'],
])('%s is refused', async (_, target, words) => {
  await open();
  const Targets = [{ Id: 'one', Arn: functionArn, ...target }];

  await expect(engine.call('PutTargets', { Rule: 'triggers', EventBusName: 'inventory', Targets })).rejects.toThrow(
    words,
  );
});

test('an operation or a parameter that is not modelled is refused by name', async () => {
  await open();

  await expect(engine.call('StartReplay', {})).rejects.toThrow('operation StartReplay is not modelled');
  await expect(put()).rejects.toThrow('greater than or equal to 1');
  await expect(put(entry(1, { TraceHeader: 'x', Colour: 'red' }))).rejects.toThrow('parameter Colour of an entry');
  await expect(engine.call('CreateEventBus', { Name: 'x', Policy: '{}' })).rejects.toThrow('parameter Policy of');
});

test('what a service of AWS tells of itself reaches the rules of the default bus, and those only', async () => {
  await open();
  const pattern = { source: ['aws.s3'], detail: { object: { key: [{ prefix: 'incoming/' }] } } };
  await engine.call('PutRule', { Name: 'dropped', EventPattern: JSON.stringify(pattern) });
  await engine.call('PutTargets', { Rule: 'dropped', Targets: [{ Id: 'function', Arn: functionArn }] });

  for (const key of ['incoming/a', 'held/a'])
    engine.announce({
      source: 'aws.s3',
      'detail-type': 'Object Created',
      resources: ['arn:b'],
      detail: { object: { key } },
    });
  await until(() => engine.idle());

  expect(delivered).toMatchObject([
    {
      source: 'aws.s3',
      account: '000000000000',
      time: '2026-11-28T10:00:00Z',
      detail: { object: { key: 'incoming/a' } },
    },
  ]);
});
