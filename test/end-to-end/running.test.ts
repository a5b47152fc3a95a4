import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { Client } from 'pg';
import { type Settled, settlementFile } from '../engine-rig/settlements';
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

  /** Runs the daily workflow to its end. */
  async function close(input: object) {
    const { aws, dailyCloseArn } = await program.endpoints();
    const client = new SFNClient({ endpoint: aws.endpoint, region: aws.region, credentials: aws });
    const { executionArn } = await client.send(
      new StartExecutionCommand({ stateMachineArn: dailyCloseArn, input: JSON.stringify(input) }),
    );
    for (;;) {
      const execution = await client.send(new DescribeExecutionCommand({ executionArn: executionArn! }));
      if (execution.status !== 'RUNNING') {
        client.destroy();
        return execution;
      }
      await delay(100);
    }
  }

  test('a day that is asked for wrongly fails at once and says why', async () => {
    const wrong = await close({ businessDate: '2016-02-30' });

    expect(wrong).toMatchObject({ status: 'FAILED', error: 'InvalidInput' });
    expect(wrong.cause).toContain('use a date as yyyy-MM-dd');
  });

  test('closes any days on demand: a settlement file that was dropped is in the report, to the cent, and again nothing changes', async () => {
    const { aws, settlementBucket, reportsDir, warehouseUrl } = await program.endpoints();
    const sold = (number: number) => {
      const { occurredAt, tenders } = makeSale(number) as unknown as {
        occurredAt: string;
        tenders: { amount: number }[];
      };
      return { occurredAt, amount: tenders[0]!.amount };
    };
    // The sales of these days: one is settled as sold, one by 1.23 less, a return as given back, one is still to come. The
    // gateway takes longer than it says.
    const [exact, less, back, later] = [sold(1), sold(61), sold(121), sold(181)].map(
      ({ amount }) => amount,
    ) as number[];
    const settled = (number: number, kind: 'payment' | 'refund', gross: number): Settled => ({
      ...{ kind, gross, fee: 7, reference: `REF${number}`, merchantReference: `T-${number}` },
      occurredAt: sold(number).occurredAt.replace('.000Z', 'Z'),
    });
    const batch = { batch: '77', currency: 'USD', settledDate: '2011-02-15' };
    const file = settlementFile.adyen({
      ...batch,
      settled: [settled(1, 'payment', exact!), settled(61, 'payment', less! - 123), settled(121, 'refund', -back!)],
    });
    const ledger = new Client({ connectionString: warehouseUrl });
    await ledger.connect();
    const booked = "SELECT 1 FROM finance.sale_tenders WHERE business_date BETWEEN '2011-02-01' AND '2011-02-14'";
    while ((await ledger.query(booked)).rowCount !== 4) await delay(100);
    await ledger.end();
    const s3 = new S3Client({ endpoint: aws.endpoint, region: aws.region, credentials: aws, forcePathStyle: true });
    await s3.send(new PutObjectCommand({ Bucket: settlementBucket, Key: 'incoming/adyen/77.csv', Body: file }));
    s3.destroy();

    const asked = { businessDate: '2011-02-14', days: 14, asOf: '2011-02-16' };
    const runs = [await close(asked), await close(asked)];

    expect(runs.map(({ status, cause }) => [status, cause])).toEqual(Array(2).fill(['SUCCEEDED', undefined]));
    const outcomes = runs.map(({ output }) => JSON.parse(output!));
    expect(outcomes.map(({ CloseDay }) => CloseDay.outcome)).toEqual([
      { closed: 14, restated: 0, lateSales: 0 },
      { closed: 0, restated: 0, lateSales: 0 },
    ]);
    for (const { Reconcile } of outcomes)
      expect(Reconcile.outcome).toMatchObject({ breaks: 4, unexplainedMinorUnits: 0, explainedPercent: 100 });
    const { page, csv } = outcomes[0].Report.outcome;
    const read = (name: string) => readFileSync(join(reportsDir, name), 'utf8');
    const column = (table: string, ...names: string[]) => {
      const [header, ...rows] = table
        .trimEnd()
        .split('\r\n')
        .map((line) => line.split(','));
      return rows.map((row) => names.map((name) => row[header!.indexOf(name)]).join(' '));
    };
    expect(column(read(csv[0]), 'transaction_id', 'class', 'difference').sort()).toEqual([
      ...['T-1 timing 0', 'T-121 timing 0', 'T-61 amount -123', 'T-61 timing 0'],
    ]);
    expect(column(read(csv[1]), 'business_date', 'tendered').filter((day) => !day.endsWith(' '))).toEqual([
      ...[`2011-02-02 ${exact}`, `2011-02-06 ${less}`, `2011-02-10 ${-back!}`, `2011-02-14 ${later}`],
    ]);
    const text = read(page).replaceAll(/<small>.*?<\/small>|<[^>]+>|\s+/g, ' ');
    const settledGross = exact! + less! - 123 - back!;
    const proof = [settledGross + 123 + later!, -123, 0, settledGross, later!].map((cents) =>
      (cents / 100).toLocaleString('en', { minimumFractionDigits: 2 }).replace('-', '\u2212'),
    );
    // Ledger, explained, unexplained, settled gross, in transit.
    expect(text.replaceAll(/ +/g, ' ')).toContain(`adyen USD ${proof.join(' ')} `);
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
  [['--merchandising-engine', 'x'], "--merchandising-engine: got 'x', allowed: influxdb, liveanalytics"],
  [['--idle', '--once'], '--once and --idle exclude each other'],
])('%p is told in one line to be wrong', async (options, message) => {
  const program = start('wrong', ...options);

  expect(await program.ended).toBe(2);
  expect(program.output).toMatch(/^[^\n]+ \(npm start -- --help says more\)\n$/);
  expect(program.output).toContain(message);
  expect(existsSync(program.state)).toBe(false);
});
