import { Aws, Duration } from 'aws-cdk-lib';
import { Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type EventBus, type EventPattern, type IEventBus, Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnEventInvokeConfig } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { NodeFunction, type NodeFunctionProps } from './node-function';
import type { Signal } from './signal';

export interface EventSubscriberProps extends NodeFunctionProps {
  /** The platform's own, or one that is found by its name. */
  readonly bus: EventBus | IEventBus;
  /** Which events: by source, type and members of the detail. */
  readonly pattern: EventPattern;
  /** PascalCase name of the subscriber in signals. */
  readonly subscriber: string;
  /** What the business loses while events do not arrive. Printed on the alarms. */
  readonly impact: string;
}

/** Within which an event reaches its function or is given up. */
const patience = Duration.hours(6);

/**
 * A function that events of a bus reach at least once, in no order. An event that does not reach it, or that it fails at
 * three times, goes to a queue: EventBridge's retries end with Lambda's taking the event, and Lambda's come after.
 */
export class EventSubscriber extends Construct {
  readonly subscriber: NodeFunction;
  /** What did not arrive or was not processed. */
  readonly undelivered: Queue;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: EventSubscriberProps) {
    super(scope, id);
    const { key, bus, pattern, subscriber, impact } = props;
    this.subscriber = new NodeFunction(this, 'Subscriber', props);
    this.undelivered = new Queue(this, 'Undelivered', {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: key,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // In a key's policy this is the key itself.
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    new Rule(this, 'Rule', {
      // CDK's own types disagree about optional properties; an EventBus is an IEventBus.
      eventBus: bus as IEventBus,
      eventPattern: pattern,
      targets: [
        new LambdaFunction(this.subscriber.function, {
          deadLetterQueue: this.undelivered,
          retryAttempts: 185,
          maxEventAge: patience,
        }),
      ],
    });
    this.subscriber
      .allow(['sqs:SendMessage'], [this.undelivered.queueArn])
      .usesKeyThrough('sqs', key, ['kms:Decrypt', 'kms:GenerateDataKey']);
    const asynchronous = new CfnEventInvokeConfig(this, 'Asynchronous', {
      functionName: this.subscriber.function.functionName,
      qualifier: '$LATEST',
      maximumRetryAttempts: 2,
      maximumEventAgeInSeconds: patience.toSeconds(),
      destinationConfig: { onFailure: { destination: this.undelivered.queueArn } },
    });
    asynchronous.node.addDependency(this.subscriber.role);

    const period = Duration.minutes(5);
    this.signals = [
      {
        name: `${subscriber}Errors`,
        metric: this.subscriber.function.metricErrors({ period }),
        threshold: 0,
        periods: 3,
        impact,
      },
      {
        name: `${subscriber}Throttles`,
        metric: this.subscriber.function.metricThrottles({ period }),
        threshold: 0,
        periods: 3,
        impact,
      },
      {
        name: `${subscriber}Undelivered`,
        metric: this.undelivered.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
        threshold: 0,
        periods: 1,
        impact: `${impact}; events wait in the queue of what was not delivered`,
      },
    ];
  }
}
