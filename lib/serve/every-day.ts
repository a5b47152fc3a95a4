import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct, IDependable } from 'constructs';
import type { NodeFunction } from '../base/node-function';

export interface EveryDayProps {
  readonly description: string;
  readonly target: NodeFunction;
  readonly after: readonly IDependable[];
}

/** Invokes a function once a day. No dead letter: a run carries no data, so the next one does what a lost one did not. */
export function everyDay(scope: Construct, id: string, { description, target, after }: EveryDayProps): void {
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
    scheduleExpression: 'rate(1 day)',
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: target.function.functionArn,
      roleArn: role.roleArn,
      input: '{}',
      retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 3_600 },
    },
  });
  schedule.node.addDependency(role, target, ...after);
}
