/**
 * Bundles everything that runs: each function under lambdas/ into build/lambdas/<room>/<function>/index.js, exactly as it
 * is deployed (Node 20 and newer), those of examples/ into build/lambdas/examples, and each command under bin/ and examples/
 * and worker under local/ into build/.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import banks from 'banks-db';
import { build } from 'esbuild';

const under = (folder, matches) =>
  readdirSync(folder, { recursive: true })
    .map((file) => `${folder}/${file}`.replaceAll('\\', '/'))
    .filter(matches);

const isHandler = (file) => file.endsWith('/handler.ts');
const functions = under('lambdas', isHandler);
const examples = under('examples', isHandler);
const programs = [
  ...under('bin', (file) => file.endsWith('.ts')),
  ...under('examples', (file) => file.endsWith('/app.ts')),
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
    entryPoints: Object.fromEntries([
      ...functions.map((file) => [`${dirname(file)}/index`, file]),
      ...examples.map((file) => [`lambdas/${dirname(file)}/index`, file]),
    ]),
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

// The BIN table beside the ingest bundle, which reads it (format: lambdas/cardholder/ingest/bin-table.ts).
const ownBinTable = 'config/bin-table.csv';
writeFileSync(
  'build/lambdas/cardholder/ingest/bin-table.csv',
  existsSync(ownBinTable) ? readFileSync(ownBinTable) : binTable(),
);

const page = await dashboard();
for (const query of functions.filter((file) => /^lambdas\/serve\/merchandising\/\w+\/query\/handler\.ts$/.test(file)))
  writeFileSync(`build/${dirname(query)}/dashboard.html`, page);

/** The page as one file, behind a line that says what it may run: its own script and style, and calls of where it is from. */
async function dashboard() {
  const folder = 'lambdas/serve/merchandising/dashboard';
  const { outputFiles } = await build({
    stdin: {
      contents: `import 'uplot/dist/uPlot.min.css'; import './page.css'; import './page';`,
      resolveDir: folder,
    },
    bundle: true,
    write: false,
    outdir: 'page',
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const [script, style] = ['.js', '.css'].map((ending) => {
    const { text } = outputFiles.find(({ path }) => path.endsWith(ending));
    return text.trim().replaceAll('</', '<\\/');
  });
  const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = [
    `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; style-src-attr 'unsafe-inline'`,
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ].join('; ');
  const html = readFileSync(`${folder}/page.html`, 'utf8')
    .replace('/*style*/', () => style)
    .replace('/*script*/', () => script);
  return `<!-- ${policy} -->\n${html}`;
}

/** From `banks-db`: the country of each issuer's prefixes. It knows no funding; where its banks disagree, nothing is known. */
function binTable() {
  const countries = new Map();
  for (const { prefixes, country } of banks.data)
    for (const prefix of prefixes.map(String).filter((each) => /^\d{4,8}$/.test(each))) {
      const known = countries.get(prefix) ?? country.toUpperCase();
      countries.set(prefix, known === country.toUpperCase() ? known : '');
    }
  const rows = [...countries]
    .filter(([, country]) => country !== '')
    .map(([prefix, country]) => `${prefix},${country},`);
  return `prefix,country,funding\n${rows.sort().join('\n')}\n`;
}
