import { brandOf } from './card-brands';

/**
 * What makes digits a card number, for whoever must keep one out. To hold one, and to know it as one, is for the
 * cardholder room alone.
 */
export function isCardNumber(digits: string): boolean {
  return brandOfCardNumber(digits) !== undefined;
}

/** The brand of 13 to 19 digits that are Luhn-valid and have its prefix and length; undefined where they are no card. */
export function brandOfCardNumber(digits: string): string | undefined {
  if (digits.length < 13 || digits.length > 19 || !isLuhnValid(digits)) return undefined;
  return brandOf(digits);
}

/** Whether the text is digits only, and they pass the check that card numbers pass. */
export function isLuhnValid(digits: string): boolean {
  let sum = 0;
  for (let place = digits.length - 1, twice = false; place >= 0; place--, twice = !twice) {
    let digit = digits.charCodeAt(place) - 48;
    if (digit < 0 || digit > 9) return false;
    if (twice) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return digits.length > 0 && sum % 10 === 0;
}
