import { Aws, type Duration, Stack } from 'aws-cdk-lib';
import { CfnArchive, EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Stage } from '../stages';

export interface EventBusProps {
  readonly stage: Stage;
  readonly key: Key;
  /** The room's, in PascalCase: subscribers of other teams type `Tillstream-prod-Inventory`. */
  readonly name: string;
  readonly description: string;
  /** How long events can be read and replayed, for subscribers that come later or were away. */
  readonly archive: Duration;
}

/** A bus for a room's own events, under its key, and an archive of all of them. */
export function eventBus(scope: Construct, id: string, props: EventBusProps): EventBus {
  const { stage, key, name, description, archive } = props;
  const eventBusName = `Tillstream-${stage.name}-${name}`;
  const bus = new EventBus(scope, id, { eventBusName, description, kmsKey: key });
  // By name, since the bus refers to the key.
  const { region } = Stack.of(scope);
  const arn = `arn:${Aws.PARTITION}:events:${region}:${Aws.ACCOUNT_ID}:event-bus/${eventBusName}`;
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
      resources: ['*'], // In a key's policy this is the key itself.
      conditions: { StringEquals: { 'kms:EncryptionContext:aws:events:event-bus:arn': arn } },
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['kms:DescribeKey'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  new CfnArchive(bus, 'Archive', {
    archiveName: eventBusName,
    sourceArn: bus.eventBusArn,
    retentionDays: archive.toDays(),
    kmsKeyIdentifier: key.keyArn,
  }).node.addDependency(key);
  return bus;
}
