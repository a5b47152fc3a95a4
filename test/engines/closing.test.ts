import fc from 'fast-check';
import { Client } from 'pg';
import type { Sale } from '../../lambdas/base/domain/sale';
import { crashPoints, kinesisEvent } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { terms } from '../reconciliation/planted-month';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

let finance: LakeAndLedger;
let client: Client;
let events = 0;
beforeAll(async () => {
  finance = await openLakeAndLedger({ ledger: true });
  expect(await finance.createSchema()).toMatchObject({ Status: 'SUCCESS' });
  client = new Client({ connectionString: finance.warehouseUrl() });
  await client.connect();
}, 120_000);
beforeEach(() => empty());
afterAll(async () => {
  await client.end();
  await finance.close();
});

async function empty(): Promise<void> {
  await finance.emptyLedger();
  const { Contents = [] } = await finance.s3.call('ListObjectsV2', { Bucket: finance.buckets.lake });
  for (const { Key } of Contents) await finance.s3.call('DeleteObject', { Bucket: finance.buckets.lake, Key });
  finance.rig.forget();
}

const rowsOf = async (query: string): Promise<any[]> => (await client.query(query)).rows;
const closer = () => finance.part('close', { OPEN_DAYS: '14' });
const stepOf = (input: object, executionName = 'run-1', startedAt = '2026-11-28T12:00:00.000Z') => ({
  input,
  executionName,
  startedAt,
});
const closeDay = (businessDate: string, executionName = 'run-1') =>
  closer().invoke<any>(stepOf({ businessDate }, executionName));

/** Books sales of a day, through the lake and the loader. */
async function sell(day: string, ...changes: Partial<Sale>[]): Promise<void> {
  const sales = changes.map((change) => aSale({ businessDate: day, ...change }));
  await finance.writer().invoke(kinesisEvent(sales, { firstSequence: 1_000 * ++events }));
  await finance.flush();
  await finance.loader().invoke({});
  finance.rig.forget();
}

/** Every revision with its figures, as `day revision currency sales+returns/lines/tenders net tendered`. */
const revisions = async () =>
  (
    await rowsOf(`SELECT CAST(business_date AS varchar) AS day, revision, currency, sales, returns, t.lines, t.tenders, net, tendered
      FROM finance.day_reports LEFT JOIN finance.day_report_totals AS t USING (business_date, revision) ORDER BY 1, 2, 3`)
  ).map(({ day, revision, currency, sales, returns, lines, tenders, net, tendered }) =>
    currency === null
      ? `${day} ${revision} nothing`
      : `${day} ${revision} ${currency} ${sales}+${returns}/${lines}/${tenders} ${net} ${tendered}`,
  );

/** What came late, as `day revision transaction lines/tenders net tendered`. */
const lateSales = async () =>
  (
    await rowsOf(
      'SELECT *, CAST(business_date AS varchar) AS day FROM finance.late_sales ORDER BY business_date, revision, transaction_id',
    )
  ).map(
    ({ day, revision, transaction_id, lines, tenders, net, tendered }) =>
      `${day} ${revision} ${transaction_id} ${lines}/${tenders} ${net} ${tendered}`,
  );

