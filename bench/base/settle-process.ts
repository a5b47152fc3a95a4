import { join } from 'node:path';

/** What a run of the function answered, and took. */
export interface Settled {
  readonly outcome: unknown;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly memoryMebibytes: number;
}

/** Runs the function that takes settlement files, as it is deployed, once in this process, and tells what it took. */
async function settle(key: string): Promise<void> {
  const timeoutMs = Number(process.env.TIMEOUT_MS);
  const { handler } = require(join(__dirname, '../../lambdas/serve/finance/settlement/index.js'));
  const began = performance.now();
  const cpu = process.cpuUsage();
  const outcome = await handler(
    { detail: { object: { key } } },
    { getRemainingTimeInMillis: () => timeoutMs - (performance.now() - began) },
  );
  const { user, system } = process.cpuUsage(cpu);
  const settled: Settled = {
    outcome,
    seconds: (performance.now() - began) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    memoryMebibytes: process.resourceUsage().maxRSS / 1_024,
  };
  process.send?.(settled);
}

void settle(process.argv[2]!);
