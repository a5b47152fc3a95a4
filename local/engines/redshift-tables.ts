import { afterBracket, isAt, print, RefusedSql, raw, splitAtCommas, type Token } from './redshift-tokens';

/** The name that our check of a VARCHAR's length in bytes has in PostgreSQL; its number is the length. */
export const lengthCheck = /^varchar_bytes_(\d+)_/;

/** CREATE TABLE, and ALTER TABLE ... ADD COLUMN, as PostgreSQL takes them. Undefined where nothing is left to do. */
export function translateTable(tokens: readonly Token[]): readonly Token[] | undefined {
  if (isAt(tokens, 0, 'alter')) return translateAlter(tokens);
  const body = tokens.findIndex((_, at) => isAt(tokens, at, '(') || isAt(tokens, at, 'as') || isAttribute(tokens, at));
  if (body < 0 || !isAt(tokens, body, '(')) return withoutAttributes(tokens);
  const end = afterBracket(tokens, body);
  const rest = withoutAttributes(tokens.slice(end));
  // CREATE TABLE t (a, b) AS SELECT ... only names its columns.
  if (isAt(rest, 0, 'as')) return [...tokens.slice(0, end), ...rest];

  const parts = splitAtCommas(tokens.slice(body + 1, end - 1));
  const primary = new Set<string>();
  const kept = parts.filter((part) => {
    const key = tableKey(part);
    for (const column of key ?? []) primary.add(column);
    return key === undefined;
  });
  const columns = kept.map((part) => {
    if (isAt(part, 0, 'like')) return print(part);
    return translateColumn(part, primary.has(part[0]!.value));
  });
  return [...tokens.slice(0, body), raw(`(${columns.join(', ')})`), ...rest];
}

/** Replaces the types that mean something else in PostgreSQL, in casts: there `numeric` keeps every digit. */
export function translateCasts(tokens: readonly Token[]): Token[] {
  return tokens.map((token, at) => {
    if (token.kind !== 'word' || isAt(tokens, at + 1, '(')) return token;
    const isCast = isAt(tokens, at - 1, '::') || (isAt(tokens, at - 1, 'as') && isAt(tokens, at + 1, ')'));
    const meant = isCast ? defaults[token.value] : undefined;
    return meant === undefined ? token : { ...token, text: meant };
  });
}

/** What a type without a length means. */
const defaults: Readonly<Record<string, string>> = {
  varchar: 'varchar(256)',
  nvarchar: 'varchar(256)',
  text: 'varchar(256)',
  numeric: 'numeric(18,0)',
  decimal: 'numeric(18,0)',
  float: 'double precision',
};

const plainTypes = new Set(
  'smallint int2 integer int int4 bigint int8 real float4 float8 float boolean bool date time timetz timestamp timestamptz'.split(
    ' ',
  ),
);

function translateAlter(tokens: readonly Token[]): readonly Token[] | undefined {
  const what = tokens.findIndex((_, at) => ['add', 'alter', 'append'].some((word) => at > 1 && isAt(tokens, at, word)));
  if (isAt(tokens, what, 'append')) throw new RefusedSql('ALTER TABLE APPEND is not modelled locally');
  if (['diststyle', 'distkey', 'sortkey', 'compound', 'encode'].some((word) => isAt(tokens, what, 'alter', word)))
    return undefined;
  if (!isAt(tokens, what, 'add')) return tokens;
  const definition = tokens.slice(what + (isAt(tokens, what + 1, 'column') ? 2 : 1));
  if (tableKey(definition) !== undefined) return undefined;
  return [...tokens.slice(0, what), raw('add column'), raw(translateColumn(definition, false))];
}

/** The columns of a table constraint on keys, which Redshift accepts and does not enforce; undefined for a column. */
function tableKey(part: readonly Token[]): string[] | undefined {
  const at = isAt(part, 0, 'constraint') ? 2 : 0;
  if (isAt(part, at, 'check')) throw new RefusedSql('Redshift has no CHECK constraints');
  if (isAt(part, at, 'exclude')) throw new RefusedSql('Redshift has no EXCLUDE constraints');
  if (isAt(part, at, 'unique') || isAt(part, at, 'foreign', 'key')) return [];
  if (!isAt(part, at, 'primary', 'key')) return undefined;
  return part
    .slice(at + 3, -1)
    .filter(({ kind }) => kind === 'word' || kind === 'quoted')
    .map(({ value }) => value);
}

