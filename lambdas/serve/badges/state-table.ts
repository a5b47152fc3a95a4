import {
  type AttributeValue,
  type DynamoDBClient,
  QueryCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { readItems, type VersionedWrite, writeVersions } from './dynamo-calls';
import { attributesOf, type Item, plainValues } from './item-values';
import type { StoredRow } from './row-state';

/** A row's place: `<database>.<table>` and the values of its key columns. */
export interface RowKey {
  readonly table: string;
  readonly key: readonly string[];
}

export interface StateWrite extends RowKey {
  readonly stored: StoredRow | undefined;
  readonly next: StoredRow;
}

export interface StateTableProps {
  readonly tableName: string;
  /** How long a tombstone must live: longer than a record can be delivered or redriven. */
  readonly tombstoneDays: number;
}

/** The last image of each source row with its position, and tombstones of those that are gone. */
export class StateTable {
  constructor(
    readonly dynamoDb: DynamoDBClient,
    readonly props: StateTableProps,
  ) {}

  /** Rows by `stateId`; consistent. */
  async read(rows: readonly RowKey[]): Promise<Map<string, StoredRow>> {
    const items = await readItems(this.dynamoDb, this.props.tableName, rows.map(stateKey));
    return storedRows(items);
  }

  /** All rows of a two-part key with this first part, gone ones among them; consistent. */
  async readGroup(table: string, first: string): Promise<{ key: string[]; stored: StoredRow }[]> {
    const rows: { key: string[]; stored: StoredRow }[] = [];
    let ExclusiveStartKey: Item | undefined;
    do {
      const answer = await this.dynamoDb.send(
        new QueryCommand({
          TableName: this.props.tableName,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: `${table}#${first}` } },
          ConsistentRead: true,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      for (const item of answer.Items ?? []) rows.push({ key: [first, item.sk!.S!], stored: storedRow(item) });
      ExclusiveStartKey = answer.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return rows;
  }

  /** Writes rows that are still as they were read; answers the indexes of those that are not. */
  async write(writes: readonly StateWrite[]): Promise<ReadonlySet<number>> {
    return writeVersions(
      this.dynamoDb,
      this.props.tableName,
      writes.map((write) => this.#versioned(write)),
    );
  }

  /** The same for one row, as a part of a transaction. */
  action(write: StateWrite): TransactWriteItem {
    const { key, expected, attributes } = this.#versioned(write);
    return {
      Put: {
        TableName: this.props.tableName,
        Item: { ...key, ...attributes },
        ...(expected === undefined
          ? { ConditionExpression: 'attribute_not_exists(pk)' }
          : {
              ConditionExpression: '#position = :position AND #fills = :fills',
              ExpressionAttributeNames: { '#position': 'position', '#fills': 'fills' },
              ExpressionAttributeValues: { ':position': expected.position!, ':fills': expected.fills! },
            }),
      },
    };
  }

  /** A part of a transaction that holds only while a row is as it was read. */
  check(row: RowKey, position: string): TransactWriteItem {
    return {
      ConditionCheck: {
        TableName: this.props.tableName,
        Key: stateKey(row),
        ConditionExpression: '#position = :position',
        ExpressionAttributeNames: { '#position': 'position' },
        ExpressionAttributeValues: { ':position': { S: position } },
      },
    };
  }

  tombstoneExpiry(): number {
    return Math.floor(Date.now() / 1_000) + this.props.tombstoneDays * 86_400;
  }

  #versioned({ table, key, stored, next }: StateWrite): VersionedWrite {
    const attributes: Item = {
      position: { S: next.position },
      commitTime: next.commitTime === undefined ? { NULL: true } : { S: next.commitTime },
      row: { M: attributesOf(next.row) },
      lagging: { M: attributesOf(next.lagging) },
      fills: { N: String(next.fills) },
      ...(next.counted === undefined ? {} : { counted: { S: JSON.stringify(next.counted) } }),
    };
    // A row that lives has no expiry: DynamoDB passes over one that is not a number.
    if (next.deleted)
      Object.assign(attributes, { deleted: { BOOL: true }, expiresAt: { N: String(this.tombstoneExpiry()) } });
    else if (stored?.deleted) Object.assign(attributes, { deleted: { BOOL: false }, expiresAt: { NULL: true } });
    const expected =
      stored === undefined ? undefined : { position: { S: stored.position }, fills: { N: String(stored.fills) } };
    return { key: stateKey({ table, key }), expected, attributes };
  }
}

export function stateKey({ table, key }: RowKey): { pk: AttributeValue; sk: AttributeValue } {
  const [first, second = '-'] = key;
  return { pk: { S: `${table}#${first}` }, sk: { S: second } };
}

/** Names a row within the table. */
export function stateId(row: RowKey): string {
  const { pk, sk } = stateKey(row);
  return `${pk.S}\n${sk.S}`;
}

/** Rows by `stateId`. */
export function storedRows(items: readonly Item[]): Map<string, StoredRow> {
  return new Map(items.map((item) => [`${item.pk!.S}\n${item.sk!.S}`, storedRow(item)]));
}

export function storedRow(item: Readonly<Item>): StoredRow {
  const commitTime = item.commitTime?.S;
  return {
    position: item.position!.S!,
    ...(commitTime === undefined ? {} : { commitTime }),
    row: plainValues(item.row?.M),
    deleted: item.deleted?.BOOL === true,
    lagging: Object.fromEntries(Object.entries(item.lagging?.M ?? {}).map(([column, { S = '' }]) => [column, S])),
    fills: Number(item.fills?.N ?? 0),
    ...(item.counted?.S === undefined ? {} : { counted: JSON.parse(item.counted.S) }),
  };
}
