import fc from 'fast-check';
import {
  businessDateOf,
  netOf,
  parseSale,
  type Sale,
  saleKey,
  signOf,
  tenderDifferenceOf,
} from '../../../lambdas/base/domain/sale';
import { aSale } from '../../engine-rig/sales';
import { arbitrarySale } from '../lake/arbitrary-sale';

describe('what a sale comes to', () => {
  test('net is quantity times price less discount, tax apart', () => {
    expect(netOf({ line: 1, sku: 'A', quantity: 3, unitPrice: 255, discount: 65, tax: 122 })).toBe(700);
    expect(netOf({ line: 1, sku: 'A', quantity: 3, unitPrice: 0 })).toBe(0);
  });

  test('returns are negative', () => {
    expect([signOf({ type: 'sale' }), signOf({ type: 'return' })]).toEqual([1, -1]);
  });

  test.each([
    ['exactly', [{ type: 'card', amount: 620 }], 0],
    [
      'in two tenders',
      [
        { type: 'card', amount: 600 },
        { type: 'cash', amount: 20 },
      ],
      0,
    ],
    ['with change', [{ type: 'cash', amount: 700 }], 80],
    ['short', [{ type: 'gift-card', amount: 600 }], -20],
    ['not at all', [], -620],
  ] as const)('a sale paid %s differs by what is over', (_, tenders, difference) => {
    const lines = [
      { line: 1, sku: 'A', quantity: 2, unitPrice: 250, tax: 100 },
      { line: 2, sku: 'B', quantity: 1, unitPrice: 30, discount: 10 },
    ];

    expect(tenderDifferenceOf({ lines, tenders })).toBe(difference);
  });

  test('a discount beyond the price is a negative net, and still adds up', () => {
    const lines = [{ line: 1, sku: 'A', quantity: 1, unitPrice: 100, discount: 150 }];

    expect([netOf(lines[0]!), tenderDifferenceOf({ lines, tenders: [] })]).toEqual([-50, 50]);
  });

  test('the trading day is the one that is named, else the day in UTC', () => {
    const occurredAt = '2026-11-22T23:59:59.999Z';

    expect(businessDateOf({ occurredAt })).toBe('2026-11-22');
    expect(businessDateOf({ occurredAt, businessDate: '2026-11-23' })).toBe('2026-11-23');
  });

  test('the key tells sources apart', () => {
    expect(saleKey({ source: 'pos-eu', transactionId: 'T-1' })).toBe('pos-eu#T-1');
    expect(saleKey({ source: 'pos', transactionId: 'eu#T-1' })).not.toBe(
      saleKey({ source: 'pos-eu', transactionId: 'T-1' }),
    );
  });
});

describe('reading a sale from a record', () => {
  const parsed = (change: object) => parseSale(JSON.stringify({ ...aSale(), ...change }));
  const line = aSale().lines[0]!;

  test('any sale that the door lets through is read as it was written', () => {
    fc.assert(
      fc.property(arbitrarySale, (sale: Sale) => {
        expect(parseSale(JSON.stringify(sale))).toEqual(JSON.parse(JSON.stringify(sale)));
      }),
      { seed: 20261122 },
    );
  });

  test.each([
    ['', 'the record is not JSON'],
    ['{', 'the record is not JSON'],
    ['\u0000', 'the record is not JSON'],
    ['null', 'the record is not an object'],
    ['17', 'the record is not an object'],
    ['"sale"', 'the record is not an object'],
    ['[]', 'source is missing'],
    ['{}', 'source is missing'],
  ])('%j is none: %s', (text, reason) => {
    expect(parseSale(text)).toEqual({ reason });
  });

  test.each([
    [{ source: '' }, 'source is missing'],
    [{ transactionId: 17 }, 'transactionId is missing'],
    [{ region: null }, 'region is missing'],
    [{ location: {} }, 'location is missing'],
    [{ channel: undefined }, 'channel is missing'],
    [{ currency: ['EUR'] }, 'currency is missing'],
    [{ type: 'exchange' }, 'type is neither sale nor return'],
    [{ occurredAt: 'yesterday' }, 'occurredAt is not a time'],
    [{ occurredAt: 5 }, 'occurredAt is not a time'],
    [{ occurredAt: ['2026-11-22T10:15:30Z'] }, 'occurredAt is not a time'],
    [{ acceptedAt: undefined }, 'acceptedAt is not a time'],
    [{ occurredAt: 'Nov 22, 2026' }, 'occurredAt is not a time'],
    [{ businessDate: 20261122 }, 'businessDate is not a day'],
    [{ businessDate: '2026-02-30' }, 'businessDate is not a day'],
    [{ businessDate: ['2026-11-22'] }, 'businessDate is not a day'],
    [{ note: { text: 'x' } }, 'note is not text'],
    [{ lines: [] }, 'lines are missing'],
    [{ lines: {} }, 'lines are missing'],
    [{ lines: [line, null] }, 'a line lacks its number, sku, quantity or unitPrice'],
    [{ lines: [{ ...line, quantity: 1.5 }] }, 'a line lacks its number, sku, quantity or unitPrice'],
    [{ lines: [{ ...line, unitPrice: '255' }] }, 'a line lacks its number, sku, quantity or unitPrice'],
    [{ lines: [{ ...line, unitPrice: 2 ** 53 }] }, 'a line lacks its number, sku, quantity or unitPrice'],
    [{ lines: [{ ...line, discount: '10' }] }, 'discount or tax of a line is not an integer'],
    [{ lines: [{ ...line, tax: 0.5 }] }, 'discount or tax of a line is not an integer'],
    [{ lines: [{ ...line, category: 7 }] }, 'category of a line is not text'],
    [{ tenders: undefined }, 'tenders are missing'],
    [{ tenders: [null] }, 'a tender lacks its type or amount'],
    [{ tenders: [{ type: 'cash', amount: '10' }] }, 'a tender lacks its type or amount'],
    [{ tenders: [{ type: 'cash', amount: 10, gateway: 1 }] }, 'gateway or gatewayReference of a tender is not text'],
    [
      { tenders: [{ type: 'card', amount: 10, card: null }] },
      'a card lacks its token, brand, bin or last4, or has an issuer that is not text',
    ],
  ])('%j makes it none: %s', (change, reason) => {
    expect(parsed(change)).toEqual({ reason });
  });

  test('the reason shows nothing of what the record holds', () => {
    const secret = 'do-not-show';

    for (const change of [{ source: [secret] }, { type: secret }, { occurredAt: secret }, { note: [secret] }])
      expect(JSON.stringify(parsed(change))).not.toContain(secret);
    expect(JSON.stringify(parseSale(`{"note":"${secret}"`))).not.toContain(secret);
  });

  test('whatever JSON comes, nothing is thrown', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(aSale())), (value, field) => {
        expect(() => parsed({ [field]: value })).not.toThrow();
      }),
      { seed: 20261122, numRuns: 300 },
    );
  });
});
