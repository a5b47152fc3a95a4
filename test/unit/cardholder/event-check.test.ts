import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { CheckedSale } from '../../../lambdas/cardholder/ingest/admission';
import { checkEvent, type DoorRules } from '../../../lambdas/cardholder/ingest/event-check';
import { Rejection } from '../../../lambdas/cardholder/ingest/rejection';
import { saleSchemaText } from '../../../lambdas/cardholder/sale-event';
import { aMoment, aSale, aTestCard, testCards } from './test-sales';

const open: DoorRules = { maximumAgeMs: undefined, cardLikeIdentifiers: new Set() };

function check(event: unknown, rules: Partial<DoorRules> = {}): CheckedSale | Rejection {
  return checkEvent(event, { ...open, ...rules }, aMoment);
}

function accepted(event: unknown, rules: Partial<DoorRules> = {}): CheckedSale {
  const decision = check(event, rules);
  if (decision instanceof Rejection) throw new Error(decision.message);
  return decision;
}

function rejected(event: unknown, rules: Partial<DoorRules> = {}): Rejection {
  const decision = check(event, rules);
  if (!(decision instanceof Rejection)) throw new Error('the event was accepted');
  return decision;
}

const line = (changes: object) => ({ lines: [{ ...aSale().lines[0], ...changes }] });
const tender = (changes: object) => ({ tenders: [{ ...aSale().tenders[0], ...changes }] });
const card = (changes: object) => tender({ card: { ...aSale().tenders[0].card, ...changes } });

test('a good sale comes in as it is, without the expiry of its card', () => {
  const { sale, warnings } = accepted(aSale());

  const { tenders, ...rest } = aSale();
  expect(sale).toMatchObject(rest);
  expect(sale.tenders[0]).toEqual({ ...tenders[0], card: expect.anything() });
  expect(sale.tenders[0]!.card).not.toHaveProperty('expiryMonth');
  expect(warnings).toEqual([]);
});

test('the order in which fields are sent makes no difference', () => {
  const reversed = Object.fromEntries(Object.entries(aSale()).reverse());

  expect(JSON.stringify(accepted(reversed).sale)).toBe(JSON.stringify(accepted(aSale()).sale));
});

test('prices of 0, 2,000 lines, returns, dates of 2010 and tenders that do not add up come in', () => {
  const lines = Array.from({ length: 2_000 }, (_, index) => ({ line: index, sku: 'A', quantity: 1, unitPrice: 0 }));
  const sale = aSale({ lines, type: 'return', occurredAt: '2010-01-01T00:00:00Z', businessDate: '2009-12-31' });

  expect(accepted(sale).sale.lines).toHaveLength(2_000);
});

