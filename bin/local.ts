import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { reportOf, storeTotals } from '../local/report';
import { Run } from '../local/run';
import { Sender } from '../local/sender';
import { LiveSummary, liveLines, reportLines } from '../local/summary';

const usage = `npm start                       the platform on this machine, with real sales coming in, until Ctrl-C
npm start -- --once --input FILE [--input FILE] [--report FILE]
                                sends each line (one event as JSON; .gz too), waits for all stores, reports, ends
npm start -- --idle             boots and waits for your own calls (see <state>/endpoints.json)

  --state DIR   where everything lies, left there afterwards; default .local
  --keep        goes on with what an earlier run left, instead of empty stores
  --oltp DATABASE:FILE.sql
                runs the statements in the database inventory or orders, once all is up
  --rate N      events a second in the demonstration; default 40`;

const demonstration = join('demo', 'sales.ndjson.gz');

async function main(): Promise<void> {
  const options = readOptions();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      // A second Ctrl-C does not wait.
      if (stop.signal.aborted) process.exit(130);
      console.error('\nstopping');
      stop.abort();
    });

  const started = performance.now();
  const run = await Run.start({
    directory: options.state,
    keep: options.keep,
    oltp: options.oltp,
    log: (message) => console.error(message),
    onProgress: bootProgress(),
  });
  const boot = seconds(started);
  console.log(`up in ${boot} s`);
  const { oltp, aws, ...endpoints } = run.endpoints;
  for (const [name, url] of Object.entries({ ...endpoints, ...oltp, aws: aws.endpoint }))
    console.log(`  ${name.padEnd(14)}${url}`);
  console.log(`  all of them   ${join(options.state, 'endpoints.json')}`);

  try {
    if (options.once) await once(run, options, boot, stop.signal);
    else if (options.idle) await new Promise((stopped) => stop.signal.addEventListener('abort', stopped));
    else await demonstrate(run, options, stop.signal);
  } finally {
    await run.close();
  }
}

async function once(run: Run, options: Options, boot: number, signal: AbortSignal): Promise<void> {
  const { ingestUrl, aws } = run.endpoints;
  const sender = new Sender({ ingestUrl, keys: aws, batchSize: 100, concurrency: 3, signal });
  const live = setInterval(
    () => console.error(`  sent ${sender.totals.received}, accepted ${sender.totals.accepted}`),
    5_000,
  );
  const started = performance.now();
  for (const file of options.input) await sender.sendFile(file);
  clearInterval(live);
  const ingest = seconds(started);
  if (signal.aborted) return;

  const sent = performance.now();
  await run.drain();
  const report = await reportOf(run, sender, { boot, ingest, drain: seconds(sent) });
  if (options.report !== undefined) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
  for (const line of reportLines(report)) console.log(line);
}

async function demonstrate(run: Run, options: Options, signal: AbortSignal): Promise<void> {
  const { ingestUrl, aws } = run.endpoints;
  const { rate } = options;
  const sender = new Sender({ ingestUrl, keys: aws, batchSize: Math.ceil(rate / 4), concurrency: 2, rate, signal });
  const files = options.input.length > 0 ? options.input : [demonstration];
  console.log(`sending ${files.join(', ')} at ${rate} events a second; Ctrl-C ends\n`);
  const started = performance.now();
  const sending = (async () => {
    for (const file of files) await sender.sendFile(file);
  })();

  const summary = new LiveSummary(process.stdout);
  let finished = false;
  void sending.finally(() => {
    finished = true;
  });
  let settled = false;
  while (!signal.aborted) {
    if (!settled || process.stdout.isTTY)
      summary.draw(liveLines(run, sender.totals, await storeTotals(run), seconds(started)));
    if (finished && !settled) {
      await sending;
      await run.drain();
      settled = true;
      summary.draw(liveLines(run, sender.totals, await storeTotals(run), seconds(started)));
      console.log('everything has been sent and absorbed; the platform stays up until Ctrl-C');
    }
    await delay(process.stdout.isTTY ? 1_000 : 5_000, undefined, { signal }).catch(() => {});
  }
  await sending;
}

interface Options {
  readonly input: readonly string[];
  readonly once: boolean;
  readonly idle: boolean;
  readonly keep: boolean;
  readonly state: string;
  readonly rate: number;
  readonly report: string | undefined;
  readonly oltp: readonly { readonly database: string; readonly file: string }[];
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      input: { type: 'string', multiple: true, default: [] },
      once: { type: 'boolean', default: false },
      idle: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      state: { type: 'string', default: '.local' },
      rate: { type: 'string', default: '40' },
      report: { type: 'string' },
      oltp: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const rate = Number(values.rate);
  if (!(rate > 0)) throw new Error(`--rate: got '${values.rate}', allowed: a number above 0`);
  if (values.once && values.input.length === 0) throw new Error('--once needs at least one --input FILE');
  for (const file of values.input) if (!existsSync(file)) throw new Error(`--input: there is no file '${file}'`);
  const oltp = values.oltp.map((script) => {
    const [, database, file] = /^([^:]+):(.+)$/.exec(script) ?? [];
    if (database === undefined || file === undefined)
      throw new Error(`--oltp: got '${script}', allowed: DATABASE:FILE.sql`);
    if (!existsSync(file)) throw new Error(`--oltp: there is no file '${file}'`);
    return { database, file };
  });
  return { ...values, rate, report: values.report, oltp };
}

/** One line that moves, on a terminal; a few lines elsewhere. */
function bootProgress(): (done: number, total: number, what: string) => void {
  let shown = -1;
  return (done, total, what) => {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001b[2Kbooting ${done}/${total} ${what}${done === total ? '\r\u001b[2K' : ''}`);
      return;
    }
    const quarter = Math.floor((4 * done) / total);
    if (quarter !== shown) process.stderr.write(`booting ${done}/${total} ${what}\n`);
    shown = quarter;
  };
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 10) / 100;
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
