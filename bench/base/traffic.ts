import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { SourceTrafficOptions } from '../../test/end-to-end/source-traffic';
import type { TrafficWord } from './traffic-process';

/** Changes in the source databases, made by another process. */
export class Traffic {
  /** Updates that are committed, a tenth of a second ago. */
  done = 0;
  readonly #child: ChildProcess;
  readonly #stopped: Promise<void>;

  constructor(options: SourceTrafficOptions) {
    this.#child = fork(join(__dirname, 'base', 'traffic-process.js'));
    this.#stopped = new Promise((resolve, reject) => {
      this.#child.on('message', ({ done, stopped }: { done: number; stopped?: true }) => {
        this.done = done;
        if (stopped) resolve();
      });
      this.#child.once('exit', () => reject(new Error('the traffic ended by itself')));
    });
    this.#stopped.catch(() => {});
    this.#tell({ options });
  }

  /** From now on so many updates a second. */
  pace(perSecond: number): void {
    this.#tell({ perSecond });
  }

  async stop(): Promise<void> {
    this.#tell({ stop: true });
    await this.#stopped;
  }

  #tell(word: TrafficWord): void {
    this.#child.send(word);
  }
}