test.each<[string, object, string]>([
  ['a quantity of 0', line({ quantity: 0 }), 'lines[0].quantity: got 0, allowed: an integer of at least 1'],
  [
    'a price with a fraction',
    line({ unitPrice: 2.5 }),
    'lines[0].unitPrice: got 2.5, allowed: an integer of at least 0',
  ],
  ['a price as text', line({ unitPrice: '255' }), "lines[0].unitPrice: got '255', allowed: an integer of at least 0"],
  ['no sku', line({ sku: undefined }), 'lines[0].sku: got nothing, allowed: 1 to 64 of A-Z a-z 0-9 . _ -'],
  ['no lines', { lines: [] }, 'lines: got 0 items, allowed: 1 to 2,000 lines'],
  ['a source in capitals', { source: 'POS' }, "source: got 'POS', allowed: 2 to 32 of a-z 0-9 -, a letter first"],
  ['another type', { type: 'refund' }, "type: got 'refund', allowed: sale or return"],
  ['an unknown currency', { currency: 'EUX' }, "currency: got 'EUX', allowed: a currency code of ISO 4217"],
  ['null', { customerId: null }, 'customerId: got null, allowed: 1 to 64 of A-Z a-z 0-9 . _ : @ + -'],
  ['a long note', { note: 'é'.repeat(501) }, 'note: got 501 characters, allowed: text of at most 500 characters'],
  [
    'a time of another zone',
    { occurredAt: '2026-11-22T10:15:30+01:00' },
    "occurredAt: got '2026-11-22T10:15:30+01:00', allowed: a UTC time since 1970 such as 2026-11-22T10:15:30.123Z",
  ],
  [
    'a day that is not in the calendar',
    { occurredAt: '2026-02-30T10:15:30Z' },
    "occurredAt: got '2026-02-30T10:15:30Z', allowed: a UTC time since 1970 such as 2026-11-22T10:15:30.123Z",
  ],
  [
    'the same in the trading day',
    { businessDate: '2026-02-30' },
    "businessDate: got '2026-02-30', allowed: a date since 1970 such as 2026-11-22",
  ],
  [
    'a line number twice',
    { lines: [...aSale().lines, aSale().lines[0]] },
    'lines[2].line: got 1 a second time, allowed: unique line numbers',
  ],
  [
    'a month 13',
    card({ expiryMonth: 13 }),
    'tenders[0].card.expiryMonth: got a number that is not shown, allowed: a month, 1 to 12',
  ],
  ['null for a card', tender({ card: null }), 'tenders[0].card: got null, allowed: an object with number'],
  [
    'a list for a card',
    tender({ card: [1] }),
    'tenders[0].card: got an object that is not shown, allowed: an object with number',
  ],
  [
    'a card on cash',
    tender({ type: 'cash' }),
    'tenders[0].card: got a card on a tender of type cash, allowed: on tenders of type card only',
  ],
  [
    'a card number that is none',
    card({ number: '4111111111111112' }),
    'tenders[0].card.number: not a valid card number',
  ],
])('an event with %s is rejected, saying field, got and allowed', (_, changes, message) => {
  expect(rejected(aSale(changes))).toMatchObject({ code: 'invalid', message });
});

test('a card tender without a card comes in: its acquirer tokenized it', () => {
  expect(accepted(aSale(tender({ card: undefined }))).sale.tenders[0]).not.toHaveProperty('card');
});

test('a sale may be 24 hours ahead and, where the stage says so, no older than its maximum', () => {
  const days = (count: number) => new Date(aMoment + count * 86_400_000).toISOString();
  const rules = { maximumAgeMs: 30 * 86_400_000 };

  expect(accepted(aSale({ occurredAt: days(1) }), rules)).toBeDefined();
  expect(accepted(aSale({ occurredAt: days(-30) }), rules)).toBeDefined();
  expect(rejected(aSale({ occurredAt: days(1.001) }), rules)).toMatchObject({ code: 'too-far-ahead' });
  expect(rejected(aSale({ occurredAt: days(-30.001) }), rules)).toMatchObject({
    code: 'too-old',
    message: expect.stringContaining('at most 30 days ago'),
  });
});

test('amounts whose products or sums leave the exact integers are rejected', () => {
  const big = Number.MAX_SAFE_INTEGER;

  expect(rejected(aSale(line({ quantity: 2, unitPrice: big }))).code).toBe('invalid');
  expect(
    rejected(
      aSale({
        ...line({ quantity: 1, unitPrice: 0, discount: 2 ** 53 - 2 }),
        tenders: [{ type: 'cash', amount: 2 ** 53 - 2 }],
      }),
    ).code,
  ).toBe('invalid');
  expect(
    rejected(aSale({ lines: [1, 2, 3].map((each) => ({ line: each, sku: 'A', quantity: 1, unitPrice: 2 ** 52 })) }))
      .code,
  ).toBe('invalid');
  expect(rejected(aSale({ tenders: [1, 2, 3].map(() => ({ type: 'cash', amount: 2 ** 52 })) })).code).toBe('invalid');
});

test('500 characters are counted as a reader counts them', () => {
  expect(accepted(aSale({ note: '😀'.repeat(500) }))).toBeDefined();
  expect(rejected(aSale({ note: '😀'.repeat(501) })).message).toContain('501 characters');
});

