import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { models } from '../local/resources/models';
import { synthesizedLiveAnalytics, synthesizedStage } from './template/synthesized';

const sources = ['bin', 'lib', 'lambdas', 'local'].flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .map((file) => `${folder}/${file}`)
    .filter((file) => file.endsWith('.ts')),
);
const rooms = ['cardholder', 'cdc', 'refine', 'serve', 'watch'];

/** Paths, from the project's root, of the files that a file imports from within the project. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import) '(\.[^']+)'/g)].map(([, path]) => normalize(join(dirname(file), path!)));
}

/** `refine` of `lambdas/refine/dedup/handler.ts`; undefined for base and for files outside rooms. */
function roomOf(path: string): string | undefined {
  const [, room] = /^lambdas\/([^/]+)\//.exec(path) ?? [];
  return room !== undefined && rooms.includes(room) ? room : undefined;
}

describe('imports point one way', () => {
  test('a function imports its own room and base, nothing else of ours', () => {
    const strays = sources
      .filter((file) => file.startsWith('lambdas/'))
      .flatMap((file) =>
        importsOf(file)
          .filter(
            (path) =>
              !path.startsWith('lambdas/base/') && (roomOf(path) === undefined || roomOf(path) !== roomOf(file)),
          )
          .map((path) => `${file} -> ${path}`),
      );

    expect(strays).toEqual([]);
  });

  test('functions know no CDK', () => {
    const strays = sources.filter(
      (file) => file.startsWith('lambdas/') && /aws-cdk-lib|constructs/.test(readFileSync(file, 'utf8')),
    );

    expect(strays).toEqual([]);
  });

  test('of the functions, lib knows the words of the business only', () => {
    const strays = sources
      .filter((file) => file.startsWith('lib/'))
      .flatMap((file) =>
        importsOf(file).filter((path) => !path.startsWith('lib/') && !path.startsWith('lambdas/base/domain/')),
      );

    expect(strays).toEqual([]);
  });

  test('the words of the business import nothing but each other', () => {
    const strays = sources
      .filter((file) => file.startsWith('lambdas/base/domain/'))
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)].map(([, path]) => path!))
      .filter((path) => !path.startsWith('./'));

    expect(strays).toEqual([]);
  });

  test('nothing that is deployed knows the local run', () => {
    const strays = sources
      .filter((file) => file.startsWith('lib/') || file.startsWith('lambdas/'))
      .flatMap((file) => importsOf(file).filter((path) => path.startsWith('local/')));

    expect(strays).toEqual([]);
  });
});

test('the environment is read in one file of the functions', () => {
  const readers = sources.filter(
    (file) => file.startsWith('lambdas/') && readFileSync(file, 'utf8').includes('process.env'),
  );

  expect(readers).toEqual(['lambdas/base/runtime/env.ts']);
});

test('a function is given the variables that it asks for, no more and no fewer', () => {
  const asked = new Map<string, Set<string>>();
  for (const handler of sources.filter((file) => file.startsWith('lambdas/') && file.endsWith('/handler.ts'))) {
    const names = new Set<string>();
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:require|optional)Env\('([A-Z_0-9]+)'\)/g))
        names.add(name!);
      for (const path of importsOf(file)) if (sources.includes(`${path}.ts`)) visit(`${path}.ts`);
    };
    visit(handler);
    for (const given of ['AWS_LAMBDA_FUNCTION_NAME', 'AWS_REGION']) names.delete(given);
    asked.set(dirname(handler).replace('lambdas/', ''), names);
  }

  // Each engine of merchandising has functions of its own.
  const given = [...synthesizedStage('prod').functions, ...synthesizedLiveAnalytics().functions].filter(
    ({ directory }, place, all) => all.findIndex((each) => each.directory === directory) === place,
  );

  expect(given.map(({ directory }) => directory).sort()).toEqual([...asked.keys()].sort());
  for (const { directory, variables } of given)
    expect([directory, variables]).toEqual([directory, [...asked.get(directory)!].sort()]);
});

test('every resource type of the local stage has a local model', () => {
  const types = synthesizedStage('local').resources.map(({ Type }) => Type);

  const unknown = [...new Set(types)].filter((type) => models[type] === undefined && !type.startsWith('Custom::'));

  expect(unknown).toEqual([]);
});

test('every alarm has a heading in the runbook, and every heading an alarm', () => {
  const headings = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
  const alarms = [synthesizedStage('prod'), synthesizedLiveAnalytics()]
    .flatMap(({ resources }) => resources)
    .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
    .map(({ Properties }) => String(Properties?.AlarmName).replace('Tillstream-prod-', ''));

  expect(headings.sort()).toEqual([...new Set(alarms)].sort());
});
