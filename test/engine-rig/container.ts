import { join } from 'node:path';
import timersPromises from 'node:timers/promises';
import { build } from 'esbuild';
import type { CrashSwitch } from './faults';

/** One Lambda container: a handler's bundle, loaded afresh, with an environment and timers of its own. */
export interface Container {
  /** Calls the handler. Rejects as soon as the container has crashed, whatever the handler still does. `remainingMs` is what its context tells. */
  invoke<Result = any>(event: unknown, remainingMs?: number): Promise<Result>;
  /** What the handler wrote to stdout, one parsed JSON line each. */
  readonly lines: readonly Record<string, any>[];
  /** The sum of a metric that was counted by `countMetrics`. */
  metric(name: string): number;
  readonly crashed: boolean;
}

const bundles = new Map<string, Promise<string>>();

/** Bundles a handler as build.mjs does, once per test file; `modulePath` is relative to test/, without extension. */
async function bundleOf(modulePath: string): Promise<string> {
  const entry = join(__dirname, '..', `${modulePath}.ts`);
  let bundle = bundles.get(entry);
  if (bundle === undefined) {
    bundle = build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      logLevel: 'silent',
      loader: { '.sql': 'text' },
      mainFields: ['module', 'main'],
      // What import() means in evaluated code is jest's to say, and it says it only while the first test file runs.
      supported: { 'dynamic-import': false },
    }).then(({ outputFiles }) => `${outputFiles[0]!.text}\n//# sourceURL=${modulePath}.js`);
    bundles.set(entry, bundle);
  }
  return bundle;
}

export interface ContainerOptions {
  readonly modulePath: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly crash: CrashSwitch;
}

/**
 * Loads on the first invocation, as a cold start does. A bundle sees its own `process` (environment, stdout) and its own
 * timers, which stop with the crash: nothing of a dead container, least of all a retry of the SDK, goes on in a test.
 */
export function openContainer({ modulePath, environment, crash }: ContainerOptions): Container {
  const lines: Record<string, any>[] = [];
  const timers = stoppableTimers(crash);
  let loaded: Promise<(event: unknown, context: object) => unknown> | undefined;

  const write = (text: string): boolean => {
    for (const line of String(text).split('\n').filter(Boolean)) lines.push(parseLine(line));
    return true;
  };
  const containerProcess = Object.create(process, {
    env: { value: { ...environment } },
    stdout: { value: { write } },
    stderr: { value: { write } },
  });
  const containerRequire = (name: string) => {
    if (/^(node:)?process$/.test(name)) return containerProcess;
    if (/^(node:)?timers\/promises$/.test(name)) return { ...timersPromises, setTimeout: timers.delay };
    return require(name);
  };
  async function load() {
    const code = await bundleOf(modulePath);
    const module = { exports: {} as { handler?: (event: unknown, context: object) => unknown } };
    const run = new Function('require', 'module', 'exports', 'process', 'setTimeout', 'clearTimeout', code);
    run(containerRequire, module, module.exports, containerProcess, timers.setTimeout, clearTimeout);
    if (module.exports.handler === undefined) throw new Error(`${modulePath} exports no handler`);
    return module.exports.handler;
  }

  return {
    lines,
    get crashed() {
      return crash.crashed;
    },
    metric: (name) => lines.reduce((sum, line) => sum + (line._aws === undefined ? 0 : (line[name] ?? 0)), 0),
    async invoke(event, remainingMs = 60_000) {
      if (crash.crashed) throw new Error('the container has crashed');
      loaded ??= load();
      const work = loaded.then((handler) => handler(event, contextOf(environment, remainingMs)));
      return (await Promise.race([work, crash.signal])) as any;
    },
  };
}

function parseLine(line: string): Record<string, any> {
  try {
    return JSON.parse(line);
  } catch {
    return { text: line };
  }
}

let requests = 0;
const contextOf = (environment: Readonly<Record<string, string>>, remainingMs: number) => ({
  awsRequestId: `request-${++requests}`,
  functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
  getRemainingTimeInMillis: () => remainingMs,
});

function stoppableTimers(crash: CrashSwitch) {
  const start = (callback: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) =>
    setTimeout(
      (...given: unknown[]) => {
        if (!crash.crashed) callback(...given);
      },
      // A dead container's timers fire at once and do nothing, so that none keeps the process alive.
      crash.crashed ? 0 : ms,
      ...values,
    );
  return {
    setTimeout: start,
    delay: (ms?: number, value?: unknown) => new Promise((resolve) => start(resolve, ms, value)),
  };
}
