import type { DuckDBConnection } from '@duckdb/node-api';
import { afterBracket, isAt, print, RefusedSql, raw, splitAtCommas, type Token, tokenize } from './redshift-tokens';

/** A statement that the local Athena runs. */
export interface Statement {
  /** The query, in words that DuckDB knows. */
  readonly query: string;
  /** Where UNLOAD writes its rows; absent for a plain query. */
  readonly unloadTo?: string;
  /** The view that is made of the query, as it was sent. */
  readonly view?: TableName & { readonly originalSql: string };
}

/** A table as a query names it. */
export interface TableName {
  /** Absent where the query leaves it to its context. */
  readonly database: string | undefined;
  readonly table: string;
}

/**
 * What may be called: what means the same to Athena and to DuckDB, or is given Athena's meaning here (athena-functions.ts).
 * A function that only one of them has is refused by name, so that what runs here runs there.
 */
const functions = new Set(
  (
    'abs avg ceil coalesce concat count dense_rank first_value floor greatest ' +
    'lag last_value lead least length lower lpad ltrim max max_by min min_by mod ntile nullif power rank replace round ' +
    'row_number rpad rtrim split_part sqrt stddev strpos substr substring sum trim upper variance ' +
    'date_diff date_trunc day hour minute month second year ' +
    'date_add from_big_endian_64 from_hex sha256 to_hex to_utf8'
  ).split(' '),
);

/** Words of the language before a parenthesis, which call nothing. */
const notCalls = new Set(
  (
    'all and any as asc between by case cast desc distinct else except exists extract filter from group having in ' +
    'intersect interval is join lateral like limit not null on or order over partition select some then try_cast union ' +
    'unload using values when where with decimal varchar char timestamp offset'
  ).split(' '),
);

/** What DuckDB would run and Athena does not know. */
const refused: readonly (readonly [string, string])[] = [
  ['::', 'use CAST'],
  ['qualify', 'use a subquery'],
  ['exclude', 'name the columns'],
  ['ilike', 'use LIKE with LOWER'],
  ['using sample', 'use TABLESAMPLE'],
  ['tablesample', 'it is not modelled locally'],
  ['pivot', 'use CASE'],
  ['unpivot', 'use UNION ALL'],
  ['asof', 'use a window'],
  ['semi join', 'use EXISTS'],
  ['anti join', 'use NOT EXISTS'],
  ['positional join', 'use a window'],
  ['group by all', 'name the columns'],
  ['order by all', 'name the columns'],
  ['==', 'use ='],
  [';', 'only one statement is allowed'],
  ['[', 'arrays are not modelled locally'],
  ['{', 'rows are not modelled locally'],
];

/** Names that DuckDB gives other functions than Athena does. */
const renamed: Readonly<Record<string, string>> = {
  date_add: 'athena_date_add',
  from_big_endian_64: 'athena_from_big_endian_64',
  sha256: 'athena_sha256',
  to_hex: 'athena_to_hex',
  to_utf8: 'encode',
};

/** Athena's own functions, for DuckDB. Binary values are BLOBs on both sides. */
export const athenaFunctions = [
  'CREATE TEMP MACRO athena_sha256(value) AS unhex(sha256(value))',
  'CREATE TEMP MACRO athena_to_hex(value) AS hex(value)',
  // Two's complement, as Athena reads eight bytes.
  `CREATE TEMP MACRO athena_from_big_endian_64(value) AS CASE
     WHEN octet_length(value) <> 8 THEN error('expected 8-byte input')
     ELSE CAST(CASE WHEN CAST('0x' || hex(value) AS UBIGINT) > 9223372036854775807
       THEN CAST(CAST('0x' || hex(value) AS UBIGINT) AS HUGEINT) - 18446744073709551616
       ELSE CAST('0x' || hex(value) AS UBIGINT) END AS BIGINT) END`,
  `CREATE TEMP MACRO athena_date_add(unit, many, moment) AS CASE unit
     WHEN 'second' THEN moment + to_seconds(many) WHEN 'minute' THEN moment + to_minutes(many)
     WHEN 'hour' THEN moment + to_hours(many) WHEN 'day' THEN moment + to_days(CAST(many AS INTEGER))
     ELSE error('date_add by ' || unit || ' is not modelled locally') END`,
  // Whole numbers divide to whole numbers.
  'SET integer_division = true',
  "SET TimeZone = 'UTC'",
];

