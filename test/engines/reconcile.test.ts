import { Client } from 'pg';
import type { WorkflowInput } from '../../lambdas/serve/finance/workflow-input';
import { crashPoints } from '../engine-rig';
import { book, brokenProofs, findings } from '../reconciliation/books';
import { aLine, aTender } from '../reconciliation/pair';
import { breakClasses, type PlantedMonth, plantedMonth, terms } from '../reconciliation/planted-month';
import { randomOf } from '../reconciliation/random';
import { type LakeAndLedger, openLakeAndLedger } from './lake-and-ledger';

let finance: LakeAndLedger;
let client: Client;
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
  finance.rig.forget();
}

const reconciler = () => finance.part('reconcile', { OPEN_DAYS: '14', GATEWAY_TERMS: JSON.stringify(terms) });
const reporter = () => finance.part('report', { OPEN_DAYS: '14', REPORT_BUCKET_NAME: finance.buckets.reports });
const resolver = () => finance.part('resolve');
const stepOf = (input: Partial<WorkflowInput>, executionName = 'run-1') => ({
  input,
  executionName,
  startedAt: '2026-11-01T04:00:00.000Z',
});
const rowsOf = async (query: string) => (await client.query(query)).rows;
/** The breaks of a day, as class and difference. */
const breaksOf = async (day: string) =>
  (
    await rowsOf(
      `SELECT class, difference::int FROM finance.reconciliation_breaks WHERE business_date = '${day}' ORDER BY class, difference`,
    )
  ).map(({ class: name, difference }) => `${name} ${difference}`);

const reconcileDay = (day = '2026-10-14', asOf = '2026-10-20') =>
  reconciler().invoke<any>(stepOf({ businessDate: day, asOf }));

const smallMonth = (seed: number, sales = 1_500, each = 6): PlantedMonth =>
  plantedMonth({
    seed,
    first: '2026-10-01',
    days: 31,
    sales,
    plant: Object.fromEntries(breakClasses.map((name) => [name, each])),
  });
const expected = ({ planted }: PlantedMonth) => planted.map(({ class: name, on }) => `${name} ${on}`).sort();
const month = stepOf({ businessDate: '2026-10-31', days: 31 });

describe('a month with planted breaks', () => {
  test('every one is found and rightly classed, none that was not planted, and every proof adds up', async () => {
    const planted = smallMonth(1);
    await book(client, planted);

    const outcome = await reconciler().invoke(month);

    expect(await findings(client)).toEqual(expected(planted));
    expect(await brokenProofs(client)).toEqual([]);
    expect(outcome).toMatchObject({ unexplainedMinorUnits: 0, explainedPercent: 100 });
    expect(await rowsOf('SELECT SUM(in_transit_tenders)::int > 0 AS some FROM finance.reconciliation_totals')).toEqual([
      { some: true },
    ]);
  });

  test('so it is whatever is planted, and day by day as well as at once', async () => {
    for (let seed = 10; seed < 14; seed++) {
      await empty();
      const random = randomOf(seed);
      const plant = Object.fromEntries(breakClasses.map((name) => [name, random.whole(4)]));
      const planted = plantedMonth({ seed, first: '2026-09-28', days: 20, sales: 300, plant });
      await book(client, planted);

      const atOnce = seed > 10;
      for (let day = atOnce ? 20 : 1; day <= 20; day++) {
        const businessDate = new Date(Date.UTC(2026, 8, 27 + day)).toISOString().slice(0, 10);
        await reconciler().invoke(stepOf({ businessDate, days: atOnce ? 20 : 1, asOf: planted.asOf }, `run-${day}`));
      }

      expect({ seed, found: await findings(client) }).toEqual({ seed, found: expected(planted) });
      expect(await brokenProofs(client)).toEqual([]);
    }
  });

  test('reconciled again, killed before or after any call, it stands as it stood', async () => {
    const planted = smallMonth(2, 400, 2);
    await book(client, planted);
    await reconciler().invoke(month);
    const state = () =>
      Promise.all(
        ['matches', 'breaks', 'totals'].map((name) =>
          rowsOf(`SELECT t::text AS row FROM finance.reconciliation_${name} AS t ORDER BY 1`),
        ),
      );
    const before = await state();
    const points = crashPoints(finance.rig.calls());

    for (const [number, point] of points.entries()) {
      finance.rig.forget();
      finance.rig.crash(point);
      await expect(reconciler().invoke({ ...month, executionName: `crash-${number}` })).rejects.toThrow('killed');
      await reconciler().invoke({ ...month, executionName: `crash-${number}` });

      expect(await state()).toEqual(before);
    }
    // A run that was killed after it had committed is the same revision when it is tried again.
    const [{ newest }] = await rowsOf('SELECT MAX(revision) AS newest FROM finance.reconciliation_runs');
    expect(newest).toBe(1 + points.length);
    expect(await rowsOf('SELECT 1 FROM finance.reconciliation_runs')).toHaveLength(31 * newest);
  }, 60_000);

  test('two runs at the same moment do not mix', async () => {
    const planted = smallMonth(3, 400, 2);
    await book(client, planted);

    await Promise.all([reconciler().invoke(month), reconciler().invoke({ ...month, executionName: 'run-2' })]);

    expect(await findings(client)).toEqual(expected(planted));
    expect(await brokenProofs(client)).toEqual([]);
  });
});

