import {
  CreateArchiveCommand,
  CreateEventBusCommand,
  DeleteArchiveCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  DescribeArchiveCommand,
  EventBridgeClient,
  PutEventsCommand,
  type PutEventsRequestEntry,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  TestEventPatternCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { openEventBridge } from '../../local/engines/eventbridge';
import { openSqs } from '../../local/engines/sqs';
import { EventTargets } from '../../local/event-targets';
import { type Endpoint, eventually, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let events: EventBridgeClient;
let queues: SQSClient;
const EventBusName = uniqueName();
const Rule = uniqueName();
let QueueUrl: string;
let busArn: string;

beforeAll(async () => {
  endpoint = await startEndpoint(async (door) => {
    const sqs = openSqs();
    const targets = new EventTargets({
      door,
      sqs,
      functions: new Map(),
      invoke: async () => ({ payload: 'null' }),
      log: () => {},
    });
    const bus = openEventBridge({
      deliver: (delivery, signal) => targets.deliver(delivery, signal),
      bury: (delivery, attributes) => targets.bury(delivery, attributes),
    });
    return [sqs, bus];
  });
  events = new EventBridgeClient(endpoint.client);
  queues = new SQSClient(endpoint.client);

  const bus = await events.send(new CreateEventBusCommand({ Name: EventBusName }));
  busArn = bus.EventBusArn!;
  endpoint.cleanUp(() => events.send(new DeleteEventBusCommand({ Name: EventBusName })));
  QueueUrl = (await queues.send(new CreateQueueCommand({ QueueName: uniqueName() }))).QueueUrl!;
  endpoint.cleanUp(() => queues.send(new DeleteQueueCommand({ QueueUrl })));
  const asked = { QueueUrl, AttributeNames: ['QueueArn' as const] };
  const queueArn = (await queues.send(new GetQueueAttributesCommand(asked))).Attributes!.QueueArn!;

  const EventPattern = JSON.stringify({ source: ['contract'], detail: { kind: ['reorder'] } });
  const { RuleArn } = await events.send(new PutRuleCommand({ Name: Rule, EventBusName, EventPattern }));
  endpoint.cleanUp(() => events.send(new DeleteRuleCommand({ Name: Rule, EventBusName })));
  const Statement = {
    Effect: 'Allow',
    Principal: { Service: 'events.amazonaws.com' },
    Action: 'sqs:SendMessage',
    Resource: queueArn,
    Condition: { ArnEquals: { 'aws:SourceArn': RuleArn } },
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [Statement] });
  await queues.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  await events.send(new PutTargetsCommand({ Rule, EventBusName, Targets: [{ Id: 'queue', Arn: queueArn }] }));
  endpoint.cleanUp(() => events.send(new RemoveTargetsCommand({ Rule, EventBusName, Ids: ['queue'] })));
});

afterAll(async () => {
  await endpoint.close();
  events.destroy();
  queues.destroy();
});

const entry = (detail: object, more: Partial<PutEventsRequestEntry> = {}): PutEventsRequestEntry => ({
  EventBusName,
  Source: 'contract',
  DetailType: 'StockTrigger',
  Detail: JSON.stringify(detail),
  ...more,
});

const put = (...Entries: PutEventsRequestEntry[]) => events.send(new PutEventsCommand({ Entries }));

/** Takes events out of the queue until these ids have come; others of earlier tests may be among them. */
async function received(...ids: readonly string[]): Promise<any[]> {
  const found = new Map<string, any>();
  await eventually(async () => {
    const { Messages = [] } = await queues.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    for (const { Body, ReceiptHandle } of Messages) {
      const event = JSON.parse(Body!);
      found.set(event.id, event);
      await queues.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
    expect([...found.keys()]).toEqual(expect.arrayContaining([...ids]));
  }, 60);
  return ids.map((id) => found.get(id));
}

test('an event that a rule matches reaches its target, whole', async () => {
  const Time = new Date('2026-11-28T10:00:00.700Z');
  const answer = await put(entry({ kind: 'reorder', sku: 'ü-1' }, { Time, Resources: ['arn:aws:one'] }));

  expect(answer).toMatchObject({
    FailedEntryCount: 0,
    Entries: [{ EventId: expect.stringMatching(/^[0-9a-f-]{36}$/) }],
  });
  const [event] = await received(answer.Entries![0]!.EventId!);
  expect(event).toMatchObject({
    version: '0',
    source: 'contract',
    'detail-type': 'StockTrigger',
    time: '2026-11-28T10:00:00Z',
    resources: ['arn:aws:one'],
    detail: { kind: 'reorder', sku: 'ü-1' },
  });
  expect(event.account).toMatch(/^\d{12}$/);
});

test('what no rule matches is taken, and goes nowhere', async () => {
  const { Entries } = await put(
    entry({ kind: 'other' }),
    entry({ kind: 'reorder' }, { Source: 'contract.other' }),
    entry({ kind: 'reorder', last: true }),
  );

  const [event] = await received(Entries![2]!.EventId!);
  expect(event.detail.last).toBe(true);
});

test('an entry that is none fails for itself, and keeps no other from being taken', async () => {
  const { FailedEntryCount, Entries } = await put(
    entry({ kind: 'reorder' }, { Detail: '{' }),
    entry({ kind: 'reorder' }),
    entry({ kind: 'reorder' }, { Detail: '[]' }),
    entry({ kind: 'reorder' }, { Source: 'aws.tillstream' }),
    entry({ kind: 'reorder' }, { Source: undefined }),
    entry({ kind: 'reorder' }, { DetailType: undefined }),
  );

  expect(FailedEntryCount).toBe(5);
  expect(Entries!.map(({ ErrorCode }) => ErrorCode)).toEqual([
    'MalformedDetail',
    undefined,
    'MalformedDetail',
    'NotAuthorizedForSourceException',
    'InvalidArgument',
    'InvalidArgument',
  ]);
  await received(Entries![1]!.EventId!);
});

test('a request takes at most ten entries and less than a megabyte', async () => {
  const large = entry({ kind: 'large', text: 'x'.repeat(200 * 1024) });

  await expect(put(...Array.from({ length: 11 }, () => entry({})))).rejects.toMatchObject({
    name: 'ValidationException',
  });
  await expect(put(large, large, large, large, large, large)).rejects.toMatchObject({ name: 'ValidationException' });
  expect((await put(large, large)).FailedEntryCount).toBe(0);
});

test('an archive is there for its bus', async () => {
  const ArchiveName = uniqueName().slice(0, 40);
  await events.send(new CreateArchiveCommand({ ArchiveName, EventSourceArn: busArn, RetentionDays: 1 }));
  endpoint.cleanUp(() => events.send(new DeleteArchiveCommand({ ArchiveName })));

  await eventually(async () =>
    expect(await events.send(new DescribeArchiveCommand({ ArchiveName }))).toMatchObject({
      ArchiveName,
      EventSourceArn: busArn,
      RetentionDays: 1,
      State: 'ENABLED',
    }),
  );
});

describe('a pattern', () => {
  const event = {
    id: '7bf73129-1428-4cd3-a780-95db273d1602',
    'detail-type': 'StockTrigger',
    source: 'tillstream.inventory',
    account: '123456789012',
    time: '2026-11-28T10:00:00Z',
    region: 'eu-west-1',
    resources: ['arn:aws:one', 'arn:aws:two'],
    detail: { kind: 'reorder', available: 3, reorderPoint: null },
  };

  test.each<[object, boolean]>([
    [{ source: ['tillstream.inventory'] }, true],
    [{ source: ['other'] }, false],
    [{ source: [{ prefix: 'tillstream.' }] }, true],
    [{ 'detail-type': ['StockTrigger'], detail: { kind: ['stock-out', 'reorder'] } }, true],
    [{ 'detail-type': ['StockTrigger'], detail: { kind: ['stock-out'] } }, false],
    [{ resources: ['arn:aws:two'] }, true],
    [{ detail: { available: [3] } }, true],
    [{ detail: { reorderPoint: [null] } }, true],
    [{ detail: { kind: [{ 'anything-but': ['stock-out'] }] } }, true],
    [{ detail: { kind: [{ 'anything-but': 'reorder' }] } }, false],
    [{ detail: { kind: [{ exists: true }] } }, true],
    [{ detail: { colour: [{ exists: false }] } }, true],
    [{ detail: { colour: [{ exists: true }] } }, false],
  ])('%j matches: %s', async (pattern, matches) => {
    const EventPattern = JSON.stringify(pattern);
    const { Result } = await events.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) }));

    expect(Result).toBe(matches);
  });

  test.each([['{'], ['{"source":"text"}'], ['{"source":[]}']])('%s is refused', async (EventPattern) => {
    await expect(
      events.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) })),
    ).rejects.toMatchObject({ name: 'InvalidEventPatternException' });
  });
});

test.each([
  [
    'a rule on a bus that is not there',
    () => new PutRuleCommand({ Name: Rule, EventBusName: uniqueName(), EventPattern: '{"source":["a"]}' }),
  ],
  [
    'a target of a rule that is not there',
    () =>
      new PutTargetsCommand({
        Rule: uniqueName(),
        EventBusName,
        Targets: [{ Id: 'one', Arn: 'arn:aws:sqs:eu-west-1:123456789012:absent' }],
      }),
  ],
])('%s is refused', async (_, command) => {
  await expect(events.send(command() as any)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});