/** Reads what was sent: a query, or UNLOAD of one. Throws RefusedSql for what Athena would not take or is not modelled. */
export function readStatement(sql: string, parameters: readonly string[] = []): Statement {
  const tokens = filled(tokenize(sql.trim().replace(/;\s*$/, '')), parameters);
  const first = tokens[0]?.value;
  if (first === 'unload') return readUnload(tokens);
  if (first === 'create') return readView(tokens);
  if (first !== 'select' && first !== 'with' && first !== '(')
    throw new RefusedSql(
      `${String(first).toUpperCase()} is not modelled locally: SELECT, WITH, UNLOAD and CREATE OR REPLACE VIEW are`,
    );
  return { query: print(translated(tokens)) };
}

function readUnload(tokens: readonly Token[]): Statement {
  if (!isAt(tokens, 1, '(')) throw new RefusedSql(mismatched(tokens[1], "'('"));
  const end = afterBracket(tokens, 1);
  const [to, location, ...rest] = tokens.slice(end);
  if (to?.value !== 'to' || location?.kind !== 'string') throw new RefusedSql(mismatched(to, "TO 's3://...'"));
  if (!isAt(rest, 0, 'with', '(') || afterBracket(rest, 1) !== rest.length)
    throw new RefusedSql(mismatched(rest[0], "WITH (format = 'PARQUET')"));
  const options = splitAtCommas(rest.slice(2, -1)).map((option) => option.map(({ value }) => value).join(' '));
  for (const option of options)
    if (!/^(format = parquet|compression = snappy)$/i.test(option))
      throw new RefusedSql(`UNLOAD with ${option} is not modelled locally: format = PARQUET, compression = SNAPPY are`);
  if (!options.some((option) => option.startsWith('format'))) throw new RefusedSql('UNLOAD needs a format');
  if (!/^s3:\/\/[^/]+\/.*\/$/.test(location.value))
    throw new RefusedSql(`UNLOAD to '${location.value}' is not modelled locally: s3://bucket/prefix/ is`);
  return { query: print(translated(tokens.slice(2, end - 1))), unloadTo: location.value };
}

function readView(tokens: readonly Token[]): Statement {
  const as = tokens.findIndex(({ value }) => value === 'as');
  if (!isAt(tokens, 0, 'create', 'or', 'replace', 'view') || as === -1)
    throw new RefusedSql('CREATE is not modelled locally but as CREATE OR REPLACE VIEW name AS query');
  const names = tokens.slice(4, as).map(({ value }) => value);
  if (names.length !== 1 && (names.length !== 3 || names[1] !== '.'))
    throw new RefusedSql(`view name ${names.join('')} is not modelled locally: name and database.name are`);
  const query = tokens.slice(as + 1);
  return {
    query: print(translated(query)),
    view: { database: names.length === 3 ? names[0] : undefined, table: names.at(-1)!, originalSql: print(query) },
  };
}

/** Puts values for question marks: SQL literals, as Athena takes them. */
function filled(tokens: readonly Token[], parameters: readonly string[]): Token[] {
  let next = 0;
  const result = tokens.map((token) => {
    if (token.kind !== 'symbol' || token.value !== '?') return token;
    const value = parameters[next++];
    if (value === undefined)
      throw new RefusedSql(`Incorrect number of parameters: expected ${next} but found ${parameters.length}`);
    const literal = tokenize(value);
    const isLiteral =
      (literal.length === 1 && ['string', 'number'].includes(literal[0]!.kind)) ||
      /^(-\s*[\d.]+|true|false|null|(date|timestamp)\s*'[^']*')$/i.test(value.trim());
    if (!isLiteral) throw new RefusedSql(`parameter ${next} is no literal: text needs quotes`);
    return raw(value);
  });
  if (next !== parameters.length)
    throw new RefusedSql(`Incorrect number of parameters: expected ${next} but found ${parameters.length}`);
  return result;
}

