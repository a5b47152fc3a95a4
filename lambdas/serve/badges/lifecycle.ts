import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { inChunks, transact } from './dynamo-calls';
import { onlineItemOf } from './features';
import { attributesOf, type Item, plainValue } from './item-values';
import { attributesFor, type OnlineTable, updateOf } from './online-table';
import type { StoredRow } from './row-state';
import type { StateTable } from './state-table';

const skus = 'inventory.skus';
const stock = 'inventory.stock';
// One action of a hundred checks that the SKU is still as it was.
const itemsPerTransaction = 99;
const rounds = 8;
// Long enough for a lookup that began before, short against the two days that DynamoDB may take.
const graceSeconds = 3_600;

/** A SKU's row as it stands in state. */
export interface SkuRow {
  readonly key: readonly string[];
  readonly stored: StoredRow;
}

/**
 * Serves SKUs, and what their lifecycle does to their stock: a discontinued SKU's items get an end, once it is shown as
 * discontinued; a SKU that comes back gets them back from state, ended or removed as they may be, before it is shown.
 * Both are bound to the SKU's position by a transaction, so a straggler cannot end what a later change brought back.
 */
export class Lifecycle {
  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {}

  async settle(rows: readonly SkuRow[]): Promise<void> {
    let open = rows;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`${open.length} skus are contended`);
      const items = await this.online.read(open.map((row) => itemOf(row).pk));
      const failed: SkuRow[] = [];
      const plain: SkuRow[] = [];
      await inChunks(open, 1, async ([row]) => {
        const item = items.get(itemOf(row!).pk);
        if (this.#isPlain(row!, item)) plain.push(row!);
        else if (!(await this.#change(row!, item))) failed.push(row!);
      });
      await this.online.settle(
        plain.map((row) => ({ item: itemOf(row), expected: items.get(itemOf(row).pk)?.position?.S })),
      );
      open = failed;
    }
  }

  /** Whether nothing is to be done but to write the item, in whatever order with others. */
  #isPlain({ stored }: SkuRow, item: Item | undefined): boolean {
    if (item?.position === undefined) return !stored.deleted && stored.row.status !== 'discontinued';
    const isLive = !stored.deleted && stored.row.status !== 'discontinued';
    return isLive && item.stockEnds?.BOOL !== true && item.expiresAt?.N === undefined;
  }

  /** False when the item has changed since it was read. */
  async #change(row: SkuRow, was: Item | undefined): Promise<boolean> {
    const item = itemOf(row);
    const { deleted, row: columns, position } = row.stored;
    const expected = was?.position?.S;
    if (expected !== undefined && expected > position) return true;
    if (deleted) {
      // Its stock stays as it is; whether it has been given an end must be known for as long as it may come back.
      const expiresAt = was?.stockEnds?.BOOL === true ? null : this.state.tombstoneExpiry();
      return this.online.writeVersion({ item, expected, expiresAt });
    }
    if (columns.status === 'discontinued') {
      const written = await this.online.writeVersion(
        { item, expected, expiresAt: null },
        { stockEnds: { BOOL: true } },
      );
      const isNews = plainValue(was?.status) !== 'discontinued' || expected === position;
      if (written && isNews) await this.#endStock(row);
      return written;
    }
    if (was?.stockEnds?.BOOL === true) await this.#restoreStock(row);
    return this.online.writeVersion({ item, expected, expiresAt: null }, { stockEnds: { BOOL: false } });
  }

  async #endStock(row: SkuRow): Promise<void> {
    const expiresAt = Math.floor(Date.now() / 1_000) + graceSeconds;
    await this.#eachStock(row, (pk) => ({
      Update: updateOf(this.online.tableName, pk, attributesOf({ expiresAt })),
    }));
  }

  async #restoreStock(row: SkuRow): Promise<void> {
    await this.#eachStock(row, (pk, attributes) => {
      const update = updateOf(this.online.tableName, pk, attributes);
      return {
        Update: { ...update, ConditionExpression: 'attribute_not_exists(#position) OR #position <= :position' },
      };
    });
  }

  /** Changes the items of a SKU's stock while the SKU is as it was; stops where it is not, since another is at work then. */
  async #eachStock(row: SkuRow, action: (pk: string, attributes: Item) => TransactWriteItem): Promise<void> {
    const check = this.state.check({ table: skus, key: row.key }, row.stored.position);
    for (let round = 1; round <= rounds; round++) {
      const rows = await this.state.readGroup(stock, row.key[0]!);
      const live = rows
        .filter(({ stored }) => !stored.deleted)
        .map(({ key, stored }) => onlineItemOf(stock, key, stored)!);
      let isDone = true;
      for (let start = 0; start < live.length; start += itemsPerTransaction) {
        const actions = live
          .slice(start, start + itemsPerTransaction)
          .map((item) => action(item.pk, attributesFor(item, null)));
        const failed = await transact(this.state.dynamoDb, [check, ...actions]);
        if (failed?.has(0)) return;
        // An item is ahead of the row that was read: the row has changed, so it is read again.
        if (failed !== undefined) isDone = false;
      }
      if (isDone) return;
    }
    throw new Error('the stock of a sku is contended');
  }
}

const itemOf = ({ key, stored }: SkuRow) => onlineItemOf(skus, key, stored)!;
