import type { DuckDBValue } from '@duckdb/node-api';
import { combine, type Relation, splitCondition, type TimeRange, type Typed, toSql } from './influxdb-condition';
import { BadQuery } from './influxdb-influxql-lexer';
import type { Expression, Select, Source } from './influxdb-influxql-parser';
import type { Measurement } from './influxdb-measurement';
import { fillWindows } from './influxdb-windows';

/** One series of an answer: a row per time. */
export interface ResultSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly DuckDBValue[])[];
}

/** Where a SELECT finds its data. */
export interface Data {
  readonly now: bigint;
  /** The measurements that a source names. */
  measurements(source: Source & { kind: 'measurement' }): readonly Measurement[];
  rows(sql: string): Promise<DuckDBValue[][]>;
}

/** A SELECT over one relation, as SQL: group columns first, then the time, then the columns asked for. */
interface Compiled {
  readonly sql: string;
  readonly tags: readonly string[];
  readonly columns: readonly { readonly name: string; readonly type: Typed['type']; readonly isCount: boolean }[];
  readonly isAggregate: boolean;
  readonly range: TimeRange;
}

/** Runs a SELECT. */
export async function select(statement: Select, data: Data): Promise<ResultSeries[]> {
  const series: ResultSeries[] = [];
  for (const relation of relations(statement, data)) series.push(...(await selectFrom(statement, relation, data)));
  const from = statement.seriesOffset;
  return series.slice(from, statement.seriesLimit > 0 ? from + statement.seriesLimit : undefined);
}

async function selectFrom(statement: Select, relation: Relation, data: Data): Promise<ResultSeries[]> {
  const compiled = compile(statement, relation, data.now);
  if (compiled === undefined) return [];
  const { sql, tags, columns, isAggregate, range } = compiled;
  const keyed = new Map<string, { key: string[]; rows: DuckDBValue[][] }>();
  for (const row of await data.rows(sql)) {
    const key = row.slice(0, tags.length) as string[];
    const id = key.length === 0 ? '' : JSON.stringify(key);
    const group = keyed.get(id) ?? { key, rows: [] };
    group.rows.push(row.slice(tags.length));
    keyed.set(id, group);
  }
  return [...keyed.values()].flatMap(({ key, rows }) => {
    const { interval } = statement.groupBy;
    let values = rows;
    if (isAggregate && interval !== undefined) {
      const counts = columns.map(({ isCount }) => isCount);
      values = fillWindows(rows, {
        interval,
        fill: statement.fill,
        counts,
        from: range.from,
        to: range.to ?? data.now,
      });
    }
    if (statement.descending && isAggregate) values.reverse();
    values = values.slice(statement.offset, statement.limit > 0 ? statement.offset + statement.limit : undefined);
    if (values.length === 0) return [];
    return {
      name: relation.name,
      ...(tags.length > 0 && { tags: Object.fromEntries(tags.map((tag, at) => [tag, key[at]!])) }),
      columns: ['time', ...columns.map(({ name }) => name)],
      values,
    };
  });
}

function relations(statement: Select, data: Data): Relation[] {
  return statement.sources.flatMap((source) => {
    if (source.kind === 'subquery')
      return relations(source.select, data).flatMap((inner) => subquery(source.select, inner, data) ?? []);
    return data.measurements(source).map(({ name, tags, fields, pointsTable, seriesTable }) => ({
      name,
      sql: `${pointsTable} join ${seriesTable} using (series)`,
      tags,
      fields,
    }));
  });
}

/** A SELECT as something to select from. Its empty windows are not filled. */
function subquery(statement: Select, relation: Relation, data: Data): Relation | undefined {
  const compiled = compile(statement, relation, data.now);
  if (compiled === undefined) return undefined;
  const { sql, tags, columns } = compiled;
  const names = [...tags.map((_, at) => `g${at}`), 'time', ...columns.map((_, at) => `c${at}`)];
  return {
    name: relation.name,
    sql: `(${sql}) as inner_query(${names.join(', ')})`,
    tags: new Map(tags.map((tag, at) => [tag, `g${at}`])),
    fields: new Map(
      columns.flatMap(({ name, type }, at) =>
        type === 'tag' || type === 'regex' ? [] : [[name, { column: `c${at}`, type }] as const],
      ),
    ),
  };
}

