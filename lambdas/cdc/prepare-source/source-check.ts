import { type SourceName, type SourceTable, sourceTables } from '../../base/domain/source-tables';

/** A table as the catalogue of its database tells of it. */
export interface FoundTable {
  readonly table: string;
  readonly columns: readonly string[];
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
}

export interface ConfiguredTables {
  readonly schema: string;
  readonly tables: Readonly<
    Record<
      string,
      {
        readonly table: string;
        readonly columns: Readonly<Record<string, string>>;
        readonly leaveOut?: readonly string[];
      }
    >
  >;
}

/**
 * Why this database cannot be replicated as it is configured, one sentence per reason. A column that is neither mapped nor
 * left out is one: what is in it would be sent to a stream where nobody needs it.
 */
export function objections(
  database: SourceName,
  { schema, tables }: ConfiguredTables,
  found: readonly FoundTable[],
  walLevel: string,
): string[] {
  const canonicalTables: Readonly<Record<string, SourceTable>> = sourceTables[database];
  const reasons = walLevel === 'logical' ? [] : [`wal_level is '${walLevel}': it must be 'logical'`];
  for (const [canonical, { table, columns, leaveOut = [] }] of Object.entries(tables)) {
    const name = `${schema}.${table}`;
    const actual = found.find((candidate) => candidate.table === table);
    if (actual === undefined) {
      reasons.push(`there is no table ${name} for ${canonical}`);
      continue;
    }
    const key = canonicalTables[canonical]!.key.map((column) => columns[column]!);
    if ([...key].sort().join() !== [...actual.key].sort().join())
      reasons.push(`the primary key of ${name} is (${actual.key.join(', ')}): it must be (${key.join(', ')})`);
    else if (key.join() !== actual.key.join())
      reasons.push(`the primary key of ${name} has the order (${actual.key.join(', ')}): allowed (${key.join(', ')})`);
    for (const column of [...Object.values(columns), ...leaveOut])
      if (!actual.columns.includes(column)) reasons.push(`${name} has no column '${column}'`);
    for (const column of actual.columns)
      if (!Object.values(columns).includes(column) && !leaveOut.includes(column))
        reasons.push(`column '${column}' of ${name} is neither mapped nor left out: add it to leaveOut`);
  }
  return reasons;
}