function translateColumn(part: readonly Token[], isPrimary: boolean): string {
  const [name, ...definition] = part;
  if (name === undefined || definition.length === 0) throw new RefusedSql('syntax error in a column definition');
  const { type, length, rest } = translateType(definition);
  const kept: string[] = [];
  let notNull = isPrimary;
  for (let at = 0; at < rest.length; ) {
    if (isAt(rest, at, 'not', 'null')) [notNull, at] = [true, at + 2];
    else if (isAt(rest, at, 'null')) at += 1;
    else if (isAt(rest, at, 'encode')) at += 2;
    else if (isAt(rest, at, 'distkey') || isAt(rest, at, 'sortkey') || isAt(rest, at, 'unique')) at += 1;
    else if (isAt(rest, at, 'primary', 'key')) [notNull, at] = [true, at + 2];
    else if (isAt(rest, at, 'references')) {
      at += 1;
      while (at < rest.length && !isAt(rest, at, '(') && !columnWords.has(rest[at]!.value)) at++;
      if (isAt(rest, at, '(')) at = afterBracket(rest, at);
    } else if (isAt(rest, at, 'identity', '(')) {
      const [seed, step] = splitAtCommas(rest.slice(at + 2, afterBracket(rest, at + 1) - 1)).map(print);
      kept.push(`generated always as identity (start with ${seed} increment by ${step} minvalue ${seed})`);
      [notNull, at] = [true, afterBracket(rest, at + 1)];
    } else if (isAt(rest, at, 'generated', 'by', 'default', 'as', 'identity')) {
      const [seed, step] = splitAtCommas(rest.slice(at + 6, afterBracket(rest, at + 5) - 1)).map(print);
      kept.push(`generated by default as identity (start with ${seed} increment by ${step} minvalue ${seed})`);
      [notNull, at] = [true, afterBracket(rest, at + 5)];
    } else if (isAt(rest, at, 'default')) {
      let end = at + 1;
      while (end < rest.length && !columnWords.has(rest[end]!.value))
        end = isAt(rest, end, '(') ? afterBracket(rest, end) : end + 1;
      // `default null` is a value, unlike the constraint of the same name.
      if (end === at + 1) end++;
      kept.push(print(rest.slice(at, end)));
      at = end;
    } else throw new RefusedSql(`syntax error at or near "${rest[at]!.text}": Redshift has no such column attribute`);
  }
  const check =
    length === undefined
      ? ''
      : ` constraint "varchar_bytes_${length}_${name.value}" check (octet_length(${name.text}) <= ${length})`;
  return [name.text, type, ...kept, notNull ? 'not null' : ''].join(' ').trimEnd() + check;
}

const columnWords = new Set(
  'not null encode distkey sortkey unique primary references identity generated default'.split(' '),
);

/** The type as PostgreSQL must have it, and for character types the length in bytes that PostgreSQL counts in characters. */
function translateType(tokens: readonly Token[]): { type: string; length?: number; rest: readonly Token[] } {
  let at = 1;
  let name = tokens[0]!.value;
  if (isAt(tokens, 0, 'double', 'precision')) [name, at] = ['double precision', 2];
  if (isAt(tokens, 0, 'character', 'varying')) [name, at] = ['varchar', 2];
  const end = isAt(tokens, at, '(') ? afterBracket(tokens, at) : at;
  const sizes = tokens
    .slice(at + 1, end - 1)
    .filter(({ kind }) => kind !== 'symbol')
    .map(({ value }) => value);
  let rest = tokens.slice(end);
  if (isAt(rest, 0, 'without', 'time', 'zone')) rest = rest.slice(3);
  else if (isAt(rest, 0, 'with', 'time', 'zone')) [name, rest] = [`${name}tz`, rest.slice(3)];

  if (['varchar', 'nvarchar', 'text'].includes(name)) {
    const length = sizes[0] === 'max' ? 65_535 : Number(sizes[0] ?? 256);
    if (length > 65_535) throw new RefusedSql(`length for type character varying cannot exceed 65535, got ${length}`);
    return { type: `varchar(${length})`, length, rest };
  }
  if (['char', 'character', 'nchar', 'bpchar'].includes(name)) {
    return { type: `char(${sizes[0] ?? (name === 'bpchar' ? 256 : 1)})`, rest };
  }
  if (['numeric', 'decimal'].includes(name)) {
    if (Number(sizes[0] ?? 18) > 38) throw new RefusedSql(`NUMERIC precision ${sizes[0]} must be between 1 and 38`);
    return { type: `numeric(${sizes[0] ?? 18},${sizes[1] ?? 0})`, rest };
  }
  if (name === 'double precision') return { type: name, rest };
  if (!plainTypes.has(name))
    throw new RefusedSql(`type "${name}" does not exist in Redshift, or is not modelled locally`);
  return { type: name === 'float' ? 'double precision' : name, rest };
}

const isAttribute = (tokens: readonly Token[], at: number): boolean =>
  ['diststyle', 'distkey', 'sortkey', 'backup'].some((word) => at > 2 && isAt(tokens, at, word)) ||
  ['compound', 'interleaved'].some((word) => isAt(tokens, at, word, 'sortkey')) ||
  isAt(tokens, at, 'encode', 'auto');

/** Takes out how Redshift lays a table out, which is nothing to PostgreSQL. What follows AS is a query and stays as it is. */
function withoutAttributes(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    if (isAt(tokens, at, 'as')) return [...kept, ...tokens.slice(at)];
    if (isAt(tokens, at, 'diststyle') || isAt(tokens, at, 'backup') || isAt(tokens, at, 'encode')) at += 2;
    else if (isAt(tokens, at, 'compound') || isAt(tokens, at, 'interleaved')) at += 1;
    else if (isAt(tokens, at, 'distkey', '(') || isAt(tokens, at, 'sortkey', '(')) at = afterBracket(tokens, at + 1);
    else if (isAt(tokens, at, 'sortkey', 'auto')) at += 2;
    else if (['inherits', 'partition', 'with', 'tablespace', 'on'].some((word) => isAt(tokens, at, word))) {
      throw new RefusedSql(`syntax error at or near "${tokens[at]!.text}": Redshift has no such table attribute`);
    } else kept.push(tokens[at++]!);
  }
  return kept;
}
