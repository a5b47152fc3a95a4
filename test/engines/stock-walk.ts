import { type Sale, saleKey } from '../../lambdas/base/domain/sale';
import type { StreamRecord } from '../../local/engines/dynamodb/stream-shard';
import { aSale } from '../engine-rig/sales';
import type { Random } from '../reconciliation/random';
import { Source, type SourceRecord } from './badges-apply-source';
import { policy } from './inventory-tables';

const tenMinutes = 600_000;
const skus = 50;

/** What a row of the database said; undefined: it is gone. */
interface StockRow {
  readonly onHand: number;
  readonly reserved: number;
  readonly countedAt: number;
}
interface SkuRow {
  readonly reorderPoint: number | null;
  readonly status: string;
}

/** A version of a position as it was committed: which packs and which rows it contains, and nothing that was computed from them. */
export interface Version {
  readonly version: number;
  readonly lanes: Readonly<Record<string, number>>;
  readonly stockAt: string | undefined;
  readonly skuAt: string | undefined;
  readonly units: number;
}

/**
 * Some SKUs at a store and at a centre, each of which walks around its reorder point: sales and returns on two shards, some
 * of them sent twice, and rows of the database on two others. What is due of it is told by the sources' own words alone.
 */
export class StockWalk {
  readonly sales: readonly unknown[][] = [[], []];
  readonly changes: readonly SourceRecord[][] = [[], []];
  readonly names: readonly string[];
  readonly #source = new Source();
  readonly #sold: Sale[] = [];
  readonly #stock = new Map<string, StockRow | undefined>();
  readonly #skus = new Map<string, SkuRow | undefined>();
  readonly #lastStock = new Map<string, string>();
  readonly #start: number;
  #step = 0;

  constructor(
    readonly id: number,
    private readonly random: Random,
  ) {
    this.#start = (Math.floor(Date.now() / tenMinutes) - 60) * tenMinutes;
    this.names = Array.from({ length: skus }, (_, index) => `W${id}-${index}`);
    for (const name of this.names) {
      this.#changeSku(name);
      for (const location of this.locations) this.#changeStock(name, location);
    }
  }

  readonly locations = ['store-1', 'centre-1'] as const;

  get walks(): number {
    return skus * this.locations.length;
  }

