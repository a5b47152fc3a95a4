import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowTables } from '../../../lambdas/base/domain/sale-rows';
import { boundSql } from '../../../lambdas/serve/finance/bound-sql';
import { closeStatements } from '../../../lambdas/serve/finance/close/closing';
import { beforeMigrations, migrations } from '../../../lambdas/serve/finance/create-schema/migrations';
import { loadOf, loadStatements } from '../../../lambdas/serve/finance/load/load';
import type { LakeFile } from '../../../lambdas/serve/finance/load/new-files';
import { statementsOf } from '../../../lambdas/serve/finance/warehouse';
import { translate } from '../../../local/engines/redshift-translate';

const folder = 'lambdas/serve/finance';
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.sql'))
  .sort();
const anyValue = new Proxy({}, { get: () => "'s3://bucket/manifest'" });

/** What Redshift would not take of a statement, and why; undefined when it takes it. */
function refusalOf(statement: string): string | undefined {
  try {
    translate(statement, new Map(), true);
    return undefined;
  } catch (error) {
    return `${(error as Error).message}: ${statement}`;
  }
}

describe("finance's SQL is Redshift's", () => {
  test.each(files)('%s', (file) => {
    const statements = statementsOf(readFileSync(join(folder, file), 'utf8'));

    expect(statements.length).toBeGreaterThan(0);
    expect(statements.map((statement) => refusalOf(boundSql(statement, anyValue))).filter(Boolean)).toEqual([]);
  });

  test('the schema as it is deployed, with the layout of its tables', () => {
    const statements = [...beforeMigrations, ...migrations.flatMap((migration) => migration.statements)];

    expect(statements.map(refusalOf).filter(Boolean)).toEqual([]);
  });

  test('a load and a close as they are sent', () => {
    const now = new Date('2026-11-28T00:00:00Z');
    const files = rowTables.map(
      ({ name }): LakeFile => ({
        ...{ key: `${name}/accepted_date=2026-11-27/a`, table: name, acceptedDate: '2026-11-27', bytes: 1 },
        writtenAt: now,
      }),
    );
    const statements = [
      ...loadStatements(loadOf(files, 'lake', now), 'manifests', 'arn:aws:iam::000000000000:role/copy'),
      ...closeStatements('run', ['2026-11-26', '2026-11-27'], now),
      ...closeStatements('run', [], now),
    ];

    expect(statements.map(refusalOf).filter(Boolean)).toEqual([]);
  });

  test('anything that only PostgreSQL takes would be found', () => {
    expect(refusalOf('INSERT INTO finance.sale_lines (line) VALUES (1) ON CONFLICT DO NOTHING')).toContain('use MERGE');
  });
});
