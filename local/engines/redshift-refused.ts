import { afterBracket, isAt, RefusedSql, type Token } from './redshift-tokens';

/**
 * What PostgreSQL would run and Redshift does not know: phrases, and what Redshift has instead. From Redshift's
 * documentation of unsupported PostgreSQL features, data types and functions, and its reference of each command.
 */
const phrases: readonly (readonly [string, string])[] = [
  ['on conflict', 'use MERGE'],
  ['returning', 'select the rows in a statement of their own'],
  ['is distinct from', 'compare with NVL or CASE'],
  ['is not distinct from', 'compare with NVL or CASE'],
  ['distinct on', 'use ROW_NUMBER() OVER (...)'],
  ['filter (', 'use SUM(CASE WHEN ... END)'],
  ['lateral', 'use a join'],
  ['from ( values', 'use UNION ALL SELECT'],
  ['join ( values', 'use UNION ALL SELECT'],
  ['using ( values', 'load a temporary table'],
  ['as ( values', 'use UNION ALL SELECT'],
  ['for update', 'use LOCK'],
  ['for share', 'use LOCK'],
  ['tablesample', 'there is no replacement'],
  ['array [', 'there are no arrays'],
  ['create index', 'use SORTKEY'],
  ['create unique index', 'unique keys are not enforced'],
  ['create trigger', 'there is no replacement'],
  ['create sequence', 'use IDENTITY'],
  ['create type', 'there is no replacement'],
  ['create domain', 'there is no replacement'],
  ['create extension', 'there is no replacement'],
  ['savepoint', 'there is no replacement'],
  ['from stdin', 'use COPY ... FROM s3'],
  ['nulls not distinct', 'unique keys are not enforced'],
  ['[', 'there are no arrays (and SUPER is not modelled locally)'],
];

/** What Redshift knows and the local warehouse does not model. */
const notModelled = [
  'unload',
  'create function',
  'create or replace function',
  'create procedure',
  'create external',
  'create materialized',
  'create model',
  'create role',
  'create datashare',
  'qualify',
  'remove duplicates',
  'pivot',
  'unpivot',
  'alter table append',
  'grant assumerole',
  'call',
];

const functions: Readonly<Record<string, string>> = {
  generate_series: 'it runs on the leader node only',
  now: 'it runs on the leader node only: use GETDATE() or SYSDATE',
  clock_timestamp: 'it runs on the leader node only: use GETDATE() or SYSDATE',
  statement_timestamp: 'use GETDATE() or SYSDATE',
  transaction_timestamp: 'use SYSDATE',
  string_agg: 'use LISTAGG',
  array_agg: 'use LISTAGG',
  unnest: 'there are no arrays',
  string_to_array: 'use SPLIT_PART',
  regexp_matches: 'use REGEXP_SUBSTR',
  format: 'use ||',
  encode: 'there is no replacement',
  div: 'use / on integers',
  overlay: 'use SUBSTRING',
  width_bucket: 'use CASE',
  gen_random_uuid: 'there is no replacement',
  nextval: 'use IDENTITY',
  to_json: 'there is no json',
  to_jsonb: 'there is no json',
  row_to_json: 'there is no json',
};

const types = new Set(
  'json jsonb uuid bytea inet cidr macaddr money xml serial bigserial smallserial bit tsvector point hstore regclass name'.split(
    ' ',
  ),
);

/** Functions over a window that want their frame said where the window is ordered; ranking functions take none. */
const framed = new Set(
  'avg count max min sum stddev stddev_samp stddev_pop variance var_samp var_pop first_value last_value nth_value'.split(
    ' ',
  ),
);

const sessionWords = new Set(
  'begin start commit end rollback abort set reset prepare execute deallocate listen notify'.split(' '),
);

/** Throws where the statement uses what Redshift lacks, or what the local warehouse does not model. */
export function refuseForeignSql(tokens: readonly Token[]): void {
  const first = tokens[0];
  if (first?.kind === 'word' && sessionWords.has(first.value)) {
    throw new RefusedSql(
      `${first.text} is not modelled locally: a statement or batch of the Data API is its own transaction`,
    );
  }
  if (first?.kind === 'word' && first.value === 'do')
    throw new RefusedSql('syntax error at or near "do": Redshift has no DO');
  tokens.forEach((token, at) => {
    if (token.kind === 'string' && token.value.includes('\\')) {
      throw new RefusedSql(
        'a backslash escapes in a string of Redshift but not in PostgreSQL: pass the value as a parameter',
      );
    }
    if (token.kind === 'symbol' && token.value === '$')
      throw new RefusedSql('syntax error at or near "$": parameters are :name');
    if (token.kind !== 'word' && token.kind !== 'symbol') return;
    for (const [phrase, instead] of phrases) {
      if (isAt(tokens, at, ...phrase.split(' ')))
        throw new RefusedSql(`Redshift has no ${phrase.toUpperCase()}: ${instead}`);
    }
    for (const phrase of notModelled) {
      if (isAt(tokens, at, ...phrase.split(' ')) && (at === 0 || !/^(unload|create|grant|call)/.test(phrase))) {
        throw new RefusedSql(`${phrase.toUpperCase()} is not modelled locally`);
      }
    }
    const isCall = isAt(tokens, at + 1, '(') && !isAt(tokens, at - 1, '.');
    const advice = isCall && Object.hasOwn(functions, token.value) ? functions[token.value] : undefined;
    if (advice !== undefined) throw new RefusedSql(`function ${token.value}() cannot be used in Redshift: ${advice}`);
    if (isCall && framed.has(token.value)) checkWindow(tokens, at);
    const isType = isAt(tokens, at - 1, '::') || (isAt(tokens, at - 1, 'as') && isAt(tokens, at + 1, ')'));
    if (isType && types.has(token.value)) throw new RefusedSql(`type "${token.value}" does not exist in Redshift`);
  });
}

/** `SUM(x) OVER (ORDER BY y)`: PostgreSQL takes a frame for granted, Redshift wants it said, in rows. */
function checkWindow(tokens: readonly Token[], call: number): void {
  const over = afterBracket(tokens, call + 1);
  if (!isAt(tokens, over, 'over', '(')) return;
  const end = afterBracket(tokens, over + 1);
  const has = (...words: string[]) => tokens.some((_, at) => at > over && at < end && isAt(tokens, at, ...words));
  if (has('order', 'by') && !has('rows'))
    throw new RefusedSql(
      `${tokens[call]!.text} over a window with ORDER BY needs a frame in Redshift: ROWS UNBOUNDED PRECEDING, or ROWS BETWEEN`,
    );
}