  /** Time goes on: some are sold, some come back, some are counted or ordered differently. */
  step(): void {
    const { random } = this;
    this.#step += 1;
    for (let each = 0; each < skus; each++) {
      const isReturn = random.whole(5) === 0;
      const lines = Array.from({ length: 1 + random.whole(3) }, (_, index) => ({
        line: index + 1,
        sku: random.one(this.names),
        quantity: 1 + random.whole(isReturn ? 3 : 4),
        unitPrice: 100,
      }));
      const sale = aSale({
        transactionId: `${this.id}-${this.#step}-${each}`,
        type: isReturn ? 'return' : 'sale',
        location: random.one(this.locations),
        occurredAt: new Date(this.#time(this.#step + 1)).toISOString(),
        lines,
      });
      this.#sold.push(sale);
      random.one(this.sales).push(sale);
      // Sent again, under another sequence number and perhaps to another shard.
      if (random.whole(10) === 0) random.one(this.sales).push(random.one(this.#sold));
    }
    for (let each = 0; each < skus / 5; each++)
      if (random.whole(4) === 0) this.#changeSku(random.one(this.names));
      else this.#changeStock(random.one(this.names), random.one(this.locations));
  }

  /**
   * Compares a position's history with the sources: each version is a step after the one before, and the last has all.
   * Answers the ids of the crossings that the history is, and what is wrong with it.
   */
  judge(sku: string, location: string, history: readonly Version[], packOf: ReadonlyMap<string, Pack>) {
    const wrong: string[] = [];
    const say = (text: string) => wrong.push(`${sku}#${location}: ${text}`);
    const lines = this.#sold
      .filter((sale) => sale.location === location)
      .flatMap((sale) => {
        const of = sale.lines.filter((line) => line.sku === sku);
        const units = of.reduce((sum, { quantity }) => sum + (sale.type === 'return' ? -quantity : quantity), 0);
        return of.length === 0 ? [] : [{ at: Date.parse(sale.occurredAt), units, pack: packOf.get(saleKey(sale)) }];
      });
    const crossings: string[] = [];
    let isArmed = true;
    let wasOut: boolean | undefined;
    for (const [index, { version, lanes, stockAt, skuAt, units }] of history.entries()) {
      if (version !== index + 1) say(`version ${version} is the ${index + 1}th`);
      const counted = lines.filter(({ pack }) => pack !== undefined && pack.number <= (lanes[pack.lane] ?? 0));
      const due = sum(counted);
      if (units !== due) say(`version ${version} has ${units} units, due are ${due}`);
      const stock = stockAt === undefined ? undefined : this.#stock.get(stockAt);
      const row = skuAt === undefined ? undefined : this.#skus.get(skuAt);
      if (stock === undefined) continue;
      const available = stock.onHand - stock.reserved - sum(counted.filter(({ at }) => at >= stock.countedAt));
      if (row?.status === 'active' && row.reorderPoint !== null) {
        const rearmAt = row.reorderPoint + Math.max(1, Math.ceil(row.reorderPoint * policy.rearmShare));
        if (isArmed && available <= row.reorderPoint) {
          isArmed = false;
          crossings.push(`${sku}#${location}#${version}#reorder-point-reached`);
        } else if (available >= rearmAt) isArmed = true;
      }
      const isOut = available < 1;
      if (wasOut === false && isOut) crossings.push(`${sku}#${location}#${version}#stock-out`);
      if (wasOut === true && !isOut) crossings.push(`${sku}#${location}#${version}#back-in-stock`);
      wasOut = isOut;
    }
    const last = history.at(-1);
    if (last?.units !== sum(lines)) say(`${last?.units} units were counted, ${sum(lines)} were sold`);
    if (last?.stockAt !== this.#lastStock.get(`${sku}#${location}`)) say('the last row of the database is missing');
    return { crossings, wrong };
  }

  #changeSku(name: string): void {
    const { random } = this;
    if (random.whole(20) === 0) {
      this.#source.delete('inventory', 'skus', { sku: name });
      this.#noted((at) => this.#skus.set(at, undefined));
      return;
    }
    const row = {
      reorderPoint: random.whole(10) === 0 ? null : 5 + random.whole(6),
      status: random.whole(10) === 0 ? 'paused' : 'active',
    };
    this.#source.put('inventory', 'skus', {
      ...{ sku: name, status: row.status, category: 'kitchen', reorder_point: row.reorderPoint, safety_stock: 0 },
    });
    this.#noted((at) => this.#skus.set(at, row));
  }

  #changeStock(name: string, location: string): void {
    const { random } = this;
    const key = { sku: name, location };
    const row =
      random.whole(20) === 0
        ? undefined
        : {
            onHand: random.whole(25),
            reserved: random.whole(3),
            countedAt: this.#time(this.#step + 2),
          };
    if (row === undefined) this.#source.delete('inventory', 'stock', key);
    else
      this.#source.put('inventory', 'stock', {
        ...{ ...key, on_hand: row.onHand, reserved: row.reserved },
        updated_at: new Date(row.countedAt).toISOString().replace('Z', '000Z'),
      });
    this.#noted((at) => {
      this.#stock.set(at, row);
      this.#lastStock.set(`${name}#${location}`, at);
    });
  }

  /** Takes what the database logged, if anything, to the shard of its row, and notes it by its place in the log. */
  #noted(note: (place: string) => void): void {
    const records = this.#source.take();
    for (const record of records) {
      const [, high, low] = /"stream-position":"(\w+)\/(\w+)\./.exec(record.text)!;
      note(`${high}${low}`);
      this.changes[[...record.partitionKey].reduce((sum, each) => sum + each.charCodeAt(0), 0) % 2]!.push(record);
    }
  }

  /** The start of some ten minutes of the walk so far. */
  #time(below: number): number {
    return this.#start + this.random.whole(below) * tenMinutes;
  }
}

/** The pack that counts a sale. */
export interface Pack {
  readonly lane: string;
  readonly number: number;
}

/** Reads a claim: `<lane>#<number>`. */
export function packOfClaim(text: string): Pack {
  const [lane, number] = text.split('#') as [string, string];
  return { lane, number: Number(number) };
}

/** Histories by SKU and location, from the changes of the positions' table. */
export function historiesOf(records: readonly StreamRecord[]): Map<string, Version[]> {
  const histories = new Map<string, Version[]>();
  for (const { dynamodb } of records) {
    const item = dynamodb.NewImage as any;
    const [kind, ...name] = String(dynamodb.Keys.pk!.S).split('#');
    if (kind !== 'stock' || item?.version === undefined) continue;
    const history = histories.get(name.join('#')) ?? [];
    histories.set(name.join('#'), history);
    history.push({
      version: Number(item.version.N),
      lanes: Object.fromEntries(Object.entries<any>(item.lanes.M).map(([lane, { N }]) => [lane, Number(N)])),
      stockAt: placeOf(item.stock.M),
      skuAt: placeOf(item.sku.M),
      units: Number(item.units.N),
    });
  }
  return histories;
}

const placeOf = (image: any): string | undefined => image?.position.S.split(':')[1];
const sum = (lines: readonly { readonly units: number }[]) => lines.reduce((total, { units }) => total + units, 0);
