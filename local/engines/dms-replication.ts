import { setTimeout as delay } from 'node:timers/promises';
import type { ClientConfig } from 'pg';
import type { Pgoutput } from 'pg-logical-replication';
import { dropSlot, type FoundTable, findTables, publish, withClient } from './dms-catalogue';
import { load } from './dms-load';
import { LogReader } from './dms-log-reader';
import type { TablePlan } from './dms-mappings';
import { type ChangePlace, type OutgoingRecord, type RecordOptions, TableRecords } from './dms-records';

export interface ReplicationOptions {
  readonly slot: string;
  readonly plans: readonly TablePlan[];
  readonly records: RecordOptions;
  /** The database as the secret's user. */
  readonly source: ClientConfig;
  /** The same as the superuser: for what only the local reader needs. */
  readonly administrator: ClientConfig;
  /** Writes to the stream, in the given order as far as the stream keeps it; throws when it never will. */
  put(records: readonly OutgoingRecord[]): Promise<void>;
  readonly checkpointMs: number;
  /** Told when it runs, and how far the load is. */
  onProgress(percent: number): void;
  readonly log: (message: string) => void;
}

/** Records that may wait for the stream before the log has to. */
const mostBuffered = 5_000;
const markPrefix = 'tillstream-mark';

/** One run of a replication, from its start until it is stopped or fails. */
export class ReplicationRun {
  readonly #options: ReplicationOptions;
  readonly #stopping = new AbortController();
  readonly #writers = new Map<number, { relation: Pgoutput.MessageRelation; writer: TableRecords }>();
  readonly #marks = new Map<string, () => void>();
  #tables: readonly FoundTable[] = [];
  #reader: LogReader | undefined;
  #buffer: OutgoingRecord[] = [];
  #flushing: Promise<void> | undefined;
  #fatal: Error | undefined;
  #transaction = { id: 0, records: 0, commitTimestamp: '' };
  #previous: ChangePlace['previous'];
  /** End of the last transaction that was read, and of the last of which all is in the stream. */
  #read = '';
  #durable = '';

  constructor(options: ReplicationOptions) {
    this.#options = options;
  }

