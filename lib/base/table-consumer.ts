import { Stack } from 'aws-cdk-lib';
import type { CfnGlobalTable, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { NodeFunction, type NodeFunctionProps } from './node-function';
import type { Signal } from './signal';
import { type EventSourceProps, eventSource } from './stream-consumer';

export interface TableConsumerProps extends NodeFunctionProps, EventSourceProps {
  /** The table whose changes to read: one made with `changes`. */
  readonly table: TableV2;
}

/** What DynamoDB keeps the records of a stream for. */
const retentionHours = 24;

/**
 * A function that reads the changes of a table's items, each item's in order, at least once, and says so when it lags or
 * gives up. A batch that fails is tried again, halved, for 18 hours; then it goes, records and all, to the held bucket.
 */
export class TableConsumer extends Construct {
  readonly consumer: NodeFunction;
  readonly signals: readonly Signal[];

  constructor(scope: Construct, id: string, props: TableConsumerProps) {
    super(scope, id);
    const { table } = props;
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
    this.signals = eventSource(this, this.consumer, tableStreamArn, retentionHours, props);
  }
}
