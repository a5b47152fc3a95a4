import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct, IDependable } from 'constructs';
import type { NodeFunction } from '../base/node-function';

export interface MinutelyProps {
  readonly description: string;
  readonly target: NodeFunction;
  /** JSON text. */
  readonly input: string;
  readonly after: readonly IDependable[];
}

/** Invokes a function every minute. What is lost is lost: the next minute comes. */
export function everyMinute(scope: Construct, id: string, { description, target, input, after }: MinutelyProps): void {
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  });
  role.addToPolicy(
    new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [target.function.functionArn] }),
  );
  const schedule = new CfnSchedule(scope, id, {
    description,
    scheduleExpression: 'rate(1 minute)',
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: target.function.functionArn,
      roleArn: role.roleArn,
      input,
      retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
    },
  });
  schedule.node.addDependency(role, target, ...after);
}
