import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * Ends the server that a killed run may have left on this data folder, and removes the lock of one that is gone. Without
 * this, PostgreSQL refuses to start where any living process happens to have the old server's id.
 */
export async function endLeftover(data: string, log: (message: string) => void): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;

  // SIGINT asks for a fast, clean end; SIGQUIT for an immediate one.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (!(await isServerOf(pid, data))) break;
    log(`a PostgreSQL of an earlier run still has ${data}: it is stopped (${signal})`);
    process.kill(pid, signal);
    for (let waited = 0; waited < 10_000 && (await isServerOf(pid, data)); waited += 50) await pause(50);
  }
  if (await isServerOf(pid, data)) throw new Error(`process ${pid} still has ${data} and does not end`);
  await rm(lock, { force: true });
}

/** Whether the process is a PostgreSQL on this very folder, not one that was given a recycled process id. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(
      async () => (await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout,
    );
    return /postgres/.test(command) && command.includes(data);
  } catch {
    return false;
  }
}
