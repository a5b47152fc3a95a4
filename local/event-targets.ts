import type { Door } from './door/door';
import { type Principal, roleSession } from './door/principal';
import { allowsService } from './door/resource-policy';
import { AwsError, localAccount } from './engines/engine';
import type { Delivery } from './engines/eventbridge-delivery';
import type { SqsEngine } from './engines/sqs';
import { type AsynchronousConfig, asynchronousDefaults, invokeAsynchronously } from './lambda/asynchronous-invocation';
import type { Invocation } from './lambda/function-host';

/** Whom a function's own policy lets invoke it. */
export interface InvokePermission {
  readonly functionName: string;
  readonly action: string;
  readonly service: string;
  readonly sourceArn: string | undefined;
}

export interface EventTargetsOptions {
  readonly door: Pick<Door, 'call'>;
  readonly sqs: Pick<SqsEngine, 'policyOf'>;
  readonly functions: ReadonlyMap<string, { readonly arn: string; readonly roleName: string }>;
  readonly invoke: (functionName: string, event: string) => Promise<Invocation>;
  readonly log: (message: string) => void;
}

/** Who EventBridge is where resources' own policies name it. */
const service = 'events.amazonaws.com';

/** What the rules of EventBridge reach, functions and queues, as these resources' own policies allow. */
export class EventTargets {
  readonly permissions: InvokePermission[] = [];
  /** How functions are invoked asynchronously, where it is not by Lambda's defaults. */
  readonly configs = new Map<string, AsynchronousConfig>();

  constructor(private readonly options: EventTargetsOptions) {}

  async deliver({ ruleArn, target, text }: Delivery, signal: AbortSignal): Promise<void> {
    if (target.Arn.startsWith('arn:aws:sqs:')) return this.#send(ruleArn, target.Arn, text, {});
    const { functions, invoke, door, log } = this.options;
    const functionName = nameOf(target.Arn);
    const declared = functions.get(functionName);
    if (declared === undefined)
      throw new AwsError('ResourceNotFoundException', `Function not found: ${target.Arn}`, 404);
    if (!this.#mayInvoke(functionName, ruleArn)) throw refused(target.Arn, ruleArn);
    const outcome = await invokeAsynchronously({
      functionArn: declared.arn,
      event: text,
      signal,
      config: this.configs.get(functionName) ?? asynchronousDefaults,
      invoke: (event) => invoke(functionName, event),
      hold: (queueArn, MessageBody) =>
        door.call(roleSession(declared.roleName, 'lambda'), 'sqs', 'SendMessage', {
          QueueUrl: nameOf(queueArn),
          MessageBody,
        }),
    });
    if (outcome === 'dropped') log(`${functionName} did not process an event, and has no queue for it`);
  }

  /** Puts an event that is given up into its target's dead-letter queue. */
  bury({ ruleArn, target, text }: Delivery, attributes: Readonly<Record<string, string>>): Promise<void> {
    return this.#send(ruleArn, target.DeadLetterConfig!.Arn!, text, attributes);
  }

  #mayInvoke(functionName: string, ruleArn: string): boolean {
    return this.permissions.some(
      (permission) =>
        permission.functionName === functionName &&
        permission.action === 'lambda:InvokeFunction' &&
        permission.service === service &&
        (permission.sourceArn === undefined || permission.sourceArn === ruleArn),
    );
  }

  async #send(
    ruleArn: string,
    queueArn: string,
    MessageBody: string,
    attributes: Readonly<Record<string, string>>,
  ): Promise<void> {
    const policy = this.options.sqs.policyOf(queueArn);
    const values: Readonly<Record<string, string>> = {
      'aws:sourcearn': ruleArn,
      'aws:sourceaccount': localAccount,
      'aws:securetransport': 'true',
    };
    const document = policy === undefined ? undefined : JSON.parse(policy);
    if (!allowsService(document, service, 'sqs:SendMessage', queueArn, (key) => values[key]))
      throw refused(queueArn, ruleArn);
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
    );
    // What the queue's own policy allows, nobody else is asked about.
    const caller: Principal = { arn: service, administrator: true };
    await this.options.door.call(caller, 'sqs', 'SendMessage', {
      QueueUrl: nameOf(queueArn),
      MessageBody,
      MessageAttributes,
    });
  }
}

function refused(resource: string, ruleArn: string): AwsError {
  return new AwsError('AccessDeniedException', `the policy of ${resource} does not let ${ruleArn} use it`, 403);
}

function nameOf(arn: string): string {
  return arn.split(':').pop()!;
}
