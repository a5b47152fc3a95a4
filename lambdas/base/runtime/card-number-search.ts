import { isCardNumber } from './card-digits';

const shortest = 13;
const longest = 19;

/** Digits that stand together, and where each stands among the text's characters. */
interface Group {
  readonly digits: string;
  readonly places: readonly number[];
}

/**
 * Whether a card number stands in the text: 13 to 19 digits, written in one group or several with anything but letters
 * between them, in any script's digits. Part of a longer group is none: that is some other number. Nor are up to three
 * digits right after a letter part of one: in `S042-T41-20261122-000917` the till is a word.
 */
export function holdsCardNumber(text: string): boolean {
  return mayHoldCardNumber(text) && cardNumbersIn([...text]).length > 0;
}

/** Stars out every digit but the last four of each card number in the text. */
export function maskCardNumbers(text: string): { readonly text: string; readonly masked: number } {
  if (!mayHoldCardNumber(text)) return { text, masked: 0 };
  const characters = [...text];
  let masked = 0;
  // What is left of one can make another with its neighbours, hence again, until there is none.
  for (let found = cardNumbersIn(characters); found.length > 0; found = cardNumbersIn(characters)) {
    masked += found.length;
    for (const places of found) for (const place of places.slice(0, -4)) characters[place] = '*';
  }
  return { text: masked === 0 ? text : characters.join(''), masked };
}

/**
 * Whether any 13 to 19 digits in a row, whatever stands around and between them but letters, would pass as a card number.
 * Stricter than the rule above, for text that is shown or logged: there a false alarm costs nothing.
 */
export function mayHideCardNumber(text: string): boolean {
  if (!mayHoldCardNumber(text)) return false;
  let digits = '';
  for (const character of text) {
    const digit = digitOf(character);
    if (digit !== undefined) {
      digits = (digits + digit).slice(-longest);
      for (let length = shortest; length <= digits.length; length++)
        if (isCardNumber(digits.slice(-length))) return true;
    } else if (isLetter(character)) digits = '';
  }
  return false;
}

/** Cheap, and right for nearly every text: too few digits. Other than ASCII is looked at closely. */
function mayHoldCardNumber(text: string): boolean {
  if (text.length < shortest) return false;
  let digits = 0;
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    if (code > 127) return true;
    if (code >= 48 && code <= 57) digits++;
  }
  return digits >= shortest;
}

function cardNumbersIn(characters: readonly string[]): (readonly number[])[] {
  const found: (readonly number[])[] = [];
  for (const chain of chainsOf(characters))
    for (let first = 0; first < chain.length; first++) {
      let digits = '';
      for (let last = first; last < chain.length; last++) {
        digits += chain[last]!.digits;
        if (digits.length > longest) break;
        if (digits.length >= shortest && isCardNumber(digits))
          found.push(chain.slice(first, last + 1).flatMap(({ places }) => places));
      }
    }
  return found;
}

/** Groups of digits with no letter between them. */
function chainsOf(characters: readonly string[]): Group[][] {
  const chains: Group[][] = [];
  let chain: Group[] = [];
  let digits = '';
  let places: number[] = [];
  let afterLetter = false;
  let letterBefore = false;

  const endChain = () => {
    if (chain.length > 0) chains.push(chain);
    chain = [];
  };
  const endGroup = () => {
    if (digits === '') return;
    if (afterLetter && digits.length < 4) endChain();
    else chain.push({ digits, places });
    digits = '';
    places = [];
  };

  characters.forEach((character, place) => {
    const digit = digitOf(character);
    if (digit !== undefined) {
      if (digits === '') afterLetter = letterBefore;
      digits += digit;
      places.push(place);
      letterBefore = false;
      return;
    }
    endGroup();
    letterBefore = isLetter(character);
    if (letterBefore) endChain();
  });
  endGroup();
  endChain();
  return chains;
}

function digitOf(character: string): string | undefined {
  if (character >= '0' && character <= '9' && character.length === 1) return character;
  if (character <= '\u007f') return undefined;
  // Full width, superscript, circled, mathematical.
  const plain = character.normalize('NFKC');
  if (/^[0-9]$/.test(plain)) return plain;
  if (!/^\p{Nd}$/u.test(plain)) return undefined;
  // Other scripts: Unicode lays each set of ten digits out in order, and sets that touch touch whole.
  let first = plain.codePointAt(0)!;
  const value = first;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first--;
  return String((value - first) % 10);
}

function isLetter(character: string): boolean {
  return character <= '\u007f' ? /[A-Za-z]/.test(character) : /\p{L}/u.test(character);
}