/** Figures that contradict each other, however they are asked for; none, if all is well. */
async function contradictions(): Promise<any[]> {
  const sums = (view: string, columns: string) =>
    `SELECT business_date, revision, currency, ${columns} FROM finance.${view} GROUP BY business_date, revision, currency`;
  return [
    // What a revision says is what was booked up to its load.
    ...(await rowsOf(`SELECT 'revision' AS what, * FROM finance.day_report_totals AS totals
      FULL JOIN (${sums('reported_daily_sales', 'SUM(sales) AS s, SUM(returns) AS r, SUM(net) AS n, SUM(tax) AS t')}) AS sold
        USING (business_date, revision, currency)
      FULL JOIN (${sums('reported_daily_tenders', 'SUM(tenders) AS c, SUM(amount) AS a')}) AS paid USING (business_date, revision, currency)
      WHERE sales <> COALESCE(s, 0) OR returns <> COALESCE(r, 0) OR net <> COALESCE(n, 0) OR tax <> COALESCE(t, 0)
        OR tenders <> COALESCE(c, 0) OR tendered <> COALESCE(a, 0) OR sales IS NULL`)),
    // What is late in it is what the revision before lacks, by figures and by name.
    ...(await rowsOf(`SELECT 'late' AS what, * FROM finance.day_report_totals AS totals
      FULL JOIN (${sums('late_sales', 'COUNT(*) AS k, SUM(lines) AS l, SUM(net) AS n, SUM(tax) AS t, SUM(tenders) AS c, SUM(tendered) AS a')}) AS late
        USING (business_date, revision, currency)
      WHERE revision IS NOT NULL AND (late_sales <> COALESCE(k, 0) OR late_lines <> COALESCE(l, 0) OR late_net <> COALESCE(n, 0)
        OR late_tax <> COALESCE(t, 0) OR late_tenders <> COALESCE(c, 0) OR late_tendered <> COALESCE(a, 0) OR sales IS NULL)`)),
    ...(await rowsOf(`SELECT 'rows' AS what, * FROM finance.day_reports
      WHERE lines <> (SELECT COALESCE(SUM(lines), 0) FROM finance.day_report_totals AS t
        WHERE t.business_date = day_reports.business_date AND t.revision = day_reports.revision)`)),
    // Nothing enforces it on Redshift.
    ...(await rowsOf(`SELECT 'twice' AS what, business_date, revision FROM finance.day_reports GROUP BY 2, 3 HAVING COUNT(*) > 1
      UNION ALL SELECT 'gap', business_date, MAX(revision) FROM finance.day_reports GROUP BY 2 HAVING COUNT(*) <> MAX(revision)`)),
  ];
}

/** Days that have moved since they were last reported. */
const stale = () =>
  rowsOf(`SELECT business_date FROM finance.day_reports AS r
    WHERE revision = (SELECT MAX(revision) FROM finance.day_reports AS other WHERE other.business_date = r.business_date)
      AND (lines <> (SELECT COUNT(*) FROM finance.sale_lines AS l WHERE l.business_date = r.business_date)
        OR tenders <> (SELECT COUNT(*) FROM finance.sale_tenders AS t WHERE t.business_date = r.business_date))`);

test('a sale that comes after its day was reported is late, and the day is restated, even by the close of another day', async () => {
  await sell('2026-11-21', { transactionId: 'a' }, { transactionId: 'b', type: 'return' });
  expect(await closeDay('2026-11-21')).toEqual({ closed: 1, restated: 0, lateSales: 0 });
  const reported = ['2026-11-21 1 EUR 1+1/2/2 0 0'];
  expect(await revisions()).toEqual(reported);
  expect(await lateSales()).toEqual([]);

  await sell('2026-11-21', { transactionId: 'late' });

  expect(await revisions()).toEqual(reported);
  expect(await lateSales()).toEqual(['2026-11-21 null late 1/1 510 510']);

  expect(await closeDay('2026-11-27', 'run-2')).toEqual({ closed: 1, restated: 1, lateSales: 1 });

  expect(await revisions()).toEqual([...reported, '2026-11-21 2 EUR 2+1/3/3 510 510', '2026-11-27 1 nothing']);
  expect(await lateSales()).toEqual(['2026-11-21 2 late 1/1 510 510']);
  expect(
    await rowsOf(
      "SELECT late_sales::int, late_lines::int, late_net::int, late_tenders::int, late_tendered::int FROM finance.day_report_totals WHERE business_date = '2026-11-21' ORDER BY revision",
    ),
  ).toEqual([
    { late_sales: 0, late_lines: 0, late_net: 0, late_tenders: 0, late_tendered: 0 },
    { late_sales: 1, late_lines: 1, late_net: 510, late_tenders: 1, late_tendered: 510 },
  ]);
  expect(await contradictions()).toEqual([]);
});

test('a day that has not moved gets no other revision, whoever asks and whatever files repeat', async () => {
  const sale = { transactionId: 'a' };
  await sell('2026-11-21', sale);
  await closeDay('2026-11-21');
  const before = await rowsOf('SELECT t::text FROM finance.day_reports AS t');

  const sameRun = await closeDay('2026-11-21');
  const otherRun = await closeDay('2026-11-21', 'run-2');
  // Another file with the same sale: another load, and nothing new.
  await sell('2026-11-21', sale);
  const afterRepeat = await closeDay('2026-11-21', 'run-3');

  expect(sameRun).toEqual({ closed: 1, restated: 0, lateSales: 0 });
  expect([otherRun, afterRepeat]).toEqual(Array(2).fill({ closed: 0, restated: 0, lateSales: 0 }));
  expect(await rowsOf('SELECT t::text FROM finance.day_reports AS t')).toEqual(before);
  expect(await rowsOf('SELECT DISTINCT load_number::int FROM finance.loaded_files ORDER BY 1')).toEqual([
    { load_number: 1 },
    { load_number: 2 },
  ]);
  expect(await rowsOf('SELECT load_number::int FROM finance.sale_lines')).toEqual([{ load_number: 1 }]);
});

