import type { KinesisStreamEvent } from 'aws-lambda';
import type { EventBridgeEngine } from '../../local/engines/eventbridge';
import { type Container, kinesisEvent, type Rig } from '../engine-rig';
import { deliver } from '../engine-rig/shard';
import { TableChanges, tableEvent } from '../engine-rig/table-changes';
import type { Random } from '../reconciliation/random';
import { changesEvent, epochStart, type SourceRecord } from './badges-apply-source';
import {
  applyContainer,
  countContainer,
  prepareInventory,
  publishContainer,
  republishContainer,
  stockBus,
} from './inventory-tables';
import { historiesOf, type Pack, packOfClaim, type StockWalk } from './stock-walk';

const steps = 12;

/** What came of a walk. */
export interface Walked {
  readonly versions: number;
  readonly crossings: number;
  /** Events on the bus beyond one for each crossing. */
  readonly repeats: number;
  readonly killed: number;
  readonly wrong: readonly string[];
}

/** A stretch of a shard's records. */
interface Batch {
  readonly shard: Shard;
  readonly from: number;
  readonly to: number;
}

interface Shard {
  readonly reader: 'count' | 'apply';
  readonly log: readonly unknown[];
  readonly number: number;
  checkpoint: number;
}

/** The real handlers on engines, fed by walks as Lambda feeds them, and killed and throttled as they go. */
export class StockWalkDelivery {
  readonly #containers = new Map<string, Container>();
  #killed = 0;

  private constructor(
    private readonly rig: Rig,
    private readonly bus: EventBridgeEngine,
    private readonly positions: TableChanges,
    private readonly outbox: TableChanges,
  ) {}

  static async open(rig: Rig): Promise<StockWalkDelivery> {
    await prepareInventory(rig, ['positions', 'outbox']);
    const epoch = { database: { S: 'inventory' }, epoch: { N: '1' } };
    await rig.engines.dynamodb.call('PutItem', {
      TableName: 'epochs',
      Item: { ...epoch, startedAt: { S: new Date(epochStart(1)).toISOString() } },
    });
    const changesOf = (table: string) => new TableChanges(rig, table);
    return new StockWalkDelivery(rig, await stockBus(rig), changesOf('positions'), changesOf('outbox'));
  }

