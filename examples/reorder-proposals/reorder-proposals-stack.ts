import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { EventBus } from 'aws-cdk-lib/aws-events';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../../lib/base/encryption-key';
import { EventSubscriber } from '../../lib/base/event-subscriber';
import { table } from '../../lib/base/table';
import type { Stage } from '../../lib/stages';

export interface ReorderProposalsStackProps extends StackProps {
  readonly stage: Stage;
}

/**
 * A subscriber as another team would write it: it knows the bus by its name, takes reorder points that were reached, and
 * keeps a proposal to order for each. Nothing of the platform knows of it, and nothing of it holds the platform up.
 */
export class ReorderProposalsStack extends Stack {
  constructor(scope: Construct, id: string, props: ReorderProposalsStackProps) {
    super(scope, id, props);
    const { stage } = props;
    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream reorder proposals' });
    const proposals = table(this, 'Proposals', { stage, key, partitionKey: 'crossingId' });
    const { subscriber, signals } = new EventSubscriber(this, 'Propose', {
      stage,
      key,
      bus: EventBus.fromEventBusName(this, 'Stock', `Tillstream-${stage.name}-Stock`),
      pattern: {
        source: ['tillstream.inventory'],
        detailType: ['Stock Trigger'],
        detail: { kind: ['reorder-point-reached'] },
      },
      directory: 'examples/reorder-proposals',
      description: 'Makes a proposal to order of each reorder point that was reached',
      timeout: Duration.seconds(30),
      memoryMebibytes: 256,
      subscriber: 'ReorderProposals',
      impact: 'buyers are not asked to order what runs low',
    });
    subscriber.uses(proposals, 'PROPOSALS_TABLE_NAME', ['PutItem']);

    for (const { name, metric, threshold, periods, impact } of signals)
      new Alarm(this, `${name}Alarm`, {
        alarmName: `Tillstream-${stage.name}-${name}`,
        alarmDescription: `Impact: ${impact}.`,
        metric,
        threshold,
        evaluationPeriods: periods,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      });
  }
}
