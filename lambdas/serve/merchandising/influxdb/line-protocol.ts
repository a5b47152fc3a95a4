import { type Point, tagValue } from '../points';

/** Items have a database of their own, since they are kept for a shorter time. */
export interface Databases {
  readonly sales: string;
  readonly items: string;
}

export function databaseOf({ measurement }: Pick<Point, 'measurement'>, { sales, items }: Databases): string {
  return measurement === 'items' ? items : sales;
}

/** InfluxDB's line protocol; the tags of `pointsOf` are in alphabetical order already, as the database likes best. */
export function lineProtocol({ measurement, tags, fields, timeNs }: Point): string {
  const tagSet = Object.entries(tags).map(([name, value]) => `,${name}=${escapeTag(value)}`);
  const fieldSet = Object.entries(fields).map(([name, value]) =>
    typeof value === 'number' ? `${name}=${value}i` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`,
  );
  return `${measurement}${tagSet.join('')} ${fieldSet.join(',')} ${timeNs}`;
}

function escapeTag(value: string): string {
  return tagValue(value).replace(/[, =]/g, '\\$&');
}
