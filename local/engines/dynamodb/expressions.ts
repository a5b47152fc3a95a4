import { attributes } from './attribute-value';
import { checkExpressionMembers, type Item, parseExpressions, validationException } from './dynalite';

/** Expressions as dynalite parses them, with names resolved and values in place. */
export interface Expressions {
  readonly _updates?: any;
  readonly _condition?: any;
  readonly _projection?: any;
}

type Member = 'UpdateExpression' | 'ConditionExpression' | 'ProjectionExpression';

/**
 * Parses the expressions of one request. A function sends the same few expressions for ever, with other values, and
 * parsing is most of what a small write costs: so what dynalite made of a text is kept, with holes where the values stood.
 */
export function expressions(input: any, members: readonly Member[]): Expressions {
  const used = members.filter((member) => input[member] != null);
  if (used.length === 0 && input.ExpressionAttributeNames == null && input.ExpressionAttributeValues == null) return {};
  for (const member of used) {
    if (typeof input[member] !== 'string') throw validationException(`${member} must be a string`);
  }
  checkExpressionMembers(input, [...members]);
  const values = checkedValues(input.ExpressionAttributeValues);

  const form = formOf(input, used, values);
  const known = parsed.get(form);
  if (known !== undefined) return known.fill(values) as Expressions;

  // Copies, so that no two names share one object: the holes are found by identity.
  const marks: Item = {};
  for (const name in values) marks[name] = { ...values[name] };
  const data = { ...input, ExpressionAttributeValues: input.ExpressionAttributeValues && marks };
  parseExpressions(data);
  const { _updates, _condition, _projection } = data;
  const template = templateOf({ _updates, _condition, _projection }, marks);
  // These two look at the values while they are parsed, so what holds for these says nothing about others.
  if (!used.some((member) => /between|attribute_type/i.test(input[member]))) {
    if (parsed.size >= mostForms) parsed.clear();
    parsed.set(form, template);
  }
  return template.fill(values) as Expressions;
}

/** A parsed expression with holes, which `fill` builds again around other values. */
interface Template {
  readonly fixed: boolean;
  fill(values: Item): unknown;
}

const parsed = new Map<string, Template>();
/** Far more than the platform has; forgetting them all costs one parse each. */
const mostForms = 2_000;

function checkedValues(values: unknown): Item {
  if (values == null) return {};
  try {
    return attributes(values, 'expressionAttributeValues');
  } catch (error) {
    throw validationException(`ExpressionAttributeValues contains invalid value: ${(error as Error).message}`);
  }
}

/** All that the parsers look at: the texts, the names and the values' types. No text that parses holds a NUL. */
function formOf(input: any, used: readonly Member[], values: Item): string {
  let form = '';
  for (const member of used) form += `${member}\0${input[member]}\0`;
  const names = input.ExpressionAttributeNames;
  if (names != null) for (const name in names) form += `${name}\0${names[name]}\0`;
  if (input.ExpressionAttributeValues != null) form += '\0';
  for (const name in values) form += `${name}\0${Object.keys(values[name]!)[0]}\0`;
  return form;
}

/** What dynalite made of the texts, with holes where it holds one of the marks. */
function templateOf(node: unknown, marks: Item): Template {
  const name = Object.keys(marks).find((candidate) => marks[candidate] === node);
  if (name !== undefined) return { fixed: false, fill: (values) => values[name] };
  if (node === null || typeof node !== 'object') return { fixed: true, fill: () => node };

  const parts = Object.entries(node).map(([member, part]) => [member, templateOf(part, marks)] as const);
  // An update's sections are written into when they are evaluated (dynalite's updateItem), so they are never shared.
  const section = 'path' in node && 'type' in node;
  if (!section && parts.every(([, part]) => part.fixed)) return { fixed: true, fill: () => node };
  if (Array.isArray(node)) return { fixed: false, fill: (values) => parts.map(([, part]) => part.fill(values)) };
  return {
    fixed: false,
    fill: (values) => {
      const copy: Record<string, unknown> = {};
      for (const [member, part] of parts) copy[member] = part.fill(values);
      return copy;
    },
  };
}
