import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Billed } from '../local/door/meter';
import { storeTotals } from '../local/report';
import { Run } from '../local/run';
import { Sender } from '../local/sender';
import { demoEvents, nthEvent } from './base/demo-sales';
import { progress, shown, sum, table } from './base/measured';

/*
 * How fast the local run is from a file to all four stores, and what each function costs per sale: real baskets, sent and
 * waited for as `npm start -- --once` does. The events are as many as are sent; a sale is counted once.
 */

const events = 20_000;
const repeatEvery = 20;
const sales = events - events / repeatEvery;
/** How many events back the sale of a repeat lies: ten requests, but at the start of the file. */
const distance = 1_005;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tillstream-bench-'));
  const file = join(folder, 'sales.ndjson');
  writeFileSync(file, eventLines());
  const started = performance.now();
  const run = await Run.start({ directory: join(folder, 'state'), keep: false, log: progress });
  try {
    const bootSeconds = (performance.now() - started) / 1_000;
    run.account.door.meter.reset();
    const { ingestUrl, aws } = run.endpoints;
    const sender = new Sender({ ingestUrl, keys: aws, batchSize: 100, concurrency: 3 });
    const [startedAt, cpu, mainThread] = [performance.now(), process.cpuUsage(), mainThreadSeconds()];
    const telling = setInterval(() => progress(`accepted ${sender.totals.accepted} of ${events}`), 500);
    await sender.sendFile(file);
    const sentSeconds = (performance.now() - startedAt) / 1_000;
    await run.drain();
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1_000_000;
    const mainSeconds = mainThread === undefined ? undefined : mainThreadSeconds()! - mainThread;
    clearInterval(telling);
    progress('');

    await expectAll(run, sender);
    const row = (name: string, value: number) => [name, shown(value)];
    table(
      `whole run: ${shown(events)} events, 1 in ${repeatEvery} a repeat: ${shown(sales)} sales`,
      [''],
      [
        row('sales a second, from file to all four stores', sales / seconds),
        row('seconds to boot', bootSeconds),
        row('seconds until all were accepted', sentSeconds),
        row('seconds until all four stores had all', seconds),
        row('CPU seconds of the process (without PostgreSQL)', cpuSeconds),
        ...(mainSeconds === undefined
          ? []
          : [
              row('  main thread: engines, door, sender', mainSeconds),
              row('  other threads: functions, DuckDB, collector', cpuSeconds - mainSeconds),
            ]),
        row('CPU ms a sale', (cpuSeconds * 1_000) / sales),
      ],
    );
    printFunctions(run);
  } finally {
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What each function called, and what was billed to it, per sale. */
function printFunctions({ account }: Run): void {
  const { calls, billedByFunction } = account.door.meter.snapshot();
  const rows = Object.entries(calls.byFunction).map(([functionName, made]) => {
    const billed: Billed | undefined = billedByFunction[functionName];
    const name = functionName.replace(/^Tillstream-local-|(Consumer)?Function[0-9A-F]{8}$/g, '');
    const writeUnits = sum(Object.values(billed?.dynamodb ?? {}).map((units) => units.writeUnits));
    return [name, shown(sum(Object.values(made)) / sales), shown(writeUnits / sales), shown(billed?.kms.requests ?? 0)];
  });
  table('whole run: per function', ['calls/sale', 'write units/sale', 'KMS requests in all'], rows);
}

function eventLines(): string {
  const demo = demoEvents();
  return Array.from({ length: events }, (_, index) => {
    const repeats = index % repeatEvery === repeatEvery - 1;
    const back = index < distance ? 5 : distance;
    return `${JSON.stringify(nthEvent(demo, repeats ? index - back : index))}\n`;
  }).join('');
}

/** A run that is fast and wrong counts for nothing. */
async function expectAll(run: Run, { totals }: Sender): Promise<void> {
  const { merchandising, finance, lake, inventory } = await storeTotals(run);
  const counts = [merchandising, finance, lake].map(({ transactions }) => transactions);
  if (totals.accepted !== events || counts.some((count) => count !== sales) || inventory.lines !== lake.lines)
    throw new Error(`accepted ${totals.accepted} of ${events}; the stores hold ${counts} of ${sales} sales`);
}

/** CPU of the thread that runs the event loop, where the system tells (Linux), to a hundredth of a second. */
function mainThreadSeconds(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8');
  // After the name in parentheses; utime and stime are fields 14 and 15 of proc(5), in ticks of USER_HZ: always 100.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

void main();
