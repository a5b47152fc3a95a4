/**
 * Bundles everything that runs: each function under lambdas/ into build/lambdas/<room>/<function>/index.js, exactly as it
 * is deployed (Node 20 and newer), and each command under bin/ and worker under local/ into build/.
 */
import { readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { build } from 'esbuild';

const under = (folder, matches) =>
  readdirSync(folder, { recursive: true })
    .map((file) => `${folder}/${file}`.replaceAll('\\', '/'))
    .filter(matches);

const functions = under('lambdas', (file) => file.endsWith('/handler.ts'));
const programs = [
  ...under('bin', (file) => file.endsWith('.ts')),
  ...under('local', (file) => file.endsWith('-worker.ts')),
];

rmSync('build', { recursive: true, force: true });
const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
  loader: { '.sql': 'text' },
};
await Promise.all([
  build({
    ...shared,
    entryPoints: Object.fromEntries(functions.map((file) => [`${dirname(file)}/index`, file])),
    outdir: 'build',
    minify: true,
    legalComments: 'none',
    // Cuts the AWS SDK by a third and its load time by 40 % (docs/decisions.md).
    mainFields: ['module', 'main'],
  }),
  build({
    ...shared,
    entryPoints: Object.fromEntries(programs.map((file) => [file.replace(/\.ts$/, ''), file])),
    outdir: 'build',
    packages: 'external',
    sourcemap: true,
  }),
]);