function compile(statement: Select, relation: Relation, now: bigint): Compiled | undefined {
  const { groupBy } = statement;
  const { range, rest } = splitCondition(statement.where, now);
  const grouped = groupBy.all ? [...relation.tags.keys()] : groupBy.tags;
  const tags = [...new Set(grouped)].sort();
  const columns = nameColumns(statement.columns.flatMap((column) => expandStars(column, relation, tags)));
  const isAggregate = columns.some(({ expression }) => hasCall(expression));
  if (groupBy.interval !== undefined && !isAggregate)
    throw new BadQuery('GROUP BY requires at least one aggregate function');
  if (isAggregate && columns.some(({ expression }) => !hasCall(expression))) {
    throw new BadQuery('mixing aggregate and non-aggregate queries is not supported');
  }

  const ranking = statement.columns.find(({ expression }) => isCall(expression, 'top') || isCall(expression, 'bottom'));
  if (ranking !== undefined) return compileRanking(statement, ranking, relation, range, rest, tags);

  // Windows end at now unless the query says otherwise.
  const to = range.to ?? (groupBy.interval !== undefined ? now : undefined);
  const conditions = rest.map((condition) => toSql(condition, relation).sql);
  if (range.from !== undefined) conditions.push(`time >= ${range.from}`);
  if (to !== undefined) conditions.push(`time <= ${to}`);
  const keys = tags.map((tag) => relation.tags.get(tag) ?? "''");
  const order = [...keys.map((_, at) => String(at + 1)), `${keys.length + 1}`];

  if (!isAggregate) {
    const values = columns.map(({ expression, name }) => ({ name, ...toSql(expression, relation), isCount: false }));
    const fields = values.filter(({ type }) => type !== 'tag');
    // A query for tags alone has no answer.
    if (fields.length === 0) return undefined;
    conditions.push(`(${fields.map(({ sql }) => `${sql} is not null`).join(' or ')})`);
    const selected = [...keys, 'time', ...values.map(({ sql, type }) => (type === 'tag' ? `nullif(${sql}, '')` : sql))];
    const direction = statement.descending ? ' desc' : '';
    const limit = keys.length === 0 && statement.limit > 0 ? ` limit ${statement.limit + statement.offset}` : '';
    const sql = `select ${selected.join(', ')} from ${relation.sql} where ${conditions.join(' and ')} order by ${order.join(', ')}${direction}${limit}`;
    return { sql, tags, columns: values, isAggregate, range };
  }

  const values = columns.map(({ expression, name }) => ({
    name,
    ...aggregate(expression, relation),
    isCount: isCall(expression, 'count'),
  }));
  if (values.every(({ sql }) => sql === 'null')) return undefined;
  const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '';
  const time = timeColumn(statement, columns, relation, range);
  const grouping = [...keys, ...(groupBy.interval !== undefined ? [time] : [])];
  // A group without a value in any of the fields is no group.
  const present = `having ${values.map(({ sql, isCount }) => (isCount ? `${sql} > 0` : `${sql} is not null`)).join(' or ')}`;
  const distinct = columns.length === 1 && isCall(columns[0]!.expression, 'distinct');
  const selected = [...keys, `${time} as at`, ...values.map(({ sql }) => sql)].join(', ');
  const sql = distinct
    ? `select distinct ${selected} from ${relation.sql}${where ? `${where} and` : ' where'} ${values[0]!.sql} is not null order by ${[...order, `${keys.length + 2}`].join(', ')}`
    : `select ${selected} from ${relation.sql}${where}${grouping.length > 0 ? ` group by ${grouping.join(', ')}` : ''} ${present} order by ${order.join(', ')}`;
  return { sql, tags, columns: values, isAggregate, range };
}

/**
 * `TOP(field, tag, n)` or `BOTTOM`: of each group the n points of the highest or lowest values, each value of the tag
 * once; in order of time.
 */
