import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowTables } from '../../../lambdas/base/domain/sale-rows';
import { boundSql } from '../../../lambdas/serve/finance/bound-sql';
import { beforeMigrations, migrations } from '../../../lambdas/serve/finance/create-schema/migrations';
import { createArrived, createCopied, mergeArrived } from '../../../lambdas/serve/finance/ledger';
import { statementsOf, timestampLiteral } from '../../../lambdas/serve/finance/warehouse';
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

  test('what is made from the definition of the rows', () => {
    const loadedAt = timestampLiteral(new Date('2026-11-28T00:00:00Z'));
    const statements = rowTables.flatMap((table) => [
      createCopied(table),
      createArrived(table, loadedAt),
      mergeArrived(table),
    ]);

    expect(statements.map(refusalOf).filter(Boolean)).toEqual([]);
  });

  test('anything that only PostgreSQL takes would be found', () => {
    expect(refusalOf('INSERT INTO finance.sale_lines (line) VALUES (1) ON CONFLICT DO NOTHING')).toContain('use MERGE');
  });
});
