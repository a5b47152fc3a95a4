import { chunksOf } from '../../../base/runtime/chunks';
import type { SaleRecord } from '../../../base/runtime/sales-in';
import { withCounts } from '../position';
import type { PositionsTable } from '../positions-table';
import type { ClaimsTable } from './claims-table';
import type { Lane, LanesTable } from './lanes-table';
import { countsOf, type PackedSale, packedSale, packedSize } from './pack';

/** What became of a batch's sales. */
export interface Counted {
  counted: number;
  duplicates: number;
  versions: number;
  crossings: number;
}

// An item holds 400 KB; a sale of two thousand lines takes 180.
const packBytes = 300_000;
const packSales = 2_000;
const attempts = 10;

/**
 * Counts sales exactly once, without transactions: a write unit for a sale, and one for each position that a pack of sales
 * changes.
 *
 * A pack is written down first, under the next number of its lane; from then on it is counted to its end, by whoever comes
 * next. Its sales are claimed for it, and those that another pack has are left out, the same ones each time. Then each
 * position is brought to its next version unless it has counted the pack already. So wherever a crash falls, the same is
 * done again, or nothing is.
 */
export class Counter {
  #settled: ReadonlyMap<string, number> = new Map();

  constructor(
    private readonly lanes: LanesTable,
    private readonly claims: ClaimsTable,
    private readonly positions: PositionsTable,
  ) {}

  async count(laneName: string, records: readonly SaleRecord[]): Promise<Counted> {
    const result: Counted = { counted: 0, duplicates: 0, versions: 0, crossings: 0 };
    const sales = new Map(records.map((record) => [record.key, packedSale(record)]));
    let lane = await this.#settle(await this.lanes.read(laneName), result);
    for (const pack of chunksOf(sales.values(), { most: packSales, bytes: packBytes, sizeOf: packedSize }))
      lane = await this.#countPack(lane, pack, result);
    result.duplicates = records.length - result.counted;
    return result;
  }

  async #countPack(before: Lane, pack: readonly PackedSale[], result: Counted): Promise<Lane> {
    let lane = before;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const begun = await this.lanes.begin(lane, pack);
      if (begun !== undefined) {
        result.counted += await this.#finish(begun, pack, result);
        return this.lanes.finish(begun);
      }
      // A redrive, or one of us that was given up but still runs: it goes first.
      lane = await this.#settle(await this.lanes.read(lane.name), result);
    }
    throw new Error(`lane ${before.name} is contended`);
  }

  /** Counts to its end what one of us left. */
  async #settle(lane: Lane, result: Counted): Promise<Lane> {
    if (lane.isDone) return lane;
    await this.#finish(lane, await this.lanes.contentsOf(lane), result);
    return this.lanes.finish(lane);
  }

  /** Answers how many sales were the pack's own. */
  async #finish({ name, pack }: Lane, sales: readonly PackedSale[], result: Counted): Promise<number> {
    const own = await this.claims.claim(
      sales.map(({ key }) => key),
      `${name}#${pack}`,
    );
    const unsettled = new Set<string>();
    const { versions, crossings } = await this.positions.commit(
      countsOf(sales.filter(({ key }) => own.has(key))).map(({ sku, location, sold, lines, records }) => ({
        sku,
        location,
        cause: { change: 'sales', records },
        change: (before, at) => withCounts(before, { lane: name, pack, sold, lines }, at),
      })),
      (lane) => {
        unsettled.add(lane);
        return this.#settled.get(lane) ?? 0;
      },
    );
    result.versions += versions;
    result.crossings += crossings;
    // Positions ask only once many lanes stand in them; what is found now serves the next time.
    if (unsettled.size > 0) this.#settled = await this.lanes.settled([...unsettled]);
    return own.size;
  }
}
