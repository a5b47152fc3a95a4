import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { backOff, readItems, writeVersions } from '../../badges/dynamo-calls';

const rounds = 10;

/** This reader's claims: which pack counts a sale, once and for all. */
export class ClaimsTable {
  constructor(
    private readonly dynamoDb: DynamoDBClient,
    private readonly tableName: string,
    private readonly claimDays: number,
  ) {}

  /** Claims sales for a pack and answers those that are its own, now or since an earlier attempt. Keys must not repeat. */
  async claim(keys: readonly string[], pack: string): Promise<ReadonlySet<string>> {
    const expiresAt = String(Math.floor(Date.now() / 1_000) + this.claimDays * 86_400);
    const own = new Set<string>();
    let open = keys;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`${open.length} claims were refused`);
      if (round > 1) await backOff(round);
      const refused = await writeVersions(
        this.dynamoDb,
        this.tableName,
        open.map((key) => ({
          key: { id: { S: key } },
          expected: undefined,
          attributes: { pack: { S: pack }, expiresAt: { N: expiresAt } },
        })),
      );
      for (const [index, key] of open.entries()) if (!refused.has(index)) own.add(key);
      open = await this.#settle(
        [...refused].map((index) => open[index]!),
        pack,
        own,
      );
    }
    return own;
  }

  /** Looks up who has them; answers those that nobody has: they were throttled, or have expired just now. */
  async #settle(keys: readonly string[], pack: string, own: Set<string>): Promise<string[]> {
    const items = await readItems(
      this.dynamoDb,
      this.tableName,
      keys.map((key) => ({ id: { S: key } })),
    );
    const holders = new Map(items.map((item) => [item.id!.S!, item.pack!.S!]));
    for (const key of keys) if (holders.get(key) === pack) own.add(key);
    return keys.filter((key) => !holders.has(key));
  }
}
