import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct, IDependable } from 'constructs';
import type { NodeFunction } from './node-function';

export interface ScheduleProps {
  readonly description: string;
  readonly target: NodeFunction;
  readonly after: readonly IDependable[];
}

export interface MinutelyProps extends ScheduleProps {
  /** JSON text. */
  readonly input: string;
}

/** Invokes a function every minute. What is lost is lost: the next minute comes. */
export function everyMinute(scope: Construct, id: string, props: MinutelyProps): void {
  invoke(scope, id, props, 'rate(1 minute)', { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 });
}

/** Invokes a function once a day. No dead letter: a run carries no data, so the next one does what a lost one did not. */
export function everyDay(scope: Construct, id: string, props: ScheduleProps): void {
  const retries = { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 3_600 };
  invoke(scope, id, { ...props, input: '{}' }, 'rate(1 day)', retries);
}

/** Invokes a function every so many minutes, for work that the next run does when one is lost. */
export function runEvery(
  scope: Construct,
  id: string,
  { minutes, ...props }: { minutes: number; description: string; target: NodeFunction },
): CfnSchedule {
  const retries = { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 900 };
  return schedule(scope, id, { ...props, input: '{}' }, `rate(${minutes} minutes)`, retries);
}

function invoke(
  scope: Construct,
  id: string,
  { after, ...props }: MinutelyProps,
  scheduleExpression: string,
  retryPolicy: CfnSchedule.RetryPolicyProperty,
): void {
  schedule(scope, id, props, scheduleExpression, retryPolicy).node.addDependency(props.target, ...after);
}

/** The schedule and its role, without which it cannot be made. */
function schedule(
  scope: Construct,
  id: string,
  { description, target, input }: Omit<MinutelyProps, 'after'>,
  scheduleExpression: string,
  retryPolicy: CfnSchedule.RetryPolicyProperty,
): CfnSchedule {
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  });
  role.addToPolicy(
    new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.function.functionArn] }),
  );
  const made = new CfnSchedule(scope, id, {
    description,
    scheduleExpression,
    flexibleTimeWindow: { mode: 'OFF' },
    target: { arn: target.function.functionArn, roleArn: role.roleArn, input, retryPolicy },
  });
  made.node.addDependency(role);
  return made;
}
