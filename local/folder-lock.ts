import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Says which process is using a state folder. */
export const lockFile = 'in-use.json';

interface Owner {
  readonly pid: number;
  /** When the process started, in the system's words: ids are given again. */
  readonly started: string;
}

/** Those that this very process holds. */
const held = new Set<string>();

/** Takes a folder for this process; throws when another run has it. A lock that a killed run has left counts for nothing. */
export function lockFolder(path: string): () => void {
  const file = join(path, lockFile);
  const owner: Owner = { pid: process.pid, started: startOf(process.pid) ?? '' };
  for (let attempt = 1; ; attempt++) {
    try {
      writeFileSync(file, JSON.stringify(owner), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const other = readOwner(file);
    if (held.has(path) || attempt === 3 || (other !== undefined && other.pid !== process.pid && isRunning(other)))
      throw new Error(
        `${path} is in use by another run (process ${other?.pid ?? 'unknown'}): end that first, or name another folder with --state`,
      );
    rmSync(file, { force: true });
  }
  held.add(path);
  return () => {
    held.delete(path);
    rmSync(file, { force: true });
  };
}

/** Undefined when there is none, or half of one: its writer was killed. */
function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isRunning({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Not ours to signal is alive all the same.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(pid);
  return now === undefined || started === '' || now === started;
}

/** Undefined where the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    // State and start are the 3rd and the 22nd field; the 2nd one is in brackets and may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    // A process that has ended keeps its place until its parent takes notice, which some never do.
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}
