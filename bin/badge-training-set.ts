import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { trainingSetColumns, trainingSetQuery } from '../lambdas/base/domain/badge-history';
import { lakeOf, lakeOptions, lakeUsage } from './badges/lake';
import { runCommand } from './command/run-command';

/**
 * Writes the features of badges as lookups could read them at a time, a row per SKU and centre: what was committed by then
 * and became readable later is not in it. Ends with 0 when all is written, 1 when not, 2 when it was called wrongly.
 */
const usage = `usage: node build/bin/badge-training-set.js --at TIME [options]

  --at TIME       UTC, ISO 8601, not in the future, for example 2026-11-28T12:00:00Z
${lakeUsage}
  --output FILE   where the rows go, as CSV (default: to the terminal)
  --query         print the query and run nothing`;

async function run({ sql, lake, file }: ReturnType<typeof parse>): Promise<number> {
  if (lake === undefined) {
    console.log(sql);
    return 0;
  }
  const rows = await lake.rows(sql);
  const output = file === undefined ? process.stdout : createWriteStream(file);
  for (const row of [trainingSetColumns, ...rows])
    if (!output.write(`${row.map(field).join(',')}\n`)) await once(output, 'drain');
  if (file !== undefined) {
    output.end();
    await once(output, 'finish');
    console.error(`${rows.length} rows`);
  }
  return 0;
}

/** As RFC 4180 has it; nothing is an empty field. */
function field(value: string | null): string {
  if (value === null) return '';
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function parse() {
  const { values } = parseArgs({
    options: {
      ...lakeOptions,
      at: { type: 'string' },
      output: { type: 'string' },
      query: { type: 'boolean', default: false },
    },
  });
  const { at = '', output: file, query } = values;
  const known = new Date(at);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/.test(at) || Number.isNaN(known.getTime()))
    throw new Error(`--at is '${at}': use UTC in ISO 8601, for example 2026-11-28T12:00:00Z`);
  // What is not known yet would change what was printed.
  if (known.getTime() > Date.now()) throw new Error(`--at is '${at}': use a time that is over`);
  return { sql: trainingSetQuery(known), lake: query ? undefined : lakeOf(values), file };
}

void runCommand({ name: 'badge-training-set', usage, parse, run });
