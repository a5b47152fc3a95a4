import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ProbeOptions } from './probe-process';

/** Milliseconds from an update sent to the answer that shows it, once after the other. */
export async function probe(options: ProbeOptions): Promise<number[]> {
  const child = fork(join(__dirname, 'base', 'probe-process.js'));
  child.send(options);
  const ended = once(child, 'exit').then(() => {
    throw new Error('the probe ended by itself');
  });
  const [took] = await Promise.race([once(child, 'message'), ended]);
  return took;
}
