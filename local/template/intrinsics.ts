/** What the functions of a template can refer to while it is provisioned. */
export interface References {
  ref(logicalId: string): string;
  attribute(logicalId: string, attribute: string): string;
  imported(exportName: string): string;
  condition(name: string): boolean;
  /** `{{resolve:secretsmanager:...}}` and the like. */
  dynamic(reference: string): Promise<string>;
}

/**
 * Evaluates the intrinsic functions of CloudFormation in a value, at any depth. A function that is not known here is an
 * error that names it: nothing is passed over in silence.
 */
export async function resolve(value: unknown, references: References): Promise<unknown> {
  if (typeof value === 'string') return resolveDynamic(value, references);
  if (Array.isArray(value)) {
    const resolved = await Promise.all(value.map((element) => resolve(element, references)));
    return resolved.filter((element) => element !== noValue);
  }
  if (typeof value !== 'object' || value === null) return value;

  const keys = Object.keys(value);
  const [name] = keys;
  if (keys.length === 1 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'))) {
    const evaluate = functions[name];
    if (evaluate === undefined) throw new Error(`intrinsic function ${name} is not modelled locally`);
    const result = await evaluate((value as Record<string, unknown>)[name], references);
    // The parts of a dynamic reference are put together by functions: it is one only now.
    return typeof result === 'string' && name !== 'Ref' ? resolveDynamic(result, references) : result;
  }
  const resolved: Record<string, unknown> = {};
  for (const [key, element] of Object.entries(value)) {
    const result = await resolve(element, references);
    if (result !== noValue) resolved[key] = result;
  }
  return resolved;
}

/** The logical ids that a value refers to: what must exist before it. */
export function referredIn(value: unknown): Set<string> {
  const found = new Set<string>();
  const walk = (element: unknown): void => {
    if (Array.isArray(element)) {
      for (const inner of element) walk(inner);
      return;
    }
    if (typeof element !== 'object' || element === null) return;
    for (const [key, inner] of Object.entries(element)) {
      if (key === 'Ref' && typeof inner === 'string') found.add(inner);
      else if (key === 'Fn::GetAtt') found.add(Array.isArray(inner) ? String(inner[0]) : String(inner).split('.')[0]!);
      else if (key === 'Fn::Sub')
        for (const [, name] of String(Array.isArray(inner) ? inner[0] : inner).matchAll(/\$\{([^!}.]+)[^}]*\}/g))
          found.add(name!);
      walk(inner);
    }
  };
  walk(value);
  return found;
}

/** What `AWS::NoValue` leaves: the property or element is not there. */
const noValue = Symbol('AWS::NoValue');

type Evaluate = (argument: any, references: References) => Promise<unknown> | unknown;

const functions: Record<string, Evaluate> = {
  Ref: (id: string, references) => (id === 'AWS::NoValue' ? noValue : references.ref(id)),
  'Fn::GetAtt': (argument: string | [string, string], references) => {
    const [id, ...attribute] = Array.isArray(argument) ? argument : argument.split('.');
    return references.attribute(id!, attribute.join('.'));
  },
  'Fn::ImportValue': async (name, references) => references.imported(String(await resolve(name, references))),
  'Fn::Join': async ([separator, parts], references) =>
    ((await resolve(parts, references)) as string[]).join(separator),
  'Fn::Split': async ([separator, text], references) => String(await resolve(text, references)).split(separator),
  'Fn::Select': async ([index, list], references) => {
    const values = (await resolve(list, references)) as unknown[];
    const place = Number(await resolve(index, references));
    if (values[place] === undefined) throw new Error(`Fn::Select: got ${place}, allowed: 0 to ${values.length - 1}`);
    return values[place];
  },
  'Fn::If': async ([name, whenTrue, whenFalse], references) =>
    resolve(references.condition(name) ? whenTrue : whenFalse, references),
  'Fn::Sub': async (argument: string | [string, Record<string, unknown>], references) => {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
    const values = (await resolve(variables, references)) as Record<string, string>;
    return text.replace(/\$\{(!?)([^}]+)\}/g, (_, literal, name: string) => {
      if (literal) return `\${${name}}`;
      if (Object.hasOwn(values, name)) return String(values[name]);
      const [id, ...attribute] = name.split('.');
      return attribute.length === 0 ? references.ref(name) : references.attribute(id!, attribute.join('.'));
    });
  },
};

async function resolveDynamic(text: string, references: References): Promise<string> {
  let resolved = text;
  for (const [whole, reference] of text.matchAll(/\{\{resolve:([^}]+)\}\}/g)) {
    const secret = await references.dynamic(reference!);
    // As a function, since `$&` in a secret would mean something else.
    resolved = resolved.replace(whole, () => secret);
  }
  return resolved;
}
