import type { Column } from '../../lambdas/base/domain/lake-rows';

/** Columns as they were released, by table: what is written in rows-of-the-lake.json. */
export type ReleasedColumn = Pick<Column, 'name' | 'type' | 'optional'>;

/**
 * Why columns cannot follow those that were released; undefined when they can. Files of both lie side by side, and are
 * loaded by position: released columns stay as they are, and what is new comes behind them and may be missing.
 */
export function columnProblem(
  table: string,
  released: readonly ReleasedColumn[],
  now: readonly ReleasedColumn[],
): string | undefined {
  for (const [place, was] of released.entries()) {
    const is = now[place];
    if (is === undefined || is.name !== was.name)
      return `column ${place + 1} of ${table} is ${is?.name ?? 'gone'}: released as ${was.name}, and columns never move or go`;
    if (is.type !== was.type)
      return `${table}.${was.name} is ${is.type}: released as ${was.type}, and types never change`;
    if (is.optional && !was.optional)
      return `${table}.${was.name} is optional: released as required, and readers rely on it`;
  }
  const required = now.slice(released.length).find(({ optional }) => !optional);
  return (
    required &&
    `${table}.${required.name} is new and required: only optional columns are added, at the end, since old files lack them`
  );
}

type Schema = Readonly<Record<string, any>>;

const mayGrow = ['maxLength', 'maxItems', 'maximum'];
const mayShrink = ['minLength', 'minItems', 'minimum'];
/** Words for people. */
const prose = ['description', 'title', 'examples', '$id', '$schema', 'x-note'];

/**
 * Why an event's schema cannot follow the one that was released; undefined when it can. What a till may send stays
 * allowed: fields are added as optional ones only, none goes, and no limit gets narrower.
 */
export function schemaProblem(was: Schema, is: Schema | undefined, path = 'event'): string | undefined {
  if (is === undefined) return `${path} is gone: released fields never go`;
  for (const name of is.required ?? [])
    if (!(was.required ?? []).includes(name))
      return `${path}.${name} is required: released as optional or not at all, and senders leave it out`;
  for (const [keyword, value] of Object.entries(was)) {
    const now = is[keyword];
    if (keyword === 'required' || prose.includes(keyword)) continue;
    if (keyword === 'properties') {
      for (const [name, property] of Object.entries<Schema>(value)) {
        const problem = schemaProblem(property, now?.[name], `${path}.${name}`);
        if (problem !== undefined) return problem;
      }
    } else if (keyword === 'items') {
      const problem = schemaProblem(value, now, `${path}[]`);
      if (problem !== undefined) return problem;
    } else if (!stillAllows(keyword, value, now)) {
      return `${keyword} of ${path} is ${JSON.stringify(now)}: released as ${JSON.stringify(value)}, and what was allowed stays allowed`;
    }
  }
  const narrower = Object.keys(is).find(
    (keyword) => !(keyword in was) && !prose.includes(keyword) && keyword !== 'properties' && keyword !== 'required',
  );
  return (
    narrower &&
    `${narrower} of ${path} is ${JSON.stringify(is[narrower])}: released without, and what was allowed stays allowed`
  );
}

function stillAllows(keyword: string, was: any, is: any): boolean {
  if (is === undefined) return keyword !== 'type';
  if (mayGrow.includes(keyword)) return is >= was;
  if (mayShrink.includes(keyword)) return is <= was;
  if (keyword === 'enum' || keyword === 'anyOf') {
    const allowed = new Set(is.map((value: unknown) => JSON.stringify(value)));
    return was.every((value: unknown) => allowed.has(JSON.stringify(value)));
  }
  return JSON.stringify(is) === JSON.stringify(was);
}
