import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AwsError, type Engine, localAccount, localRegion } from './engine';

interface Message {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly sent: number;
  received: number;
  /** Nobody gets it before. */
  visibleAt: number;
  receipt?: string;
}

interface Queue {
  readonly name: string;
  readonly created: number;
  attributes: Record<string, string>;
  messages: Message[];
}

export interface SqsOptions {
  /** The folder of the run's state. Without it, messages live as long as the process. */
  readonly directory?: string;
  readonly now?: () => number;
}

export interface SqsEngine extends Engine {
  /** The policy of a queue, as text, where it has one. */
  policyOf(queueArn: string): string | undefined;
  /** How many messages wait in each queue. */
  depths(): ReadonlyMap<string, number>;
}

const mostBytes = 1024 * 1024;
const settable = {
  VisibilityTimeout: '30',
  MessageRetentionPeriod: '345600',
  MaximumMessageSize: String(mostBytes),
  DelaySeconds: '0',
  ReceiveMessageWaitTimeSeconds: '0',
};
/** Those that have no value before one is given. */
const optional = ['Policy', 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds', 'SqsManagedSseEnabled'];

/** Opens the local SQS with the queues that it finds on disk. */
export function openSqs(options: SqsOptions = {}): SqsEngine {
  return new Sqs(options);
}

/**
 * Standard queues, small ones: what is undelivered waits there for a person. Kept in one file, which each change writes
 * anew. First in, first out, as long as nothing is returned: SQS promises no order, so nobody may rely on it.
 */
class Sqs implements SqsEngine {
  readonly service = 'sqs';
  readonly #queues = new Map<string, Queue>();
  readonly #file: string | undefined;
  readonly #now: () => number;
  readonly #operations: Readonly<Record<string, { readonly run: (input: any) => any; readonly members: string }>> = {
    CreateQueue: { run: (i) => this.#createQueue(i), members: 'QueueName Attributes' },
    DeleteMessage: { run: (i) => this.#deleteMessage(i), members: 'QueueUrl ReceiptHandle' },
    DeleteQueue: { run: (i) => this.#deleteQueue(i), members: 'QueueUrl' },
    GetQueueAttributes: { run: (i) => this.#getQueueAttributes(i), members: 'QueueUrl AttributeNames' },
    GetQueueUrl: { run: (i) => this.#getQueueUrl(i), members: 'QueueName' },
    ReceiveMessage: {
      run: (i) => this.#receiveMessage(i),
      members:
        'QueueUrl MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds MessageAttributeNames MessageSystemAttributeNames',
    },
    SendMessage: { run: (i) => this.#sendMessage(i), members: 'QueueUrl MessageBody MessageAttributes' },
    SetQueueAttributes: { run: (i) => this.#setQueueAttributes(i), members: 'QueueUrl Attributes' },
  };

  constructor({ directory, now = Date.now }: SqsOptions) {
    this.#now = now;
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true });
    this.#file = join(directory, 'queues.json');
    if (!existsSync(this.#file)) return;
    for (const queue of JSON.parse(readFileSync(this.#file, 'utf8')) as Queue[]) this.#queues.set(queue.name, queue);
  }

  async call(operation: string, input: any): Promise<any> {
    const known = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
    if (known === undefined)
      throw new AwsError(
        'UnknownOperationException',
        `operation ${operation} is not modelled by the local SQS: use ${Object.keys(this.#operations).join(', ')}`,
      );
    const members = known.members.split(' ');
    for (const member in input)
      if (input[member] != null && !members.includes(member))
        throw invalid('InvalidParameterValue', `parameter ${member} of ${operation} is not modelled by the local SQS`);
    return known.run(input);
  }

  policyOf(queueArn: string): string | undefined {
    return this.#queues.get(queueArn.split(':').pop()!)?.attributes.Policy;
  }

  depths(): ReadonlyMap<string, number> {
    const now = this.#now();
    const waiting = ({ messages }: Queue) => messages.filter(({ visibleAt }) => visibleAt <= now).length;
    return new Map([...this.#queues.values()].map((queue) => [queue.name, waiting(queue)]));
  }

  async *contents(): AsyncIterable<{ readonly where: string; readonly text: string }> {
    for (const { name, messages } of this.#queues.values())
      for (const { body, attributes } of messages)
        yield { where: `sqs ${name}`, text: `${body}\n${JSON.stringify(attributes)}` };
  }

  async close(): Promise<void> {}

  #createQueue({ QueueName, Attributes = {} }: any): any {
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(String(QueueName)))
      throw invalid(
        'InvalidParameterValue',
        'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
      );
    const attributes = checkedAttributes(Attributes);
    const found = this.#queues.get(QueueName);
    if (found !== undefined) {
      const other = Object.entries(attributes).find(([name, value]) => found.attributes[name] !== value);
      if (other !== undefined)
        throw invalid(
          'QueueNameExists',
          `A queue already exists with the same name and a different value for attribute ${other[0]}`,
        );
      return { QueueUrl: urlOf(QueueName) };
    }
    this.#queues.set(QueueName, {
      name: QueueName,
      created: this.#now(),
      attributes: { ...settable, ...attributes },
      messages: [],
    });
    this.#save();
    return { QueueUrl: urlOf(QueueName) };
  }

  #deleteQueue({ QueueUrl }: any): any {
    this.#queues.delete(this.#queue(QueueUrl).name);
    this.#save();
    return {};
  }

  #getQueueUrl({ QueueName }: any): any {
    return { QueueUrl: urlOf(this.#queue(urlOf(QueueName)).name) };
  }

  #setQueueAttributes({ QueueUrl, Attributes = {} }: any): any {
    const queue = this.#queue(QueueUrl);
    Object.assign(queue.attributes, checkedAttributes(Attributes));
    this.#save();
    return {};
  }

  #getQueueAttributes({ QueueUrl, AttributeNames = [] }: any): any {
    const queue = this.#living(QueueUrl);
    const now = this.#now();
    const inFlight = queue.messages.filter(({ visibleAt }) => visibleAt > now).length;
    const all: Record<string, string> = {
      QueueArn: arnOf(queue.name),
      CreatedTimestamp: String(Math.floor(queue.created / 1000)),
      ApproximateNumberOfMessages: String(queue.messages.length - inFlight),
      ApproximateNumberOfMessagesNotVisible: String(inFlight),
      ApproximateNumberOfMessagesDelayed: '0',
      ...queue.attributes,
    };
    const wanted = AttributeNames.includes('All') ? Object.keys(all) : AttributeNames;
    const known = wanted.filter((name: string) => all[name] !== undefined);
    return { Attributes: Object.fromEntries(known.map((name: string) => [name, all[name]])) };
  }

  #sendMessage({ QueueUrl, MessageBody, MessageAttributes = {} }: any): any {
    const queue = this.#living(QueueUrl);
    if (typeof MessageBody !== 'string' || MessageBody === '')
      throw invalid('MissingParameter', 'The request must contain the parameter MessageBody.');
    const bytes = Buffer.byteLength(MessageBody) + Buffer.byteLength(JSON.stringify(MessageAttributes));
    const most = Number(queue.attributes.MaximumMessageSize);
    if (bytes > most)
      throw invalid(
        'InvalidParameterValue',
        `One or more parameters are invalid. Reason: Message must be shorter than ${most} bytes.`,
      );
    const message: Message = {
      id: randomUUID(),
      body: MessageBody,
      attributes: MessageAttributes,
      sent: this.#now(),
      received: 0,
      visibleAt: 0,
    };
    queue.messages.push(message);
    this.#save();
    return { MessageId: message.id, MD5OfMessageBody: md5(MessageBody) };
  }

  /** Nobody waits: what is there is answered at once. */
  #receiveMessage(input: any): any {
    const { QueueUrl, MaxNumberOfMessages = 1, VisibilityTimeout, MessageAttributeNames = [] } = input;
    const queue = this.#living(QueueUrl);
    if (!Number.isInteger(MaxNumberOfMessages) || MaxNumberOfMessages < 1 || MaxNumberOfMessages > 10)
      throw invalid(
        'InvalidParameterValue',
        `Value ${MaxNumberOfMessages} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`,
      );
    const now = this.#now();
    const seconds = VisibilityTimeout ?? Number(queue.attributes.VisibilityTimeout);
    const messages = queue.messages.filter(({ visibleAt }) => visibleAt <= now).slice(0, MaxNumberOfMessages);
    for (const message of messages) {
      message.received += 1;
      message.visibleAt = now + seconds * 1000;
      message.receipt = randomUUID();
    }
    if (messages.length > 0) this.#save();
    const system = (input.MessageSystemAttributeNames ?? []) as string[];
    const Messages = messages.map(({ id, body, attributes, sent, received, receipt }) => {
      const all = { SentTimestamp: String(sent), ApproximateReceiveCount: String(received) };
      const shown = Object.entries(all).filter(([name]) => system.includes('All') || system.includes(name));
      const given = Object.entries(attributes).filter(
        ([name]) => MessageAttributeNames.includes('All') || MessageAttributeNames.includes(name),
      );
      return {
        MessageId: id,
        ReceiptHandle: receipt,
        MD5OfBody: md5(body),
        Body: body,
        ...(shown.length > 0 && { Attributes: Object.fromEntries(shown) }),
        ...(given.length > 0 && { MessageAttributes: Object.fromEntries(given) }),
      };
    });
    return Messages.length === 0 ? {} : { Messages };
  }

  /** A receipt that is no longer the newest deletes nothing, and says nothing. */
  #deleteMessage({ QueueUrl, ReceiptHandle }: any): any {
    const queue = this.#queue(QueueUrl);
    queue.messages = queue.messages.filter(({ receipt }) => receipt !== ReceiptHandle);
    this.#save();
    return {};
  }

  #queue(url: unknown): Queue {
    const queue = this.#queues.get(String(url).split('/').pop()!);
    if (queue === undefined) throw new AwsError('QueueDoesNotExist', 'The specified queue does not exist.');
    return queue;
  }

  /** A queue without the messages whose time is over. */
  #living(url: unknown): Queue {
    const queue = this.#queue(url);
    const oldest = this.#now() - Number(queue.attributes.MessageRetentionPeriod) * 1000;
    queue.messages = queue.messages.filter(({ sent }) => sent >= oldest);
    return queue;
  }

  #save(): void {
    if (this.#file === undefined) return;
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#queues.values()]), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function checkedAttributes(attributes: Record<string, unknown>): Record<string, string> {
  for (const name of Object.keys(attributes))
    if (!Object.hasOwn(settable, name) && !optional.includes(name))
      throw new AwsError('InvalidAttributeName', `attribute ${name} is not modelled by the local SQS`);
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}

const urlOf = (name: string) => `https://sqs.${localRegion}.amazonaws.com/${localAccount}/${name}`;
const arnOf = (name: string) => `arn:aws:sqs:${localRegion}:${localAccount}:${name}`;

function invalid(code: string, message: string): AwsError {
  return new AwsError(code, message);
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
