import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { type FunctionDefinition, FunctionHost, type FunctionHostOptions } from '../../../local/lambda/function-host';

let folder: string;
let workerFile: string;
let host: FunctionHost;
let defined = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'functions-'));
  workerFile = join(folder, 'function-worker.js');
  buildSync({
    entryPoints: [join(__dirname, '../../../local/lambda/function-worker.ts')],
    outfile: workerFile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

afterEach(() => host.close());

function open(options: FunctionHostOptions = {}): void {
  host = new FunctionHost({ workerFile, ...options });
}

/** Defines a function with this code and returns its name. */
function define(code: string, definition: Partial<FunctionDefinition> = {}): string {
  defined += 1;
  const functionName = `function-${defined}`;
  const handlerFile = join(folder, `${functionName}.js`);
  writeFileSync(handlerFile, code);
  host.define({
    functionName,
    handlerFile,
    handlerExport: 'handler',
    timeoutSeconds: 30,
    memoryMb: 128,
    environment: {},
    logFile: join(folder, 'logs', `${functionName}.log`),
    ...definition,
  });
  return functionName;
}

const log = (functionName: string) => readFileSync(join(folder, 'logs', `${functionName}.log`), 'utf8');

/** Invokes until the answer is as wanted: for what happens in its own time. */
async function until(wanted: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await wanted())) await new Promise((tick) => setTimeout(tick, 2));
}

test('a function gets its event and answers with JSON', async () => {
  open();
  const name = define('exports.handler = async (event) => ({ got: event.a, missing: undefined })');

  expect(await host.invoke(name, { a: 'ü' })).toEqual({ payload: '{"got":"ü"}' });
  expect(await host.invokeJson(name, '{"a":2}')).toEqual({ payload: '{"got":2}' });
});

test('a function that returns nothing answers null', async () => {
  open();
  const name = define('exports.handler = async () => {}');

  expect(await host.invoke(name, {})).toEqual({ payload: 'null' });
});

test('the context names the function, the request and the time that is left', async () => {
  open();
  const name = define(`exports.handler = async (event, context) => ({
    name: context.functionName, arn: context.invokedFunctionArn, id: context.awsRequestId,
    left: context.getRemainingTimeInMillis() })`);

  const { id, left, ...rest } = JSON.parse((await host.invoke(name, {})).payload);

  expect(rest).toEqual({ name, arn: `arn:aws:lambda:eu-west-1:000000000000:function:${name}` });
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(30_000);
});

test('a function sees its own environment only', async () => {
  open();
  process.env.OF_THE_USER = 'secret';
  const name = define('exports.handler = async () => process.env', { environment: { TABLE_NAME: 'claims' } });

  const environment = JSON.parse((await host.invoke(name, {})).payload);

  delete process.env.OF_THE_USER;
  expect(environment).toEqual({
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
    TABLE_NAME: 'claims',
  });
});

test('a container is loaded once and used again', async () => {
  open();
  const name = define('let calls = 0; exports.handler = async () => ++calls');

  const answers = [await host.invoke(name, {}), await host.invoke(name, {}), await host.invoke(name, {})];

  expect(answers.map(({ payload }) => payload)).toEqual(['1', '2', '3']);
  expect(host.containers(name)).toBe(1);
});

test('simultaneous invocations have a container each, up to the limit; the others wait for one', async () => {
  open({ maxContainers: 2 });
  const name = define(`let running = 0; exports.handler = async () => {
    running += 1; await new Promise((resolve) => setTimeout(resolve, 10)); const seen = running; running -= 1; return seen; }`);

  const answers = await Promise.all(Array.from({ length: 6 }, () => host.invoke(name, {})));

  expect(answers.map(({ payload }) => payload)).toEqual(Array(6).fill('1'));
  expect(host.containers(name)).toBe(2);
});

