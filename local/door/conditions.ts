import { arnMatcher, type Matcher, refuseVariables, wildcard } from './wildcard';

/** The value of a condition key (in lower case) of a request; undefined where the request does not have it. */
export type ConditionValues = (key: string) => string | readonly string[] | undefined;

/** One compiled `Condition` block. */
export type Condition = (values: ConditionValues) => boolean;

/** How one operator compares: a test made from a policy's value, and whether the operator is the negation of another. */
interface Operator {
  readonly test: (policyValue: string) => Matcher;
  readonly negated: boolean;
}

const equals: Operator['test'] = (wanted) => (got) => got === wanted;
const equalsIgnoreCase: Operator['test'] = (wanted) => (got) => got.toLowerCase() === wanted.toLowerCase();

const operators = new Map<string, Operator>([
  ['StringEquals', { test: equals, negated: false }],
  ['StringNotEquals', { test: equals, negated: true }],
  ['StringEqualsIgnoreCase', { test: equalsIgnoreCase, negated: false }],
  ['StringNotEqualsIgnoreCase', { test: equalsIgnoreCase, negated: true }],
  ['StringLike', { test: wildcard, negated: false }],
  ['StringNotLike', { test: wildcard, negated: true }],
  // AWS treats the two ARN comparisons alike.
  ['ArnEquals', { test: arnMatcher, negated: false }],
  ['ArnNotEquals', { test: arnMatcher, negated: true }],
  ['ArnLike', { test: arnMatcher, negated: false }],
  ['ArnNotLike', { test: arnMatcher, negated: true }],
  ['Bool', { test: equalsIgnoreCase, negated: false }],
  ['NumericEquals', { test: numeric((got, wanted) => got === wanted), negated: false }],
  ['NumericNotEquals', { test: numeric((got, wanted) => got === wanted), negated: true }],
  ['NumericLessThan', { test: numeric((got, wanted) => got < wanted), negated: false }],
  ['NumericLessThanEquals', { test: numeric((got, wanted) => got <= wanted), negated: false }],
  ['NumericGreaterThan', { test: numeric((got, wanted) => got > wanted), negated: false }],
  ['NumericGreaterThanEquals', { test: numeric((got, wanted) => got >= wanted), negated: false }],
]);

/** The keys that the door supplies; a decision that hangs on any other is refused, not guessed. */
const modelledKeys = new Set([
  'aws:principalarn',
  'aws:requestedregion',
  'aws:securetransport',
  'aws:sourceaccount',
  'aws:sourcearn',
  'dynamodb:leadingkeys',
  'events:detail-type',
  'events:source',
  'kms:encryptioncontextkeys',
  'kms:viaservice',
  's3:prefix',
]);
const modelledPrefix = 'kms:encryptioncontext:';

/** Compiles a policy's `Condition`: all operators and keys must hold, any one of a key's values suffices. */
export function compileConditions(block: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Condition {
  const all = Object.entries(block).flatMap(([name, keys]) =>
    Object.entries(keys).map(([key, values]) => compileCondition(name, key, asStrings(values))),
  );
  return (values) => all.every((holds) => holds(values));
}

function compileCondition(name: string, key: string, wanted: readonly string[]): Condition {
  const [, quantifier, base = '', ifExists] = /^(ForAllValues:|ForAnyValue:)?(.*?)(IfExists)?$/.exec(name)!;
  const read = reader(key);
  if (base === 'Null' && quantifier === undefined && ifExists === undefined) {
    return (values) => wanted.some((absent) => (read(values).length === 0) === (absent.toLowerCase() === 'true'));
  }
  const operator = operators.get(base);
  if (operator === undefined)
    throw new Error(`condition operator '${name}' is not modelled: use ${[...operators.keys()].join(', ')} or Null`);
  wanted.forEach(refuseVariables);
  const { negated } = operator;
  const tests = wanted.map(operator.test);
  const matches = (got: string): boolean => tests.some((test) => test(got)) !== negated;

  return (values) => {
    const got = read(values);
    if (quantifier === 'ForAllValues:') return got.every(matches);
    if (quantifier === 'ForAnyValue:') return got.length === 0 ? ifExists !== undefined : got.some(matches);
    if (got.length === 0) return negated || ifExists !== undefined;
    if (got.length > 1)
      throw new Error(
        `condition key '${key}' has ${got.length} values: use ForAllValues: or ForAnyValue: with ${name}`,
      );
    return matches(got[0]!);
  };
}

function reader(key: string): (values: ConditionValues) => readonly string[] {
  const lowerCase = key.toLowerCase();
  const modelled = modelledKeys.has(lowerCase) || lowerCase.startsWith(modelledPrefix);
  return (values) => {
    // Only when a decision needs it: roles also hold statements for services that never run locally.
    if (!modelled) throw new Error(`condition key '${key}' is not modelled: use ${[...modelledKeys].join(', ')}`);
    const value = values(lowerCase);
    return value === undefined ? [] : typeof value === 'string' ? [value] : value;
  };
}

function numeric(compare: (got: number, wanted: number) => boolean): Operator['test'] {
  return (wanted) => {
    const limit = Number(wanted);
    if (Number.isNaN(limit)) throw new Error(`'${wanted}' is not a number`);
    return (got) => compare(Number(got), limit);
  };
}

function asStrings(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}