  /** Runs until stopped; rejects with what made it fail. */
  async run(type: 'load' | 'resume'): Promise<void> {
    const { slot, plans, records, source, administrator, onProgress } = this.#options;
    const { signal } = this.#stopping;
    await withClient(administrator, async (client) => {
      this.#tables = await findTables(client, plans);
      const missing = plans.find((plan) => !this.#tables.some((table) => table.plan === plan));
      if (missing !== undefined) throw new Error(`no table ${missing.schema}.${missing.table} was found`);
      if (type === 'load') await dropSlot(client, slot);
      await publish(client, slot, this.#tables);
    });
    if (type === 'load') {
      await load({
        connection: source,
        slot,
        tables: this.#tables,
        records,
        put: (batch) => this.#options.put(batch),
        onStarted: () => onProgress(0),
        onProgress: (percent) => onProgress(Math.min(99, percent)),
        signal,
      });
    }
    onProgress(100);
    const checkpoints = this.#keepCheckpoints();
    try {
      await this.#follow();
    } finally {
      clearInterval(checkpoints);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    await this.#reader?.stop();
    await this.#flushing?.catch(() => {});
  }

  /** Resolves when all that was committed before is in the stream; rejects when the run ends first. */
  async settled(mark: string): Promise<void> {
    const { administrator } = this.#options;
    const { signal } = this.#stopping;
    const seen = new Promise<void>((resolve, reject) => {
      const end = () => reject(signal.reason);
      signal.addEventListener('abort', end, { once: true });
      this.#marks.set(mark, () => {
        signal.removeEventListener('abort', end);
        resolve();
      });
    });
    seen.catch(() => {});
    await withClient(administrator, (client) =>
      client.query('select pg_logical_emit_message(false, $1, $2, true)', [markPrefix, mark]),
    );
    await seen;
  }

  /** Reads the log, again and again where a connection breaks. */
  async #follow(): Promise<void> {
    const { source, slot, log } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      this.#buffer = [];
      this.#writers.clear();
      this.#reader = new LogReader({
        connection: source,
        slot,
        publication: slot,
        onMessage: async (lsn, message) => {
          try {
            await this.#take(lsn, message);
          } catch (error) {
            this.#fatal = error as Error;
            throw error;
          }
        },
      });
      if (signal.aborted) return;
      try {
        await this.#reader.read();
      } catch (error) {
        if (!signal.aborted && this.#fatal === undefined) log(`${slot}: ${(error as Error).message}: tried again`);
      }
      await this.#reader.stop().catch(() => {});
      await this.#flushing?.catch(() => {});
      if (this.#fatal !== undefined) throw this.#fatal;
      if (signal.aborted) return;
      await delay(1_000, undefined, { signal }).catch(() => {});
    }
  }

  /** What is re-sent after a stop is what came since the last checkpoint but one: DMS's tail, at least once. */
  #keepCheckpoints(): NodeJS.Timeout {
    let last = '';
    let kept = '';
    return setInterval(() => {
      if (last !== '' && last !== kept) {
        kept = last;
        this.#reader?.keep(kept).catch(() => {});
      }
      last = this.#durable;
    }, this.#options.checkpointMs);
  }

  async #take(lsn: string, message: Pgoutput.Message): Promise<void> {
    switch (message.tag) {
      case 'begin':
        this.#transaction = {
          id: message.xid >>> 0,
          records: 0,
          commitTimestamp: isoMicroseconds(BigInt(message.commitTime.toString())),
        };
        return;
      case 'insert':
        return this.#add(this.#writerOf(message.relation).insert(message.new, this.#place(lsn)));
      case 'update': {
        const writer = this.#writerOf(message.relation);
        return this.#add(writer.update(message.new, message.key ?? message.old, this.#place(lsn)));
      }
      case 'delete': {
        const writer = this.#writerOf(message.relation);
        return this.#add(writer.delete(message.key ?? message.old ?? {}, this.#place(lsn)));
      }
      case 'commit':
        this.#read = message.commitEndLsn ?? this.#read;
        this.#flush();
        return;
      case 'truncate':
        return this.#truncated(message.relations);
      case 'message':
        if (message.prefix === markPrefix) await this.#mark(Buffer.from(message.content).toString());
        return;
      default:
        return;
    }
  }

  /** The log waits only where the stream is far behind. */
  async #add(record: OutgoingRecord): Promise<void> {
    this.#buffer.push(record);
    if (this.#buffer.length < mostBuffered) return;
    this.#flush();
    await this.#flushing;
  }

  #flush(): void {
    this.#flushing ??= (async () => {
      // Not before the promise is where `finally` takes it from.
      await Promise.resolve();
      try {
        while (this.#buffer.length > 0 || this.#durable !== this.#read) {
          const [records, read] = [this.#buffer, this.#read];
          this.#buffer = [];
          if (records.length > 0) await this.#options.put(records);
          this.#durable = read;
        }
      } catch (error) {
        this.#fatal ??= error as Error;
        await this.#reader?.stop();
        throw error;
      } finally {
        this.#flushing = undefined;
      }
    })();
    this.#flushing.catch(() => {});
  }

  async #mark(name: string): Promise<void> {
    this.#flush();
    await this.#flushing;
    this.#marks.get(name)?.();
    this.#marks.delete(name);
  }

  async #truncated(relations: readonly Pgoutput.MessageRelation[]): Promise<void> {
    const names = relations.map(({ schema, name }) => `${schema}.${name}`).join(', ');
    this.#flush();
    await this.#flushing;
    if (this.#options.records.settings.failOnTruncate) throw new Error(`truncation of ${names}: it cannot be carried`);
    this.#options.log(`${this.#options.slot}: TRUNCATE of ${names} is not carried`);
  }

  #place(lsn: string): ChangePlace {
    const { id, commitTimestamp } = this.#transaction;
    const recordId = ++this.#transaction.records;
    const previous = this.#previous;
    this.#previous = { transactionId: id, recordId };
    return { transactionId: id, recordId, lsn: padded(lsn), commitTimestamp, previous };
  }

  /** A table is described anew whenever it has changed. */
  #writerOf(relation: Pgoutput.MessageRelation): TableRecords {
    const known = this.#writers.get(relation.relationOid);
    if (known?.relation === relation) return known.writer;
    const table = this.#tables.find(({ plan }) => plan.schema === relation.schema && plan.table === relation.name);
    if (table === undefined) throw new Error(`a change of ${relation.schema}.${relation.name}, which is not read`);
    const columns = relation.columns.map(({ name, typeOid, typeMod }) => ({
      name,
      oid: typeOid,
      modifier: typeMod,
      nullable: true,
    }));
    const writer = new TableRecords(table.plan, columns, table.key, this.#options.records);
    this.#writers.set(relation.relationOid, { relation, writer });
    return writer;
  }
}

/** `0/1A2B3C` becomes `00000000/001A2B3C`. */
function padded(lsn: string): string {
  return lsn
    .split('/')
    .map((half) => half.padStart(8, '0'))
    .join('/');
}

function isoMicroseconds(microseconds: bigint): string {
  const milliseconds = Number(microseconds / 1000n);
  const rest = String(microseconds % 1000n).padStart(3, '0');
  return new Date(milliseconds).toISOString().replace('Z', `${rest}Z`);
}
