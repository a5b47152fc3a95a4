import { type DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { sweptPosition } from '../../../base/domain/change';
import { isSourceName, typedTable } from '../../../base/domain/source-columns';
import type { SourceName } from '../../../base/domain/source-tables';
import type { Epoch } from '../epochs';
import type { Item } from '../item-values';
import type { RowApplier, RowChanges } from '../row-applier';

const rowsPerPage = 1_000;

/** Walks through state, page by page, and remembers how far it came. */
export class SweepWalk {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly stateTableName: string,
    private readonly applier: Pick<RowApplier, 'apply'>,
  ) {}

  /** Deletes rows of epochs before this one, from where the last walk of the epoch ended, while there is time. */
  async sweep(
    database: SourceName,
    { epoch, startedAt }: Epoch,
    hasTime: () => boolean,
  ): Promise<{ readonly swept: number; readonly isDone: boolean }> {
    const position = sweptPosition(epoch);
    const commitTime = new Date(startedAt).toISOString();
    let swept = 0;
    let from = await this.#noted(database, epoch);
    while (hasTime()) {
      // A row that this read finds too old may be newer by now: it is read again, consistently, before it is written.
      const { Items = [], LastEvaluatedKey } = await this.dynamoDb.send(
        new ScanCommand({
          TableName: this.stateTableName,
          Limit: rowsPerPage,
          // What was swept already is here when a run was killed on this page: whoever is told of it may not know it yet.
          FilterExpression:
            'begins_with(pk, :database) AND (#position = :position OR (#position < :position AND NOT #deleted = :true))',
          ProjectionExpression: 'pk, sk',
          ExpressionAttributeNames: { '#position': 'position', '#deleted': 'deleted' },
          ExpressionAttributeValues: {
            ':database': { S: `${database}.` },
            ':position': { S: position },
            ':true': { BOOL: true },
          },
          ...(from === undefined ? {} : { ExclusiveStartKey: from }),
        }),
      );
      const rows = Items.flatMap((item) => rowOf(item) ?? []);
      const changes = [{ position, commitTime, effect: 'delete' as const, row: {} }];
      const { applied } = await this.applier.apply(rows.map((row) => ({ ...row, changes })));
      swept += applied;
      if (LastEvaluatedKey === undefined) {
        return { swept, isDone: true };
      }
      from = LastEvaluatedKey;
      await this.#note(database, epoch, from);
    }
    return { swept, isDone: false };
  }

  async #noted(database: SourceName, epoch: number): Promise<Item | undefined> {
    const { Item } = await this.dynamoDb.send(
      new GetItemCommand({ TableName: this.stateTableName, Key: noteKey(database), ConsistentRead: true }),
    );
    return Number(Item?.epoch?.N) === epoch ? Item?.from?.M : undefined;
  }

  async #note(database: SourceName, epoch: number, from: Item): Promise<void> {
    await this.dynamoDb.send(
      new PutItemCommand({
        TableName: this.stateTableName,
        Item: { ...noteKey(database), epoch: { N: String(epoch) }, from: { M: from } },
      }),
    );
  }
}

const noteKey = (database: SourceName): Item => ({ pk: { S: `sweep#${database}` }, sk: { S: '-' } });

/** The row that an item of state is about: `<database>.<table>#<key>`, and `-` or the key's second part. */
function rowOf({ pk, sk }: Item): Omit<RowChanges, 'changes'> | undefined {
  const [table = '', ...key] = pk!.S!.split('#');
  const [database = '', name = ''] = table.split('.');
  const definition = isSourceName(database) ? typedTable(database, name) : undefined;
  if (definition === undefined) return undefined;
  return { table, key: definition.key.length === 2 ? [...key, sk!.S!] : key };
}
