import { onlineItemOf } from './features';
import { Lifecycle, type SkuRow } from './lifecycle';
import type { OnlineTable, OnlineWrite } from './online-table';
import { OrderCounts } from './order-counts';
import { type Applied, RowApplier, type RowChanges, type RowView, type RowWork } from './row-applier';
import type { StoredRow } from './row-state';
import type { StateTable } from './state-table';

const skus = 'inventory.skus';
const orders = 'orders.orders';

/** Brings state and the online table to what changes say. */
export class ChangeApplier {
  readonly #rows: RowApplier;

  constructor(state: StateTable, online: OnlineTable) {
    this.#rows = new RowApplier(state, new OnlineView(state, online));
  }

  apply(rows: readonly RowChanges[]): Promise<Applied> {
    return this.#rows.apply(rows);
  }
}

/** The online table as a view of state. */
class OnlineView implements RowView {
  readonly #lifecycle: Lifecycle;
  readonly #counts: OrderCounts;

  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {
    this.#lifecycle = new Lifecycle(state, online);
    this.#counts = new OrderCounts(state, online);
  }

  async write(changed: readonly RowWork[]): Promise<RowWork[]> {
    const others = changed.filter(({ table }) => table !== orders);
    const [failed, failedOrders] = await Promise.all([
      this.state.write(others),
      this.#counts.write(changed.filter(({ table }) => table === orders)),
    ]);
    return [...failedOrders, ...[...failed].map((index) => others[index]!)];
  }

  async serve(rows: readonly RowWork[]): Promise<void> {
    const skuRows: SkuRow[] = [];
    const writes: OnlineWrite[] = [];
    for (const { table, key, stored, next } of rows) {
      const item = onlineItemOf(table, key, next);
      if (item === undefined) continue;
      if (table === skus) skuRows.push({ key, stored: next });
      else writes.push({ item, expected: stored?.position, ...this.#end(table, stored, next) });
    }
    await Promise.all([this.online.settle(writes), this.#lifecycle.settle(skuRows)]);
  }

  /** A deleted row's item keeps its position for as long as a straggler may come. A centre's keeps its counts for ever. */
  #end(table: string, stored: StoredRow | undefined, next: StoredRow): { expiresAt?: number | null } {
    if (next.deleted) return table === 'inventory.stock' ? { expiresAt: this.state.tombstoneExpiry() } : {};
    return stored?.deleted === true ? { expiresAt: null } : {};
  }
}
