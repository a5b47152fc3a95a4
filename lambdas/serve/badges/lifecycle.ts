import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { HistoryRow } from '../../base/domain/badge-history';
import { allEnded } from '../../base/runtime/all-ended';
import { inChunks, transact } from './dynamo-calls';
import { type OnlineItem, onlineItemOf } from './features';
import { endRow, featureRow } from './history-rows';
import { attributesOf, type Item, plainValue } from './item-values';
import { attributesFor, type OnlineTable, type OnlineWrite, updateOf } from './online-table';
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

/** A SKU whose item is only to be written. */
export interface PlainSku {
  readonly row: SkuRow;
  readonly write: OnlineWrite;
}

/** `passed`: the item is at a later position; `changed`: it is not as it was read, and is to be read again. */
type Outcome = 'served' | 'passed' | 'changed';

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

  /**
   * Splits SKUs by what is known of their items: those of which nothing is to be done but to write the item, and others.
   * Whoever knows it from before the rows were in state must write on condition that it is so still, since only what is
   * read after them shows what the straggler of an older row has done meanwhile.
   */
  sorted(rows: readonly SkuRow[], known: ReadonlyMap<string, Item>): { plain: PlainSku[]; others: SkuRow[] } {
    const plain: PlainSku[] = [];
    const others: SkuRow[] = [];
    for (const row of rows) {
      const item = itemOf(row);
      const was = known.get(item.pk);
      const expected = was?.position?.S;
      const isPassed = expected !== undefined && expected > item.position;
      if (!isPassed && this.#isPlain(row, was)) plain.push({ row, write: { item, expected } });
      else others.push(row);
    }
    return { plain, others };
  }

  /**
   * Answers what the history is to say of it. `known`: the items of SKUs of which more is to be done than to write the
   * item, as they were before the rows were in state; what is not so any more is read again.
   */
  async settle(rows: readonly SkuRow[], known?: ReadonlyMap<string, Item>): Promise<HistoryRow[]> {
    const history: HistoryRow[] = [];
    let open = rows;
    for (let round = 1; open.length > 0; round++) {
      if (round > rounds) throw new Error(`${open.length} skus are contended`);
      const items =
        round === 1 && known !== undefined ? known : await this.online.read(open.map((row) => itemOf(row).pk));
      const { plain, others } = this.sorted(open, items);
      const failed: SkuRow[] = [];
      await inChunks(others, 1, async ([row]) => {
        const outcome = await this.#change(row!, items.get(itemOf(row!).pk), history);
        if (outcome === 'changed') failed.push(row!);
        else history.push(featureRow(itemOf(row!), outcome === 'served' ? now() : undefined));
      });
      const passed = await this.online.settle(plain.map(({ write }) => write));
      for (const [index, { write }] of plain.entries())
        history.push(featureRow(write.item, passed.has(index) ? undefined : now()));
      open = failed;
    }
    return history;
  }

  /** Whether nothing is to be done but to write the item, in whatever order with others. */
  #isPlain({ stored }: SkuRow, item: Item | undefined): boolean {
    const isLive = !stored.deleted && stored.row.status !== 'discontinued';
    return isLive && item?.stockEnds?.BOOL !== true && item?.expiresAt?.N === undefined;
  }

  async #change(row: SkuRow, was: Item | undefined, history: HistoryRow[]): Promise<Outcome> {
    const item = itemOf(row);
    const { deleted, row: columns } = row.stored;
    const expected = was?.position?.S;
    if (expected !== undefined && expected > item.position) return 'passed';
    if (deleted) {
      // Its stock stays as it is; whether it has been given an end must be known for as long as it may come back.
      const expiresAt = was?.stockEnds?.BOOL === true ? null : this.state.tombstoneExpiry();
      return outcomeOf(await this.online.writeVersion({ item, expected, expiresAt }));
    }
    if (columns.status === 'discontinued') {
      // An end that was given is kept: someone may have read it already.
      const given = plainValue(was?.status) === 'discontinued' ? was?.stockEndsAt?.N : undefined;
      const nowSeconds = Math.floor(Date.now() / 1_000);
      const endsAt = given === undefined ? nowSeconds + graceSeconds : Number(given);
      // Whoever gave it may have been killed, or passed by this change, before all of the stock had it.
      const isDue = expected === item.position || endsAt > nowSeconds;
      const [written, items] = await allEnded([
        this.online.writeVersion(
          { item, expected, expiresAt: null },
          { stockEnds: { BOOL: true }, ...(isDue ? { stockEndsAt: { N: String(endsAt) } } : {}) },
        ),
        isDue ? this.#stockOf(row) : Promise.resolve([]),
      ]);
      if (written && isDue) await this.#endStock(row, items, endsAt, history);
      return outcomeOf(written);
    }
    if (was?.stockEnds?.BOOL === true) await this.#restoreStock(row, was, history);
    return outcomeOf(
      await this.online.writeVersion({ item, expected, expiresAt: null }, { stockEnds: { BOOL: false } }),
    );
  }

  async #endStock(row: SkuRow, items: readonly OnlineItem[], expiresAt: number, history: HistoryRow[]): Promise<void> {
    const { changed } = await this.#eachStock(row, items, (pk) => ({
      Update: updateOf(this.online.tableName, pk, attributesOf({ expiresAt })),
    }));
    history.push(...changed.map(({ pk }) => endRow(pk, expiresAt, now())));
  }

  async #restoreStock(row: SkuRow, { stockEndsAt }: Item, history: HistoryRow[]): Promise<void> {
    const { changed, known } = await this.#eachStock(row, await this.#stockOf(row), (pk, attributes) => {
      const update = updateOf(this.online.tableName, pk, attributes);
      return {
        Update: { ...update, ConditionExpression: 'attribute_not_exists(#position) OR #position <= :position' },
      };
    });
    history.push(...changed.map((item) => featureRow(item, now())));
    // Whoever gave it its end may have been killed before it could say so.
    if (stockEndsAt?.N !== undefined) history.push(...known.map(({ pk }) => endRow(pk, Number(stockEndsAt.N), now())));
  }

  /** The items of a SKU's stock as they follow from state, gone ones among them. */
  async #stockOf({ key }: SkuRow): Promise<OnlineItem[]> {
    const rows = await this.state.readGroup(stock, key[0]!);
    return rows.map((row) => onlineItemOf(stock, row.key, row.stored)!);
  }

  /**
   * Changes the items of a SKU's stock, as it was read a moment ago, while the SKU is as it was; stops where it is not,
   * since another is at work then. Answers the items that were changed, and those that are known.
   */
  async #eachStock(
    row: SkuRow,
    read: readonly OnlineItem[],
    action: (pk: string, attributes: Item) => TransactWriteItem,
  ): Promise<{ readonly changed: readonly OnlineItem[]; readonly known: readonly OnlineItem[] }> {
    const changed: OnlineItem[] = [];
    const check = this.state.check({ table: skus, key: row.key }, row.stored.position);
    let known = read;
    for (let round = 1; round <= rounds; round++) {
      if (round > 1) known = await this.#stockOf(row);
      const live = known.filter(({ deleted }) => !deleted);
      let isDone = true;
      for (let start = 0; start < live.length; start += itemsPerTransaction) {
        const items = live.slice(start, start + itemsPerTransaction);
        const actions = items.map((item) => action(item.pk, attributesFor(item, null)));
        const failed = await transact(this.state.dynamoDb, [check, ...actions]);
        if (failed?.has(0)) return { changed, known };
        // An item is ahead of the row that was read: the row has changed, so it is read again.
        if (failed === undefined) changed.push(...items);
        else isDone = false;
      }
      if (isDone) return { changed, known };
    }
    throw new Error('the stock of a sku is contended');
  }
}

const now = () => new Date().toISOString();
const outcomeOf = (written: boolean): Outcome => (written ? 'served' : 'changed');
const itemOf = ({ key, stored }: SkuRow) => onlineItemOf(skus, key, stored)!;
