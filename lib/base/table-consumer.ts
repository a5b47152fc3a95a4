import { type Duration, Stack } from 'aws-cdk-lib';
import type { CfnGlobalTable, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { NodeFunction, type NodeFunctionProps } from './node-function';
import type { Signal } from './signal';
import { type EventSourceProps, eventSource } from './stream-consumer';

export interface TableConsumerProps extends NodeFunctionProps, EventSourceProps {
  /** The table whose changes to read: one made with `changes`. */
  readonly table: TableV2;
  /** How long a batch that fails is tried again: well within the 24 hours that DynamoDB keeps records for. */
  readonly patience: Duration;
}

/**
 * A function that reads the changes of a table's items, each item's in order, at least once, and says so when it lags. A
 * batch that fails is tried again, halved, as long as `patience` goes. Then it is given up, and nobody keeps it: what must
 * come of a change has to be found by other means, too, in the table itself.
 */
export class TableConsumer extends Construct {
  readonly consumer: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: TableConsumerProps) {
    super(scope, id);
    const { table, batchSize, batchingWindow, patience, reader, impact } = props;
    const { tableStreamArn } = table;
    // The attribute is there in any case; CloudFormation would find out in the midst of a deployment.
    const { streamSpecification } = table.node.defaultChild as CfnGlobalTable;
    if (tableStreamArn === undefined || Stack.of(table).resolve(streamSpecification) === undefined)
      throw new Error(`${table.node.path} has no stream: make it with \`changes\``);
    this.consumer = new NodeFunction(this, 'Consumer', props);
    this.consumer.allow(
      ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams'],
      [tableStreamArn],
    );
    if (table.encryptionKey !== undefined)
      this.consumer.usesKeyThrough('dynamodb', table.encryptionKey, ['kms:Decrypt']);
    this.signals = eventSource(this, this.consumer, tableStreamArn, {
      ...{ batchSize, batchingWindow, patience, reader, impact },
    });
  }
}