function translated(tokens: readonly Token[]): Token[] {
  const phrase = (at: number, words: number) =>
    tokens
      .slice(at, at + words)
      .map(({ kind, value }) => (kind === 'word' || kind === 'symbol' ? value : ''))
      .join(' ');
  return tokens.map((token, at) => {
    for (const [words, instead] of refused) {
      if (phrase(at, words.split(' ').length) === words || (words === '==' && phrase(at, 2) === '= ='))
        throw new RefusedSql(`'${words}' is unknown to Athena or not modelled locally: ${instead}`);
    }
    const isCall = token.kind === 'word' && tokens[at + 1]?.value === '(' && tokens[at + 1]?.kind === 'symbol';
    // `name AS (` and `WITH name (` of a common table expression call nothing either.
    const names = tokens[at - 1]?.value === 'with' || isNamed(tokens, at);
    if (!isCall || notCalls.has(token.value) || names) return token;
    if (!functions.has(token.value))
      throw new RefusedSql(`function '${token.value}' is not modelled locally: ${[...functions].join(', ')} are`);
    const name = renamed[token.value];
    return name === undefined ? token : { ...token, text: name };
  });
}

/** An alias with its columns: `) AS t (a, b)`. */
function isNamed(tokens: readonly Token[], at: number): boolean {
  return tokens[at - 1]?.value === 'as' && tokens[at - 2]?.value === ')';
}

function mismatched(token: Token | undefined, expected: string): string {
  return `mismatched input '${token?.text ?? '<EOF>'}'. Expecting: ${expected}`;
}

/** The tables that a query reads, without those that it defines itself. */
export async function tablesIn(duckdb: DuckDBConnection, query: string): Promise<TableName[]> {
  const reader = await duckdb.runAndReadAll(`SELECT json_serialize_sql('${query.replaceAll("'", "''")}')`);
  const tree = JSON.parse(String(reader.getRows()[0]![0]));
  if (tree.error) throw new RefusedSql(tree.error_message);
  if (tree.statements.length !== 1) throw new RefusedSql('Only one sql statement is allowed');
  const found: TableName[] = [];
  collect(tree.statements[0], new Set(), found);
  return found;
}

const plainSources = [
  'SELECT_NODE',
  'SET_OPERATION_NODE',
  'CTE_NODE',
  'BASE_TABLE',
  'SUBQUERY',
  'JOIN',
  'EMPTY',
  'EMPTY_FROM',
  'EXPRESSION_LIST',
];

function collect(node: any, defined: ReadonlySet<string>, found: TableName[]): void {
  if (Array.isArray(node)) {
    for (const element of node) collect(element, defined, found);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  // A list of common table expressions is known to what follows it, and to the later ones of its own.
  const ctes: { key: string; value: any }[] = node.cte_map?.map ?? [];
  const known = new Set([...defined, ...ctes.map(({ key }) => key.toLowerCase())]);
  for (const [member, value] of Object.entries<any>(node)) {
    const isSource =
      ['from_table', 'left', 'right'].includes(member) && typeof value?.type === 'string' && 'sample' in value;
    if (isSource && !plainSources.includes(value.type))
      throw new RefusedSql(`${value.type} after FROM is not modelled locally: tables, subqueries and VALUES are`);
    collect(value, known, found);
  }
  if (node.type !== 'BASE_TABLE') return;
  if (node.catalog_name !== '' && node.catalog_name.toLowerCase() !== 'awsdatacatalog')
    throw new RefusedSql(`catalog '${node.catalog_name}' is not modelled locally: awsdatacatalog is`);
  const table = node.table_name.toLowerCase();
  if (node.schema_name === '' && known.has(table)) return;
  found.push({ database: node.schema_name === '' ? undefined : node.schema_name.toLowerCase(), table });
}
