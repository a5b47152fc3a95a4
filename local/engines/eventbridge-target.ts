import { AwsError } from './engine';

/** Where a rule sends events, in the shape of PutTargets. */
export interface Target {
  readonly Id: string;
  readonly Arn: string;
  readonly RetryPolicy?: { readonly MaximumRetryAttempts?: number; readonly MaximumEventAgeInSeconds?: number };
  readonly DeadLetterConfig?: { readonly Arn?: string };
}

const members = new Set(['Id', 'Arn', 'RetryPolicy', 'DeadLetterConfig']);
const mostTargets = 5;

/** Checks targets that are to join these of their rule: functions and queues, which get the event as it is. */
export function checkTargets(given: unknown, present: ReadonlyMap<string, Target>): readonly Target[] {
  if (!Array.isArray(given) || given.length === 0) throw validation("Value null at 'targets' must not be null");
  const ids = new Set([...present.keys(), ...given.map(({ Id }) => Id)]);
  if (ids.size > mostTargets)
    throw new AwsError('LimitExceededException', 'The requested resource exceeds the maximum number allowed.');
  for (const target of given) {
    const { Id, Arn, RetryPolicy = {}, DeadLetterConfig } = target;
    for (const member of Object.keys(target))
      if (!members.has(member))
        throw validation(`parameter ${member} of a target is not modelled by the local EventBridge`);
    if (typeof Id !== 'string' || Id === '') throw validation("Value null at 'targets.1.member.id' must not be null");
    if (!/^arn:aws:(lambda:[^:]+:\d+:function|sqs:[^:]+:\d+):[^:]+$/.test(String(Arn)))
      throw validation(
        `target '${Arn}' is not modelled by the local EventBridge: use the ARN of a function or a queue`,
      );
    within('MaximumRetryAttempts', RetryPolicy.MaximumRetryAttempts ?? 185, 0, 185);
    within('MaximumEventAgeInSeconds', RetryPolicy.MaximumEventAgeInSeconds ?? 86_400, 60, 86_400);
    if (DeadLetterConfig !== undefined && !/^arn:aws:sqs:/.test(String(DeadLetterConfig.Arn)))
      throw validation(`Parameter DeadLetterConfig.Arn is not valid. Reason: '${DeadLetterConfig.Arn}' is no queue.`);
  }
  return given;
}

function within(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw validation(`${name} '${value}' is not allowed: use ${least} to ${most}`);
}

function validation(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
