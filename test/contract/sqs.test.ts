import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { openSqs } from '../../local/engines/sqs';
import { type Endpoint, eventually, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;
let client: SQSClient;
let QueueUrl: string;
const QueueName = uniqueName();

beforeAll(async () => {
  endpoint = await startEndpoint(async () => [openSqs()]);
  client = new SQSClient(endpoint.client);
  QueueUrl = (await client.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout: '2' } })))
    .QueueUrl!;
  endpoint.cleanUp(() => client.send(new DeleteQueueCommand({ QueueUrl })));
});

afterAll(async () => {
  await endpoint.close();
  client.destroy();
});

const receive = async () => {
  const asked = { MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['ApproximateReceiveCount' as const] };
  return (await client.send(new ReceiveMessageCommand({ QueueUrl, ...asked }))).Messages?.[0];
};

test('a queue is found by its name', async () => {
  expect((await client.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl).toBe(QueueUrl);
  const asked = { QueueUrl, AttributeNames: ['QueueArn' as const, 'VisibilityTimeout' as const] };
  const { Attributes } = await client.send(new GetQueueAttributesCommand(asked));
  expect(Attributes).toEqual({
    QueueArn: expect.stringMatching(new RegExp(`^arn:aws:sqs:[a-z0-9-]+:\\d{12}:${QueueName}$`)),
    VisibilityTimeout: '2',
  });
});

test('a message comes again until it is deleted', async () => {
  const MessageAttributes = { ERROR_CODE: { DataType: 'String', StringValue: 'NO_PERMISSIONS' } };
  const { MessageId } = await client.send(
    new SendMessageCommand({ QueueUrl, MessageBody: '{"größe":1}', MessageAttributes }),
  );

  const first = await eventually(async () => (await receive()) ?? Promise.reject(new Error('nothing')));
  expect(first).toMatchObject({ MessageId, Body: '{"größe":1}', MessageAttributes });
  expect(first!.Attributes).toEqual({ ApproximateReceiveCount: '1' });
  expect(await receive()).toBeUndefined();

  const again = await eventually(async () => (await receive()) ?? Promise.reject(new Error('nothing')));
  expect(again).toMatchObject({ MessageId, Attributes: { ApproximateReceiveCount: '2' } });
  await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: again!.ReceiptHandle }));
});

test.each([
  ['a queue that is not there', 'QueueDoesNotExist', () => new GetQueueUrlCommand({ QueueName: uniqueName() })],
  ['eleven messages at a time', '', () => new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 11 })],
])('%s is refused', async (_, name, command) => {
  await expect(client.send(command() as any)).rejects.toMatchObject({ name: expect.stringContaining(name) });
});
