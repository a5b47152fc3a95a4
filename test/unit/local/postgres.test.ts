import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type PostgresServer, startPostgres } from '../../../local/engines/postgres';

const folders: string[] = [];
const servers: PostgresServer[] = [];

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that any user may search, unlike what mkdtemp makes. */
async function newFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  folders.push(folder);
  await chmod(folder, 0o755);
  return folder;
}

async function start(directory: string, log?: (message: string) => void): Promise<PostgresServer> {
  const server = await startPostgres({ directory, ...(log && { log }) });
  servers.push(server);
  return server;
}

async function query(server: PostgresServer, sql: string, database = 'postgres'): Promise<any[]> {
  const client = new Client({ connectionString: server.url(database) });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((result) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      result(true);
    }).on('error', () => result(false));
  });

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((later) => setTimeout(later, 20));
}

test('a database keeps its rows from one run to the next, and nothing answers in between', async () => {
  const directory = await newFolder();
  const first = await start(directory);
  await first.createDatabase('orders');
  await query(first, "create table kept as select 'row' as value", 'orders');

  await first.stop();
  const answeredWhenStopped = await answers(first.port);
  const second = await start(directory);
  await second.createDatabase('orders');
  const rows = await query(second, 'select value from kept', 'orders');

  expect(answeredWhenStopped).toBe(false);
  expect(rows).toEqual([{ value: 'row' }]);
});

test('strings are compared byte by byte and encoded in UTF-8, as in Redshift', async () => {
  const server = await start(await newFolder());

  const rows = await query(server, "select 'Z' < 'a' as bytewise, current_setting('server_encoding') as encoding");

  expect(rows).toEqual([{ bytewise: true, encoding: 'UTF8' }]);
});

test('the server ends with the process that started it, even one that is killed', async () => {
  const directory = await newFolder();
  const server = await start(directory);
  await server.stop();
  const lock = join(directory, 'data/postmaster.pid');
  const program = `
    const { startPostgres } = require(${JSON.stringify(join(__dirname, '../../../local/engines/postgres.ts'))});
    startPostgres({ directory: ${JSON.stringify(directory)} }).then((server) => { console.log(server.port); setInterval(() => {}, 1e6); });`;
  const file = join(await newFolder(), 'run.cjs');
  writeFileSync(file, `${hook}\n${program}`);
  const run = spawn(process.execPath, [file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(__dirname, '../../..'),
  });
  const [port] = await once(run.stdout, 'data');
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0]);

  run.kill('SIGKILL');
  await until(async () => !isAlive(pid));
  const again = await start(directory);

  expect(await answers(Number(String(port)))).toBe(false);
  expect(await query(again, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a lock left by a dead server is no obstacle, whoever has its process id now', async () => {
  const directory = await newFolder();
  const server = await start(directory);
  await server.stop();
  // Our own id stands for one that was given to another program.
  writeFileSync(join(directory, 'data/postmaster.pid'), `${process.pid}\n${directory}/data\n`);

  const again = await start(directory);

  expect(await query(again, 'select 1 as one')).toEqual([{ one: 1 }]);
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('a state folder that only root can search is told and worked around, and found again', async () => {
  const closed = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  folders.push(closed);
  const directory = join(closed, 'state');
  await mkdir(directory);
  const told: string[] = [];
  const server = await start(directory, (message) => told.push(message));
  folders.push(readFileSync(join(directory, 'moved-to'), 'utf8').trim());
  await query(server, 'create table kept as select 1 as one');
  await server.stop();

  const again = await start(directory, (message) => told.push(message));

  expect(told[0]).toContain(`cannot reach ${directory}`);
  expect(await query(again, 'select one from kept')).toEqual([{ one: 1 }]);
});

asRoot('data that was put elsewhere is removed once its state folder is gone', async () => {
  const [gone, next] = [
    mkdtempSync(join(tmpdir(), 'tillstream-test-')),
    mkdtempSync(join(tmpdir(), 'tillstream-test-')),
  ];
  folders.push(next);
  await (await start(gone)).stop();
  const elsewhere = readFileSync(join(gone, 'moved-to'), 'utf8').trim();
  const isThereAtFirst = existsSync(elsewhere);

  rmSync(gone, { recursive: true });
  await start(next);
  folders.push(readFileSync(join(next, 'moved-to'), 'utf8').trim());

  expect([isThereAtFirst, existsSync(elsewhere)]).toEqual([true, false]);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Lets a plain Node process require TypeScript. */
const hook = `
  const { transformSync } = require(${JSON.stringify(require.resolve('@swc/core'))});
  require.extensions['.ts'] = (module, name) => module._compile(transformSync(require('node:fs').readFileSync(name, 'utf8'), {
    filename: name, jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' },
  }).code, name);`;
