/** Something that happens to the rows of the source databases. */
export type Happening =
  | { readonly kind: 'stock'; readonly sku: string; readonly fc: string; readonly onHand: number }
  | { readonly kind: 'status'; readonly sku: string; readonly status: Status }
  | { readonly kind: 'order'; readonly id: string; readonly fc: string; readonly lines: readonly SoldLine[] }
  | { readonly kind: 'order-status'; readonly id: string; readonly status: 'shipped' | 'cancelled' };

export type Status = 'active' | 'paused' | 'discontinued';

export interface SoldLine {
  readonly sku: string;
  readonly quantity: number;
}

/** What of a sale moves stock. */
export interface SoldBasket {
  readonly region: string;
  readonly channel: string;
  readonly type: 'sale' | 'return';
  readonly lines: readonly SoldLine[];
}

export interface FulfillmentCentre {
  readonly fc: string;
  readonly regions: readonly string[];
  readonly dailyCapacity: number;
  readonly timeZone: string;
}

/** Open at all hours, so that there is something to see at any; small enough to be full now and then. */
export const centres: readonly FulfillmentCentre[] = [
  { fc: 'fc-west', regions: ['us-west'], dailyCapacity: 12, timeZone: 'America/Los_Angeles' },
  { fc: 'fc-midwest', regions: ['us-midwest'], dailyCapacity: 15, timeZone: 'America/Chicago' },
  { fc: 'fc-east', regions: ['us-east', 'us-south'], dailyCapacity: 18, timeZone: 'America/New_York' },
];

// In baskets: how long things take.
const restockAfter = 60;
const freedAfter = 40;
const pauseEvery = 35;
const pausedFor = 50;
const discontinueEvery = 110;
const discontinuedFor = 150;
/** One basket in so many in a store is ordered instead, to be delivered the same day. */
const orderedOneIn = 6;

/**
 * A retailer who sells what the baskets say: stock goes down with them and is filled up some time after it is sold out;
 * orders fill a centre for the day, until some of them are cancelled; now and then an item is paused or discontinued, and
 * comes back. The same baskets and seed make the same day.
 */
export class Retailer {
  readonly #skus: readonly string[];
  readonly #stock = new Map<string, number>();
  readonly #status = new Map<string, Status>();
  readonly #open = new Map<string, string[]>();
  readonly #due = new Map<number, (() => Happening[])[]>();
  #baskets = 0;
  #orders = 0;
  #random: number;

  constructor(
    skus: readonly string[],
    seed: number,
    /** Begins the ids of orders: they must be new in a database that is kept. */
    private readonly orderPrefix = 'demo',
  ) {
    this.#skus = skus;
    this.#random = seed | 0;
  }

  /** All rows as they are at first. */
  opening(): Happening[] {
    return this.#skus.flatMap((sku): Happening[] => [
      this.#setStatus(sku, 'active'),
      ...centres.map(({ fc }) => this.#setStock(sku, fc, 1 + this.#below(8))),
    ]);
  }

  /** What one more basket, and the time until it, brings about. */
  sell({ region, channel, type, lines }: SoldBasket): Happening[] {
    this.#baskets += 1;
    const happenings = (this.#due.get(this.#baskets) ?? []).flatMap((happen) => happen());
    this.#due.delete(this.#baskets);
    const { fc } = centres.find(({ regions }) => regions.includes(region)) ?? centres[0]!;
    const ours = lines.filter(({ sku }) => this.#status.get(sku) === 'active');
    for (const { sku, quantity } of ours)
      happenings.push(...this.#take(sku, fc, type === 'sale' ? quantity : -quantity));
    if (type === 'sale' && (channel === 'online' || this.#baskets % orderedOneIn === 0))
      happenings.push(...this.#order(fc, ours));
    if (this.#baskets % pauseEvery === 0) happenings.push(...this.#away('paused', pausedFor));
    if (this.#baskets % discontinueEvery === 0) happenings.push(...this.#away('discontinued', discontinuedFor));
    return happenings;
  }

  #take(sku: string, fc: string, quantity: number): Happening[] {
    const onHand = this.#stock.get(`${sku} ${fc}`)!;
    const left = Math.max(0, onHand - quantity);
    if (left === onHand) return [];
    if (left === 0) this.#in(restockAfter, () => [this.#setStock(sku, fc, 4 + this.#below(8))]);
    return [this.#setStock(sku, fc, left)];
  }

  #order(fc: string, lines: readonly SoldLine[]): Happening[] {
    const open = this.#open.get(fc) ?? [];
    this.#open.set(fc, open);
    const { dailyCapacity } = centres.find((centre) => centre.fc === fc)!;
    if (open.length >= dailyCapacity) return [];
    const id = `${this.orderPrefix}-${++this.#orders}`;
    open.push(id);
    if (open.length === dailyCapacity) this.#in(freedAfter, () => this.#cancelSome(open));
    const shipped: Happening[] =
      open.length % 4 === 0 ? [{ kind: 'order-status', id: open[open.length - 2]!, status: 'shipped' }] : [];
    return [{ kind: 'order', id, fc, lines }, ...shipped];
  }

  /** A third of the day's orders are called off: shipping would free nothing. */
  #cancelSome(open: string[]): Happening[] {
    return Array.from({ length: Math.ceil(open.length / 3) }, () => {
      const [id] = open.splice(this.#below(open.length), 1);
      return { kind: 'order-status', id: id!, status: 'cancelled' };
    });
  }

  /** Takes one of the items out of sale that are in it. */
  #away(status: 'paused' | 'discontinued', baskets: number): Happening[] {
    const active = this.#skus.filter((sku) => this.#status.get(sku) === 'active');
    const sku = active[this.#below(active.length)];
    if (sku === undefined) return [];
    this.#in(baskets, () => [this.#setStatus(sku, 'active')]);
    return [this.#setStatus(sku, status)];
  }

  #in(baskets: number, happen: () => Happening[]): void {
    const at = this.#baskets + baskets;
    this.#due.set(at, [...(this.#due.get(at) ?? []), happen]);
  }

  #setStock(sku: string, fc: string, onHand: number): Happening {
    this.#stock.set(`${sku} ${fc}`, onHand);
    return { kind: 'stock', sku, fc, onHand };
  }

  #setStatus(sku: string, status: Status): Happening {
    this.#status.set(sku, status);
    return { kind: 'status', sku, status };
  }

  #below(limit: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((this.#random >>> 8) / 2 ** 24) * limit);
  }
}
