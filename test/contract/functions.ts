import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { Invoke } from '../../local/door/lambda-protocol';
import { FunctionHost } from '../../local/lambda/function-host';

/** The local Lambda, with two functions that do as they are told; the second one has no concurrency left. */
export interface Functions {
  readonly invoke: Invoke;
  close(): Promise<void>;
}

export const behaving = 'behaving';
export const exhausted = 'exhausted';

export function startFunctions(): Functions {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-test-'));
  const workerFile = join(folder, 'function-worker.js');
  buildSync({
    entryPoints: [join(__dirname, '../../local/lambda/function-worker.ts')],
    outfile: workerFile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  const host = new FunctionHost({ workerFile });
  for (const functionName of [behaving, exhausted])
    host.define({
      functionName,
      handlerFile: join(__dirname, 'behaving-function.cjs'),
      handlerExport: 'handler',
      timeoutSeconds: 30,
      memoryMb: 256,
      environment: {},
      logFile: join(folder, `${functionName}.log`),
      ...(functionName === exhausted && { reservedConcurrency: 0 }),
    });
  return {
    invoke: (functionName, event) => host.invoke(functionName, event),
    async close() {
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