test('more invocations than are reserved are throttled', async () => {
  const metrics: string[] = [];
  open({ onMetric: (_name, metric) => metrics.push(metric) });
  const name = define('exports.handler = async () => 1', { reservedConcurrency: 1 });

  const [first, second] = await Promise.allSettled([host.invoke(name, {}), host.invoke(name, {})]);

  expect(first).toMatchObject({ value: { payload: '1' } });
  expect(second).toMatchObject({ reason: { code: 'TooManyRequestsException', statusCode: 429 } });
  expect(metrics).toContain('Throttles');
});

test('an error is an answer with its type, message and trace, and is logged', async () => {
  open();
  const name = define('exports.handler = async () => { throw new TypeError("no such thing") }');

  const { payload, functionError } = await host.invoke(name, {});

  expect(functionError).toBe('Unhandled');
  expect(JSON.parse(payload)).toEqual({
    errorType: 'TypeError',
    errorMessage: 'no such thing',
    trace: expect.arrayContaining(['TypeError: no such thing']),
  });
  expect(log(name)).toContain('no such thing');
});

test.each([
  ['that cannot be loaded', 'throw new Error("broken bundle")', 'broken bundle'],
  ['without its handler', 'exports.other = 1', 'handler is undefined or not exported'],
  ['that exits', 'exports.handler = async () => process.exit(1)', 'Runtime exited without providing a reason'],
  [
    'with an error outside of its handler',
    'exports.handler = () => new Promise(() => setTimeout(() => { throw new Error("stray") }, 1))',
    'stray',
  ],
  [
    'with a rejection that nobody handles',
    'exports.handler = () => new Promise(() => void Promise.reject(new Error("unheard")))',
    'unheard',
  ],
  [
    'that needs more memory than it has',
    'const all = []; exports.handler = async () => { for (;;) all.push(new Array(1e5).fill(all.length)) }',
    'signal: killed',
  ],
])('a function %s fails, and says why', async (_what, code, message) => {
  open();
  const name = define(code);

  const { payload, functionError } = await host.invoke(name, {});

  expect(functionError).toBe('Unhandled');
  expect(JSON.parse(payload).errorMessage).toContain(message);
});

test('a function that could not be loaded is loaded anew by the next invocation', async () => {
  open();
  const name = define('');
  const missing = join(folder, `${name}.js`);
  rmSync(missing);

  const first = await host.invoke(name, {});
  writeFileSync(missing, 'exports.handler = async () => 1');
  const second = await host.invoke(name, {});

  expect(first.functionError).toBe('Unhandled');
  expect(second).toEqual({ payload: '1' });
});

test('a function that takes too long is ended with its container', async () => {
  open();
  const code = 'let calls = 0; exports.handler = (event) => ++calls && (event.hang ? new Promise(() => {}) : calls)';
  const name = define(code, { timeoutSeconds: 0.5 });
  await host.invoke(name, {});

  const { payload, functionError } = await host.invoke(name, { hang: true });

  expect(functionError).toBe('Unhandled');
  expect(JSON.parse(payload)).toMatchObject({
    errorType: 'Sandbox.Timedout',
    errorMessage: expect.stringContaining('Task timed out after 0.50 seconds'),
  });
  expect((await host.invoke(name, {})).payload).toBe('1');
});

test('a busy loop is ended too', async () => {
  open();
  const name = define('exports.handler = async () => { for (;;); }', { timeoutSeconds: 0.05 });

  const { payload } = await host.invoke(name, {});

  expect(payload).toContain('Task timed out');
});

test('killing a function ends all that is in flight, what waits runs in new containers', async () => {
  open({ maxContainers: 2, onLog: (_name, line) => lines.push(line) });
  const lines: string[] = [];
  const name = define(`let calls = 0; exports.handler = (event) => {
    console.log('started', event.id); calls += 1; return event.hang ? new Promise(() => {}) : calls; }`);
  const hanging = [host.invoke(name, { id: 1, hang: true }), host.invoke(name, { id: 2, hang: true })];
  const waiting = host.invoke(name, { id: 3 });
  await until(() => lines.length === 2);

  await host.kill(name);

  for (const { payload, functionError } of await Promise.all(hanging)) {
    expect(functionError).toBe('Unhandled');
    expect(JSON.parse(payload)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: 'Error: Runtime exited with error: signal: killed',
    });
  }
  expect(await waiting).toEqual({ payload: '1' });
});

