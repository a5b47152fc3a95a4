import type { DuckDBValue } from '@duckdb/node-api';
import { BadQuery } from './influxdb-influxql-lexer';
import type { Select } from './influxdb-influxql-parser';

/** How one series' windows are completed. */
export interface Windows {
  readonly interval: bigint;
  readonly fill: Select['fill'];
  /** Which columns count: they have 0, not null, where there is nothing to count. */
  readonly counts: readonly boolean[];
  /** Windows reach from here, or from the first with data; */
  readonly from: bigint | undefined;
  /** to here, included. */
  readonly to: bigint;
}

const maxWindows = 1_000_000n;

/** Adds the windows without data to rows of (window start, values...), which are in order of time. */
export function fillWindows(rows: DuckDBValue[][], windows: Windows): DuckDBValue[][] {
  const { interval, fill, counts, from, to } = windows;
  const [first] = rows;
  if (fill === 'none' || first === undefined) return rows;
  const start = first[0] as bigint;
  // Every window starts a whole number of intervals from the first one that has data.
  const back = from === undefined || from >= start ? 0n : ((start - from + interval - 1n) / interval) * interval;
  if ((to - start + back) / interval > maxWindows)
    throw new BadQuery(`more than ${maxWindows} windows: bound the time, or use fill(none)`);

  const filled: DuckDBValue[][] = [];
  let next = 0;
  let previous: DuckDBValue[] = counts.map(() => null);
  for (let time = start - back; time <= to; time += interval) {
    const row = rows[next];
    if (row !== undefined && row[0] === time) {
      next++;
      previous = row.slice(1).map((value, at) => value ?? substitute(fill, counts[at]!, previous[at]!));
    } else {
      previous = counts.map((isCount, at) => substitute(fill, isCount, previous[at]!));
    }
    filled.push([time, ...previous]);
  }
  return filled;
}

function substitute(fill: Select['fill'], isCount: boolean, previous: DuckDBValue): DuckDBValue {
  if (fill === 'previous') return previous;
  if (fill === 'null') return isCount ? 0n : null;
  return fill as number;
}
