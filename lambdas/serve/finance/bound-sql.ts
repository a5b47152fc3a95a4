import type { Day } from './business-day';
import { literal } from './warehouse';

export type SqlValues = Readonly<Record<string, string>>;

/** Puts literals in the place of each `:name`; throws for a name that has none. */
export function boundSql(sql: string, values: SqlValues): string {
  return sql.replaceAll(/:([a-z_]+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the statement asks for :${name}, which has no value`);
    return value;
  });
}

export const dateLiteral = (day: Day): string => `CAST(${literal(day)} AS date)`;
