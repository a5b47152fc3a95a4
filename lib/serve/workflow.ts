import { Aws, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct, type IDependable } from 'constructs';
import type { NodeFunction } from '../base/node-function';
import type { Stage } from '../stages';

export interface Step {
  /** PascalCase. */
  readonly name: string;
  readonly runs: NodeFunction;
  /** It answers what is `left`, and is run again while that is anything: what comes after it needs all. */
  readonly untilNothingIsLeft?: true;
}

export interface WorkflowProps {
  readonly stage: Stage;
  readonly key: Key;
  readonly description: string;
  /** One after the other; each must bear being run again with the same input. */
  readonly steps: readonly Step[];
  /** The hour, UTC, at which it starts every day. */
  readonly atHour: number;
  readonly after: readonly IDependable[];
}

/** Lambda's own troubles pass within seconds; those of a warehouse that wakes up or is busy take minutes. */
const retries = [
  // What is asked for wrongly is wrong again.
  { ErrorEquals: ['InvalidInput'], MaxAttempts: 0 },
  {
    ErrorEquals: [
      'Lambda.ServiceException',
      'Lambda.AWSLambdaException',
      'Lambda.SdkClientException',
      'Lambda.TooManyRequestsException',
    ],
    IntervalSeconds: 2,
    MaxAttempts: 6,
    BackoffRate: 2,
  },
  { ErrorEquals: ['States.ALL'], IntervalSeconds: 60, MaxAttempts: 3, BackoffRate: 2, MaxDelaySeconds: 600 },
];

/** Beyond all that its steps may take with all their attempts, nobody waits for it; so a step that is never done ends, too. */
const timeoutSeconds = 6 * 3_600;

/**
 * Functions that run one after the other, every day and whenever a person starts an execution. A step that fails is tried
 * again, a bounded number of times; then the execution fails, and with it an alarm rings. Its history keeps no more than
 * what each step answers, which is sums.
 */
export class Workflow extends Construct {
  readonly stateMachineArn: string;

  constructor(scope: Construct, id: string, props: WorkflowProps) {
    super(scope, id);
    const { key, description, steps, atHour, after } = props;
    const role = new Role(this, 'Role', { assumedBy: servicePrincipal('states.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: steps.map(({ runs }) => runs.function.functionArn),
      }),
    );
    this.#usesKey(role, key, ['kms:Decrypt', 'kms:GenerateDataKey']);
    const machine = new CfnStateMachine(this, 'StateMachine', {
      stateMachineType: 'STANDARD',
      roleArn: role.roleArn,
      definitionString: Stack.of(this).toJsonString(definitionOf(description, steps)),
      encryptionConfiguration: { type: 'CUSTOMER_MANAGED_KMS_KEY', kmsKeyId: key.keyArn },
    });
    machine.node.addDependency(role, ...after);
    this.stateMachineArn = machine.attrArn;

    const starter = new Role(this, 'ScheduleRole', { assumedBy: servicePrincipal('scheduler.amazonaws.com') });
    starter.addToPolicy(new PolicyStatement({ actions: ['states:StartExecution'], resources: [machine.attrArn] }));
    this.#usesKey(starter, key, ['kms:Decrypt', 'kms:GenerateDataKey']);
    new CfnSchedule(this, 'Schedule', {
      description,
      scheduleExpression: `cron(0 ${atHour} * * ? *)`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: machine.attrArn,
        roleArn: starter.roleArn,
        input: '{"scheduledTime":"<aws.scheduler.scheduled-time>"}',
        // No dead letter: a day that was not started is missed by an alarm, and started by a person.
        retryPolicy: { maximumRetryAttempts: 10, maximumEventAgeInSeconds: 3_600 },
      },
    }).node.addDependency(starter);
  }

  #usesKey(role: Role, key: Key, actions: string[]): void {
    role.addToPolicy(
      new PolicyStatement({
        actions,
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `states.${Stack.of(this).region}.amazonaws.com` } },
      }),
    );
  }
}

function servicePrincipal(service: string): ServicePrincipal {
  return new ServicePrincipal(service, { conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } } });
}

/** Amazon States Language. Each step is given the execution's own input and name, whatever the ones before it answered. */
function definitionOf(description: string, steps: readonly Step[]): object {
  const states = steps.flatMap(({ name, runs, untilNothingIsLeft }, at) => {
    const next = steps[at + 1]?.name ?? 'Done';
    const more = `${name}More`;
    const task = {
      Type: 'Task',
      Resource: `arn:${Aws.PARTITION}:states:::lambda:invoke`,
      Parameters: {
        FunctionName: runs.function.functionArn,
        Payload: {
          'input.$': '$$.Execution.Input',
          'executionName.$': '$$.Execution.Name',
          'startedAt.$': '$$.Execution.StartTime',
        },
      },
      ResultSelector: { 'outcome.$': '$.Payload' },
      ResultPath: `$.${name}`,
      TimeoutSeconds: 16 * 60,
      Retry: retries,
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Failed' }],
      Next: untilNothingIsLeft ? more : next,
    };
    const choice = {
      Type: 'Choice',
      Choices: [{ Variable: `$.${name}.outcome.left`, NumericGreaterThan: 0, Next: name }],
      Default: next,
    };
    return [[name, task], ...(untilNothingIsLeft ? [[more, choice]] : [])];
  });
  return {
    Comment: description,
    StartAt: steps[0]?.name,
    TimeoutSeconds: timeoutSeconds,
    States: {
      ...Object.fromEntries(states),
      Done: { Type: 'Succeed' },
      Failed: { Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: '$.failure.Cause' },
    },
  };
}
