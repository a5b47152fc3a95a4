import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqs } from '../../../local/engines/sqs';

let directory: string;
let nowMs: number;
const open = () => openSqs({ directory, now: () => nowMs });
const QueueUrl = 'https://sqs.eu-west-1.amazonaws.com/000000000000/undelivered';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sqs-'));
  nowMs = Date.parse('2026-11-28T10:00:00Z');
});

afterEach(() => rmSync(directory, { recursive: true }));

test('messages are found again on disk, and go when their time is over', async () => {
  const first = open();
  await first.call('CreateQueue', { QueueName: 'undelivered', Attributes: { MessageRetentionPeriod: '1209600' } });
  await first.call('SendMessage', { QueueUrl, MessageBody: 'one' });
  const second = open();

  expect((await second.call('ReceiveMessage', { QueueUrl })).Messages[0].Body).toBe('one');
  nowMs += 15 * 86_400_000;
  expect(await open().call('ReceiveMessage', { QueueUrl })).toEqual({});
});

test('a message that somebody has taken does not wait, until it comes back', async () => {
  const sqs = open();
  await sqs.call('CreateQueue', { QueueName: 'undelivered', Attributes: { VisibilityTimeout: '30' } });
  await sqs.call('SendMessage', { QueueUrl, MessageBody: 'one' });
  await sqs.call('SendMessage', { QueueUrl, MessageBody: 'two' });
  await sqs.call('ReceiveMessage', { QueueUrl });

  expect(sqs.depths()).toEqual(new Map([['undelivered', 1]]));
  nowMs += 31_000;
  expect(sqs.depths()).toEqual(new Map([['undelivered', 2]]));
});

test('the scan for card numbers sees bodies and attributes', async () => {
  const sqs = open();
  await sqs.call('CreateQueue', { QueueName: 'undelivered' });
  const MessageAttributes = { why: { DataType: 'String', StringValue: 'because' } };
  await sqs.call('SendMessage', { QueueUrl, MessageBody: 'what', MessageAttributes });
  const texts: string[] = [];
  for await (const { text } of sqs.contents()) texts.push(text);

  expect(texts.join()).toMatch(/what[\s\S]*because/);
});

test.each<[string, object, string]>([
  ['SendMessage', { QueueUrl, MessageBody: 'x', DelaySeconds: 3 }, 'parameter DelaySeconds of SendMessage'],
  ['CreateQueue', { QueueName: 'x', Attributes: { FifoQueue: 'true' } }, 'attribute FifoQueue'],
  ['CreateQueue', { QueueName: 'x.fifo' }, 'alphanumeric'],
  ['SendMessageBatch', {}, 'operation SendMessageBatch'],
])('%s of what is not modelled is refused by name', async (operation, input, words) => {
  await expect(open().call(operation, input)).rejects.toThrow(words);
});
