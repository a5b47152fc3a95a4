import { AwsError } from './engine';

/** A table as a query names it. */
export interface NamedTable {
  readonly database: string;
  readonly table: string;
}

interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'interval' | 'sign';
  /** Of a name, without its quotes. */
  readonly value: string;
}

const keywords = new Set(
  (
    'select distinct from where and or not in between is null as group by having order asc desc limit over partition ' +
    'case when then else end with true false like'
  ).split(' '),
);

/** Timestream's functions that DuckDB has too, or for which the store defines a macro of the same name. */
const functions = new Set(
  'sum count avg min max max_by min_by row_number coalesce abs split_part bin from_milliseconds to_milliseconds'.split(
    ' ',
  ),
);

const units: Readonly<Record<string, string>> = {
  us: 'microseconds',
  ms: 'milliseconds',
  s: 'seconds',
  m: 'minutes',
  h: 'hours',
  d: 'days',
};

/**
 * Says a query of Timestream in DuckDB's words. What is known here is what the platform asks and little more: anything else
 * is refused by name, rather than answered by something that Timestream would not do.
 */
export function translated(query: string, now: Date, sourceOf: (table: NamedTable) => string): string {
  const tokens = tokensOf(query);
  if (tokens[0]?.kind !== 'word' || !/^(select|with)$/i.test(tokens[0].value))
    throw notModelled(`a query that begins with '${tokens[0]?.value ?? ''}': use SELECT or WITH`);
  const words: string[] = [];
  const own = namesOfWith(tokens);
  for (let at = 0; at < tokens.length; at++) {
    const { kind, value } = tokens[at]!;
    const next = tokens[at + 1];
    if (isWord(tokens[at - 1], 'from') && !(kind === 'sign' && value === '(') && !own.has(value)) {
      const table = tableAt(tokens, at);
      words.push(`(${sourceOf(table)})`);
      at += 2;
    } else if (kind === 'word') {
      const word = value.toLowerCase();
      if (next?.value === '(' && next.kind === 'sign' && !keywords.has(word)) {
        if (word === 'now' || word === 'ago') at = pushMoment(words, tokens, at, now);
        else if (functions.has(word)) words.push(word);
        else throw notModelled(`the function '${value}': use ${[...functions, 'now', 'ago'].join(', ')}`);
      } else words.push(keywords.has(word) ? word : quoted(value));
    } else if (kind === 'interval') words.push(intervalOf(value));
    else if (kind === 'name') words.push(quoted(value));
    else if (kind === 'text') words.push(`'${value.replaceAll("'", "''")}'`);
    else if (value === '*' && (isWord(tokens[at - 1], 'select') || tokens[at - 1]?.value === ','))
      throw notModelled("'SELECT *': name the columns");
    else words.push(value);
  }
  return words.join(' ');
}

/** The tables that a query reads: what its caller must be allowed to select from. */
export function tablesIn(query: string): NamedTable[] {
  const tokens = tokensOf(query);
  const own = namesOfWith(tokens);
  return tokens.flatMap((token, at) =>
    isWord(tokens[at - 1], 'from') && token.value !== '(' && !own.has(token.value) ? [tableAt(tokens, at)] : [],
  );
}

/** `"database"."table"` from here on. */
function tableAt(tokens: readonly Token[], at: number): NamedTable {
  const [database, dot, table] = tokens.slice(at, at + 3);
  if (database?.kind !== 'name' || dot?.value !== '.' || table?.kind !== 'name')
    throw notModelled(`'FROM ${database?.value ?? ''}': use "database"."table" or a subquery`);
  return { database: database.value, table: table.value };
}

/** Names that a WITH gives: they are no tables. */
function namesOfWith(tokens: readonly Token[]): ReadonlySet<string> {
  if (!isWord(tokens[0], 'with')) return new Set();
  return new Set(
    tokens.filter((_, at) => isWord(tokens[at + 1], 'as') && tokens[at + 2]?.value === '(').map(({ value }) => value),
  );
}

function pushMoment(words: string[], tokens: readonly Token[], at: number, now: Date): number {
  const moment = `TIMESTAMP '${now.toISOString().replace('T', ' ').replace('Z', '')}'`;
  if (tokens[at]!.value.toLowerCase() === 'now' && tokens[at + 2]?.value === ')') {
    words.push(moment);
    return at + 2;
  }
  const interval = tokens[at + 2];
  if (interval?.kind !== 'interval' || tokens[at + 3]?.value !== ')')
    throw notModelled(`'${tokens[at]!.value}' with this argument: use now() or ago(15m)`);
  words.push(`(${moment} - ${intervalOf(interval.value)})`);
  return at + 3;
}

function intervalOf(text: string): string {
  const [, count, unit] = /^(\d+)([a-z]+)$/.exec(text)!;
  return `INTERVAL '${count} ${units[unit!]}'`;
}

const pattern =
  /\s+|(?<text>'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*")|(?<interval>\d+(?:us|ms|s|m|h|d)\b)|(?<number>\d+(?:\.\d+)?\b)|(?<word>[A-Za-z_]\w*)|(?<sign><=|>=|<>|!=|[-+*%(),.<>=])/y;

function tokensOf(query: string): Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < query.length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(query);
    if (match === null) throw notModelled(`'${query.slice(from, from + 20)}'`);
    const [kind, value] = Object.entries(match.groups!).find(([, found]) => found !== undefined) ?? [];
    if (kind === undefined) continue;
    tokens.push({
      kind: kind as Token['kind'],
      value:
        kind === 'text'
          ? value!.slice(1, -1).replaceAll("''", "'")
          : kind === 'name'
            ? value!.slice(1, -1).replaceAll('""', '"')
            : value!,
    });
  }
  return tokens;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.value.toLowerCase() === word;
}

/** A name in DuckDB's quotes. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function notModelled(what: string): AwsError {
  return new AwsError('ValidationException', `the local Timestream does not model ${what}`);
}
