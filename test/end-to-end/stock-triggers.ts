import type { StockTrigger } from '../../lambdas/serve/inventory/stock-trigger';
import type { Run } from '../../local/run';

/** What a run has committed to its outbox, by that table's own stream, and what has arrived on the bus, by its archive. */
export async function triggersOf(run: Run): Promise<{ committed: string[]; arrived: StockTrigger[]; waiting: number }> {
  const { dynamodb, eventBridge } = run.account.engines;
  const TableName = run.valueOf('Inventory', 'OUTBOX_TABLE_NAME');
  const { Table } = await dynamodb.call('DescribeTable', { TableName });
  const StreamArn = Table.LatestStreamArn;
  const { StreamDescription } = await dynamodb.call('DescribeStream', { StreamArn });
  const committed: string[] = [];
  for (const { ShardId } of StreamDescription.Shards) {
    const start = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let { ShardIterator } = await dynamodb.call('GetShardIterator', start);
    for (;;) {
      const { Records, NextShardIterator } = await dynamodb.call('GetRecords', { ShardIterator });
      if (Records.length === 0) break;
      for (const { eventName, dynamodb: change } of Records)
        if (eventName === 'INSERT') committed.push(change.Keys.crossingId.S);
      ShardIterator = NextShardIterator;
    }
  }
  const { Count } = await dynamodb.call('Scan', { TableName, Select: 'COUNT' });
  const events = eventBridge.archived(run.valueOf('Inventory', 'EVENT_BUS_NAME'));
  return { committed, arrived: events.map(({ detail }) => detail as unknown as StockTrigger), waiting: Count };
}
