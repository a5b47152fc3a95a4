import fc from 'fast-check';
import type { AllGatewayTerms } from '../../../lambdas/base/domain/gateway-terms';
import { addDays, addWeekdays, daysBetween } from '../../../lambdas/serve/finance/business-day';
import { gatewayTermsOf } from '../../../lambdas/serve/finance/gateway-terms';
import { outcomeOf } from '../../../lambdas/serve/finance/reconcile/outcome';
import { reconciliationStatements } from '../../../lambdas/serve/finance/reconcile/reconciliation';
import { breaksCsv, findingColumns, findingOf } from '../../../lambdas/serve/finance/report/findings';
import { money } from '../../../lambdas/serve/finance/report/money';
import { reportPage } from '../../../lambdas/serve/finance/report/report-page';
import { readResolution } from '../../../lambdas/serve/finance/resolve/resolution';
import { workflowInput } from '../../../lambdas/serve/finance/workflow-input';
import { terms } from '../../reconciliation/planted-month';

describe('weekdays', () => {
  test.each([
    ['2026-10-14', 2, '2026-10-16'],
    ['2026-10-16', 2, '2026-10-20'],
    ['2026-10-17', 2, '2026-10-20'],
    ['2026-10-18', 2, '2026-10-20'],
    ['2026-10-18', 0, '2026-10-18'],
    ['2026-12-31', 1, '2027-01-01'],
  ])('%s and %i more are %s', (day, weekdays, later) => {
    expect(addWeekdays(day, weekdays)).toBe(later);
  });

  test('a later day is never due earlier', () => {
    const day = fc.integer({ min: 0, max: 800 }).map((days) => addDays('2026-01-01', days));
    fc.assert(
      fc.property(day, fc.integer({ min: 0, max: 12 }), (one, weekdays) => {
        expect(addWeekdays(addDays(one, 1), weekdays) >= addWeekdays(one, weekdays)).toBe(true);
        expect(addWeekdays(one, weekdays) >= one).toBe(true);
      }),
      { seed: 17 },
    );
  });
});

describe('what a step of the workflow is asked', () => {
  const step = (input: unknown) =>
    workflowInput({ input, executionName: 'run', startedAt: '2026-11-28T05:00:09.123Z' }, 14);

  test('by a person: that day', () => {
    expect(step({ businessDate: '2026-10-31' })).toEqual({
      ...{ runId: 'run', businessDate: '2026-10-31', days: 1, asOf: '2026-11-28' },
      startedAt: new Date('2026-11-28T05:00:09.123Z'),
    });
    expect(step({ businessDate: '2026-10-31', days: 31, asOf: '2026-11-02' })).toMatchObject({
      days: 31,
      asOf: '2026-11-02',
    });
  });

  test('by the schedule: the day before it fired and those that are open, whenever the step runs', () => {
    expect(step({ scheduledTime: '2026-11-28T05:00:00Z' })).toMatchObject({ businessDate: '2026-11-27', days: 14 });
    expect(step({ scheduledTime: '2026-11-26T05:00:00Z' })).toMatchObject({
      businessDate: '2026-11-25',
      asOf: '2026-11-28',
      startedAt: new Date('2026-11-28T05:00:09.123Z'),
    });
    expect(step({})).toMatchObject({ businessDate: '2026-11-27', days: 14 });
  });

  test.each([
    [{ businessDate: '2026-02-30' }, 'businessDate is "2026-02-30": use a date as yyyy-MM-dd'],
    [{ businessDate: 20261031 }, 'businessDate is 20261031: use a date as yyyy-MM-dd'],
    [{ businessDate: '2026-10-31', days: 0 }, 'days is 0: use a whole number from 1 to 62'],
    [{ businessDate: '2026-10-31', days: 1.5 }, 'days is 1.5: use a whole number from 1 to 62'],
    [{ asOf: 'today' }, 'asOf is "today": use a date as yyyy-MM-dd'],
    [{ scheduledTime: 'soon' }, 'scheduledTime is "soon": use a time as yyyy-MM-ddThh:mm:ssZ'],
    [{ date: '2026-10-31' }, 'date is unknown: use businessDate, days, asOf, scheduledTime'],
  ])('%j is refused by name, and not tried again', (input, message) => {
    expect(() => step(input)).toThrow(expect.objectContaining({ name: 'InvalidInput', message }));
  });
});

describe('the statements of a reconciliation', () => {
  const statements = (days: number, all: AllGatewayTerms = terms) =>
    reconciliationStatements({ runId: 'run', businessDate: '2026-10-31', days, asOf: '2026-11-01' }, all, new Date(0));

  test('fit into one batch of the Data API, with ten gateways and as many days as may be asked for', () => {
    const many = {
      ...terms,
      ...Object.fromEntries(
        Array.from({ length: 7 }, (_, at) => [`gateway-${at}`, { ...terms['*'], settlementDays: at }]),
      ),
    };

    const made = statements(62, many);

    expect(made.length).toBeLessThanOrEqual(40);
    for (const statement of made) expect(Buffer.byteLength(statement)).toBeLessThanOrEqual(100 * 1_024);
  });

  test('lock first, and touch nothing but the results of these days', () => {
    const made = statements(3);

    expect(made[0]).toBe('LOCK TABLE finance.reconciliation_runs');
    const written = made.filter((statement) => /^(DELETE FROM|INSERT INTO|UPDATE) finance\./.test(statement));
    for (const statement of written)
      expect(statement).toMatch(/^\w+ \w+ finance\.reconciliation_(matches|breaks|totals|runs)\b/);
    for (const statement of written.filter((each) => each.startsWith('DELETE')))
      expect(statement).toContain("BETWEEN CAST('2026-10-29' AS date) AND CAST('2026-10-31' AS date)");
  });
});

