/** A replication as DMS describes it; undefined before it has ever been started. */
export interface ReplicationState {
  /** In lower case. */
  readonly status: string;
  readonly startType: string | undefined;
  /** Of the load, 0 to 100; undefined where DMS does not say. */
  readonly loadedPercent: number | undefined;
  readonly failures: readonly string[];
}

export type StartType = 'start-replication' | 'resume-processing' | 'reload-target';

export interface Replications {
  describe(arn: string): Promise<ReplicationState | undefined>;
  start(arn: string, type: StartType): Promise<void>;
  stop(arn: string): Promise<void>;
}

/** One load of a database: what arrives from `startedAt` on belongs to it, until the next one. */
export interface Epoch {
  readonly database: string;
  readonly epoch: number;
  readonly startedAt: string;
  /** What was loaded: database, names, and the counter by which a load is ordered. */
  readonly load: string;
  /** DMS has taken the order to load. */
  readonly ordered: boolean;
  /** When all rows of the load were seen to have been sent: what arrived later lies behind them. */
  readonly loadedAt?: string;
}

export interface Epochs {
  last(database: string): Promise<Epoch | undefined>;
  /** False when there is such an epoch already. */
  record(epoch: Epoch): Promise<boolean>;
  markOrdered(database: string, epoch: number): Promise<void>;
  /** Keeps the time that was marked first. */
  markLoaded(database: string, epoch: number, loadedAt: string): Promise<void>;
}

export interface Clock {
  now(): number;
  wait(milliseconds: number): Promise<void>;
}

export interface Controlled {
  readonly arn: string;
  readonly database: string;
  readonly load: string;
}

export interface ControlOptions {
  readonly replications: Replications;
  readonly epochs: Epochs;
  readonly clock: Clock;
  /** How long to wait for DMS in all, below the function's own limit. */
  readonly patienceMs: number;
}

const atRest = new Set(['created', 'ready', 'stopped', 'failed']);
// The last record of what was stopped must bear an earlier time than the epoch, on Kinesis' clock as on ours.
const clockGuardMs = 1_000;

/**
 * Brings a replication to rest or into motion, and records the start of each load's epoch while it is at rest: loads carry
 * no position, so the time at which a record arrives is all that tells which load it belongs to. Every way of dying in
 * between is borne: what was done is asked of DMS and of the table, never remembered.
 */
export class ReplicationControl {
  readonly #options: ControlOptions;
  readonly #deadline: number;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#deadline = options.clock.now() + options.patienceMs;
  }

  /** Stops it, and answers when it is at rest. */
  async quiesce(arn: string): Promise<ReplicationState | undefined> {
    const { replications } = this.#options;
    for (;;) {
      const state = await this.#settled(arn);
      if (state === undefined || atRest.has(state.status)) return state;
      if (state.status !== 'running')
        throw new Error(`replication ${arn} is still ${state.status}: deploy again when it has settled`);
      await replications.stop(arn);
      await this.#options.clock.wait(200);
    }
  }

  /**
   * Has it run. It goes on where it was, under its epoch, if all of the wanted load was ordered and nothing cut it short;
   * else it loads anew under a new epoch.
   */
  async run(controlled: Controlled): Promise<'running already' | StartType> {
    const { arn, database, load } = controlled;
    const { epochs } = this.#options;
    const state = await this.#settled(arn);
    const last = await epochs.last(database);
    if (state?.status === 'running' && last?.load === load) {
      if (last.ordered) return 'running already';
      // Died between order and mark: it was at rest when the epoch was recorded, so this start was ours.
      if (isLoad(state.startType)) {
        await epochs.markOrdered(database, last.epoch);
        return 'running already';
      }
    }
    const rested = await this.quiesce(arn);
    const whole = rested !== undefined && rested.status !== 'created' && (rested.loadedPercent ?? 100) === 100;
    if (whole && last?.load === load && last.ordered) {
      await this.#start(arn, 'resume-processing');
      return 'resume-processing';
    }
    return this.load(controlled);
  }

  /** Loads anew under a new epoch. */
  async load({ arn, database, load }: Controlled): Promise<StartType> {
    const { epochs, clock } = this.#options;
    const state = await this.quiesce(arn);
    const last = await epochs.last(database);
    if (last !== undefined) await clock.wait(clockGuardMs);
    // An epoch that was recorded but not ordered is left behind, empty: who ordered what since is not to be known.
    const epoch = (last?.epoch ?? 0) + 1;
    const startedAt = new Date(clock.now()).toISOString();
    if (!(await epochs.record({ database, epoch, startedAt, load, ordered: false })))
      throw new Error(`another run has recorded epoch ${epoch} of ${database}: deploy again`);
    const type = state === undefined || state.status === 'created' ? 'start-replication' : 'reload-target';
    await this.#start(arn, type, () => epochs.markOrdered(database, epoch));
    return type;
  }

  /**
   * Looks whether it runs, and marks the epoch whose load is through. The epoch is read first: what is seen of DMS
   * afterwards is its load, or a later one's.
   */
  async look({ arn, database }: Controlled): Promise<ReplicationState | undefined> {
    const { replications, epochs, clock } = this.#options;
    const last = await epochs.last(database);
    const state = await replications.describe(arn);
    if (last === undefined || last.loadedAt !== undefined) return state;
    if (state?.status !== 'running' || state.loadedPercent !== 100) return state;
    if (!last.ordered) {
      // It was at rest when the epoch was recorded, so a load that runs is this one.
      if (!isLoad(state.startType)) return state;
      await epochs.markOrdered(database, last.epoch);
    }
    await epochs.markLoaded(database, last.epoch, new Date(clock.now()).toISOString());
    return state;
  }

  async #start(arn: string, type: StartType, onOrdered: () => Promise<void> = async () => {}): Promise<void> {
    const { replications, clock } = this.#options;
    await replications.start(arn, type);
    await onOrdered();
    await clock.wait(200);
    const state = await this.#settled(arn);
    // Capacity may take longer than we can wait: from there on the alarm watches.
    if (state === undefined || !atRest.has(state.status)) return;
    throw new Error(
      `replication ${arn} is ${state.status} after ${type}: ${state.failures.join('; ') || 'DMS gives no reason'}`,
    );
  }

  /** Waits while it is between rest and motion, or until patience ends. */
  async #settled(arn: string): Promise<ReplicationState | undefined> {
    const { replications, clock } = this.#options;
    for (let pause = 200; ; pause = Math.min(10_000, pause * 1.5)) {
      const state = await replications.describe(arn);
      if (state === undefined || state.status === 'running' || atRest.has(state.status)) return state;
      if (clock.now() + pause > this.#deadline) return state;
      await clock.wait(pause);
    }
  }
}

/** DMS stops at a TRUNCATE, which it cannot carry: what the readers have is wrong until all is loaded anew. */
export function stoppedAtTruncate(state: ReplicationState | undefined): boolean {
  return state?.status === 'failed' && state.failures.some((failure) => /truncat(e|ion of)/i.test(failure));
}

function isLoad(type: string | undefined): boolean {
  return type === 'start-replication' || type === 'reload-target';
}