test('the first sale of a day that was reported as empty is late', async () => {
  await closeDay('2026-11-20');

  await sell('2026-11-20', { transactionId: 'late' });
  await closeDay('2026-11-20', 'run-2');

  expect(await revisions()).toEqual(['2026-11-20 1 nothing', '2026-11-20 2 EUR 1+0/1/1 510 510']);
  expect(await lateSales()).toEqual(['2026-11-20 2 late 1/1 510 510']);
});

test('the schedule closes all open days, and a day that is not over yet, anywhere, is left open', async () => {
  await sell('2026-11-28', { transactionId: 'today' });

  // In Los Angeles it is nine in the evening of the 27th, on Baker Island nearly midnight.
  const early = [];
  for (const at of ['2026-11-28T05:00:00.000Z', '2026-11-28T11:59:59.999Z'])
    early.push(await closer().invoke<any>(stepOf({ businessDate: '2026-11-27' }, 'early', at)));
  const daily = await closer().invoke<any>(stepOf({ scheduledTime: '2026-11-28T12:00:00Z' }, 'daily'));
  const today = await closer().invoke<any>(stepOf({ businessDate: '2026-11-28', days: 2 }, 'today'));

  expect(early).toEqual(Array(2).fill({ closed: 0, restated: 0, lateSales: 0 }));
  expect(daily).toEqual({ closed: 14, restated: 0, lateSales: 0 });
  expect(today).toEqual({ closed: 0, restated: 0, lateSales: 0 });
  const [{ first, last }] = await rowsOf(
    'SELECT CAST(MIN(business_date) AS varchar) AS first, CAST(MAX(business_date) AS varchar) AS last FROM finance.day_reports',
  );
  expect([first, last]).toEqual(['2026-11-14', '2026-11-27']);
});

test('a tender that comes after its lines is late by itself', async () => {
  const sold = { day: '2026-11-21', currency: 'EUR' };
  await client.query(bookedBy(1, { what: 'lines', ...sold }));
  await closeDay('2026-11-21');
  await client.query(bookedBy(2, { what: 'tenders', ...sold }));

  await closeDay('2026-11-21', 'run-2');

  expect(await revisions()).toEqual(['2026-11-21 1 EUR 1+0/1/0 1 0', '2026-11-21 2 EUR 1+0/1/1 1 2']);
  expect(await lateSales()).toEqual(['2026-11-21 2 T-2 0/1 0 2']);
  expect(await contradictions()).toEqual([]);
});

test('a close that is killed before or after any of its calls leaves the revision whole or not there, and the next makes it good', async () => {
  await sell('2026-11-21', { transactionId: 'a' });
  await closeDay('2026-11-21');
  const points = crashPoints(finance.rig.calls());
  expect(points.length).toBeGreaterThan(6);

  for (const [number, point] of points.entries()) {
    await client.query(bookedBy(10 + number, { what: 'sale', day: '2026-11-21', currency: 'EUR' }));
    finance.rig.forget();
    finance.rig.crash(point);
    await expect(closeDay('2026-11-21', `crash-${number}`)).rejects.toThrow('killed');
    const outcome = await closeDay('2026-11-21', `crash-${number}`);

    expect({ point, ...outcome }).toEqual({ point, closed: 0, restated: 1, lateSales: 1 });
    expect(await stale()).toEqual([]);
  }
  expect((await revisions()).at(-1)).toMatch(`2026-11-21 ${points.length + 1} EUR ${points.length + 1}+0/`);
  expect(await contradictions()).toEqual([]);
}, 60_000);

test('closes and loads at the same moment do not mix: each load is before a report or after it', async () => {
  await sell('2026-11-21', { transactionId: 'a' });
  for (let round = 0; round < 3; round++) {
    const sales = ['x', 'y'].map((name) => aSale({ businessDate: '2026-11-21', transactionId: `${name}-${round}` }));
    await finance.writer().invoke(kinesisEvent(sales, { firstSequence: 1_000 * ++events }));
    await finance.flush();

    await Promise.all([
      closeDay('2026-11-21', `one-${round}`),
      finance.loader().invoke({}),
      closeDay('2026-11-21', `two-${round}`),
      finance.loader().invoke({}),
    ]);

    expect(await contradictions()).toEqual([]);
  }
  await closeDay('2026-11-21', 'last');
  expect(await stale()).toEqual([]);
  expect((await revisions()).at(-1)).toMatch(/EUR 7\+0\/7\/7 3570 3570$/);
});

