import { setTimeout as delay } from 'node:timers/promises';
import { BadgeCaller } from '../badge-caller';
import type { Endpoints } from '../endpoints';
import { type BadgeSummary, BadgeWatch } from './badge-watch';
import { bestSellers, readBaskets } from './baskets';
import { centres, Retailer, type SoldBasket } from './retailer';
import { orderPrefix, SourceRows } from './source-rows';

/** One call of the lookup per centre shows them all. */
const shownSkus = 48;
const seed = 20_261_128;
const stepMs = 250;

/** Stock, orders and items of a retailer that move with his sales, and what the badges say of them. */
export class ShopDay {
  readonly #watch = new BadgeWatch();
  readonly #badges: BadgeCaller;
  readonly #stopping = new AbortController();
  #pace: () => number = () => 0;
  #sold = 0;
  #step: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  private constructor(
    private readonly rows: SourceRows,
    private readonly retailer: Retailer,
    private readonly baskets: readonly SoldBasket[],
    private readonly skus: readonly string[],
    endpoints: Endpoints,
  ) {
    this.#badges = new BadgeCaller(endpoints);
  }

  /** Opens the shop with the best-selling items of files of sales; undefined where there are none in them. */
  static async open(endpoints: Endpoints, files: readonly string[]): Promise<ShopDay | undefined> {
    const baskets = await readBaskets(files);
    const skus = bestSellers(baskets, shownSkus);
    if (skus.length === 0) return undefined;
    const rows = await SourceRows.open(endpoints.oltp);
    // In a database that is kept, the ids of an earlier day are taken.
    const retailer = new Retailer(skus, seed, `${orderPrefix}-${Date.now().toString(36)}`);
    await rows.write(retailer.opening());
    const day = new ShopDay(rows, retailer, baskets, skus, endpoints);
    day.#running = day.#run();
    return day;
  }

  /** Goes on with as many baskets as `pace` says by then, of endlessly many. */
  follow(pace: () => number): void {
    this.#pace = pace;
  }

  /** Nothing happens any more, until the pace goes on. */
  async rest(): Promise<void> {
    this.#pace = () => 0;
    await this.#step;
  }

  get sold(): number {
    return this.#sold;
  }

  /** Asks for all badges. */
  async look(): Promise<BadgeSummary> {
    if (this.#failure !== undefined) throw this.#failure;
    const answers = await Promise.all(
      centres.map(async ({ fc }) => [fc, await this.#badges.ask(this.skus, [fc])] as const),
    );
    return this.#watch.take(new Map(answers));
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.rows.close().catch(() => {});
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#step = this.#sell(this.#pace());
      await this.#step.catch((error: Error) => {
        if (!signal.aborted) this.#failure = error;
      });
      await delay(stepMs, undefined, { signal }).catch(() => {});
    }
  }

  async #sell(until: number): Promise<void> {
    while (this.#sold < until && !this.#stopping.signal.aborted)
      await this.rows.write(this.retailer.sell(this.baskets[this.#sold++ % this.baskets.length]!));
  }
}
