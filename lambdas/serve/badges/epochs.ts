import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { SourceName } from '../../base/domain/source-tables';

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

const keptMs = 60_000;

/** The epochs of the databases, as the control of the replication has written them. */
export class Epochs {
  readonly #kept = new Map<SourceName, Promise<Kept>>();

  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly tableName: string,
  ) {}

  /**
   * The epochs of a database, oldest first, that say of a record arriving then where it belongs: what is kept serves for
   * records that had arrived when it was read. Throws when there is none: the replication has never been started.
   */
  async of(database: SourceName, arrivedAt: number): Promise<readonly Epoch[]> {
    const kept = await this.#kept.get(database)?.catch(() => undefined);
    if (kept !== undefined && arrivedAt <= kept.readAt && Date.now() - kept.readAt < keptMs) return kept.epochs;
    const reading = this.#read(database);
    this.#kept.set(database, reading);
    const { epochs } = await reading;
    if (epochs.length === 0) throw new Error(`no epoch of ${database} has been started`);
    return epochs;
  }

  /** The newest epoch as it stands now. */
  async newest(database: SourceName): Promise<Epoch | undefined> {
    return (await this.#read(database)).epochs.at(-1);
  }

  async #read(database: SourceName): Promise<Kept> {
    const readAt = Date.now();
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
    return { epochs: epochs.reverse(), readAt };
  }
}

/** The epoch of a record; 0 for what is older than all of them, and so than every row that the first one loads. */
export function epochAt(epochs: readonly Epoch[], arrivedAt: number): number {
  return epochs.findLast(({ startedAt }) => startedAt <= arrivedAt)?.epoch ?? 0;
}