describe('a payment without its line', () => {
  test('is in transit until the gateway has had its time, then late, then missing; and settled when it is', async () => {
    // A Wednesday: due on Friday, late until the Wednesday after.
    await book(client, { tenders: [aTender()], lines: [] });
    const seen: string[] = [];
    for (const asOf of ['2026-10-16', '2026-10-17', '2026-10-21', '2026-10-22']) {
      await reconcileDay('2026-10-14', asOf);
      const [{ transit }] = await rowsOf('SELECT in_transit_amount::int AS transit FROM finance.reconciliation_totals');
      seen.push(`${asOf} ${transit} ${await breaksOf('2026-10-14')}`);
      expect(await brokenProofs(client)).toEqual([]);
    }
    expect(seen).toEqual([
      '2026-10-16 1000 ',
      '2026-10-17 0 timing -1000',
      '2026-10-21 0 timing -1000',
      '2026-10-22 0 missing-in-gateway -1000',
    ]);

    await book(client, { tenders: [], lines: [aLine({ settled_date: '2026-10-22' })] });
    await reconcileDay('2026-10-14', '2026-10-22');

    expect(await breaksOf('2026-10-14')).toEqual(['timing 0']);
  });

  // A Friday; due on Tuesday, missing from the ninth day on.
  test.each(['2026-10-17', '2026-10-18', '2026-11-20'])(
    'is found by its settlement alone, on %s, and counts on the day of its sale, whichever days are asked for',
    async (settled) => {
      const sold = { gateway: 'braintree', business_date: '2026-10-09', occurred_at: '2026-10-09T10:00:00Z' };
      const line = { gateway: 'braintree', occurred_at: null };
      await book(client, {
        // A sale of the week before was settled on the same day, and one payment is known to the gateway alone.
        tenders: [aTender(sold), aTender({ ...sold, business_date: '2026-10-02', gateway_reference: 'R-2' })].map(
          (tender, at) => ({ ...tender, transaction_id: `T-${at + 1}` }),
        ),
        lines: ['1', '2', '3'].map((name, at) =>
          aLine({
            ...{ ...line, settled_date: settled, row_number: at, settlement_line_id: `L-${name}` },
            ...{ gateway_reference: `R-${name}`, merchant_reference: `T-${name}` },
          }),
        ),
      });
      const expected = {
        '2026-10-02': ['timing 0'],
        '2026-10-09': ['timing 0'],
        [settled]: ['missing-in-ledger 1000'],
      };

      const spans = [
        ...Object.keys(expected).map((businessDate) => ({ businessDate, days: 1 })),
        // As the daily runs come to it: the period begins between sale and settlement, or with the settlement.
        ...['2026-10-22', '2026-10-23', settled].map((businessDate) => ({ businessDate, days: 14 })),
        { businessDate: settled, days: 60 },
      ];
      for (const span of spans) {
        await reconciler().invoke(stepOf({ ...span, asOf: '2026-11-30' }));
        const last = Date.parse(span.businessDate);
        for (const [day, breaks] of Object.entries(expected)) {
          if (Date.parse(day) > last || Date.parse(day) <= last - span.days * 86_400_000) continue;
          expect({ span, day, breaks: await breaksOf(day) }).toEqual({ span, day, breaks });
        }
        expect(await brokenProofs(client)).toEqual([]);
      }
      expect(await rowsOf('SELECT 1 FROM finance.reconciliation_breaks')).toHaveLength(3);
    },
  );

  test('of a weekend is due as if it were of the Friday', async () => {
    await book(client, {
      tenders: [aTender({ business_date: '2026-10-17', occurred_at: '2026-10-17T10:00:00Z' })],
      lines: [],
    });

    await reconcileDay('2026-10-17', '2026-10-20');
    expect(await breaksOf('2026-10-17')).toEqual([]);
    await reconcileDay('2026-10-17', '2026-10-21');
    expect(await breaksOf('2026-10-17')).toEqual(['timing -1000']);
  });
});

