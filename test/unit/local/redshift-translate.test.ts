import fc from 'fast-check';
import { print, tokenize } from '../../../local/engines/redshift-tokens';
import { translate } from '../../../local/engines/redshift-translate';

/** The PostgreSQL text, its white space evened out. */
function toPostgres(sql: string, parameters: Record<string, string> = {}, isInBatch = true): string {
  const translated = translate(sql, new Map(Object.entries(parameters)), isInBatch);
  return translated.kind === 'sql' ? translated.text.replace(/\s+/g, ' ') : translated.kind;
}

describe('a table', () => {
  test('loses its layout, its keys that Redshift does not enforce, and its encodings', () => {
    const sql = `create table if not exists sales.lines (
        source varchar(32) not null encode zstd distkey,
        line bigint encode az64 default 7 not null,
        net decimal(18, 2) references other (id) sortkey,
        at timestamp without time zone,
        primary key (source, line), foreign key (source) references t (s)
      ) backup no diststyle key compound sortkey (source, line)`;

    expect(toPostgres(sql)).toBe(
      'create table if not exists sales.lines (source varchar(32) not null constraint "varchar_bytes_32_source"' +
        ' check (octet_length(source) <= 32), line bigint default 7 not null, net numeric(18,2), at timestamp)',
    );
  });

  test('has the defaults of Redshift for types without a length, and counts text in bytes', () => {
    expect(toPostgres('create table t (a numeric, b text, c char, d float primary key)')).toBe(
      'create table t (a numeric(18,0), b varchar(256) constraint "varchar_bytes_256_b" check (octet_length(b) <= 256),' +
        ' c char(1), d double precision not null)',
    );
  });

  test.each([
    ['create table t (a jsonb)', 'type "jsonb"'],
    ['create table t (a serial)', 'type "serial"'],
    ['create table t (a varchar(70000))', 'cannot exceed 65535'],
    ['create table t (a int check (a > 0))', '"check"'],
    ['create table t (a int) partition by range (a)', '"partition"'],
  ])('of PostgreSQL only is refused: %s', (sql, message) => {
    expect(() => toPostgres(sql)).toThrow(message);
  });

  test('made from a query or like another keeps that', () => {
    expect(toPostgres('create temp table t distkey(a) sortkey(a) as select a from s')).toBe(
      'create temp table t as select a from s',
    );
    expect(toPostgres('create temp table t (like sales.lines)')).toBe('create temp table t (like sales.lines)');
  });

  test('that is altered gains a column, and its layout is nothing to do', () => {
    expect(toPostgres('alter table t add column a int default null encode raw')).toBe(
      'alter table t add column a int default null',
    );
    expect(toPostgres('alter table t alter diststyle even')).toBe('nothing');
  });
});

test('names are folded, quoted or not; strings and comments are left alone', () => {
  const sql = `select "Net" as "A""B", 'ON CONFLICT "X" -- :no' /* returning */ from t -- distkey\n;`;

  expect(toPostgres(sql)).toBe(`select "net" as "a""b", 'ON CONFLICT "X" -- :no' from t`);
});

test('each use of a parameter takes the type of its own place', () => {
  const translated = translate(
    "select :day::date, ':day', a from t where at >= :day",
    new Map([['day', '2026-11-22']]),
    false,
  );

  expect(translated).toMatchObject({
    text: "select $1::date, ':day', a from t where at >= $2",
    values: ['2026-11-22', '2026-11-22'],
  });
});

test('an administrator of the schema makes a user for a role, who cannot log in with a password', () => {
  expect(toPostgres('CREATE USER "IAMR:Loader" PASSWORD DISABLE')).toBe('create role "iamr:loader" login');
});

test('casts to types without a length mean what they mean in Redshift', () => {
  expect(toPostgres('select cast(a as decimal), a::numeric(9,2), b::varchar from t')).toBe(
    'select cast(a as numeric(18,0)), a::numeric(9,2), b::varchar(256) from t',
  );
});

test('date functions take the bare names of parts', () => {
  expect(toPostgres('select dateadd(day, 1, sysdate), getdate()')).toBe(
    "select dateadd('day', 1, pg_catalog.sysdate()), getdate()",
  );
});

