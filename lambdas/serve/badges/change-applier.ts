import type { HistoryRow } from '../../base/domain/badge-history';
import { type OnlineItem, onlineItemOf, versionOf } from './features';
import { countRows, featureRow } from './history-rows';
import { Lifecycle, type SkuRow } from './lifecycle';
import type { OnlineTable, OnlineWrite } from './online-table';
import { OrderCounts } from './order-counts';
import {
  type Applied,
  columnsOf,
  RowApplier,
  type RowChanges,
  type RowView,
  type RowWork,
  type StoredRows,
} from './row-applier';
import { type StoredRow, withChange } from './row-state';
import type { StateTable } from './state-table';

const skus = 'inventory.skus';
const orders = 'orders.orders';

/** What became of rows, and what the history is to say of it. */
export interface AppliedWithHistory extends Applied {
  readonly history: readonly HistoryRow[];
}

/**
 * Brings state and the online table to what changes say.
 *
 * What it answers for the history loses nothing that was ever served, whoever was killed in between: what a call wrote
 * and did not answer comes again with the redelivery. Of its changes the newest is found in state and served again, and
 * every other is a row without a time when it became readable, since it may have been for a while. Images that no change
 * has whole (an update left columns out) are answered by whoever replaces them.
 */
export class ChangeApplier {
  readonly #rows: RowApplier;
  readonly #view: OnlineView;

  constructor(state: StateTable, online: OnlineTable) {
    this.#view = new OnlineView(state, online);
    this.#rows = new RowApplier(state, this.#view);
  }

  async apply(rows: readonly RowChanges[], known?: StoredRows): Promise<AppliedWithHistory> {
    // What a failed call left is answered by the redelivery.
    this.#view.takeHistory();
    const applied = await this.#applySideBySide(rows, known);
    const history = this.#view.takeHistory();
    const said = new Set(history.map(({ item, position }) => `${item}\n${position}`));
    const others = rows.flatMap(wholeImages).filter(({ pk, position }) => !said.has(`${pk}\n${position}`));
    return { ...applied, history: [...history, ...others.map((item) => featureRow(item))] };
  }

  /**
   * Orders, SKUs and all else side by side, as they are when they come from several shards: stock does not wait for the
   * counts that orders contend for. When one fails, the others end first, so that nothing goes on behind the next call.
   */
  async #applySideBySide(rows: readonly RowChanges[], known?: StoredRows): Promise<Applied> {
    const groupOf = ({ table }: RowChanges) => (table === orders || table === skus ? table : 'others');
    const groups = [orders, skus, 'others'].map((name) => rows.filter((row) => groupOf(row) === name));
    const outcomes = await Promise.allSettled(groups.map((group) => this.#rows.apply(group, known)));
    const sum: Applied = { applied: 0, repeated: 0, outdated: 0 };
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') throw outcome.reason;
      for (const name of ['applied', 'repeated', 'outdated'] as const) sum[name] += outcome.value[name];
    }
    return sum;
  }
}

/** The online table as a view of state. */
class OnlineView implements RowView {
  readonly #lifecycle: Lifecycle;
  readonly #counts: OrderCounts;
  #history: HistoryRow[] = [];

  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {
    this.#lifecycle = new Lifecycle(state, online);
    this.#counts = new OrderCounts(state, online);
  }

  /** What has been served since this was asked last. */
  takeHistory(): readonly HistoryRow[] {
    const history = this.#history;
    this.#history = [];
    return history;
  }

  async write(changed: readonly RowWork[]): Promise<RowWork[]> {
    const others = changed.filter(({ table }) => table !== orders);
    const [failedOthers, ofOrders] = await Promise.all([
      this.state.write(others),
      this.#counts.write(changed.filter(({ table }) => table === orders)),
    ]);
    const failed = new Set([...ofOrders.failed, ...[...failedOthers].map((index) => others[index]!)]);
    this.#history.push(...ofOrders.history, ...changed.filter((work) => !failed.has(work)).flatMap(replacedPart));
    return [...failed];
  }

  async serve(rows: readonly RowWork[]): Promise<void> {
    // Whoever counted an order before may have been killed before it could say so.
    const now = new Date().toISOString();
    for (const { key, stored } of rows) this.#history.push(...countRows(key[0]!, stored?.counted ?? [], now));
    const skuRows: SkuRow[] = [];
    const writes: OnlineWrite[] = [];
    for (const { table, key, stored, next } of rows) {
      const item = onlineItemOf(table, key, next);
      if (item === undefined) continue;
      if (table === skus) skuRows.push({ key, stored: next });
      else writes.push({ item, expected: stored && versionOf(stored), ...this.#end(table, stored, next) });
    }
    const [passed, ofSkus] = await Promise.all([this.online.settle(writes), this.#lifecycle.settle(skuRows)]);
    const readableAt = new Date().toISOString();
    const served = writes.map(({ item }, index) => featureRow(item, passed.has(index) ? undefined : readableAt));
    this.#history.push(...served, ...ofSkus);
  }

  /** A deleted row's item keeps its position for as long as a straggler may come. A centre's keeps its counts for ever. */
  #end(table: string, stored: StoredRow | undefined, next: StoredRow): { expiresAt?: number | null } {
    if (next.deleted) return table === 'inventory.stock' ? { expiresAt: this.state.tombstoneExpiry() } : {};
    return stored?.deleted === true ? { expiresAt: null } : {};
  }
}

/** What a row was before it was written, where that is more than its change said. */
function replacedPart({ table, key, stored }: RowWork): HistoryRow[] {
  if (stored === undefined || (stored.fills === 0 && Object.keys(stored.lagging).length === 0)) return [];
  const item = onlineItemOf(table, key, stored);
  return item === undefined ? [] : [featureRow(item)];
}

/** The images that changes have whole. */
function wholeImages({ table, key, changes }: RowChanges): OnlineItem[] {
  return changes
    .filter(({ effect }) => effect !== 'merge')
    .flatMap((change) => onlineItemOf(table, key, withChange(undefined, change, columnsOf(table))) ?? []);
}
