import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { makeFolder } from './folder';
import { Program } from './program';
import { makeSale, totalsOf, unitsOf } from './sales';

let folder: string;
const running: Program[] = [];
beforeAll(() => {
  folder = makeFolder('running');
});
afterAll(async () => {
  for (const program of running) program.signal('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true });
});
const start = (state: string, ...options: string[]): Program => {
  const program = new Program(join(folder, state), ...options);
  running.push(program);
  return program;
};
const sales = (from: number, count: number) => Array.from({ length: count }, (_, index) => makeSale(from + index));

describe('a run', () => {
  let program: Program;
  beforeAll(async () => {
    program = start('a folder with spaces', '--idle');
    await program.endpoints();
  }, 120_000);

  test('tells where everything is, to its owner only', async () => {
    const endpoints = await program.endpoints();

    expect(endpoints).toEqual({
      ingestUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/sales$/),
      badgesUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/badges$/),
      completeThroughUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/sales\/complete-through$/),
      merchandisingUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/merchandising$/),
      dashboardUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/merchandising\/dashboard$/),
      stockUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\/stock$/),
      warehouseUrl: expect.stringMatching(/^postgres:\/\/.+@127\.0\.0\.1:\d+\/tillstream$/),
      timeseriesUrl: expect.stringContaining('db=merchandising'),
      lakeDir: expect.stringContaining(program.state),
      snapshotsDir: expect.stringContaining(program.state),
      snapshotFunction: expect.stringMatching(/^Tillstream-local-Lake-/),
      reportsDir: expect.stringContaining(program.state),
      settlementBucket: expect.stringMatching(/^tillstream-local-finance-settlement/),
      dailyCloseArn: expect.stringMatching(/^arn:aws:states:eu-west-1:\d{12}:stateMachine:/),
      oltp: {
        inventory: expect.stringMatching(/^postgres:\/\/.+\/inventory$/),
        orders: expect.stringMatching(/^postgres:\/\/.+\/orders$/),
      },
      aws: {
        endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        region: 'eu-west-1',
        accessKeyId: expect.any(String),
        secretAccessKey: expect.any(String),
      },
      control: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/_control$/),
    });
    expect(statSync(join(program.state, 'endpoints.json')).mode & 0o077).toBe(0);
  });

  test('has its folder for itself', async () => {
    const another = start('a folder with spaces', '--idle');

    expect(await another.ended).toBe(1);

    expect(another.output).toContain('is in use by another run (process ');
    await program.endpoints();
  });

  test('takes in sales while functions are killed from outside', async () => {
    for (const part of ['Ingest', 'Dedup', 'Lake-Writer', 'Merchandising-Writer', 'Inventory-Count', 'Finance-Load'])
      await program.control('faults', { function: part, operation: '*', call: 2, when: 'after', action: 'kill' });

    const { totals } = await program.send(sales(1, 200));

    expect(totals).toMatchObject({ accepted: 200, rejected: 0 });
    const { faults } = await program.control('faults');
    expect(faults).toHaveLength(6);
  }, 60_000);

  test('closes any day on demand, and what it was asked wrongly fails at once and says why', async () => {
    const { aws, dailyCloseArn, reportsDir } = await program.endpoints();
    const client = new SFNClient({ endpoint: aws.endpoint, region: aws.region, credentials: aws });
    const close = async (input: object) => {
      const { executionArn } = await client.send(
        new StartExecutionCommand({ stateMachineArn: dailyCloseArn, input: JSON.stringify(input) }),
      );
      for (;;) {
        const execution = await client.send(new DescribeExecutionCommand({ executionArn: executionArn! }));
        if (execution.status !== 'RUNNING') return execution;
        await delay(100);
      }
    };

    const wrong = await close({ businessDate: '2016-02-30' });
    const right = await close({ businessDate: '2016-03-07' });

    expect(wrong).toMatchObject({ status: 'FAILED', error: 'InvalidInput' });
    expect(wrong.cause).toContain('use a date as yyyy-MM-dd');
    expect([right.status, right.cause]).toEqual(['SUCCEEDED', undefined]);
    const { Reconcile, Report } = JSON.parse(right.output!);
    expect(Reconcile.outcome).toMatchObject({ unexplainedMinorUnits: 0, explainedPercent: 100 });
    expect(Report.outcome.page).toBe('reconciliation/2016-03-07/report.html');
    expect(existsSync(join(reportsDir, Report.outcome.page))).toBe(true);
    client.destroy();
  }, 60_000);

  test('ends cleanly when it is told to, and leaves its state', async () => {
    expect(program.processes()).not.toEqual([]);

    program.signal('SIGINT');

    expect(await program.ended).toBe(0);
    expect(program.processes()).toEqual([]);
    expect(readdirSync(program.state)).toEqual(
      expect.arrayContaining(['dynamodb', 'kinesis', 'logs', 'postgres', 's3']),
    );
    for (const file of ['endpoints.json', 'in-use.json']) expect(existsSync(join(program.state, file))).toBe(false);
  }, 60_000);

  test('is gone on with where it is kept: nothing is lost, nothing counted twice', async () => {
    const input = join(folder, 'more.ndjson');
    // The first hundred once more, and fifty new ones.
    writeFileSync(input, [...sales(1, 100), ...sales(201, 50)].map((event) => JSON.stringify(event)).join('\n'));
    const report = join(folder, 'report.json');
    const kept = start('a folder with spaces', '--once', '--keep', '--input', input, '--report', report);

    expect([await kept.ended, kept.output]).toEqual([0, expect.any(String)]);

    const { dedup, stores } = JSON.parse(readFileSync(report, 'utf8'));
    const expected = totalsOf(sales(1, 250));
    expect(dedup).toEqual({ unique: 50, duplicates: 100, conflicts: 0 });
    expect(stores).toEqual({
      merchandising: expected,
      finance: expected,
      lake: expected,
      inventory: unitsOf(sales(1, 250)),
    });
  }, 120_000);
});

