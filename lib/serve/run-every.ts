import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import type { NodeFunction } from '../base/node-function';

/** Runs a function every so many minutes, for work that the next run does when one is lost. */
export function runEvery(
  scope: Construct,
  id: string,
  { minutes, description, target }: { minutes: number; description: string; target: NodeFunction },
): CfnSchedule {
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
    scheduleExpression: `rate(${minutes} minutes)`,
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: target.function.functionArn,
      roleArn: role.roleArn,
      input: '{}',
      // No dead letter: a run carries no data, so the next one does what a lost one did not.
      retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 900 },
    },
  });
  schedule.node.addDependency(role);
  return schedule;
}
