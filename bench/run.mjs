/**
 * Runs the benches one after another, or those that are named: `npm run bench -- dedup`. Expects build.mjs to have run.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { build } from 'esbuild';

const benches = readdirSync('bench')
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replace('.ts', ''));
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !benches.includes(name));
if (unknown !== undefined) throw new Error(`there is no bench '${unknown}': use ${benches.join(', ')}`);

const shared = { bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'warning' };
await Promise.all([
  build({
    ...shared,
    entryPoints: [
      ...benches.map((name) => `bench/${name}.ts`),
      'bench/base/account-process.ts',
      'bench/base/probe-process.ts',
      'bench/base/settle-process.ts',
      'bench/base/time-series-process.ts',
      'bench/base/traffic-process.ts',
    ],
    outbase: 'bench',
    outdir: 'build/bench',
    packages: 'external',
    sourcemap: true,
    loader: { '.sql': 'text' },
  }),
  // A function of a peer is bundled as ours are (build.mjs).
  build({
    ...shared,
    entryPoints: ['bench/peers/powertools-dedup.ts'],
    outdir: 'build/bench/peers',
    minify: true,
    legalComments: 'none',
    mainFields: ['module', 'main'],
  }),
]);

// Badges of 100,000 SKUs with five centres hold more than Node would give itself; room for what is young is as `npm start` has it.
const heap = ['--max-old-space-size=8192', '--max-semi-space-size=64'];
const chosen = wanted.length > 0 ? wanted : benches;
for (const [index, name] of chosen.entries()) {
  const started = performance.now();
  console.error(`[${index + 1}/${chosen.length}] ${name}`);
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', ...heap, `build/bench/${name}.js`], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  console.error(
    `[${index + 1}/${chosen.length}] ${name} took ${((performance.now() - started) / 1_000).toFixed(0)} s\n`,
  );
}
