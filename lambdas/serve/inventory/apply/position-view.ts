import { inParallel } from '../../../base/runtime/in-parallel';
import { onlineItemOf } from '../../badges/features';
import type { OnlineTable } from '../../badges/online-table';
import type { RowView, RowWork } from '../../badges/row-applier';
import type { StoredRow } from '../../badges/row-state';
import { type RowKey, type StateTable, stateId } from '../../badges/state-table';
import { type SkuImage, type StockImage, withImages } from '../position';
import type { PositionsTable } from '../positions-table';

const skus = 'inventory.skus';
const stock = 'inventory.stock';
const centres = 'inventory.fulfillment_centers';
const groupsAtOnce = 8;

/**
 * Positions as a view of the inventory database's rows. Rows are read from state once the changed ones are in it, so of
 * two that change at once, a stock row and its SKU, at least the later one finds both.
 */
export class PositionView implements RowView {
  constructor(
    private readonly state: StateTable,
    private readonly online: OnlineTable,
    private readonly positions: PositionsTable,
  ) {}

  async write(changed: readonly RowWork[]): Promise<RowWork[]> {
    const failed = await this.state.write(changed);
    return [...failed].map((index) => changed[index]!);
  }

  async serve(rows: readonly RowWork[]): Promise<void> {
    const skuRows = rows.filter(({ table }) => table === skus);
    await this.online.settle(
      skuRows.map(({ key, stored, next }) => ({
        item: onlineItemOf(skus, key, next)!,
        expected: stored?.position,
      })),
    );
    for (const { table, key, next } of rows)
      if (table === centres && !next.deleted) await this.positions.knowLocation(key[0]!);

    const targets = new Map<string, RowKey>();
    const add = (key: readonly string[]) => targets.set(stateId({ table: stock, key }), { table: stock, key });
    for (const { table, key } of rows) if (table === stock) add(key);
    await inParallel(skuRows, groupsAtOnce, async ({ key }) => {
      for (const row of await this.state.readGroup(stock, key[0]!)) add(row.key);
    });
    if (targets.size > 0) await this.#bring([...targets.values()]);
  }

  async #bring(targets: readonly RowKey[]): Promise<void> {
    const skuKeys = [...new Set(targets.map(({ key }) => key[0]!))].map((sku) => ({ table: skus, key: [sku] }));
    const rows = await this.state.read([...targets, ...skuKeys]);
    await this.positions.commit(
      targets.map((target) => {
        const [sku, location] = target.key as [string, string];
        const images = {
          stock: imageOf(rows.get(stateId(target)), stockImage),
          sku: imageOf(rows.get(stateId({ table: skus, key: [sku] })), skuImage),
        };
        return {
          sku,
          location,
          cause: { change: 'database', records: [] },
          change: (before, at) => withImages(before, images, at),
        };
      }),
    );
  }
}

function imageOf<Image>(row: StoredRow | undefined, image: (row: StoredRow) => Image): Image | undefined {
  return row === undefined ? undefined : image(row);
}

// A row that is gone has no columns.
function stockImage({ position, fills, commitTime, row, deleted }: StoredRow): StockImage {
  return {
    position,
    fills,
    onHand: (row.on_hand ?? null) as number | null,
    reserved: (row.reserved ?? null) as number | null,
    countedAt: (row.updated_at ?? null) as string | null,
    committedAt: commitTime ?? null,
    deleted,
  };
}

function skuImage({ position, fills, row, deleted }: StoredRow): SkuImage {
  return {
    position,
    fills,
    status: (row.status ?? null) as string | null,
    reorderPoint: (row.reorder_point ?? null) as number | null,
    deleted,
  };
}
