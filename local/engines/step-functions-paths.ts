/** Paths into a state's input (`$.a.b`) and into the execution's context (`$$.a.b`): members by name, nothing else. */

export type Json = unknown;

/** What a path or template refers to that is not there, or cannot be read: `States.Runtime` on AWS. */
export class PathProblem extends Error {}

export function read(path: string, input: Json, context: Json): Json {
  const [, root, rest] = /^(\$\$?)((?:\.\w+)*)$/.exec(path) ?? [];
  if (root === undefined) throw new PathProblem(`path '${path}' is not modelled locally: use $.name or $$.name`);
  let value: any = root === '$$' ? context : input;
  for (const name of rest!.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      throw new PathProblem(`The JSONPath '${path}' could not be found in the input`);
    value = value[name];
  }
  return value;
}

/** A template: members whose name ends with `.$` take what their path refers to. */
export function fill(template: Json, input: Json, context: Json): Json {
  if (Array.isArray(template)) return template.map((each) => fill(each, input, context));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([name, value]) =>
      name.endsWith('.$')
        ? [name.slice(0, -2), read(String(value), input, context)]
        : [name, fill(value, input, context)],
    ),
  );
}

/** The input with a result put where `ResultPath` says; null leaves the input, none replaces it. */
export function place(path: string | null | undefined, input: Json, result: Json): Json {
  if (path === null) return input;
  if (path === undefined || path === '$') return result;
  const names = /^\$((?:\.\w+)+)$/.exec(path)?.[1]?.split('.').slice(1);
  if (names === undefined) throw new PathProblem(`ResultPath '${path}' is not modelled locally: use $.name`);
  const put = (value: Json, [name, ...rest]: readonly string[]): Json => {
    if (name === undefined) return result;
    const object = typeof value === 'object' && value !== null ? (value as Record<string, Json>) : {};
    return { ...object, [name]: put(object[name], rest) };
  };
  return put(input, names);
}
