import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PresentDays } from '../local/demonstration/present-days';
import { SalesMarks } from '../local/demonstration/sales-marks';
import { ShopDay } from '../local/demonstration/shop-day';
import { type Options, readOptions, UsageError, usage } from '../local/options';
import { reportOf, settledIn, storeTotals } from '../local/report';
import { Run } from '../local/run';
import { Sender } from '../local/sender';
import { stockSummary } from '../local/stock-summary';
import { LiveSummary, liveLines, reportLines } from '../local/summary';

const demonstration = join('demo', 'sales.ndjson.gz');

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  // Whoever read our output may have gone: `npm start -- --once ... | head`.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const stop = new AbortController();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.on(signal, () => {
      // A second Ctrl-C does not wait.
      if (stop.signal.aborted) process.exit(code);
      process.stderr.write('\nstopping\n');
      stop.abort(new Stopped(code));
    });
  try {
    return await start(options, stop.signal);
  } catch (error) {
    // Whatever failed since may have failed because of it.
    if (stop.signal.aborted) return (stop.signal.reason as Stopped).code;
    throw error;
  }
}

async function start(options: Options, signal: AbortSignal): Promise<number> {
  const started = performance.now();
  const summary = new LiveSummary(process.stdout);
  const run = await Run.start({
    directory: options.state,
    keep: options.keep,
    oltp: options.oltp,
    merchandisingEngine: options.merchandisingEngine,
    log: (message) => summary.print(message),
    onProgress: bootProgress(),
    signal,
  });
  try {
    const boot = seconds(started);
    console.log(`up in ${boot} s`);
    const { oltp, aws, ...endpoints } = run.endpoints;
    for (const [name, url] of Object.entries({ ...endpoints, ...oltp, aws: aws.endpoint }))
      console.log(`  ${name.padEnd(14)}${url}`);
    console.log(`  all of them   ${join(options.state, 'endpoints.json')}`);

    if (options.mode === 'once') await once(run, options, boot, signal);
    else if (options.mode === 'idle') await idle(run, summary, signal);
    else await demonstrate(run, options, summary, signal);
    return 0;
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
  try {
    // An earlier run may have left sales that were not yet read.
    await run.drain(signal);
    const before = await settledIn(run);
    const started = performance.now();
    for (const file of options.input) await sender.sendFile(file);
    const ingest = seconds(started);

    const sent = performance.now();
    await run.drain(signal);
    const report = await reportOf(run, sender, { boot, ingest, drain: seconds(sent) }, before, signal);
    signal.throwIfAborted();
    if (options.report !== undefined) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
    for (const line of reportLines(report)) console.log(line);
  } finally {
    clearInterval(live);
  }
}

/** Waits, and says so when something does not get on. */
async function idle(run: Run, summary: LiveSummary, signal: AbortSignal): Promise<void> {
  let told: ReadonlyMap<string, string> = new Map();
  console.log('waiting for your calls; Ctrl-C ends');
  while (!signal.aborted) {
    const problems = run.problems();
    for (const [name, problem] of problems) if (told.get(name) !== problem) summary.print(`${name}: ${problem}`);
    told = problems;
    await delay(1_000, undefined, { signal }).catch(() => {});
  }
}

async function demonstrate(run: Run, options: Options, summary: LiveSummary, signal: AbortSignal): Promise<void> {
  const { ingestUrl, aws } = run.endpoints;
  const { rate } = options;
  const isOurs = options.input.length === 0;
  const files = isOurs ? [demonstration] : options.input;
  const marks = new SalesMarks(run.endpoints);
  const days = isOurs ? await PresentDays.of(demonstration, options.state) : undefined;
  const sender = new Sender({
    ...{ ingestUrl, keys: aws, batchSize: Math.ceil(rate / 4), concurrency: 2, rate, signal },
    // Files of others may be in any order, and so say nothing of what is complete.
    ...(days === undefined
      ? {}
      : {
          prepare: (given: string) => {
            const line = days.move(given);
            marks.sent(line);
            return line;
          },
          onAnswered: (lines: readonly string[]) => marks.answered(lines),
        }),
  });
  console.log(`sending ${files.join(', ')} at ${rate} events a second; Ctrl-C ends\n`);
  const started = performance.now();
  const outcome: { finished?: true; failure?: Error } = {};
  const shop = await ShopDay.open(run.endpoints, files);
  shop?.follow(() => sender.totals.received);
  marks.start();
  const sending = (async () => {
    for (const file of files) await sender.sendFile(file);
    marks.over();
  })().then(
    () => Object.assign(outcome, { finished: true }),
    (failure: Error) => Object.assign(outcome, { failure }),
  );
  const draw = async () => {
    const [stores, stock, badges] = await Promise.all([storeTotals(run), stockSummary(run), shop?.look()]);
    summary.draw(liveLines(run, sender.totals, stores, (performance.now() - started) / 1_000, stock, badges));
  };

  try {
    let settled = false;
    while (!signal.aborted) {
      const { finished, failure } = outcome;
      if (failure !== undefined) throw failure;
      if (!settled || process.stdout.isTTY) await draw();
      if (finished && !settled) {
        await shop?.rest();
        await run.drain(signal);
        settled = true;
        await draw();
        summary.print('all sales have been sent and absorbed; stock goes on moving, until Ctrl-C');
        shop?.follow(evenly(shop.sold, rate));
      }
      await delay(process.stdout.isTTY ? 1_000 : 5_000, undefined, { signal }).catch(() => {});
    }
    await sending;
  } finally {
    await Promise.all([shop?.close(), marks.close()]);
  }
}

/** A count that grows by so many a second. */
function evenly(from: number, perSecond: number): () => number {
  const started = performance.now();
  return () => from + ((performance.now() - started) / 1_000) * perSecond;
}

/** It was told to end. */
class Stopped extends Error {
  constructor(readonly code: number) {
    super('stopped');
  }
}

/** One line that moves, on a terminal; a few lines elsewhere. */
function bootProgress(): (done: number, total: number, what: string) => void {
  let shown = -1;
  return (done, total, what) => {
    if (process.stderr.isTTY) {
      const line = `booting ${done}/${total} ${what}`.slice(0, (process.stderr.columns ?? 100) - 1);
      process.stderr.write(`\r\u001b[2K${done === total ? '' : line}`);
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

main().then(
  // Functions may have left sockets and timers behind, which nothing waits for.
  (code) => process.exit(code),
  (error: Error) => {
    if (error instanceof UsageError) console.error(`${error.message} (npm start -- --help says more)`);
    else console.error(error.message);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
