import {
  AttributeType,
  Billing,
  type GlobalSecondaryIndexPropsV2,
  type StreamViewType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Stage } from '../stages';
import { removalOf } from './encryption-key';

export interface TableProps {
  readonly stage: Stage;
  readonly key: Key;
  readonly partitionKey: string;
  readonly sortKey?: string;
  /** Default: a string. */
  readonly sortKeyType?: AttributeType;
  /** Attribute with the second (epoch) after which an item may go. */
  readonly expiry?: string;
  readonly indexes?: GlobalSecondaryIndexPropsV2[];
  /** What its stream holds of each change, for a TableConsumer; no stream when absent. */
  readonly changes?: StreamViewType;
}

/** A table on demand, with string keys unless said otherwise, encrypted under the room's key, restorable to any second of the last 35 days. */
export function table(scope: Construct, id: string, props: TableProps): TableV2 {
  const { stage, key, partitionKey, sortKey, sortKeyType, expiry, indexes, changes } = props;
  return new TableV2(scope, id, {
    partitionKey: { name: partitionKey, type: AttributeType.STRING },
    ...(sortKey === undefined ? {} : { sortKey: { name: sortKey, type: sortKeyType ?? AttributeType.STRING } }),
    ...(expiry === undefined ? {} : { timeToLiveAttribute: expiry }),
    ...(indexes === undefined ? {} : { globalSecondaryIndexes: indexes }),
    ...(changes === undefined ? {} : { dynamoStream: changes }),
    billing: Billing.onDemand(),
    encryption: TableEncryptionV2.customerManagedKey(key),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: stage.keepData,
    removalPolicy: removalOf(stage),
  });
}