test('the schema reaches a ledger that has sales: what was there before is in the first report, and never late', async () => {
  await sell('2026-11-21', { transactionId: 'old' });
  await client.query(`DROP VIEW finance.late_sales, finance.reported_daily_sales, finance.reported_daily_tenders;
    DROP TABLE finance.day_reports, finance.day_report_totals;
    DELETE FROM finance.schema_versions WHERE version = 5;
    ${['loaded_files', 'sale_lines', 'sale_tenders'].map((name) => `ALTER TABLE finance.${name} DROP COLUMN load_number`).join(';')}`);

  expect(await finance.createSchema()).toMatchObject({ Status: 'SUCCESS' });

  await closeDay('2026-11-21');
  expect(await lateSales()).toEqual([]);
  await sell('2026-11-21', { transactionId: 'new' });
  await closeDay('2026-11-21', 'run-2');
  expect(await lateSales()).toEqual(['2026-11-21 2 new 1/1 510 510']);
  expect(
    await rowsOf('SELECT load_number::int, after_load_number::int FROM finance.day_reports ORDER BY revision'),
  ).toEqual([
    { load_number: 0, after_load_number: null },
    { load_number: 1, after_load_number: 0 },
  ]);
  expect(await contradictions()).toEqual([]);
});

test('what a loader of before books without a number changes no report, and is late once it has one', async () => {
  await sell('2026-11-21', { transactionId: 'a' });
  await closeDay('2026-11-21');
  const unnumbered = bookedBy(7, { what: 'sale', day: '2026-11-21', currency: 'EUR' })
    .replaceAll(', load_number)', ')')
    .replaceAll(', LOCALTIMESTAMP, 7)', ', LOCALTIMESTAMP)');
  await client.query(unnumbered);

  await closeDay('2026-11-21', 'run-2');

  expect(await revisions()).toEqual(['2026-11-21 1 EUR 1+0/1/1 510 510']);
  expect(await lateSales()).toEqual(['2026-11-21 null T-7 1/1 7 7']);
  expect(await contradictions()).toEqual([]);

  await finance.loader().invoke({});
  await closeDay('2026-11-21', 'run-3');

  expect((await revisions()).at(-1)).toBe('2026-11-21 2 EUR 2+0/2/2 517 517');
  expect(await lateSales()).toEqual(['2026-11-21 2 T-7 1/1 7 7']);
  expect(await contradictions()).toEqual([]);
});

test('the report shows what came late: in which revision, how much, and what waits for the next close', async () => {
  const reporter = finance.part('report', { OPEN_DAYS: '2', REPORT_BUCKET_NAME: finance.buckets.reports });
  const report = (executionName: string) =>
    reporter.invoke<any>(stepOf({ businessDate: '2026-11-27', days: 2 }, executionName));
  const reconcile = (businessDate: string, executionName: string) =>
    finance
      .part('reconcile', { OPEN_DAYS: '14', GATEWAY_TERMS: JSON.stringify(terms) })
      .invoke(stepOf({ businessDate }, executionName));
  const read = async (Key: string) =>
    Buffer.from((await finance.s3.call('GetObject', { Bucket: finance.buckets.reports, Key })).Body).toString();
  for (const [load, day] of ['2026-11-20', '2026-11-27'].entries())
    await client.query(bookedBy(load + 1, { what: 'sale', day, currency: 'EUR' }));
  await closeDay('2026-11-20');
  await closeDay('2026-11-27');
  await reconcile('2026-11-20', 'run-1');
  const before = await report('run-1');
  const quiet = await read(before.page);
  // One of a day far behind, in a currency that it did not have. The run that restates it ends before its report; the next
  // finds nothing that it could restate. And one that comes between close and report.
  await client.query(bookedBy(3, { what: 'sale', day: '2026-11-20', currency: 'SEK' }));
  await closeDay('2026-11-27', 'run-2');
  await closeDay('2026-11-27', 'run-3');
  await client.query(bookedBy(1_234, { what: 'return', day: '2026-11-27', currency: 'EUR' }));
  const { page, csv } = await report('run-3');

  expect(quiet).toContain('No sale came after its day was reported.');
  const cells = (await read(page)).match(/<h2>Late sales.*?<\/section>/s)![0].replaceAll(/<[^>]+>/g, ' ');
  expect(cells.replaceAll(/\s+/g, ' ')).toMatch(
    /2026-11-20 SEK 2 1 0\.00 0\.03 0\.03 0\.00 0\.03 \S+ \S+ UTC 2026-11-27 EUR 1 −12\.34 −0\.01 −12\.34 with the next close $/,
  );
  expect(quiet).not.toContain('not reconciled since');
  // Only one of the two reports had such a day.
  expect(reporter.metric('DaysToReconcile')).toBe(1);
  expect(cells).toContain('not reconciled since: 2026-11-20.');
  expect(await read(page)).toContain('<dt>late sales</dt><dd>2 <small>on 2 days</small>');
  const days = (await read(csv[1])).trimEnd().split('\r\n');
  expect(days.slice(1).map((line) => line.split(',').slice(0, 2).join(' '))).toEqual([
    ...['2026-11-20 1', '2026-11-20 2', '2026-11-20 2', '2026-11-27 1'],
  ]);
  const late = (await read(csv[2])).trimEnd().split('\r\n');
  expect(late.slice(1).map((line) => line.split(',').slice(0, 4).join(' '))).toEqual([
    ...['2026-11-27  pos-eu T-1234', '2026-11-20 2 pos-eu T-3'],
  ]);
  await reconcile('2026-11-20', 'run-4');
  expect(await read((await report('run-5')).page)).not.toContain('2026-11-20');
});