test('a run that is killed at once loses nothing that it has accepted', async () => {
  const killed = start('killed', '--idle');
  const stop = new AbortController();
  const sending = killed.send(sales(1, 600), stop.signal);
  // Under way, in streams, buffers and stores.
  await killed.endpoints();
  for (let accepted = 0; accepted < 60; )
    accepted = (await killed.control('calls')).calls.functions['kinesis:PutRecords'] * 20 || 0;

  killed.signal('SIGKILL');
  expect(await killed.ended).toBe('SIGKILL');
  stop.abort();
  const { totals } = await sending;
  expect(totals.accepted).toBeGreaterThan(0);
  expect(totals.accepted).toBeLessThan(600);

  const input = join(folder, 'all.ndjson');
  writeFileSync(
    input,
    sales(1, 600)
      .map((event) => JSON.stringify(event))
      .join('\n'),
  );
  const report = join(folder, 'killed.json');
  const kept = start('killed', '--once', '--keep', '--input', input, '--report', report);

  expect([await kept.ended, kept.output]).toEqual([0, expect.any(String)]);
  const { stores } = JSON.parse(readFileSync(report, 'utf8'));
  const expected = totalsOf(sales(1, 600));
  expect(stores).toEqual({
    merchandising: expected,
    finance: expected,
    lake: expected,
    inventory: unitsOf(sales(1, 600)),
  });
  expect(kept.processes()).toEqual([]);
}, 180_000);

test('Ctrl-C ends the boot, too', async () => {
  const program = start('booting', '--idle');
  await program.says('booting ');

  program.signal('SIGINT');

  expect(await program.ended).toBe(130);
  expect(program.processes()).toEqual([]);
  expect(existsSync(join(program.state, 'endpoints.json'))).toBe(false);
}, 60_000);

test('a folder of anyone else is refused and left alone', async () => {
  mkdirSync(join(folder, 'thesis'));
  writeFileSync(join(folder, 'thesis', 'chapter-1.tex'), 'years of work');

  const program = start('thesis', '--idle');

  expect(await program.ended).toBe(1);
  expect(program.output).toContain('holds files that are not from an earlier run');
  expect(readdirSync(join(folder, 'thesis'))).toEqual(['chapter-1.tex']);
});

test.each([
  [['--twice'], "Unknown option '--twice'"],
  [['--once'], '--once needs at least one --input FILE'],
  [['--once', '--input', 'no-such-file'], "--input: there is no file 'no-such-file'"],
  [['--once', '--input', 'test'], "--input: there is no file 'test'"],
  [['--once', '--input', 'package.json', '--report', 'no-such-folder/report.json'], '--report:'],
  [['--rate', '0'], "--rate: got '0', allowed: a number above 0"],
  [['--idle', '--once'], '--once and --idle exclude each other'],
])('%p is told in one line to be wrong', async (options, message) => {
  const program = start('wrong', ...options);

  expect(await program.ended).toBe(2);
  expect(program.output).toMatch(/^[^\n]+ \(npm start -- --help says more\)\n$/);
  expect(program.output).toContain(message);
  expect(existsSync(program.state)).toBe(false);
});