describe('the rules that make pairs', () => {
  const rules = async () =>
    (
      await rowsOf('SELECT transaction_id, settlement_line_id, rule FROM finance.reconciliation_matches ORDER BY 1')
    ).map(({ transaction_id, settlement_line_id, rule }) => `${transaction_id} ${settlement_line_id} ${rule}`);

  test.each([
    ['reference-and-amount', aTender(), aLine({ merchant_reference: null })],
    ['reference', aTender(), aLine({ original_gross: 990, merchant_reference: null })],
    ['merchant-reference-and-amount', aTender({ gateway_reference: null }), aLine()],
    ['merchant-reference-and-amount', aTender(), aLine({ gateway_reference: 'R-2' })],
    ['merchant-reference', aTender({ gateway_reference: null }), aLine({ original_gross: 990 })],
    ['amount-and-time', aTender({ gateway_reference: null }), aLine({ merchant_reference: null })],
  ])('%s', async (rule, tender, line) => {
    await book(client, { tenders: [tender], lines: [line] });

    await reconcileDay();

    expect(await rules()).toEqual([`T-1 L-1 ${rule}`]);
  });

  test.each([
    ['another gateway', aTender(), aLine({ gateway: 'stripe' })],
    ['money back for money in', aTender(), aLine({ kind: 'refund', original_gross: -1_000 })],
    [
      'alike, but far apart in time',
      aTender({ gateway_reference: null }),
      aLine({ merchant_reference: null, occurred_at: '2026-10-14T10:16:00Z' }),
    ],
    ['alike, but of another sale', aTender({ gateway_reference: null }), aLine({ merchant_reference: 'T-2' })],
    ['alike, but of another payment', aTender(), aLine({ gateway_reference: 'R-2', merchant_reference: null })],
  ])('none for %s', async (_, tender, line) => {
    await book(client, { tenders: [tender], lines: [line] });

    await reconcileDay();

    expect(await rules()).toEqual([]);
    expect(await brokenProofs(client)).toEqual([]);
  });

  test('two that could be one another are no pair: nobody guesses, and both stand unexplained', async () => {
    const anonymous = { gateway_reference: null };
    await book(client, {
      tenders: [
        aTender(anonymous),
        aTender({ ...anonymous, transaction_id: 'T-2', occurred_at: '2026-10-14T10:05:00Z' }),
      ],
      lines: [aLine({ merchant_reference: null })],
    });

    const outcome = await reconcileDay();

    expect(await rules()).toEqual([]);
    expect(await breaksOf('2026-10-14')).toEqual(['unexplained -1000', 'unexplained -1000', 'unexplained 1000']);
    expect(outcome).toMatchObject({ unexplainedMinorUnits: 3_000, explainedPercent: 0 });
  });

  test('a sale paid in two equal parts makes two pairs', async () => {
    await book(client, {
      tenders: [aTender({ gateway_reference: null }), aTender({ gateway_reference: null, tender: 2 })],
      lines: [aLine(), aLine({ settlement_line_id: 'L-2', gateway_reference: 'R-2' })],
    });

    await reconcileDay();

    expect(await rules()).toEqual(['T-1 L-1 merchant-reference-and-amount', 'T-1 L-2 merchant-reference-and-amount']);
    expect(await breaksOf('2026-10-14')).toEqual([]);
  });
});