describe('unknown fields', () => {
  test('are dropped at every level, with one warning for each name', () => {
    const sale = aSale({
      cashier: { name: 'x' },
      lines: aSale().lines.map((each: object) => ({ ...each, colour: 'scarlet' })),
    });
    sale.tenders[0].card.holder = 'J. Doe';

    const decision = accepted(sale);

    expect(decision.sale).toEqual({ ...accepted(aSale()).sale, tenders: expect.anything() });
    expect(JSON.stringify(decision)).not.toMatch(/scarlet|Doe/);
    expect([...decision.warnings].sort()).toEqual([
      'cashier: unknown field, dropped',
      'lines[].colour: unknown field, dropped',
      'tenders[].card.holder: unknown field, dropped',
    ]);
  });

  test('that come by thousands are named twenty at a time', () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`f${index}`, index]));

    expect(accepted(aSale(many)).warnings).toHaveLength(20);
  });

  test('that hold security codes or track data are counted, at any depth', () => {
    const sale = aSale({ extra: { deep: [{ Track_2_Data: 'x' }, { a: `;${testCards.visa}=29121010000012300000?` }] } });
    sale.tenders[0].card.cvv2 = '737';
    sale.tenders[0].pinBlock = '0412AC89ABCDEF67';

    const decision = accepted(sale);

    expect(decision.securityCodesRemoved).toBe(4);
    expect([...decision.warnings].sort()).toEqual([
      'extra.deep.Track_2_Data: security code or track data, removed',
      'extra.deep.a: security code or track data, removed',
      'tenders[].card.cvv2: security code or track data, removed',
      'tenders[].pinBlock: security code or track data, removed',
    ]);
    expect(JSON.stringify(decision)).not.toMatch(/737|0412AC/);
  });

  test('named like a card number are not named', () => {
    const { warnings } = accepted(aSale({ [testCards.visa]: 1 }));

    expect(warnings).toEqual(['****************: unknown field, dropped']);
  });

  test('nested deeper than any stack do no harm', () => {
    const deep = JSON.parse(`${'[{"a":'.repeat(20_000)}1${'}]'.repeat(20_000)}`);

    expect(accepted(aSale({ deep })).warnings).toEqual(['deep: unknown field, dropped']);
  });
});

