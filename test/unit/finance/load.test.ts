import { createThisLoad } from '../../../lambdas/serve/finance/ledger';
import { loadGuard, loadOf, loadStatements } from '../../../lambdas/serve/finance/load/load';
import { type LakeFile, maximumFiles } from '../../../lambdas/serve/finance/load/new-files';
import { guardStopped, literal, StatementFailed, statementsOf } from '../../../lambdas/serve/finance/warehouse';

const loadedAt = new Date('2026-11-22T10:15:30.123Z');
const aFile = (table: LakeFile['table'], name: string): LakeFile => ({
  key: `${table}/accepted_date=2026-11-22/${name}`,
  table,
  acceptedDate: '2026-11-22',
  bytes: 123,
  writtenAt: loadedAt,
});
const statementsFor = (files: readonly LakeFile[]) =>
  loadStatements(loadOf(files, 'lake', loadedAt), 'manifests', 'arn:aws:iam::000000000000:role/copy');

test('the manifest names the exact files and their lengths, per table', () => {
  const { manifests, id } = loadOf([aFile('sale_lines', 'a'), aFile('sale_tenders', 'b')], 'lake', loadedAt);

  expect(manifests.map(({ key }) => key)).toEqual([
    `manifests/${id}/sale_lines.json`,
    `manifests/${id}/sale_tenders.json`,
  ]);
  expect(JSON.parse(manifests[0]!.body)).toEqual({
    entries: [
      { url: 's3://lake/sale_lines/accepted_date=2026-11-22/a', mandatory: true, meta: { content_length: 123 } },
    ],
  });
});

test('the same files are the same load, others are another', () => {
  const load = (name: string) => loadOf([aFile('sale_lines', name)], 'lake', loadedAt).id;

  expect(load('a')).toBe(load('a'));
  expect(load('a')).not.toBe(load('b'));
});

test('a load locks before anything else and records its files last', () => {
  const statements = statementsFor([aFile('sale_lines', 'a'), aFile('sale_tenders', 'b')]);

  expect(statements[0]).toBe('LOCK TABLE finance.loaded_files');
  expect(statements[loadGuard]).toContain("'sale_tenders/accepted_date=2026-11-22/b'");
  expect(statements.at(-1)).toMatch(/^INSERT INTO finance\.loaded_files/);
  // Its number is taken under the lock, once, for the rows as for the files.
  expect(statements[loadGuard + 1]).toBe(createThisLoad);
});

test('a load without tenders leaves their table alone', () => {
  expect(statementsFor([aFile('sale_lines', 'a')]).join('\n')).not.toContain('sale_tenders');
});

test('the largest load stays within what the Data API takes', () => {
  const long = 'x'.repeat(160);
  const files = Array.from({ length: maximumFiles }, () => aFile('sale_tenders', long));

  const statements = statementsFor([...files.slice(1), aFile('sale_lines', long)]);

  expect(statements.length).toBeLessThanOrEqual(40);
  for (const statement of statements) expect(Buffer.byteLength(statement)).toBeLessThanOrEqual(100 * 1_024);
});

test('only the guard, refused for its division, means that another run was faster', () => {
  expect(guardStopped(new StatementFailed('ERROR: division by zero', 1), 1)).toBe(true);
  expect(guardStopped(new StatementFailed('Query #2 failed with ERROR: Divide by zero', undefined), 1)).toBe(true);
  expect(guardStopped(new StatementFailed('ERROR: division by zero', 3), 1)).toBe(false);
  expect(guardStopped(new StatementFailed('ERROR: permission denied', 1), 1)).toBe(false);
  expect(guardStopped(new Error('division by zero'), 1)).toBe(false);
});

test('text becomes SQL only where both engines read it alike', () => {
  expect(literal("o'clock")).toBe("'o''clock'");
  expect(() => literal('back\\slash')).toThrow('backslash');
});

test('a file of SQL is its statements, without comments', () => {
  expect(statementsOf("-- why; and\nSELECT ';',\n  1;\n\nSELECT 2;\n")).toEqual(["SELECT ';',\n  1", 'SELECT 2']);
});