describe('days', () => {
  test('a sale that the gateway counts on the next day is explained on both, and cancels', async () => {
    // 22:30 UTC is half past midnight in Amsterdam.
    await book(client, {
      tenders: [aTender({ occurred_at: '2026-10-14T22:29:50Z' })],
      lines: [aLine({ occurred_at: '2026-10-14T22:30:00Z' })],
    });

    await reconciler().invoke(stepOf({ businessDate: '2026-10-15', days: 2, asOf: '2026-10-20' }));

    expect(await breaksOf('2026-10-14')).toEqual(['day-cut-off -1000']);
    expect(await breaksOf('2026-10-15')).toEqual(['day-cut-off 1000']);
    expect(await brokenProofs(client)).toEqual([]);
  });

  test('what was settled in another currency than it was sold in is no break where the gateway says what it converted', async () => {
    await book(client, {
      tenders: [aTender({ currency: 'SEK' })],
      lines: [aLine({ currency: 'EUR', original_currency: 'SEK', original_gross: 1_000, gross: 90, fee: 2, net: 88 })],
    });

    await reconcileDay();

    expect(await breaksOf('2026-10-14')).toEqual([]);
    expect(
      await rowsOf(
        'SELECT currency, settled_amount::int, fees::int, net_amount::int FROM finance.reconciliation_totals ORDER BY 1',
      ),
    ).toEqual([
      { currency: 'EUR', settled_amount: 0, fees: 2, net_amount: 88 },
      { currency: 'SEK', settled_amount: 1_000, fees: 0, net_amount: 0 },
    ]);
  });

  test('a correction without a sale stays unexplained, and rings', async () => {
    await book(client, {
      tenders: [],
      lines: [aLine({ kind: 'adjustment', original_gross: -250, gateway_reference: null, merchant_reference: null })],
    });
    const container = reconciler();

    await container.invoke(stepOf({ businessDate: '2026-10-14', asOf: '2026-10-20' }));

    expect(container.metric('UnexplainedMinorUnits')).toBe(250);
    expect(await breaksOf('2026-10-14')).toEqual(['unexplained -250']);
  });
});

describe('a resolution', () => {
  const correction = () =>
    aLine({ kind: 'adjustment', original_gross: -250, gateway_reference: null, merchant_reference: null });
  const theBreak = async () =>
    (await rowsOf('SELECT break_id AS "breakId", difference::text FROM finance.reconciliation_breaks'))[0];

  test('is recorded once with who, when and why, survives another run, and adjusts nothing', async () => {
    await book(client, { tenders: [], lines: [correction()] });
    await reconcileDay();
    const known = { ...(await theBreak()), by: 'Ada', reason: "the gateway's own correction" };

    const answer = await resolver().invoke(known);
    await resolver().invoke(known);
    const outcome = await reconciler().invoke(stepOf({ businessDate: '2026-10-14', asOf: '2026-10-21' }, 'run-2'));

    expect(answer).toEqual({
      ...{ resolved: true, businessDate: '2026-10-14', gateway: 'adyen', currency: 'EUR', class: 'unexplained' },
      difference: '-250',
    });
    expect(outcome).toMatchObject({ breaks: 1, unresolvedBreaks: 0, unexplainedMinorUnits: 0, explainedPercent: 100 });
    expect(await rowsOf('SELECT resolved_by, reason FROM finance.reconciliation_resolutions')).toEqual([
      { resolved_by: 'Ada', reason: "the gateway's own correction" },
    ]);
    expect(await rowsOf('SELECT unexplained::int FROM finance.reconciliation_totals')).toEqual([{ unexplained: -250 }]);
  });

  test('is about the difference as it was: another one opens the break again', async () => {
    await book(client, { tenders: [aTender()], lines: [aLine({ original_gross: 900 })] });
    await reconcileDay();
    await resolver().invoke({ ...(await theBreak()), by: 'Ada', reason: 'a voucher' });
    await client.query('UPDATE finance.settlement_lines SET original_gross = 800');

    expect(await reconcileDay()).toMatchObject({ breaks: 1, unresolvedBreaks: 1 });
  });

  test('of a difference that the break has no more is refused, and so is one of a break that goes meanwhile', async () => {
    await book(client, { tenders: [], lines: [correction()] });
    await reconcileDay();
    const looked = { ...(await theBreak()), by: 'Ada', reason: 'known' };
    await client.query('UPDATE finance.settlement_lines SET original_gross = -300');
    await reconcileDay();
    finance.rig.forget();
    finance.rig.intercept({ operation: 'redshift-data:BatchExecuteStatement' }, async (input, proceed) => {
      await client.query('DELETE FROM finance.reconciliation_breaks');
      return proceed(input);
    });

    const changed = await resolver().invoke(looked);
    const gone = await resolver().invoke({ ...looked, difference: '-300' });

    expect(changed).toEqual({
      resolved: false,
      message: 'difference is -250: the break has -300 by now, look at it again',
    });
    expect(gone).toEqual({ resolved: false, message: `break ${looked.breakId} has just changed: look at it again` });
    expect(await rowsOf('SELECT 1 FROM finance.reconciliation_resolutions')).toEqual([]);
  });

  test('killed before or after any call, said again, it is there once', async () => {
    await book(client, { tenders: [], lines: [correction()] });
    await reconcileDay();
    const event = { ...(await theBreak()), by: 'Ada', reason: 'known' };
    finance.rig.forget();
    await resolver().invoke(event);

    for (const point of crashPoints(finance.rig.calls())) {
      await client.query('TRUNCATE finance.reconciliation_resolutions');
      finance.rig.forget();
      finance.rig.crash(point);
      await expect(resolver().invoke(event)).rejects.toThrow('killed');
      await resolver().invoke(event);
      expect(await rowsOf('SELECT 1 FROM finance.reconciliation_resolutions')).toHaveLength(1);
    }
  });

  test('of no break is refused', async () => {
    const answer = await resolver().invoke({ breakId: '0'.repeat(32), difference: '1', by: 'Ada', reason: 'why' });

    expect(answer).toEqual({ resolved: false, message: `there is no break ${'0'.repeat(32)}` });
  });
});

