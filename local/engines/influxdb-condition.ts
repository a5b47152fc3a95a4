import { BadQuery } from './influxdb-influxql-lexer';
import type { Expression } from './influxdb-influxql-parser';
import type { FieldType } from './influxdb-line';
import { literal } from './influxdb-measurement';

/** What a query reads from: SQL with a column `time`, and what its tags and fields are called in it. */
export interface Relation {
  readonly name: string;
  readonly sql: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, { readonly column: string; readonly type: FieldType }>;
}

/** A time range in nanoseconds, both ends included. */
export interface TimeRange {
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
}

export interface Typed {
  readonly sql: string;
  readonly type: FieldType | 'tag' | 'regex';
}

/** Takes the time conditions out of a condition: they bound the query and its windows. */
export function splitCondition(where: Expression | undefined, now: bigint): { range: TimeRange; rest: Expression[] } {
  const rest: Expression[] = [];
  let from: bigint | undefined;
  let to: bigint | undefined;
  const later = (time: bigint): void => {
    if (from === undefined || time > from) from = time;
  };
  const earlier = (time: bigint): void => {
    if (to === undefined || time < to) to = time;
  };
  const visit = (expression: Expression): void => {
    if (expression.kind === 'binary' && expression.operator === 'and') {
      visit(expression.left);
      visit(expression.right);
      return;
    }
    const condition = timeCondition(expression);
    if (condition === undefined) {
      if (mentionsTime(expression)) throw new BadQuery('cannot use time in a condition with OR');
      rest.push(expression);
      return;
    }
    const time = evaluateTime(condition.value, now);
    if (condition.operator === '>=') later(time);
    else if (condition.operator === '>') later(time + 1n);
    else if (condition.operator === '<=') earlier(time);
    else if (condition.operator === '<') earlier(time - 1n);
    else if (condition.operator === '=') [from, to] = [time, time];
    else throw new BadQuery(`invalid time comparison operator: ${condition.operator}`);
  };
  if (where !== undefined) visit(where);
  return { range: { from, to }, rest };
}

/** A condition, or a calculation with fields, as SQL. */
export function toSql(expression: Expression, { tags, fields }: Relation): Typed {
  const visit = (part: Expression): Typed => {
    switch (part.kind) {
      case 'name': {
        const field = fields.get(part.name);
        if (field !== undefined) return { sql: field.column, type: field.type };
        // A tag that a series lacks is empty, and so is one that no series has.
        return { sql: tags.get(part.name) ?? "''", type: 'tag' };
      }
      case 'integer':
      case 'duration':
        return { sql: `${part.value}::bigint`, type: 'integer' };
      case 'float':
        return { sql: `${part.value}::double`, type: 'float' };
      case 'string':
        return { sql: literal(part.value), type: 'string' };
      case 'regex':
        return { sql: literal(part.value), type: 'regex' };
      case 'boolean':
        return { sql: String(part.value), type: 'boolean' };
      case 'binary':
        return combine(part.operator, visit(part.left), visit(part.right));
      default:
        throw new BadQuery(`invalid expression in WHERE: ${part.kind === 'call' ? `${part.name}()` : '*'}`);
    }
  };
  return visit(expression);
}

/** Two operands under one operator. What can't be compared is not equal, as in InfluxDB, rather than an error. */
export function combine(operator: string, left: Typed, right: Typed): Typed {
  if (operator === 'and' || operator === 'or')
    return { sql: `(${left.sql} ${operator} ${right.sql})`, type: 'boolean' };
  if (operator === '=~' || operator === '!~') {
    if (!isText(left) || right.type !== 'regex')
      throw new BadQuery(`${operator} needs a tag or text and a regular expression`);
    return { sql: `(${operator === '!~' ? 'not ' : ''}regexp_matches(${left.sql}, ${right.sql}))`, type: 'boolean' };
  }
  if (['=', '!=', '<', '<=', '>', '>='].includes(operator)) {
    const comparable =
      (isText(left) && isText(right)) || (isNumber(left) && isNumber(right)) || left.type === right.type;
    return { sql: comparable ? `(${left.sql} ${operator} ${right.sql})` : 'false', type: 'boolean' };
  }
  if (!isNumber(left) || !isNumber(right)) throw new BadQuery(`${operator} needs numbers`);
  // A quotient is a float, and anything divided by zero is zero.
  if (operator === '/')
    return { sql: `(case when ${right.sql} = 0 then 0 else ${left.sql}::double / ${right.sql} end)`, type: 'float' };
  if (!['+', '-', '*', '%'].includes(operator)) throw new BadQuery(`operator ${operator} is not modelled locally`);
  const type = left.type === 'float' || right.type === 'float' ? 'float' : 'integer';
  return { sql: `(${left.sql} ${operator} ${right.sql})`, type };
}

const isText = ({ type }: Typed): boolean => type === 'string' || type === 'tag';
const isNumber = ({ type }: Typed): boolean => type === 'float' || type === 'integer' || type === 'unsigned';

const mirrored: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '=': '=', '!=': '!=' };

function timeCondition(expression: Expression): { operator: string; value: Expression } | undefined {
  if (expression.kind !== 'binary') return undefined;
  const { operator, left, right } = expression;
  if (isTime(left)) return { operator, value: right };
  if (isTime(right) && mirrored[operator] !== undefined) return { operator: mirrored[operator], value: left };
  return undefined;
}

const isTime = (expression: Expression): boolean =>
  expression.kind === 'name' && expression.name.toLowerCase() === 'time';

function mentionsTime(expression: Expression): boolean {
  if (expression.kind === 'binary') return mentionsTime(expression.left) || mentionsTime(expression.right);
  return isTime(expression);
}

function evaluateTime(expression: Expression, now: bigint): bigint {
  switch (expression.kind) {
    case 'integer':
    case 'duration':
      return expression.value;
    case 'string':
      return parseTime(expression.value);
    case 'call':
      if (expression.name === 'now') return now;
      break;
    case 'binary': {
      const [left, right] = [evaluateTime(expression.left, now), evaluateTime(expression.right, now)];
      if (expression.operator === '+') return left + right;
      if (expression.operator === '-') return left - right;
    }
  }
  throw new BadQuery('invalid operation: time can only be compared with a time, a duration, now() and their sums');
}

/** RFC 3339, or a date with or without a time of day. */
export function parseTime(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const [, day, clock = '00:00:00', fraction = '', zone = 'Z'] = match ?? [];
  const milliseconds = Date.parse(`${day}T${clock}${zone}`);
  if (match === null || Number.isNaN(milliseconds))
    throw new BadQuery(`invalid operation: time and ${literal(text)} are not compatible`);
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
