import fc from 'fast-check';
import { currencies, minorUnitDigits } from '../../../lambdas/base/domain/currencies';
import { decimalOf, minorUnitsOf } from '../../../lambdas/serve/finance/settlement/money';

const settings = { seed: 42, numRuns: 500 };

test.each([
  ['12.34', 2, 1_234],
  ['12.3', 2, 1_230],
  ['12', 2, 1_200],
  ['-0.01', 2, -1],
  ['+5.00', 2, 500],
  ['12.340000', 2, 1_234],
  ['500', 0, 500],
  ['500.00', 0, 500],
  ['1.234', 3, 1_234],
  ['90071992547409.91', 2, Number.MAX_SAFE_INTEGER],
  ['-0.00', 2, 0],
])('%s with %i decimals is %i', (text, digits, amount) => {
  expect(minorUnitsOf(text, digits)).toBe(amount);
});

test.each([
  ['', 2],
  ['-', 2],
  ['.5', 2],
  ['1.', 2],
  ['1,000.00', 2],
  ['1.000,00', 2],
  ['1e3', 2],
  ['0x10', 2],
  ['12.345', 2],
  ['0.5', 0],
  ['90071992547409.92', 2],
  ['9999999999999999', 2],
  ['NaN', 2],
  ['12.34 EUR', 2],
  ['--1', 2],
  ['\u0661', 2],
])('%p with %i decimals is no amount', (text, digits) => {
  expect(minorUnitsOf(text, digits)).toBeUndefined();
});

test('what is written as a decimal is read as the same amount, in every currency', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.constantFrom(...currencies), fc.nat(4), (amount, currency, zeros) => {
      const digits = minorUnitDigits(currency);
      const text = decimalOf(amount, digits);

      expect(minorUnitsOf(text, digits)).toBe(amount === 0 ? 0 : amount);
      // More places say the same as long as they say nothing.
      if (digits > 0) expect(minorUnitsOf(text + '0'.repeat(zeros), digits)).toBe(amount === 0 ? 0 : amount);
    }),
    settings,
  );
});

test('cents that floating point cannot hold add up', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -999_999, max: 999_999 }), { maxLength: 200 }), (cents) => {
      const read = cents.map((amount) => minorUnitsOf(decimalOf(amount, 2), 2)!);

      expect(read.reduce((sum, amount) => sum + amount, 0)).toBe(cents.reduce((sum, amount) => sum + amount, 0));
    }),
    settings,
  );
});