describe('the report', () => {
  const read = async (Key: string) => {
    const { Body } = await finance.s3.call('GetObject', { Bucket: finance.buckets.reports, Key });
    return Buffer.from(Body).toString();
  };

  test('is a page and all the breaks, at the same place when it is written again', async () => {
    const planted = smallMonth(4, 400, 2);
    await book(client, planted);
    await reconciler().invoke(month);

    const outcome = await reporter().invoke<any>(month);
    const again = await reporter().invoke<any>(month);

    expect(outcome).toEqual({
      page: 'reconciliation/2026-10-01_2026-10-31/report.html',
      csv: ['breaks', 'days', 'late-sales'].map((name) => `reconciliation/2026-10-01_2026-10-31/${name}.csv`),
    });
    expect(again).toEqual(outcome);
    const page = await read(outcome.page);
    expect(page).toContain('Every difference is explained');
    for (const name of breakClasses) expect(page).toContain(`<p id="${name}">`);
    expect(page).not.toMatch(/<script|https?:\/\/|tok_/);
    const [{ breaks }] = await rowsOf('SELECT COUNT(*)::int AS breaks FROM finance.reconciliation_breaks');
    expect((await read(outcome.csv[0])).trimEnd().split('\r\n')).toHaveLength(breaks + 1);
  });

  test('says what a person found out, and what comes from outside cannot become a part of the page or a formula', async () => {
    const evil = '=HYPERLINK("x")<img src=x>';
    await book(client, {
      tenders: [aTender({ transaction_id: 'T<b>&"' })],
      lines: [aLine({ original_gross: 900, merchant_reference: evil })],
    });
    await reconcileDay();
    const [{ break_id: breakId }] = await rowsOf('SELECT break_id FROM finance.reconciliation_breaks');
    await resolver().invoke({
      breakId,
      difference: '-100',
      by: 'Ada <ada@example.com>',
      reason: 'a "voucher", <i>found</i>',
    });

    const { page, csv } = await reporter().invoke<any>(stepOf({ businessDate: '2026-10-14' }));

    const html = await read(page);
    expect(html).not.toMatch(/<img|<i>|<b>|<ada/);
    expect(html).toContain('&#60;img src=x&#62;');
    expect(html).toContain('Resolved by Ada');
    expect(html).toContain(`--break ${breakId} --difference=-100`);
    expect(await read(csv[0])).toContain('"\'=HYPERLINK(""x"")<img src=x>"');
  });

  test('of days on which nothing happened says so', async () => {
    await reconciler().invoke(stepOf({}));

    const { page } = await reporter().invoke<any>(stepOf({}));

    expect(page).toBe('reconciliation/2026-10-18_2026-10-31/report.html');
    expect(await read(page)).toContain('Nothing was sold through a gateway');
  });
});
