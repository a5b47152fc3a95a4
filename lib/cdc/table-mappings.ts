import {
  heartbeatTable,
  type SourceName,
  type SourceTable,
  sourceTables,
} from '../../lambdas/base/domain/source-tables';
import type { SourceDatabaseNames } from '../stages';

type Rule = Readonly<Record<string, unknown>>;

/**
 * DMS's rules for one database, from the stage's names: which tables it reads, and how schema, tables and columns come to
 * bear their canonical names. Never two rules for one object, which DMS does not apply (docs/decisions.md): a column is
 * renamed, or dropped, or left as it is.
 */
export function tableMappings(database: SourceName, { schema, tables }: SourceDatabaseNames): { rules: Rule[] } {
  checkNames(database, tables);
  const rules: Rule[] = [];
  const add = (name: string, rule: Rule): void => {
    rules.push({ 'rule-id': String(rules.length + 1), 'rule-name': name, ...rule });
  };
  const transform = (name: string, target: string, locator: Rule, rule: Rule): void =>
    add(name, { 'rule-type': 'transformation', 'rule-target': target, 'object-locator': locator, ...rule });

  for (const [canonical, { table }] of Object.entries(tables))
    add(`read-${canonical}`, {
      'rule-type': 'selection',
      'rule-action': 'include',
      'object-locator': { 'schema-name': schema, 'table-name': table },
      filters: [],
    });

  // The records name schema and table, but not the database that they come from.
  if (schema !== database)
    transform(`schema-${database}`, 'schema', { 'schema-name': schema }, { 'rule-action': 'rename', value: database });

  for (const [canonical, { table, columns, leaveOut = [] }] of Object.entries(tables)) {
    const locator = { 'schema-name': schema, 'table-name': table };
    if (table !== canonical)
      transform(`table-${canonical}`, 'table', locator, { 'rule-action': 'rename', value: canonical });
    for (const [column, actual] of Object.entries(columns))
      if (actual !== column)
        transform(
          `column-${canonical}-${column}`,
          'column',
          { ...locator, 'column-name': actual },
          { 'rule-action': 'rename', value: column },
        );
    for (const actual of leaveOut)
      transform(
        `drop-${canonical}-${actual}`,
        'column',
        { ...locator, 'column-name': actual },
        { 'rule-action': 'remove-column' },
      );
    // All records of a row go to one shard, in PutRecords' order at least.
    add(`key-${canonical}`, {
      'rule-type': 'object-mapping',
      'rule-action': 'map-record-to-record',
      'object-locator': locator,
      'mapping-parameters': { 'partition-key-type': 'primary-key' },
    });
  }
  return { rules };
}

/** A name that was forgotten would show as missing badges, months later. */
function checkNames(database: SourceName, tables: SourceDatabaseNames['tables']): void {
  const wanted: Readonly<Record<string, SourceTable>> = sourceTables[database];
  const differ = (what: string, got: readonly string[], allowed: readonly string[]): void => {
    if ([...got].sort().join() !== [...allowed].sort().join())
      throw new Error(`${what}: got ${got.join(', ')}; all of these are needed: ${allowed.join(', ')}`);
  };
  differ(`tables of ${database}`, Object.keys(tables), Object.keys(wanted));
  for (const [canonical, { columns, leaveOut = [] }] of Object.entries(tables)) {
    differ(`columns of ${database}.${canonical}`, Object.keys(columns), wanted[canonical]!.columns);
    const twice = leaveOut.find((column) => Object.values(columns).includes(column));
    if (twice !== undefined) throw new Error(`${database}.${canonical}: column '${twice}' is mapped and left out`);
  }
}

/** The heartbeat's own names, for the function that writes it. */
export function heartbeatNames({ schema, tables }: SourceDatabaseNames) {
  const { table, columns } = tables[heartbeatTable]!;
  return { schema, table, slot: columns.slot!, beatAt: columns.beat_at! };
}