test('whatever a function writes is in its log, line by line, even if it is killed right after', async () => {
  const lines: string[] = [];
  open({ onLog: (functionName, line) => lines.push(`${functionName}: ${line}`) });
  const name = define(`exports.handler = async () => {
    console.log('one %d', 1); console.error('two\\nthree'); process.stdout.write('fo'); process.stdout.write('ur\\n');
    process.exit(0); }`);

  await host.invoke(name, {});

  expect(log(name).split('\n').slice(0, 4)).toEqual(['one 1', 'two', 'three', 'four']);
  expect(lines.slice(0, 4)).toEqual(['one 1', 'two', 'three', 'four'].map((line) => `${name}: ${line}`));
});

test('fetch finds a mapped host at its local stand-in, which learns who asks; other hosts are left alone', async () => {
  open();
  const seen: object[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ url: request.url, method: request.method, from: request.headers['x-tillstream-function'], body });
    response.end('done');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const local = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const name = define(
    `exports.handler = async (event) => {
      const ways = [
        () => fetch('https://db.example.com:8086/write?db=a', { method: 'POST', body: 'b', headers: { a: 'b' } }),
        () => fetch(new Request(new URL('https://db.example.com:8086/query'), { method: 'POST', body: 'q' })),
        () => fetch(event.local + '/plain'),
      ];
      const texts = [];
      for (const way of ways) texts.push(await (await way()).text());
      return texts;
    }`,
    { hosts: { 'db.example.com:8086': `${local}/base` } },
  );

  const { payload } = await host.invoke(name, { local });

  await new Promise((closed) => {
    server.close(closed);
    server.closeAllConnections();
  });
  expect(payload).toBe('["done","done","done"]');
  expect(seen).toEqual([
    { url: '/base/write?db=a', method: 'POST', from: name, body: 'b' },
    { url: '/base/query', method: 'POST', from: name, body: 'q' },
    { url: '/plain', method: 'GET', from: undefined, body: '' },
  ]);
});

test('invocations, errors and durations are told', async () => {
  const metrics: Record<string, number[]> = {};
  open({
    onMetric: (_name, metric, value) => {
      metrics[metric] ??= [];
      metrics[metric].push(value);
    },
  });
  const name = define('exports.handler = async (event) => { if (event.fail) throw new Error("no") }');

  await host.invoke(name, {});
  await host.invoke(name, { fail: true });

  expect(metrics).toMatchObject({ Invocations: [1, 1], Errors: [0, 1] });
  expect(metrics.Duration).toHaveLength(2);
});

test('an answer of more than 6 MB is an error', async () => {
  open();
  const name = define('exports.handler = async () => "x".repeat(7e6)');

  const { payload, functionError } = await host.invoke(name, {});

  expect(functionError).toBe('Unhandled');
  expect(JSON.parse(payload).errorType).toBe('Function.ResponseSizeTooLarge');
});

test('a closed host ends what runs and what waits', async () => {
  open({ maxContainers: 1 });
  const name = define('exports.handler = () => new Promise(() => {})');
  const running = host.invoke(name, {});
  const waiting = host.invoke(name, {});
  await until(() => host.containers(name) === 1);
  const refused = expect(waiting).rejects.toThrow('the host is closed');

  await host.close();

  expect((await running).functionError).toBe('Unhandled');
  await refused;
  await expect(host.invoke(name, {})).rejects.toThrow('the host is closed');
});

test('an unknown function is not found', async () => {
  open();

  await expect(host.invoke('nobody', {})).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
});
