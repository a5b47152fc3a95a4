import { AwsError } from './engine';

/** Whether a value of an event satisfies one element of a pattern's list. */
type Test = (value: unknown) => boolean;

/** A part of a pattern: tests for a value, or parts by the names of members. */
type Part = readonly Test[] | ReadonlyMap<string, Part>;

/** An event pattern, read once. */
export interface Pattern {
  matches(event: unknown): boolean;
}

/**
 * Reads an event pattern (a list: any of its elements; members: all of them). Values, `prefix`, `exists` and `anything-but`
 * are modelled. Any other comparison, and what is no pattern at AWS either, is refused by name.
 */
export function readPattern(pattern: unknown): Pattern {
  const root = partOf(parsed(pattern), '');
  if (!(root instanceof Map)) throw invalid('Filter is not an object');
  return { matches: (event) => satisfies(root, event) };
}

function parsed(pattern: unknown): unknown {
  if (typeof pattern !== 'string') return pattern;
  try {
    return JSON.parse(pattern);
  } catch {
    throw invalid('Filter is not valid JSON');
  }
}

function partOf(pattern: unknown, path: string): Part {
  if (Array.isArray(pattern)) {
    if (pattern.length === 0) throw invalid(`Empty arrays are not allowed at '${path}'`);
    return pattern.map((element) => testOf(element, path));
  }
  if (typeof pattern !== 'object' || pattern === null) throw invalid(`'${path}' must be an object or an array`);
  const members = Object.entries(pattern);
  if (members.length === 0) throw invalid(`Empty objects are not allowed at '${path}'`);
  const parts = members.map(([name, part]): [string, Part] => {
    if (name.startsWith('$')) throw notModelled(name);
    return [name, partOf(part, path === '' ? name : `${path}.${name}`)];
  });
  return new Map(parts);
}

function testOf(element: unknown, path: string): Test {
  if (element === null || typeof element !== 'object') return (value) => value === element;
  const [[name, wanted] = ['', undefined], ...others] = Object.entries(element);
  if (others.length > 0) throw invalid(`Only one key is allowed in a match expression at '${path}'`);
  switch (name) {
    case 'prefix':
      if (typeof wanted !== 'string') throw notModelled(`prefix ${JSON.stringify(wanted)}`);
      return (value) => typeof value === 'string' && value.startsWith(wanted);
    case 'exists':
      if (typeof wanted !== 'boolean') throw invalid(`exists at '${path}' must be true or false`);
      return (value) => (value !== undefined) === wanted;
    case 'anything-but': {
      const refused = Array.isArray(wanted) ? wanted : [wanted];
      if (refused.some((one) => typeof one === 'object')) throw notModelled(`anything-but ${JSON.stringify(wanted)}`);
      return (value) => value !== undefined && !refused.includes(value);
    }
    default:
      throw notModelled(name);
  }
}

function satisfies(part: Part, value: unknown): boolean {
  if (part instanceof Map) {
    const members = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
    return [...part].every(([name, inner]) => satisfies(inner, members[name]));
  }
  const tests = part as readonly Test[];
  // Of a list in the event, any element will do.
  const values = Array.isArray(value) && value.length > 0 ? value : [value];
  return values.some((one) => tests.some((test) => test(one)));
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${message}`);
}

function notModelled(what: string): AwsError {
  return new AwsError(
    'InvalidEventPatternException',
    `${what} of an event pattern is not modelled by the local EventBridge`,
  );
}