test('terms of gateways are refused where they would be overlooked', () => {
  expect(() => gatewayTermsOf('{"adyen":{}}')).toThrow('gateway terms lack those of any other gateway, *');
  expect(() => gatewayTermsOf(JSON.stringify({ ...terms, Adyen: terms['*'] }))).toThrow(
    "gateway terms of 'Adyen': use lower case",
  );
  expect(() => gatewayTermsOf(JSON.stringify({ '*': { ...terms['*'], timeZone: 'Mars/Base' } }))).toThrow(/Mars\/Base/);
});

test.each([
  [['0', '0', '0', '0'], 100],
  [['3', '1', '1000', '0'], 100],
  [['3', '1', '30000', '1'], 99.99],
  [['3', '1', '1000', '1000'], 0],
  // The proof lost more than all breaks together.
  [['0', '0', '0', '500'], 0],
])('of %j so much is explained: %d %%', (row, explainedPercent) => {
  expect(outcomeOf([row])).toMatchObject({ explainedPercent });
});

describe('money', () => {
  test.each([
    ['123456', 'EUR', '1,234.56'],
    ['-5', 'EUR', '\u22120.05'],
    ['0', 'EUR', '0.00'],
    ['1234567', 'JPY', '1,234,567'],
    ['1234567', 'KWD', '1,234.567'],
    ['99', '???', '0.99'],
    ['90071992547409931234', 'USD', '900,719,925,474,099,312.34'],
  ])('%s minor units of %s are %s', (minorUnits, currency, text) => {
    expect(money(minorUnits, currency)).toBe(text);
  });
});

describe('a resolution', () => {
  const good = { breakId: 'a'.repeat(32), difference: '-1234', by: 'Ada', reason: 'a voucher' };

  test('is taken as it was said', () => {
    expect(readResolution({ ...good, by: ' Ada ' })).toEqual(good);
  });

  test.each([
    [undefined, /^breakId is not/],
    [{ ...good, breakId: 'A'.repeat(32) }, /^breakId is not/],
    [{ ...good, difference: undefined }, /^difference is not/],
    [{ ...good, difference: '12.34' }, /^difference is not/],
    [{ ...good, by: ' ' }, /^by has 0 bytes: use text of 1 to 128/],
    [{ ...good, reason: 'x'.repeat(1_001) }, /^reason has 1001 bytes/],
    [{ ...good, reason: 'a \\ b' }, /^reason holds a control character or a backslash/],
    [{ ...good, reason: 'two\nlines' }, /^reason holds a control character/],
    [{ ...good, reason: 'card 4111 1111 1111 1111' }, /^reason holds a number of 13 digits/],
    [{ ...good, when: 'now' }, /^when is unknown: use breakId, difference, by, reason/],
  ])('%j is refused', (event, message) => {
    expect(readResolution(event)).toEqual({ refused: expect.stringMatching(message) });
  });
});

test('a report whose files do not hold all says so', () => {
  const page = (breaks: string) =>
    reportPage({
      ...{ from: '2026-11-26', to: '2026-11-27', writtenAt: new Date(0), unexplained: false, explainedPercent: 100 },
      ...{ days: [], totals: [], reported: [], findings: [findingOf([])], lateSales: 2 },
      classes: [['amount', 'adyen', 'EUR', '0-1', breaks, breaks, '5']],
      waiting: [['2026-11-27', 'EUR', '2', '1', '0', '1']],
    });

  expect(page('100001')).toMatch(/The first 1 of 100\D001 breaks with their evidence.*; All late sales, one by one/);
  expect(page('1')).toContain('All breaks with their evidence');
});

test('a cell of the CSV file is what it says: quoted where it must be, and no formula', () => {
  const values: Record<string, string> = {
    class: 'amount',
    difference: '-5',
    merchant_reference: '=1+1',
    related: '-1',
    reason: 'says "no", twice',
  };

  const [header, line] = breaksCsv([findingColumns.map((column) => values[column] ?? null)]).split('\r\n');

  const cells = Object.fromEntries(header!.split(',').map((name, at) => [name, at]));
  const shown = line!.split(/,(?! )/);
  expect(shown[cells.difference!]).toBe('-5');
  expect(shown[cells.merchant_reference!]).toBe("'=1+1");
  expect(shown[cells.related!]).toBe("'-1");
  expect(line).toContain('"says ""no"", twice"');
});

test('days between are both ends and all between', () => {
  expect(daysBetween('2026-02-27', '2026-03-01')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
});
