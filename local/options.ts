import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type MerchandisingEngine, merchandisingEngines } from '../lib/stages';

/** What --help says. */
export const usage = `npm start                       the platform on this machine, with real sales coming in, until Ctrl-C
npm start -- --once --input FILE [--input FILE] [--report FILE]
                                sends each line (one event as JSON; .gz too), waits for all stores, reports, ends
npm start -- --idle             boots and waits for your own calls (see <state>/endpoints.json)

  --input FILE  in the demonstration: sends this instead
  --state DIR   where everything lies, left there afterwards; default .local
  --keep        goes on with what an earlier run left, instead of empty stores
  --oltp DATABASE:FILE.sql
                runs the statements in the database inventory or orders, once all is up
  --rate N      events a second in the demonstration; default 40
  --merchandising-engine influxdb|liveanalytics
                the database of merchandising's time series; default influxdb

Ends with 0, also by Ctrl-C; with 130 when Ctrl-C came before it was up, or before --once was done; with 1 when it
failed, and with 2 when it was called wrongly.`;

/** What `npm start` was asked for. */
export interface Options {
  readonly mode: 'once' | 'idle' | 'demonstration';
  readonly input: readonly string[];
  readonly keep: boolean;
  readonly state: string;
  readonly rate: number;
  readonly report: string | undefined;
  readonly oltp: readonly { readonly database: string; readonly file: string }[];
  readonly merchandisingEngine: MerchandisingEngine | undefined;
}

/** It was called wrongly. */
export class UsageError extends Error {}

/** Undefined when only help was asked for. */
export function readOptions(): Options | undefined {
  const { values } = parsedArguments();
  if (values.help) return undefined;
  const { once: isOnce, idle: isIdle, input, keep, state, report } = values;
  if (isOnce && isIdle) throw new UsageError('--once and --idle exclude each other');
  const mode = isOnce ? 'once' : isIdle ? 'idle' : 'demonstration';
  const only = (option: string, given: boolean, modes: readonly (typeof mode)[]) => {
    if (given && !modes.includes(mode))
      throw new UsageError(
        `${option} has no effect with ${isOnce ? '--once' : isIdle ? '--idle' : 'the demonstration'}`,
      );
  };
  only('--rate', values.rate !== undefined, ['demonstration']);
  only('--report', report !== undefined, ['once']);
  only('--input', input.length > 0, ['once', 'demonstration']);
  const rate = Number(values.rate ?? '40');
  if (!(rate > 0 && rate <= 10_000))
    throw new UsageError(`--rate: got '${values.rate}', allowed: a number above 0, at most 10000`);
  if (mode === 'once' && input.length === 0) throw new UsageError('--once needs at least one --input FILE');
  if (state === '') throw new UsageError("--state: got '', allowed: the path of a folder");
  for (const file of input)
    if (!existsSync(file) || statSync(file).isDirectory()) throw new UsageError(`--input: there is no file '${file}'`);
  if (
    report !== undefined &&
    (report === '' || !existsSync(dirname(report)) || (existsSync(report) && statSync(report).isDirectory()))
  )
    throw new UsageError(`--report: '${report}' cannot be written: name a file in a folder that is there`);
  const named = values['merchandising-engine'];
  const merchandisingEngine = merchandisingEngines.find((engine) => engine === named);
  if (named !== undefined && merchandisingEngine === undefined)
    throw new UsageError(`--merchandising-engine: got '${named}', allowed: ${merchandisingEngines.join(', ')}`);
  const oltp = values.oltp.map((script) => {
    const [, database, file] = /^([^:]+):(.+)$/.exec(script) ?? [];
    if (database === undefined || file === undefined)
      throw new UsageError(`--oltp: got '${script}', allowed: DATABASE:FILE.sql`);
    if (!existsSync(file)) throw new UsageError(`--oltp: there is no file '${file}'`);
    return { database, file };
  });
  return { mode, input, keep, state, rate, report, oltp, merchandisingEngine };
}

function parsedArguments() {
  try {
    return parseArgs({
      options: {
        input: { type: 'string', multiple: true, default: [] },
        once: { type: 'boolean', default: false },
        idle: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        state: { type: 'string', default: '.local' },
        rate: { type: 'string' },
        'merchandising-engine': { type: 'string' },
        report: { type: 'string' },
        oltp: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
