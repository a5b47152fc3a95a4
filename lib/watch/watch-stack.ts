import { Stack, type StackProps } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  TextWidget,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../base/encryption-key';
import type { Signal } from '../base/signal';
import type { Stage } from '../stages';

export interface WatchStackProps extends StackProps {
  readonly stage: Stage;
  /** What each room wants watched, in the order of the data. */
  readonly rooms: Readonly<Record<string, readonly Signal[]>>;
}

/** Alarms and a dashboard over all rooms: sees all, feeds none. Every alarm's name is a heading in docs/runbook.md. */
export class WatchStack extends Stack {
  constructor(scope: Construct, id: string, { stage, rooms, ...props }: WatchStackProps) {
    super(scope, id, props);
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream alarms' });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // In a key's policy this is the key itself.
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    const topic = new Topic(this, 'Alarms', {
      displayName: `Tillstream ${stage.name} alarms`,
      masterKey: key,
      enforceSSL: true,
    });
    // The rule that demands TLS makes a policy, and with one nobody may publish who is not named in it.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    if (stage.alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(stage.alarmEmail));

    const dashboard = new Dashboard(this, 'Dashboard', { dashboardName: `Tillstream-${stage.name}` });
    for (const [room, signals] of Object.entries(rooms)) {
      dashboard.addWidgets(new TextWidget({ markdown: `## ${room}`, width: 24, height: 1 }));
      dashboard.addWidgets(
        ...signals.map(
          ({ name, metric, threshold }) =>
            new GraphWidget({
              title: name,
              left: [metric],
              leftAnnotations: [{ value: threshold, label: 'alarm above' }],
              width: 6,
              height: 5,
            }),
        ),
      );
      for (const { name, metric, threshold, periods, missing, impact } of signals)
        new Alarm(this, name, {
          alarmName: `Tillstream-${stage.name}-${name}`,
          alarmDescription: `Impact: ${impact}. See docs/runbook.md, ${name}.`,
          metric,
          threshold,
          comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
          evaluationPeriods: periods,
          treatMissingData: missing === 'bad' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
        }).addAlarmAction(new SnsAction(topic));
    }
  }
}
