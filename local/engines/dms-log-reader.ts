import type { ClientConfig } from 'pg';
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from 'pg-logical-replication';

/** Values as PostgreSQL writes them: nothing is parsed, so no digit and no microsecond is lost. */
class TextPgoutput extends PgoutputPlugin {
  override parse(buffer: Buffer): Pgoutput.Message {
    const message = super.parse(buffer);
    // The relation is what later messages are read by.
    if (message.tag === 'relation') for (const column of message.columns) column.parser = (value: unknown) => value;
    return message;
  }
}

export interface LogReaderOptions {
  readonly connection: ClientConfig;
  readonly slot: string;
  readonly publication: string;
  /** Called in order, one at a time: the log waits until it is done. */
  onMessage(lsn: string, message: Pgoutput.Message): Promise<void>;
}

/** Reads a replication slot from where it stands. The slot moves only when it is told to. */
export class LogReader {
  readonly #service: LogicalReplicationService;
  readonly #options: LogReaderOptions;
  #kept: string | undefined;
  #failure: Error | undefined;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#service = new LogicalReplicationService(options.connection, {
      acknowledge: { auto: false, timeoutSeconds: 0 },
      flowControl: { enabled: true },
    });
    this.#service.on('data', (lsn, message) => options.onMessage(lsn, message));
    this.#service.on('heartbeat', (_lsn, _timestamp, shouldRespond) => {
      // It says how far the server has sent, not how far we are.
      if (shouldRespond) void this.#service.acknowledge(this.#kept ?? '0/0');
    });
    this.#service.on('error', (error) => {
      this.#failure = error;
      void this.#service.stop().catch(() => {});
    });
  }

  /** Reads until `stop`; rejects when reading fails. */
  async read(): Promise<void> {
    const { slot, publication } = this.#options;
    await this.#service.subscribe(
      new TextPgoutput({ protoVersion: 1, publicationNames: [publication], messages: true }),
      slot,
    );
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The slot may forget what lies before: a reader that starts later starts here. */
  async keep(lsn: string): Promise<void> {
    this.#kept = lsn;
    await this.#service.acknowledge(lsn);
  }

  async stop(): Promise<void> {
    await this.#service.destroy();
  }
}