function compileRanking(
  { columns, groupBy }: Select,
  { expression, alias }: Select['columns'][number],
  relation: Relation,
  range: TimeRange,
  rest: readonly Expression[],
  tags: readonly string[],
): Compiled | undefined {
  const { name, args } = expression as Expression & { kind: 'call' };
  const [field, tag, count] = args;
  if (columns.length > 1 || groupBy.interval !== undefined || args.length !== 3)
    throw new BadQuery(
      `${name}() beside columns, over windows, or but of one field and one tag is not modelled locally`,
    );
  if (field?.kind !== 'name' || tag?.kind !== 'name' || count?.kind !== 'integer')
    throw new BadQuery(`invalid arguments of ${name}(): a field, a tag and a number are expected`);
  const ranked = relation.fields.get(field.name);
  if (ranked === undefined) return undefined;
  const columnOf = (tagName: string) => relation.tags.get(tagName) ?? "''";
  const conditions = [...rest.map((condition) => toSql(condition, relation).sql), `${ranked.column} is not null`];
  if (range.from !== undefined) conditions.push(`time >= ${range.from}`);
  if (range.to !== undefined) conditions.push(`time <= ${range.to}`);
  const keys = tags.map((_, at) => `k${at}`);
  const order = `ranked ${name === 'top' ? 'desc' : 'asc'}, time, ranked_by`;
  const selected = [
    ...tags.map((tagName, at) => `${columnOf(tagName)} as k${at}`),
    'time',
    `${ranked.column} as ranked`,
    `${columnOf(tag.name)} as ranked_by`,
  ];
  const placeIn = (group: readonly string[]) =>
    `row_number() over (${group.length === 0 ? '' : `partition by ${group.join(', ')} `}order by ${order})`;
  const points = `select ${selected.join(', ')} from ${relation.sql} where ${conditions.join(' and ')}`;
  const once = `select * from (${points}) qualify ${placeIn([...keys, 'ranked_by'])} = 1`;
  const sql = `select * from (${once}) qualify ${placeIn(keys)} <= ${count.value} order by ${[...keys, 'time', 'ranked_by'].join(', ')}`;
  return {
    sql,
    tags,
    columns: [
      { name: alias ?? name, type: ranked.type, isCount: false },
      { name: tag.name, type: 'tag', isCount: false },
    ],
    isAggregate: false,
    range,
  };
}

/** The time of an answer's rows: a window's start, the point that was selected, or the start of what was asked for. */
function timeColumn(
  statement: Select,
  columns: readonly { expression: Expression }[],
  relation: Relation,
  { from }: TimeRange,
): string {
  const { interval, offset } = statement.groupBy;
  if (interval !== undefined) return `(time - (((time - ${offset}) % ${interval}) + ${interval}) % ${interval})`;
  const start = `${from ?? 0n}::bigint`;
  const [only] = columns;
  if (columns.length !== 1 || only?.expression.kind !== 'call') return start;
  const value = () => argument(only.expression as Expression & { kind: 'call' }, relation)?.sql ?? 'null';
  switch (only.expression.name) {
    case 'first':
      return `min(time) filter (${value()} is not null)`;
    case 'last':
      return `max(time) filter (${value()} is not null)`;
    case 'min':
      return `arg_min(time, {v: ${value()}, t: time}) filter (${value()} is not null)`;
    case 'max':
      return `arg_max(time, {v: ${value()}, t: -time}) filter (${value()} is not null)`;
    default:
      return start;
  }
}