describe('card data in the wrong place', () => {
  test('in the note is masked with a warning', () => {
    const decision = accepted(aSale({ note: `card ${testCards.amex} and ${testCards.visa}` }));

    expect(decision.sale.note).toBe('card ***********0005 and ************1111');
    expect(decision).toMatchObject({ cardNumbersMasked: 2, warnings: ['note: card number, masked'] });
  });

  test.each([
    ['track 2', `swiped ;${testCards.visa}=29121010000012300000? ok`, 'swiped [removed] ok'],
    ['track 1', `swiped %B${testCards.visa}^DOE/J^29121010000000000000? ok`, 'swiped [removed] ok'],
    ['a security code', 'exp 12/29 CVV: 737', 'exp 12/29 CVV: [removed]'],
  ])('%s in the note is removed and counted', (_, note, left) => {
    const decision = accepted(aSale({ note }));

    expect(decision.sale.note).toBe(left);
    expect(decision.securityCodesRemoved).toBe(1);
  });

  test.each<[string, (value: string) => object]>([
    ['transactionId', (transactionId) => ({ transactionId })],
    ['originalTransactionId', (originalTransactionId) => ({ originalTransactionId })],
    ['customerId', (customerId) => ({ customerId })],
    ['location', (location) => ({ location })],
    ['region', (region) => ({ region })],
    ['source', (value) => ({ source: `a${value}` })],
    ['lines[0].sku', (sku) => line({ sku })],
    ['lines[0].category', (category) => line({ category })],
    ['tenders[0].gateway', (gateway) => tender({ gateway })],
    ['tenders[0].gatewayReference', (gatewayReference) => tender({ gatewayReference })],
  ])('in %s makes the event rejected, without a word of it', (path, changes) => {
    for (const number of Object.values(testCards)) {
      const { code, message } = rejected(aSale(changes(number)));

      expect(code).toBe('looks-like-card-number');
      expect(message).toContain(`${path}: `);
      expect(message).not.toMatch(/\d{5}/);
    }
  });

  test('is let in where the stage knows that the source uses such numbers in that field', () => {
    const cardLikeIdentifiers = new Set(['pos-eu.customerId', 'pos-eu.sku']);
    const known = aSale({ ...line({ sku: testCards.visa }), customerId: testCards.visa });

    expect(accepted(known, { cardLikeIdentifiers })).toBeDefined();
    expect(rejected({ ...known, source: 'pos-us' }, { cardLikeIdentifiers }).code).toBe('looks-like-card-number');
    expect(rejected({ ...known, transactionId: testCards.visa }, { cardLikeIdentifiers }).code).toBe(
      'looks-like-card-number',
    );
  });

  test('in an amount makes the event rejected', () => {
    const amount = Number(testCards.visa);

    expect(rejected(aSale(line({ unitPrice: amount, quantity: 1 }))).code).toBe('looks-like-card-number');
    expect(rejected(aSale(line({ line: amount }))).code).toBe('looks-like-card-number');
    expect(rejected(aSale({ tenders: [{ type: 'cash', amount }] })).code).toBe('looks-like-card-number');
  });

  test('is never in a message or a warning, wherever it was put and whatever stands around it', () => {
    const paths: ((value: unknown) => object)[] = [
      (value) => ({ transactionId: value }),
      (value) => ({ type: value }),
      (value) => ({ occurredAt: value }),
      (value) => ({ currency: value }),
      (value) => ({ businessDate: value }),
      (value) => ({ lines: value }),
      (value) => ({ note: [value] }),
      (value) => line({ quantity: value }),
      (value) => line({ sku: value }),
      (value) => tender({ gatewayReference: value }),
      (value) => card({ number: value }),
      (value) => card({ expiryYear: value }),
      (value) => ({ [String(value)]: 1 }),
    ];
    const around = fc.constantFrom('', ' ', 'a', '99', 'x'.repeat(60), '\u0661', '1'.repeat(30));
    const form = fc.constantFrom(
      (digits: string) => digits,
      (digits: string) => digits.replace(/(.{4})(?=.)/g, '$1 '),
      (digits: string) => digits.replace(/(.{4})(?=.)/g, '$1-'),
    );
    fc.assert(
      fc.property(aTestCard, fc.constantFrom(...paths), around, around, form, (number, put, before, after, write) => {
        const decision = check(aSale(put(`${before}${write(number)}${after}`)));

        const told = decision instanceof Rejection ? decision.message : decision.warnings.join('\n');
        expect(told.replace(/[ -]/g, '')).not.toContain(number);
      }),
    );
    for (const put of paths) {
      const decision = check(aSale(put(Number(testCards.visa))));
      expect(decision instanceof Rejection ? decision.message : decision.warnings.join()).not.toContain(testCards.visa);
    }
  });
});

test('whatever JSON is sent, there is a decision', () => {
  const fields = ['source', 'transactionId', 'lines', 'tenders', 'note', 'occurredAt', 'currency', 'type', '__proto__'];
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...fields), fc.jsonValue(), (event, field, value) => {
      for (const each of [event, { ...aSale(), [field]: value }, { ...aSale(), lines: [value], tenders: [value] }]) {
        const decision = check(JSON.parse(JSON.stringify(each)));
        expect(decision instanceof Rejection ? decision.message : decision.sale).toBeTruthy();
      }
    }),
    { numRuns: 300 },
  );
});

test('docs/sale.schema.json is what the door checks', () => {
  expect(readFileSync('docs/sale.schema.json', 'utf8')).toBe(saleSchemaText());
});
