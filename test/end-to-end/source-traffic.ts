import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'pg';

export interface SourceTrafficOptions {
  readonly inventory: string;
  readonly orders: string;
  /** SKUs are S1, S2, ... */
  readonly skus: number;
  readonly centres: readonly string[];
  /** Tells the orders of one traffic from those of another. */
  readonly name?: string;
}

const connectionsPerDatabase = 3;
const tickMs = 10;
/** A machine that cannot keep up is not asked for more. */
const mostPending = 200;

/** Rows that change as a retailer's do: a transaction each, the same ones in every run. */
export class SourceTraffic {
  /** Updates that are committed. */
  done = 0;
  readonly #pools: Record<'inventory' | 'orders', Pool>;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #perSecond = 0;
  #state = 20261128;
  #orders = 0;
  #failure: Error | undefined;

  constructor(private readonly options: SourceTrafficOptions) {
    const pool = (connectionString: string) =>
      // A connection that breaks while it is idle; whoever asks next is told.
      new Pool({ connectionString, max: connectionsPerDatabase }).on('error', () => {});
    this.#pools = { inventory: pool(options.inventory), orders: pool(options.orders) };
  }

  start(perSecond: number): void {
    this.pace(perSecond);
    this.#running = this.#run();
    this.#running.catch(() => {});
  }

  /** From now on so many updates a second. */
  pace(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#running;
    await Promise.all(Object.values(this.#pools).map((pool) => pool.end()));
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    let before = performance.now();
    let pending = 0;
    for (let due = 0; !this.#stopped || pending > 0; await delay(tickMs)) {
      const now = performance.now();
      due = this.#stopped ? 0 : due + ((now - before) / 1_000) * this.#perSecond;
      before = now;
      for (; due >= 1 && pending < mostPending; due--) {
        pending += 1;
        this.#next()
          .then(() => {
            this.done += 1;
          })
          .catch((error: Error) => {
            this.#failure ??= error;
          })
          .finally(() => {
            pending -= 1;
          });
      }
    }
  }

  #next(): Promise<unknown> {
    const kind = this.#random(100);
    const sku = `S${1 + this.#random(this.options.skus)}`;
    const fc = this.options.centres[this.#random(this.options.centres.length)]!;
    const send = (database: 'inventory' | 'orders', name: string, text: string, values: unknown[]) =>
      this.#pools[database].query({ name, text, values });
    const idOf = (number: number) => `${this.options.name ?? 'T'}-${number}`;
    const order = idOf(this.#random(Math.max(1, this.#orders)));
    if (kind < 55)
      return send(
        'inventory',
        'move',
        'update stock set on_hand = greatest(0, on_hand + $3), updated_at = now() where sku = $1 and location = $2',
        [sku, fc, this.#random(9) - 4],
      );
    if (kind < 62)
      return send('inventory', 'reserve', 'update stock set reserved = $3 where sku = $1 and location = $2', [
        sku,
        fc,
        this.#random(6),
      ]);
    if (kind < 64) return send('inventory', 'leave', 'delete from stock where sku = $1 and location = $2', [sku, fc]);
    if (kind < 67)
      return send(
        'inventory',
        'list',
        'insert into stock values ($1, $2, $3, 0) on conflict (sku, location) do update set on_hand = excluded.on_hand',
        [sku, fc, this.#random(30)],
      );
    if (kind < 73)
      return send('inventory', 'status', 'update skus set status = $2, updated_at = now() where sku = $1', [
        sku,
        ['active', 'active', 'paused', 'discontinued'][this.#random(4)],
      ]);
    if (kind < 88)
      return send('orders', 'order', "insert into orders values ($1, $2, 'open', current_date + $3::int)", [
        idOf(this.#orders++),
        fc,
        this.#random(3),
      ]);
    if (kind < 97)
      return send('orders', 'change', 'update orders set status = $2, updated_at = now() where order_id = $1', [
        order,
        ['open', 'shipped', 'cancelled'][this.#random(3)],
      ]);
    if (kind < 99)
      return send(
        'orders',
        'promise',
        'update orders set promised_date = current_date + $2::int, fc_id = $3 where order_id = $1',
        [order, this.#random(3), fc],
      );
    return send('orders', 'drop', 'delete from orders where order_id = $1', [order]);
  }

  #random(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((this.#state >>> 8) / 2 ** 24) * below);
  }
}