function aggregate(expression: Expression, relation: Relation): Typed {
  if (expression.kind === 'binary') {
    const [left, right] = [aggregate(expression.left, relation), aggregate(expression.right, relation)];
    return left.sql === 'null' || right.sql === 'null'
      ? { sql: 'null', type: 'float' }
      : combine(expression.operator, left, right);
  }
  if (expression.kind !== 'call') return toSql(expression, relation);
  const { name } = expression;
  const field = argument(expression, relation);
  if (field === undefined) return { sql: 'null', type: 'float' };
  const { sql, type } = field;
  const numeric = type === 'float' || type === 'integer' || type === 'unsigned';
  if (!numeric && ['sum', 'mean', 'spread', 'stddev', 'median'].includes(name)) {
    throw new BadQuery(`unsupported ${name} iterator type: ${type}`);
  }
  const exact = type === 'float' ? 'double' : type === 'unsigned' ? 'ubigint' : 'bigint';
  switch (name) {
    case 'count':
      return { sql: `count(${isCall(expression.args[0], 'distinct') ? 'distinct ' : ''}${sql})`, type: 'integer' };
    case 'sum':
      return { sql: `sum(${sql})::${exact}`, type };
    case 'mean':
      return { sql: `avg(${sql})::double`, type: 'float' };
    case 'median':
      return { sql: `median(${sql})::double`, type: 'float' };
    case 'stddev':
      return { sql: `stddev_samp(${sql})::double`, type: 'float' };
    case 'spread':
      return { sql: `(max(${sql}) - min(${sql}))::${exact}`, type };
    case 'min':
    case 'max':
      return { sql: `${name}(${sql})`, type };
    case 'first':
      return { sql: `arg_min(${sql}, time)`, type };
    case 'last':
      return { sql: `arg_max(${sql}, time)`, type };
    case 'distinct':
      return { sql, type };
    default:
      throw new BadQuery(`undefined function ${name}()`);
  }
}

/** The field that a function is of; undefined where no point has such a field. */
function argument({ name, args }: Expression & { kind: 'call' }, relation: Relation): Typed | undefined {
  const [first] = args;
  if (first?.kind === 'call' && first.name === 'distinct' && name === 'count') return argument(first, relation);
  if (args.length !== 1 || first?.kind !== 'name') throw new BadQuery(`expected field argument in ${name}()`);
  const field = relation.fields.get(first.name);
  return field && { sql: field.column, type: field.type };
}

type Column = Select['columns'][number];

/** `*` stands for every field and tag, `f(*)` for the function of every field that it can be of. */
function expandStars(column: Column, { fields, tags }: Relation, grouped: readonly string[]): Column[] {
  const { expression } = column;
  if (expression.kind === 'star') {
    const names = [
      ...(expression.only === 'tag' ? [] : fields.keys()),
      ...(expression.only === 'field' ? [] : [...tags.keys()].filter((tag) => !grouped.includes(tag))),
    ];
    return names.sort().map((name) => ({ expression: { kind: 'name', name }, alias: undefined }));
  }
  if (expression.kind === 'call' && expression.args[0]?.kind === 'star') {
    const isNumeric = ['sum', 'mean', 'spread', 'stddev', 'median', 'min', 'max'].includes(expression.name);
    return [...fields]
      .filter(([, { type }]) => !isNumeric || (type !== 'string' && type !== 'boolean'))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name]) => ({
        expression: { ...expression, args: [{ kind: 'name', name }] },
        alias: `${column.alias ?? expression.name}_${name}`,
      }));
  }
  if (expression.kind === 'name' && expression.name.toLowerCase() === 'time') return [];
  return [column];
}

function nameColumns(columns: Column[]): { name: string; expression: Expression }[] {
  const used = new Map<string, number>();
  return columns.map(({ expression, alias }) => {
    const name = alias ?? nameOf(expression);
    const times = used.get(name) ?? 0;
    used.set(name, times + 1);
    return { name: times === 0 ? name : `${name}_${times}`, expression };
  });
}

function nameOf(expression: Expression): string {
  if (expression.kind === 'name' || expression.kind === 'call') return expression.name;
  if (expression.kind !== 'binary') return '';
  return [nameOf(expression.left), nameOf(expression.right)].filter(Boolean).join('_');
}

const isCall = (expression: Expression | undefined, name: string): boolean =>
  expression?.kind === 'call' && expression.name === name;

function hasCall(expression: Expression): boolean {
  if (expression.kind === 'binary') return hasCall(expression.left) || hasCall(expression.right);
  return expression.kind === 'call';
}
