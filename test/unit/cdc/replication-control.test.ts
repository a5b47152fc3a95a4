import {
  type Clock,
  type Controlled,
  type Epoch,
  type Epochs,
  ReplicationControl,
  type ReplicationState,
  type Replications,
  type StartType,
  stoppedAtTruncate,
} from '../../../lambdas/cdc/control-replication/replication-control';

const arn = 'arn:aws:dms:eu-west-1:000000000000:replication-config:tillstream-test-inventory';
const controlled: Controlled = { arn, database: 'inventory', load: 'names and host' };

/** A time in which the replication sent records. */
interface Segment {
  readonly type: StartType;
  readonly from: number;
  until: number;
}

/**
 * DMS and the table on a clock that only waits move: starting takes three minutes, stopping one. The process can be
 * killed around any call.
 */
class World implements Replications, Epochs, Clock {
  time = Date.parse('2026-11-22T10:00:00Z');
  readonly segments: Segment[] = [];
  readonly epochs: Epoch[] = [];
  state: ReplicationState | undefined;
  #due: { readonly at: number; readonly status: string } | undefined;
  #calls = 0;
  #kill: { readonly call: number; readonly when: 'before' | 'after' } | undefined;
  startsInto = 'running';
  readonly #marked = new Set<number>();
  readonly loaded = new Map<number, string>();

  killAt(call: number, when: 'before' | 'after'): void {
    this.#calls = 0;
    this.#kill = { call, when };
  }

  /** Whether the process died, or lived to its end. */
  async attempt(work: (control: ReplicationControl) => Promise<unknown>, patienceMs = 780_000): Promise<boolean> {
    try {
      await work(new ReplicationControl({ replications: this, epochs: this, clock: this, patienceMs }));
      return true;
    } catch (error) {
      if ((error as Error).message !== 'killed') throw error;
      return false;
    } finally {
      this.#kill = undefined;
    }
  }

  now(): number {
    return this.time;
  }

  async wait(milliseconds: number): Promise<void> {
    this.time += milliseconds;
    if (this.#due === undefined || this.time < this.#due.at) return;
    const { status } = this.#due;
    this.#due = undefined;
    if (status === 'stopped') this.segments.at(-1)!.until = this.time;
    this.state = { ...this.state!, status };
  }

  describe(): Promise<ReplicationState | undefined> {
    return this.#call(() => this.state);
  }

  start(_: string, type: StartType): Promise<void> {
    return this.#call(() => {
      if (this.state !== undefined && !['created', 'stopped', 'failed'].includes(this.state.status))
        throw new Error(`it is ${this.state.status}`);
      if ((type === 'start-replication') !== (this.segments.length === 0)) throw new Error(`${type} is not possible`);
      this.state = { status: 'initializing', startType: type, loadedPercent: 100, failures: [] };
      this.#due = { at: this.time + 180_000, status: this.startsInto };
      this.segments.push({ type, from: this.time + 1, until: Number.POSITIVE_INFINITY });
    });
  }

  stop(): Promise<void> {
    return this.#call(() => {
      if (this.state?.status !== 'running') throw new Error(`it is ${this.state?.status}`);
      this.state = { ...this.state, status: 'stopping' };
      this.#due = { at: this.time + 60_000, status: 'stopped' };
    });
  }

  last(): Promise<Epoch | undefined> {
    return this.#call(() => {
      const last = this.epochs.at(-1);
      const loadedAt = last && this.loaded.get(last.epoch);
      return (
        last && {
          ...last,
          ordered: this.#marked.has(last.epoch),
          ...(loadedAt === undefined ? {} : { loadedAt }),
        }
      );
    });
  }

  record(epoch: Epoch): Promise<boolean> {
    return this.#call(() => {
      if (this.epochs.some((known) => known.epoch === epoch.epoch)) return false;
      this.epochs.push(epoch);
      return true;
    });
  }

  markOrdered(_: string, epoch: number): Promise<void> {
    return this.#call(() => {
      this.#marked.add(epoch);
    });
  }

  markLoaded(_: string, epoch: number, loadedAt: string): Promise<void> {
    return this.#call(() => {
      if (!this.loaded.has(epoch)) this.loaded.set(epoch, loadedAt);
    });
  }

  /** The epoch that a reader gives to a record which arrives at this time. */
  epochAt(time: number): number | undefined {
    return this.epochs.filter(({ startedAt }) => Date.parse(startedAt) <= time).at(-1)?.epoch;
  }

  async #call<Result>(work: () => Result): Promise<Result> {
    const killed = this.#kill?.call === ++this.#calls ? this.#kill.when : undefined;
    if (killed === 'before') throw new Error('killed');
    const result = work();
    if (killed === 'after') throw new Error('killed');
    return result;
  }
}

/** What readers rely on: no two loads share an epoch, what is resumed keeps its own, and none changes on the way. */
function assertEpochs(world: World): void {
  const met = world.segments.map(({ type, from, until }) => {
    const epoch = world.epochAt(from);
    expect(world.epochAt(Math.min(until, world.time))).toBe(epoch);
    return { type, epoch };
  });
  met.forEach(({ type, epoch }, index) => {
    const before = met[index - 1]?.epoch;
    if (type === 'resume-processing') expect(epoch).toBe(before);
    else expect(met.slice(0, index).map((earlier) => earlier.epoch)).not.toContain(epoch);
  });
}

test('at first it is loaded, under the first epoch', async () => {
  const world = new World();

  await world.attempt((control) => control.run(controlled));

  expect(world.segments.map(({ type }) => type)).toEqual(['start-replication']);
  expect(world.epochs).toEqual([expect.objectContaining({ database: 'inventory', epoch: 1 })]);
  expect(world.state?.status).toBe('running');
  assertEpochs(world);
});

