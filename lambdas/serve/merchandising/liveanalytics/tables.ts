import { requireEnv } from '../../../base/runtime/env';
import type { Point } from '../points';

/** Where this stage's points are. What is known of sources lies apart from sales, since it is not kept by location. */
export interface Tables {
  readonly database: string;
  readonly sales: string;
  readonly items: string;
  readonly sources: string;
}

/** By the variables that every function of the room has. */
export function tables(): Tables {
  return {
    database: requireEnv('TIMESTREAM_DATABASE'),
    sales: requireEnv('SALES_TABLE'),
    items: requireEnv('ITEMS_TABLE'),
    sources: requireEnv('SOURCES_TABLE'),
  };
}

export function tableOf(measurement: Point['measurement'], { sales, items, sources }: Tables): string {
  if (measurement === 'sales') return sales;
  return measurement === 'items' ? items : sources;
}
