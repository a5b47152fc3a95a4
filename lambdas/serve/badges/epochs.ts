import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { SourceName } from '../../base/domain/source-tables';
import type { Item } from './item-values';

/** A load of a database and the changes after it, to the next load. */
export interface Epoch {
  readonly epoch: number;
  /** Milliseconds. Records that arrived in `changes` from then on belong to it. */
  readonly startedAt: number;
  /** Milliseconds: DMS has sent all rows of all tables. Undefined until it has. */
  readonly loadedAt?: number;
}

interface Kept {
  readonly epochs: readonly Epoch[];
  readonly readAt: number;
}

// No longer is a list trusted: a table that was made anew begins its numbers again, which no next number shows.
const keptMs = 60_000;

/** The epochs of the databases, as the control of the replication has written them: numbered one after the other. */
export class Epochs {
  readonly #kept = new Map<SourceName, Kept>();

  constructor(
    private readonly dynamoDb: DynamoDBClient,
    readonly tableName: string,
  ) {}

  /**
   * Key of the epoch that would follow those that are known. If a consistent read made after a record arrived does not
   * find it, `known` has every epoch that the record can belong to. Undefined where none are known, or not of late.
   */
  nextKey(database: SourceName): Item | undefined {
    const kept = this.#kept.get(database);
    if (kept === undefined || Date.now() - kept.readAt > keptMs) return undefined;
    return { database: { S: database }, epoch: { N: String(kept.epochs.at(-1)!.epoch + 1) } };
  }

  /** Those that `nextKey` was about. */
  known(database: SourceName): readonly Epoch[] {
    return this.#kept.get(database)!.epochs;
  }

  /** The epochs of a database, oldest first. Throws when there is none: the replication has never been started. */
  async of(database: SourceName): Promise<readonly Epoch[]> {
    const readAt = Date.now();
    const epochs = await this.#read(database);
    if (epochs.length === 0) throw new Error(`no epoch of ${database} has been started`);
    this.#kept.set(database, { epochs, readAt });
    return epochs;
  }

  /** The newest epoch as it stands now. */
  async newest(database: SourceName): Promise<Epoch | undefined> {
    return (await this.#read(database)).at(-1);
  }

  async #read(database: SourceName): Promise<readonly Epoch[]> {
    // The newest are enough: records of older ones have left the stream.
    const { Items = [] } = await this.dynamoDb.send(
      new QueryCommand({
        TableName: this.tableName,
        KeyConditionExpression: '#database = :database',
        ExpressionAttributeNames: { '#database': 'database' },
        ExpressionAttributeValues: { ':database': { S: database } },
        ScanIndexForward: false,
        ConsistentRead: true,
        Limit: 100,
      }),
    );
    const epochs = Items.map(({ epoch, startedAt, loadedAt }) => ({
      epoch: Number(epoch!.N),
      startedAt: Date.parse(startedAt!.S!),
      ...(loadedAt?.S === undefined ? {} : { loadedAt: Date.parse(loadedAt.S) }),
    }));
    return epochs.reverse();
  }
}

/** The epoch of a record; 0 for what is older than all of them, and so than every row that the first one loads. */
export function epochAt(epochs: readonly Epoch[], arrivedAt: number): number {
  return epochs.findLast(({ startedAt }) => startedAt <= arrivedAt)?.epoch ?? 0;
}
