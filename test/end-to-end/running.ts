import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeTotals } from '../../local/report';
import { Run } from '../../local/run';
import { Sender } from '../../local/sender';
import { makeFolder } from './folder';
import { type SaleEvent, totalsOf, unitsOf } from './sales';

/** The platform, started for a test in a folder of its own, and all that was sent to it so far. */
export class RunningPlatform {
  readonly sent: SaleEvent[] = [];

  private constructor(
    readonly run: Run,
    readonly folder: string,
  ) {}

  static async start(): Promise<RunningPlatform> {
    const folder = makeFolder('run');
    const run = await Run.start({ directory: join(folder, 'state'), keep: false, log: () => {} });
    return new RunningPlatform(run, folder);
  }

  /** Sends events as a till does, until each is accepted. */
  async send(events: readonly SaleEvent[]): Promise<Sender> {
    const file = join(this.folder, 'sales.ndjson');
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
    const { ingestUrl, aws } = this.run.endpoints;
    const sender = new Sender({ ingestUrl, keys: aws, batchSize: 50, concurrency: 2 });
    this.sent.push(...events);
    await sender.sendFile(file);
    return sender;
  }

  /** The name of a room's function, by a part of it: `Refine-Dedup`. */
  functionNamed(part: string): string {
    const name = [...this.run.account.functions.keys()].find((candidate) => candidate.includes(part));
    if (name === undefined)
      throw new Error(`no function is named ${part}: ${[...this.run.account.functions.keys()].join(', ')}`);
    return name;
  }

  /** What the stores answer once all is absorbed, and what they must answer. */
  async settled() {
    await this.run.absorb();
    const answered = await storeTotals(this.run);
    const total = totalsOf(this.sent);
    return { answered, expected: { merchandising: total, finance: total, lake: total, inventory: unitsOf(this.sent) } };
  }

  async stop(): Promise<void> {
    await this.run.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
