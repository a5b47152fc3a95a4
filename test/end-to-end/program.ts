import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoints } from '../../local/endpoints';
import { Sender } from '../../local/sender';
import type { SaleEvent } from './sales';

/** The built program, as `npm start` runs it. */
export class Program {
  /** How it ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  output = '';
  readonly #child: ChildProcess;
  #over = false;

  constructor(
    readonly state: string,
    ...options: string[]
  ) {
    this.#child = spawn(process.execPath, ['build/bin/local.js', '--state', state, ...options]);
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    this.ended = new Promise((ended) =>
      this.#child.once('close', (code, signal) => {
        this.#over = true;
        ended(code ?? signal!);
      }),
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it has said this. */
  async says(text: string): Promise<void> {
    await this.#until(() => this.output.includes(text), `saying '${text}'`);
  }

  /** Where everything is, once it is up. */
  async endpoints(): Promise<Endpoints> {
    const file = join(this.state, 'endpoints.json');
    await this.#until(() => existsSync(file), `writing ${file}`);
    return JSON.parse(readFileSync(file, 'utf8'));
  }

  /** Sends events as a till does, until each is accepted, or `signal` says to stop. */
  async send(events: readonly SaleEvent[], signal?: AbortSignal): Promise<Sender> {
    const { ingestUrl, aws } = await this.endpoints();
    const file = `${this.state}.ndjson`;
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
    const sender = new Sender({
      ingestUrl,
      keys: aws,
      batchSize: 20,
      concurrency: 2,
      ...(signal === undefined ? {} : { signal }),
    });
    await sender.sendFile(file);
    return sender;
  }

  async control(path: string, body?: object): Promise<any> {
    const { control } = await this.endpoints();
    const request = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${control}/${path}`, request)).json();
  }

  /** Processes of this machine that have to do with the run: its own, its databases'. */
  processes(): string[] {
    return execFileSync('ps', ['-eww', '-o', 'pid=,stat=,command='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(this.state) && !/^\s*\d+ Z/.test(line));
  }

  async #until(happened: () => boolean, what: string): Promise<void> {
    while (!happened()) {
      if (this.#over) throw new Error(`the program ended without ${what}: ${this.output}`);
      await delay(20);
    }
  }
}
