import { rowTables, saleLines } from '../../../lambdas/base/domain/sale-rows';
import {
  beforeMigrations,
  migrationStatements,
  migrations,
} from '../../../lambdas/serve/finance/create-schema/migrations';
import { grantsTo, type Part, rightsOf } from '../../../lambdas/serve/finance/create-schema/rights';
import { createArrived, createCopied, mergeArrived } from '../../../lambdas/serve/finance/ledger';

const now = new Date('2026-11-22T10:15:30.123Z');

test("the copied table has the files' columns in the files' order", () => {
  for (const table of rowTables) {
    const names = [...createCopied(table).matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);

    expect(names).toEqual(table.columns.map(({ name }) => name));
  }
});

test('what is merged is what the steps of the schema have made, in the types of the files, and free text is not in it', () => {
  const statements = migrations.flatMap((migration) => migration.statements);
  for (const table of rowTables) {
    const created = statements.find((statement) => statement.startsWith(`CREATE TABLE finance.${table.name} (`))!;
    const added = new RegExp(`^ALTER TABLE finance\\.${table.name} ADD COLUMN (\\w+) (\\w+.*)$`);
    const ledger = new Map([
      ...[...created.matchAll(/^ {2}([a-z]\w*) ([^\s,]+)/gm)].map(([, name, type]) => [name!, type!] as const),
      ...statements.flatMap((statement) => {
        const [, name, type] = added.exec(statement) ?? [];
        return name === undefined ? [] : [[name, type!] as const];
      }),
    ]);
    const copied = new Map(
      [...createCopied(table).matchAll(/^ {2}(\w+) ([^\s,]+)/gm)].map(([, name, type]) => [name!, type!]),
    );
    const inserted = /INSERT \((.*)\)/.exec(mergeArrived(table))![1]!.split(', ');

    expect([...inserted].sort()).toEqual([...ledger.keys()].sort());
    expect(inserted.slice(-2)).toEqual(['loaded_at', 'load_number']);
    expect(inserted).not.toContain('note');
    for (const name of inserted.slice(0, -2))
      expect([name, ledger.get(name)]).toEqual([name, name === 'business_date' ? 'date' : copied.get(name)]);
    for (const name of inserted) expect(createArrived(table, 'TIME')).toContain(name);
  }
});

test("the tables of the ledger are laid out for Redshift, in their statement's last line", () => {
  const layouts = [...beforeMigrations, ...migrations.flatMap(({ statements }) => statements)]
    .filter((statement) => statement.startsWith('CREATE TABLE'))
    .map((statement) => statement.split('\n').at(-1));

  for (const layout of layouts) expect(layout).toMatch(/^DISTSTYLE /);
  expect(layouts).toHaveLength(14);
});

test('a step of the schema is recorded in the transaction that makes it', () => {
  const [lock, guard, ...rest] = migrationStatements({ version: 7, statements: ['SELECT 1'] }, now);

  expect(lock).toBe('LOCK TABLE finance.schema_versions');
  expect(guard).toContain('WHERE version = 7');
  expect(rest[0]).toBe('SELECT 1');
  expect(rest[1]).toContain("VALUES (7, CAST('2026-11-22 10:15:30.123' AS timestamp))");
});

test('versions count up by one', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
});

test('no part may delete what was booked or settled, and each sees nothing but its tables', () => {
  for (const part of Object.keys(rightsOf) as Part[]) {
    const grants = grantsTo(part, 'IAMR:someone').join('\n');

    expect(grants).not.toMatch(/ALL|CREATE|DROP|TRUNCATE/);
    const deletes = grants.split('\n').filter((grant) => grant.includes('DELETE'));
    expect(deletes.filter((grant) => !grant.includes(' ON finance.reconciliation_'))).toEqual([]);
    expect(deletes.filter((grant) => grant.includes('resolutions'))).toEqual([]);
    expect(grants.match(/ON [\w. ]+/g)).toEqual([
      'ON SCHEMA finance TO ',
      ...Object.keys(rightsOf[part]).map((name) => `ON finance.${name} TO `),
    ]);
  }
});

test('a row that is booked stays as it was booked', () => {
  expect(mergeArrived(saleLines)).toContain('WHEN MATCHED THEN UPDATE SET line = arrived_sale_lines.line\n');
});