test('in whatever order days are sold on, paid for and closed, what was reported stays, and what is reported is right', async () => {
  const day = fc.integer({ min: 20, max: 23 }).map((number) => `2026-11-${number}`);
  const event = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constantFrom('sale', 'lines', 'tenders', 'return'),
        day,
        currency: fc.constantFrom('EUR', 'SEK'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('close'), day, days: fc.integer({ min: 1, max: 3 }) }) },
  );
  let histories = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 14 }), async (history) => {
      await empty();
      histories++;
      let reported: string[] = [];
      for (const [at, one] of history.entries()) {
        if ('days' in one) {
          const input = { businessDate: one.day, days: one.days };
          await closer().invoke(stepOf(input, `run-${histories}-${at}`));
          expect(await stale()).toEqual([]);
          const now = await revisions();
          // Sorted alike, so whatever was reported before is among it unchanged.
          expect(now.filter((revision) => reported.includes(revision))).toEqual(reported);
          reported = now;
          expect(await contradictions()).toEqual([]);
        } else {
          await client.query(bookedBy(at + 1, one));
        }
      }
    }),
    { seed: 28, numRuns: 12 },
  );
}, 60_000);

/** A load that books a sale, or a part of one, as the loader does. */
function bookedBy(load: number, { what, day, currency }: { what: string; day: string; currency: string }): string {
  const [type, sign] = what === 'return' ? ['return', -1] : ['sale', 1];
  const shared = `'pos-eu', 'T-${load}', 1, '${type}', 'store', 'eu-west', 'store-1', TIMESTAMP '2026-11-21 10:00:00', '${day}',
    TIMESTAMP '2026-11-21 10:00:01', '${currency}'`;
  const columns = 'type, channel, region, location, occurred_at, business_date, accepted_at, currency';
  const lines = `INSERT INTO finance.sale_lines (source, transaction_id, line, ${columns}, sku, quantity, unit_price, tax, units, net,
      loaded_at, load_number) VALUES (${shared}, 'SKU-1', 1, ${load}, ${load % 3}, ${sign}, ${sign * load}, LOCALTIMESTAMP, ${load});`;
  const tenders = `INSERT INTO finance.sale_tenders (source, transaction_id, tender, ${columns}, tender_type, amount, signed_amount,
      tender_difference, loaded_at, load_number) VALUES (${shared}, 'cash', ${load}, ${sign * load}, 0, LOCALTIMESTAMP, ${load});`;
  const files = `INSERT INTO finance.loaded_files (object_key, table_name, accepted_date, bytes, load_id, loaded_at, load_number)
      VALUES ('file-${load}', 'sale_lines', '2026-11-21', 1, 'load-${load}', LOCALTIMESTAMP, ${load});`;
  return [what === 'tenders' ? '' : lines, what === 'lines' ? '' : tenders, files].join('\n');
}