describe('MERGE', () => {
  const rest = 'when not matched then insert (id) values (s.id)';

  test('in the form that both know passes unchanged', () => {
    const sql = `merge into sales.lines using staged as s on sales.lines.id = s.id
      when matched then update set a = case when s.a > 0 then s.a else 0 end, b = s.b ${rest}`;

    expect(toPostgres(sql)).toBe(sql.replace(/\s+/g, ' '));
  });

  test.each([
    [`merge into t x using s on x.id = s.id when matched then delete ${rest}`, 'alias'],
    [`merge into t using (select 1) s on t.id = s.id when matched then delete ${rest}`, 'table as its source'],
    ['merge into t using s on t.id = s.id when matched then delete', 'exactly one'],
    [`merge into t using s on t.id = s.id ${rest}`, 'exactly one'],
    [`merge into t using s on t.id = s.id when matched and s.a > 0 then delete ${rest}`, 'without conditions'],
    [`merge into t using s on t.id = s.id when matched then update set a = 1, t.b = 2 ${rest}`, 'before column b'],
    [`merge into t using s on t.id = s.id when matched then do nothing ${rest}`, 'UPDATE SET or DELETE'],
  ])('in a form that Redshift does not take is refused: %s', (sql, message) => {
    expect(() => toPostgres(sql)).toThrow(message);
  });
});

test.each([
  ['insert into t values (1) on conflict do nothing', 'ON CONFLICT'],
  ['insert into t values (1) returning a', 'RETURNING'],
  ['select * from generate_series(1, 2)', 'generate_series'],
  ["select '{}'::jsonb", 'jsonb'],
  ["select cast('x' as uuid)", 'uuid'],
  ['select array[1]', 'ARRAY'],
  ['select a[1] from t', 'arrays'],
  ['select now()', 'GETDATE'],
  ['select sum(a) filter (where a > 0) from t', 'CASE'],
  ['select * from (values (1)) v', 'UNION ALL'],
  ['select sum(a) over (partition by b order by c) from t', 'ROWS UNBOUNDED PRECEDING'],
  ['create index i on t (a)', 'SORTKEY'],
  ['truncate t', 'commits the transaction'],
  ['begin', 'transaction'],
  ['set session authorization admin', 'not modelled'],
  ["select 'a\\b'", 'backslash'],
  ['select 1; select 2', 'multiple commands'],
  ["unload ('select 1') to 's3://b/k'", 'UNLOAD'],
  ["copy t from 's3://b/k' iam_role default format json manifest", 'FORMAT json'],
  ["copy t from 's3://b/k' iam_role default format csv gzip manifest", 'CSV without EMPTYASNULL'],
  ["copy t from 's3://b/k' iam_role default format parquet gzip manifest", 'Parquet with GZIP'],
  ["copy t from 's3://b/k' iam_role default format parquet", 'without MANIFEST'],
  ["copy t from 's3://b/k' iam_role default format csv gzip emptyasnull manifest fillrecord", 'CSV with FILLRECORD'],
  ["select 'open", 'unterminated'],
])('%s is refused', (sql, message) => {
  expect(() => toPostgres(sql)).toThrow(message);
});

test.each([
  'select sum(a) over (order by c rows unbounded preceding) from t',
  'select sum(a) over (partition by b), row_number() over (order by c) from t',
  'select sum(a), (select max(d) from u) from t order by 1',
])('%s is taken as it stands', (sql) => {
  expect(toPostgres(sql)).toBe(sql);
});

test('COPY names its table, columns, manifest and role', () => {
  const sql = `copy sales.lines (a, "B") from 's3://lake/m.json' iam_role 'arn:aws:iam::000000000000:role/copy' format as parquet manifest`;

  const translated = translate(sql, new Map(), true);

  expect(translated).toEqual({
    kind: 'copy',
    copy: {
      table: 'sales.lines',
      columns: ['a', 'b'],
      manifest: 's3://lake/m.json',
      format: 'parquet',
      fillRecord: false,
      roleArn: 'arn:aws:iam::000000000000:role/copy',
    },
  });
});

test('what is cut into tokens is printed as it was, but for white space', () => {
  const piece = fc.oneof(
    fc.constantFrom('select', 'a1', '::', '(', ')', ',', '<=', '1.5e3', ':name', '||', '.'),
    fc.string().map((text) => `'${text.replaceAll("'", "''")}'`),
    fc.string({ minLength: 1 }).map((text) => `"${text.toLowerCase().replaceAll('"', '""')}"`),
  );

  fc.assert(
    fc.property(fc.array(piece, { minLength: 1 }), (pieces) => {
      expect(print(tokenize(pieces.join(' ')))).toBe(pieces.join(' '));
    }),
    { seed: 1 },
  );
});
