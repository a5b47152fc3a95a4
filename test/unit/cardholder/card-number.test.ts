import { inspect } from 'node:util';
import fc from 'fast-check';
import { isCardNumber, isLuhnValid } from '../../../lambdas/base/runtime/card-digits';
import { holdsCardNumber, maskCardNumbers, mayHideCardNumber } from '../../../lambdas/base/runtime/card-number-search';
import { CardNumber } from '../../../lambdas/cardholder/card-number';
import { asCardToken, newCardToken } from '../../../lambdas/cardholder/card-token';
import { aTestCard, testCards } from './test-sales';

const separators = fc.array(
  fc.constantFrom('', '', '', ' ', '-', '.', '/', '_', ':', ' - ', '\u00a0', '\u2013', '\u200b', '\n', '\u3000', '*'),
  { minLength: 19, maxLength: 19 },
);
const scripts = ['0', '\uff10', '\u0660', '\u0966', '\u{1d7ce}', '\u{1d7d8}'];

function written(card: string, between: readonly string[], zero = '0'): string {
  const digit = (value: string) => String.fromCodePoint(zero.codePointAt(0)! + Number(value));
  return [...card].map((each, index) => digit(each) + (index === card.length - 1 ? '' : between[index])).join('');
}

describe('a card number', () => {
  test.each(Object.entries(testCards))('of %s is known, with its brand, six digits and four', (_, digits) => {
    const card = CardNumber.read(digits);

    expect(card?.brand).toBeTruthy();
    expect(card?.bin).toBe(digits.slice(0, 6));
    expect(card?.last4).toBe(digits.slice(-4));
  });

  test.each([
    ['a digit that does not fit', '4111111111111112'],
    ['a length that the brand does not have', '41111111111111'],
    ['a prefix that nobody has', '9999999999999995'],
    ['letters', '4111x11111111111'],
    ['nothing', ''],
  ])('is none with %s', (_, text) => {
    expect(CardNumber.read(text)).toBeUndefined();
  });

  test('tells neither a log line, an error, nor JSON what it is', () => {
    const card = CardNumber.read(testCards.visa)!;

    const told = [JSON.stringify({ card }), `${card}`, inspect({ card }, { showHidden: true }), inspect([card])].join();

    expect(told).not.toContain(testCards.visa.slice(0, 8));
    expect(card.reveal()).toBe(testCards.visa);
  });

  test('has the most specific brand of those that fit', () => {
    expect(CardNumber.read(testCards.discover)?.brand).toBe('discover');
    expect(CardNumber.read(testCards.amex)?.brand).toBe('american-express');
  });
});

describe('a card number in text', () => {
  test('is found however it is grouped, and in any script', () => {
    fc.assert(
      fc.property(aTestCard, separators, fc.constantFrom(...scripts), (card, between, zero) => {
        expect(holdsCardNumber(written(card, between, zero))).toBe(true);
      }),
    );
  });

  test('is found between other words and numbers, and masked but for four digits', () => {
    const around = fc.constantFrom('', 'card ', 'ref:', '12 ', 'No. 7 / ', 'x-', '(', '99-');
    fc.assert(
      fc.property(aTestCard, separators, around, around, (card, between, before, after) => {
        const text = `${before}${written(card, between)} ${after}`;

        const { text: masked, masked: count } = maskCardNumbers(text);

        expect(count).toBeGreaterThan(0);
        expect(holdsCardNumber(masked)).toBe(false);
        expect(masked.replace(/\D/g, '')).not.toContain(card);
        expect([...masked]).toHaveLength([...text].length);
      }),
    );
  });

  test('keeps its last four digits and all that is no part of it', () => {
    const { text } = maskCardNumbers(`paid with ${testCards.visa.replace(/(.{4})(?=.)/g, '$1 ')}, thanks`);

    expect(text).toBe('paid with **** **** **** 1111, thanks');
  });

  test('stuck to letters is found', () => {
    expect(holdsCardNumber(`pan${testCards.visa}x`)).toBe(true);
    expect(holdsCardNumber(`card4111-1111-1111-1111`)).toBe(true);
  });

  test.each([
    ['inside a longer number', `9${testCards.visa}`],
    ['interrupted by a letter', '41111111x11111111'],
    ['a till, a date and a sequence', 'S042-T41-20261122-000915'],
    ['a time', '2026-11-22T10:15:30.123456Z'],
  ])('is not seen in %s', (_, text) => {
    expect(holdsCardNumber(text)).toBe(false);
  });

  test('inside a longer number is suspected where text is shown', () => {
    expect(mayHideCardNumber(`9${testCards.visa}123`)).toBe(true);
    expect(mayHideCardNumber('order 4711 of 2026')).toBe(false);
  });

  test('is never seen in text that has fewer than 13 digits', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (text) => !holdsCardNumber(text)));
  });
});

describe('a token', () => {
  test('is tok_ and 26 characters, and never looks like a card number', () => {
    const tokens = Array.from({ length: 2_000 }, () => newCardToken());

    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) {
      expect(token).toMatch(/^tok_[a-z2-7]{26}$/);
      expect(isLuhnValid(token.replace(/\D/g, ''))).toBe(false);
      expect(token.slice(4)).not.toMatch(/^\d+$/);
      expect(holdsCardNumber(token)).toBe(false);
    }
  });

  test('is drawn again while its digits pass the check of card numbers, or are all it has', () => {
    const digitsOnly = new Uint8Array(26).fill(26);
    // 3 and 4: twice 3 and 4 make 10.
    const luhnValid = new Uint8Array(26).map((_, index) => [27, 28][index] ?? 0);
    const good = new Uint8Array(26).map((_, index) => index);
    const drawn = [digitsOnly, luhnValid, good];

    const token = newCardToken(() => drawn.shift()!);

    expect(drawn).toHaveLength(0);
    expect(token).toBe('tok_abcdefghijklmnopqrstuvwxyz');
  });

  test('of another form is none', () => {
    expect(asCardToken(`tok_${'2'.repeat(26)}`)).toBeUndefined();
    expect(asCardToken('tok_short')).toBeUndefined();
    expect(asCardToken(testCards.visa)).toBeUndefined();
  });
});

test('digits are Luhn-valid with exactly one last digit', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{5,18}$/), (start) => {
      const valid = [...'0123456789'].filter((last) => isLuhnValid(start + last));
      expect(valid).toHaveLength(1);
      expect(isCardNumber(`${start}x`)).toBe(false);
    }),
  );
});
