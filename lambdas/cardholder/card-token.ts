import { randomBytes } from 'node:crypto';
import { isLuhnValid } from '../base/runtime/card-digits';

/** What stands for a card number outside this room: random, so that nothing can be computed back from it. */
export type CardToken = string & { readonly brand: 'CardToken' };

// RFC 4648 in lower case: only six of 32 are digits, so few tokens have to be drawn again.
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const length = 26;

/** `tok_` and 130 random bits in base32, never digits only, and never with digits that pass as a card number's. */
export function newCardToken(random: (size: number) => Uint8Array = randomBytes): CardToken {
  for (;;) {
    // One byte per character: 256 is a multiple of 32, so every character is equally likely.
    const characters = Array.from(random(length), (byte) => alphabet[byte % 32]).join('');
    if (isToken(characters)) return `tok_${characters}` as CardToken;
  }
}

export function asCardToken(text: string | undefined): CardToken | undefined {
  const characters = /^tok_([a-z2-7]{26})$/.exec(text ?? '')?.[1];
  return characters !== undefined && isToken(characters) ? (text as CardToken) : undefined;
}

function isToken(characters: string): boolean {
  const digits = characters.replace(/[a-z]/g, '');
  return digits.length < length && !isLuhnValid(digits);
}
