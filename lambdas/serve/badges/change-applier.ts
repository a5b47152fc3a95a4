import type { HistoryRow } from '../../base/domain/badge-history';
import type { Change } from '../../base/domain/change';
import { allEnded } from '../../base/runtime/all-ended';
import { type OnlineItem, onlineItemOf, versionOf } from './features';
import { countRows, featureRow } from './history-rows';
import { Lifecycle, type PlainSku, type SkuRow } from './lifecycle';
import { onlineKey } from './lookup/online-items';
import type { OnlineTable, OnlineWrite } from './online-table';
import { OrderCounts } from './order-counts';
import {
  type Applied,
  columnsOf,
  nextOf,
  type ReadAhead,
  RowApplier,
  type RowChanges,
  type RowView,
  type RowWork,
  rowsOf,
} from './row-applier';
import { type StoredRow, withChange } from './row-state';
import { type StateTable, stateId } from './state-table';

const skus = 'inventory.skus';
const stock = 'inventory.stock';
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

  /** The SKUs' items, and the counts of the centres that orders name; one that an order leaves is known or asked for. */
  readsAhead(changes: readonly Change[]): readonly string[] {
    const ofSkus = rowsOf(changes).filter(({ table }) => table === skus);
    const fcs = changes.flatMap(({ database, table, row }) =>
      `${database}.${table}` === orders && typeof row.fc_id === 'string' ? [row.fc_id] : [],
    );
    return [...ofSkus.map(({ key }) => onlineKey.sku(key[0]!)), ...fcs.map(onlineKey.centre)];
  }

  async apply(rows: readonly RowChanges[], ahead?: ReadAhead): Promise<AppliedWithHistory> {
    this.#view.begin(ahead?.online);
    const applied = await this.#applySideBySide(rows, ahead);
    const history = this.#view.history();
    const said = new Set(history.map(({ item, position }) => `${item}\n${position}`));
    const others = rows.flatMap(wholeImages).filter(({ pk, position }) => !said.has(`${pk}\n${position}`));
    return { ...applied, history: [...history, ...others.map((item) => featureRow(item))] };
  }

  /**
   * Orders that seem to count and all else side by side, as they are when they come from several shards: stock does not
   * wait for the counts that orders contend for. When one fails, the other ends first, so that nothing goes on behind the
   * next call.
   */
  async #applySideBySide(rows: readonly RowChanges[], ahead?: ReadAhead): Promise<Applied> {
    const counting = new Set(rows.filter((row) => this.#view.isCounting(row, ahead?.stored.get(stateId(row)))));
    const groups = [[...counting], rows.filter((row) => !counting.has(row))];
    const sum: Applied = { applied: 0, repeated: 0, outdated: 0 };
    for (const applied of await allEnded(groups.map((group) => this.#rows.apply(group, ahead))))
      for (const name of ['applied', 'repeated', 'outdated'] as const) sum[name] += applied[name];
    return sum;
  }
}

/** The online table as a view of state. */
class OnlineView implements RowView {
  readonly #lifecycle: Lifecycle;
  readonly #counts: OrderCounts;
  #history: HistoryRow[] = [];
  #ahead: ReadAhead['online'] | undefined;

  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
  ) {
    this.#lifecycle = new Lifecycle(state, online);
    this.#counts = new OrderCounts(state, online);
  }

  /** Takes in what was read ahead, and drops what a failed call left: the redelivery answers that. */
  begin(ahead: ReadAhead['online'] | undefined): void {
    this.#history = [];
    this.#ahead = ahead;
    this.#counts.know(ahead ?? new Map());
  }

  /** What has been served since the beginning. */
  history(): readonly HistoryRow[] {
    return this.#history;
  }

  /** Whether a row is an order that seems to change a count, from what is known of it. */
  isCounting(row: RowChanges, stored: StoredRow | undefined): boolean {
    return row.table === orders && this.#counts.isCounting({ stored, next: nextOf(row, stored) });
  }

  async write(changed: readonly RowWork[]): Promise<RowWork[]> {
    const { counting, still } = this.#counts.sorted(changed.filter(({ table }) => table === orders));
    const others = [...changed.filter(({ table }) => table !== orders), ...still];
    const [failedOthers, ofOrders] = await allEnded([this.state.write(others), this.#counts.write(counting)]);
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
    const known = this.#ahead;
    const { plain, others } =
      known === undefined ? { plain: [], others: skuRows } : this.#lifecycle.sorted(skuRows, known);
    const settle = () => this.#settle(writes, plain);
    const settleOthers = () => this.#lifecycle.settle(others, known);
    // A stock row that meets the end which its SKU gives it would take it away.
    const isTogether = others.some(({ key }) => rows.some((row) => row.table === stock && row.key[0] === key[0]));
    const served = isTogether ? [await settle(), await settleOthers()] : await allEnded([settle(), settleOthers()]);
    this.#history.push(...served.flat());
  }

  /** Writes items, SKUs' that are only to be written with all others. */
  async #settle(writes: readonly OnlineWrite[], skus: readonly PlainSku[]): Promise<HistoryRow[]> {
    const all = [...writes, ...skus.map(({ write }) => write)];
    const failed = await this.online.writeVersions(all);
    const late = writes.filter((_, index) => failed.has(index));
    const [passed, ofSkus] = await allEnded([
      this.online.settleEach(late),
      this.#lifecycle.settle(skus.filter((_, index) => failed.has(writes.length + index)).map(({ row }) => row)),
    ]);
    const readableAt = new Date().toISOString();
    const gone = new Set(late.filter((_, index) => passed.has(index)));
    const served = all.filter((write, index) => (index < writes.length ? !gone.has(write) : !failed.has(index)));
    return [
      ...served.map(({ item }) => featureRow(item, readableAt)),
      ...[...gone].map(({ item }) => featureRow(item)),
      ...ofSkus,
    ];
  }

  /** A deleted row's item keeps its position for as long as a straggler may come. A centre's keeps its counts for ever. */
  #end(table: string, stored: StoredRow | undefined, next: StoredRow): { expiresAt?: number | null } {
    if (next.deleted) return table === stock ? { expiresAt: this.state.tombstoneExpiry() } : {};
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