  async walk(world: StockWalk, random: Random): Promise<Walked> {
    const arrivedBefore = this.bus.archived('all').length;
    this.#killed = 0;
    const shards = [world.sales, world.changes].flatMap((logs, kind) =>
      logs.map((log, index): Shard => {
        return { reader: kind === 0 ? 'count' : 'apply', log, number: 2 * world.id + index, checkpoint: 0 };
      }),
    );
    const asides: Batch[] = [];
    for (let step = 1; step <= steps; step++) {
      world.step();
      for (let fault = random.whole(6); fault > 0; fault--) this.#fault(random);
      const work = shards.map((shard) => this.#goOn(shard, random, asides));
      // Lambda's put-aside batches are sent again at any time, records that were done among them.
      if (asides.length > 0 && random.whole(4) === 0) work.push(this.#deliver(random.one(asides), 'redriven', [500]));
      // Where it fails, a batch comes again; now and then that is given up.
      work.push(this.#publish(random.whole(3)));
      if (random.whole(4) === 0) work.push(this.#invoke('republish', republishContainer, {}, 50));
      await Promise.all(work);
    }
    this.rig.forget();
    for (const batch of asides) await this.#deliver(batch, 'redriven', [500]);
    await this.#publish(1);
    await this.#invoke('republish', republishContainer, {}, 50);
    return this.#judge(world, arrivedBefore);
  }

  /** Delivers what is new on a shard, and sometimes what is not, or to two at once, or not yet. */
  async #goOn(shard: Shard, random: Random, asides: Batch[]): Promise<void> {
    const from = Math.max(0, shard.checkpoint - (random.whole(3) === 0 ? random.whole(20) : 0));
    const batch = { shard, from, to: shard.log.length };
    if (random.whole(6) === 0) asides.push({ ...batch, from: shard.checkpoint });
    else {
      const sizes = Array.from({ length: 3 }, () => 10 + random.whole(60));
      const work = [this.#deliver(batch, 'current', sizes)];
      // One that Lambda has given up for dead still runs.
      if (random.whole(5) === 0) work.push(this.#deliver(batch, 'zombie', [500]));
      await Promise.all(work);
    }
    shard.checkpoint = batch.to;
  }

  async #deliver({ shard, from, to }: Batch, by: string, sizes: readonly number[]): Promise<void> {
    const { reader, log, number } = shard;
    const place = { shard: number, firstSequence: from + 1 };
    const records = log.slice(from, to);
    const event: KinesisStreamEvent =
      reader === 'count' ? kinesisEvent(records, place) : changesEvent(records as SourceRecord[], place);
    const open = reader === 'count' ? countContainer : applyContainer;
    await deliver(event, () => this.#container(`${reader} ${number % 2} ${by}`, open), sizes);
  }

  /** Hands the publisher what was committed. */
  async #publish(attempts: number): Promise<void> {
    const records = await this.outbox.take();
    if (records.length > 0) await this.#invoke('publish', publishContainer, tableEvent(records), attempts);
  }

  async #invoke(name: string, open: (rig: Rig) => Container, event: object, attempts: number): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const container = this.#container(name, open);
      try {
        await container.invoke(event);
        return;
      } catch (error) {
        if (!container.crashed) throw error;
      }
    }
  }

  /** The one that lives, or the next: a container outlives many batches. */
  #container(name: string, open: (rig: Rig) => Container): Container {
    const known = this.#containers.get(name);
    if (known !== undefined && !known.crashed) return known;
    if (known !== undefined) this.#killed += 1;
    const opened = open(this.rig);
    this.#containers.set(name, opened);
    return opened;
  }

  /** A kill before or after some call, or a throttle of a part of it, seldom of all. */
  #fault(random: Random): void {
    const place = (operation: string) => ({ operation: `dynamodb:${operation}`, call: 1 + random.whole(8) });
    const kind = random.whole(10);
    if (kind < 4) {
      const operation = random.one([
        ...['BatchExecuteStatement', 'BatchExecuteStatement', 'TransactWriteItems', 'TransactWriteItems'],
        ...['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem', 'Query', 'Scan', 'DeleteItem', 'BatchWriteItem'],
      ]);
      this.rig.crash({ ...place(operation), when: random.one(['before', 'after']) });
    } else if (kind < 6)
      this.rig.crash({
        operation: 'events:PutEvents',
        call: 1 + random.whole(3),
        when: random.one(['before', 'after']),
      });
    else if (kind === 6) this.rig.throttle({ ...place('BatchGetItem'), statement: random.whole(5) });
    else if (kind === 7)
      this.rig.throttle({
        ...{ ...place('TransactWriteItems'), statement: random.whole(2) },
        code: random.one(['TransactionConflict', 'ThrottlingError']),
      });
    else if (kind === 8)
      this.rig.throttle({ operation: 'events:PutEvents', call: 1 + random.whole(3), statement: random.whole(3) });
    else this.rig.throttle({ ...place('BatchExecuteStatement'), statement: random.whole(25) });
  }

  async #judge(world: StockWalk, arrivedBefore: number): Promise<Walked> {
    const histories = historiesOf(await this.positions.take());
    const packs = await this.#packs();
    const arrived = this.bus
      .archived('all')
      .slice(arrivedBefore)
      .map(({ detail }) => (detail as { crossingId: string }).crossingId);
    const wrong: string[] = [];
    const due = new Set<string>();
    let versions = 0;
    for (const sku of world.names)
      for (const location of world.locations) {
        const history = histories.get(`${sku}#${location}`) ?? [];
        versions += history.length;
        const judged = world.judge(sku, location, history, packs);
        wrong.push(...judged.wrong);
        for (const id of judged.crossings) due.add(id);
      }
    const ids = new Set(arrived);
    for (const id of due) if (!ids.has(id)) wrong.push(`${id} was not delivered`);
    for (const id of ids) if (!due.has(id)) wrong.push(`${id} was delivered, and is no crossing`);
    return { versions, crossings: due.size, repeats: arrived.length - ids.size, killed: this.#killed, wrong };
  }

  /** Which pack counts which sale. What walks that are over have left is taken out, to be read once. */
  async #packs(): Promise<Map<string, Pack>> {
    const { dynamodb } = this.rig.engines;
    const packs = new Map<string, Pack>();
    let ExclusiveStartKey: object | undefined;
    do {
      const page: any = await dynamodb.call('Scan', { TableName: 'claims', ExclusiveStartKey });
      for (const { id, pack } of page.Items) {
        if (!id.S.startsWith('#')) packs.set(id.S, packOfClaim(pack.S));
        await dynamodb.call('DeleteItem', { TableName: 'claims', Key: { id } });
      }
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    return packs;
  }
}