test('a deployment that changes nothing about what is loaded keeps the epoch', async () => {
  const world = new World();
  await world.attempt((control) => control.run(controlled));

  await world.attempt((control) => control.quiesce(arn));
  const rested = world.state?.status;
  await world.attempt((control) => control.run(controlled));

  expect(rested).toBe('stopped');
  expect(world.segments.map(({ type }) => type)).toEqual(['start-replication', 'resume-processing']);
  expect(world.epochs).toHaveLength(1);
  assertEpochs(world);
});

test('another source, or other columns, are loaded anew under another epoch', async () => {
  const world = new World();
  await world.attempt((control) => control.run(controlled));

  await world.attempt((control) => control.run({ ...controlled, load: 'another host' }));

  expect(world.segments.map(({ type }) => type)).toEqual(['start-replication', 'reload-target']);
  expect(world.epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
  assertEpochs(world);
});

test('run twice, it runs on', async () => {
  const world = new World();
  await world.attempt((control) => control.run(controlled));

  await world.attempt((control) => control.run(controlled));

  expect(world.segments).toHaveLength(1);
});

test('a load that was cut short is made again under another epoch', async () => {
  const world = new World();
  await world.attempt((control) => control.run(controlled));
  world.state = { ...world.state!, status: 'failed', loadedPercent: 40 };
  world.segments.at(-1)!.until = world.time;

  await world.attempt((control) => control.run(controlled));

  expect(world.segments.map(({ type }) => type)).toEqual(['start-replication', 'reload-target']);
  assertEpochs(world);
});

describe.each(['before', 'after'] as const)('killed %s any call', (when) => {
  test.each([
    ['the first load', async () => new World()],
    [
      'a reload',
      async () => {
        const world = new World();
        await world.attempt((control) => control.run({ ...controlled, load: 'earlier' }));
        return world;
      },
    ],
    [
      'a restart',
      async () => {
        const world = new World();
        await world.attempt((control) => control.run(controlled));
        await world.attempt((control) => control.quiesce(arn));
        return world;
      },
    ],
  ])('of %s, the next run ends as if nothing had happened', async (_, prepare) => {
    let lived = false;
    let kills = 0;
    for (let call = 1; !lived; call++) {
      const world = await prepare();
      world.killAt(call, when);
      lived = await world.attempt((control) => control.run(controlled));
      if (!lived) kills++;

      await world.attempt((control) => control.run(controlled));

      expect(world.state?.status).toBe('running');
      expect(world.segments.at(-1)!.until).toBe(Number.POSITIVE_INFINITY);
      // What runs is a load of what was wanted, or goes on after one.
      const loaded = world.segments.filter(({ type }) => type !== 'resume-processing').at(-1)!;
      expect(world.epochs.find(({ epoch }) => epoch === world.epochAt(loaded.from))!.load).toBe(controlled.load);
      assertEpochs(world);
    }
    expect(kills).toBeGreaterThan(3);
  });
});

test('a replication that does not come up stops the deployment with its reason', async () => {
  const world = new World();
  world.startsInto = 'failed';

  const run = world.attempt((control) => control.run(controlled));

  await expect(run).rejects.toThrow('is failed after start-replication');
});

test('one that takes longer to come up than a step can wait is left to the alarm', async () => {
  const world = new World();

  await world.attempt((control) => control.run(controlled), 60_000);

  expect(world.state?.status).toBe('initializing');
});

test('one that does not come to rest stops the deployment, since DMS would refuse its change', async () => {
  const world = new World();
  await world.attempt((control) => control.run(controlled));

  const quiesce = world.attempt((control) => control.quiesce(arn), 30_000);

  await expect(quiesce).rejects.toThrow('is still stopping');
});

test('a TRUNCATE is told from other failures', () => {
  const failed = (...failures: string[]) => ({ status: 'failed', startType: undefined, loadedPercent: 100, failures });

  expect(stoppedAtTruncate(failed('truncation of public.skus: it cannot be carried'))).toBe(true);
  expect(stoppedAtTruncate(failed('Table truncated by a DDL'))).toBe(true);
  expect(stoppedAtTruncate(failed('the connection was refused'))).toBe(false);
  expect(stoppedAtTruncate({ ...failed('truncate'), status: 'running' })).toBe(false);
  expect(stoppedAtTruncate(undefined)).toBe(false);
});

describe('a load that is through', () => {
  const look = (world: World) => world.attempt((control) => control.look(controlled));

  test('is marked once, with the time at which it was seen', async () => {
    const world = new World();
    await world.attempt((control) => control.run(controlled));
    const seen = new Date(world.time).toISOString();

    await look(world);
    await world.wait(60_000);
    await look(world);

    expect([...world.loaded]).toEqual([[1, seen]]);
  });

  test.each([
    ['is under way', { loadedPercent: 99 }],
    ['has not begun', { status: 'initializing' }],
    ['was cut short', { status: 'failed' }],
    ['DMS says nothing of', { loadedPercent: undefined }],
  ])('is not one that %s', async (_, change) => {
    const world = new World();
    await world.attempt((control) => control.run(controlled));
    world.state = { ...world.state!, ...change };

    await look(world);

    expect(world.loaded.size).toBe(0);
  });

  test('is marked also where the process died between order and mark', async () => {
    const world = new World();
    await world.record({
      database: 'inventory',
      epoch: 1,
      startedAt: new Date(world.time).toISOString(),
      load: 'x',
      ordered: false,
    });
    await world.start(arn, 'start-replication');
    await world.wait(180_000);

    await look(world);

    expect(await world.last()).toMatchObject({ ordered: true, loadedAt: new Date(world.time).toISOString() });
  });
});
