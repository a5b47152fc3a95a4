import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What functions and commands ask of AWS, beside what the suites in this folder try: no call comes without its contract. */
interface Source {
  readonly file: string;
  readonly text: string;
  /** Values (not types) taken from each of the SDK's clients, as `client-kinesis PutRecordsCommand`. */
  readonly imported: ReadonlySet<string>;
}

const deployed = ['bin', 'lambdas'].flatMap((folder) => sourcesIn(folder, '.ts'));
/** Neither this file nor the one whose calls are all refused. */
const suites = sourcesIn('test/contract', '.test.ts').filter(
  ({ file }) => !/(coverage|credentials)\.test\.ts$/.test(file),
);

const used = new Map<string, string>();
for (const { file, imported } of deployed) {
  for (const name of imported) if (/(Command|Exception)$/.test(name)) used.set(name, file);
}

function sourcesIn(folder: string, extension: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((name) => {
      const file = join(folder, name);
      const text = readFileSync(file, 'utf8');
      return { file, text, imported: new Set(importsOf(text)) };
    });
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/^import \{([^}]+)\} from '@aws-sdk\/(client-[a-z0-9-]+)'/gm)].flatMap(([, names, client]) =>
    names!
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
      // `ListObjectsV2Command` by another name.
      .map((name) => `${client} ${name.replace(/^paginate(\w+)$/, '$1Command')}`),
  );
}

function isTried(used: string): boolean {
  const [client, name] = used.split(' ') as [string, string];
  return suites.some(({ text, imported }) => {
    if (name.endsWith('Command')) return imported.has(used) && text.includes(`new ${name}(`);
    // Suites may know an error by its class or by its name.
    return text.includes(`@aws-sdk/${client}'`) && new RegExp(`\\b${name}\\b`).test(text);
  });
}

test('the calls are found', () => {
  expect([...used.keys()]).toEqual(
    expect.arrayContaining([
      'client-kinesis PutRecordsCommand',
      'client-s3 ListObjectsV2Command',
      'client-dynamodb TransactionCanceledException',
    ]),
  );
});

test('the SDK is imported in the one form that is read here', () => {
  const others = deployed.filter(
    ({ text }) => [...text.matchAll(/['"]@aws-sdk\//g)].length !== [...text.matchAll(formsOfImport)].length,
  );

  expect(others.map(({ file }) => file)).toEqual([]);
});

const formsOfImport = /^import (type )?\{[^}]+\} from '@aws-sdk\//gm;

test.each([...used].sort())('%s of %s has its contract', (name) => {
  expect(isTried(name)).toBe(true);
});

describe('InfluxDB, which has no client', () => {
  const paths = new Set(
    deployed.flatMap(({ text }) =>
      [...text.matchAll(/\/(?:api\/v2\/(\w+)|(write|query))\b/g)].map(([, resource, path]) => resource ?? path!),
    ),
  );
  const suite = suites.find(({ file }) => file.endsWith('influxdb.test.ts'))!;

  test('is asked at paths that are found', () => {
    expect([...paths]).toEqual(expect.arrayContaining(['write', 'signin', 'buckets']));
  });

  test.each([...paths].sort())('at %s has its contract', (path) => {
    expect(new RegExp(`['\`/]${path}\\b`).test(suite.text)).toBe(true);
  });
});
