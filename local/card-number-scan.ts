import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where a card number was found, and how it was written. Never the number itself. */
export interface Finding {
  readonly where: string;
  readonly form: 'digits' | 'hex' | 'base64';
}

/** The forms in which any of the known card numbers stands in a text. */
export function cardNumbersIn(text: string, known: ReadonlySet<string>): Finding['form'][] {
  return new CardNumberSearch(known).formsIn(text);
}

/** Scans pieces of content as they come. Throws once it is told to stop. */
export async function scanContents(
  contents: AsyncIterable<{ readonly where: string; readonly text: string }>,
  known: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<Finding[]> {
  const search = new CardNumberSearch(known);
  const findings: Finding[] = [];
  for await (const { where, text } of contents) {
    signal?.throwIfAborted();
    for (const form of search.formsIn(text)) findings.push({ where, form });
  }
  return findings;
}

/** Every byte of every file below a folder, in overlapping pieces, so that no number is cut in two. */
export async function* filesBelow(directory: string): AsyncIterable<{ where: string; text: string }> {
  const overlap = 256;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const where = join(entry.parentPath, entry.name);
    let tail = '';
    try {
      for await (const chunk of createReadStream(where, { highWaterMark: 1 << 20, encoding: 'latin1' })) {
        yield { where, text: tail + chunk };
        // Of a file that grows, a chunk can be shorter than the overlap.
        tail = (tail + chunk).slice(-overlap);
      }
    } catch (error) {
      // Databases remove files of their own while they run.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** A number in every form that the scan must find: the control that shows it is not blind. */
export function plantedControls(cardNumber: string): string[] {
  const ascii = Buffer.from(cardNumber);
  return [
    cardNumber,
    cardNumber.replace(/(.{4})(?=.)/g, '$1 '),
    cardNumber.replace(/(.{4})(?=.)/g, '$1-'),
    ascii.toString('hex'),
    ...['', 'x', 'xy'].map((before) => Buffer.from(`${before}${cardNumber}`).toString('base64')),
  ];
}

const prefixDigits = 6;
const prefixes = 10 ** prefixDigits;

/**
 * Looks for card numbers in text: plain, with spaces, dashes or dots between digits, and in hex or base64 of text that
 * holds them so, at any offset. Looks at every place in every stretch of digits; which numbers can begin there is asked
 * of their first six digits, so the effort grows with the text only, not with the number of cards.
 */
class CardNumberSearch {
  readonly #begins = new Uint8Array(prefixes);
  readonly #lengths: readonly number[];

  constructor(private readonly known: ReadonlySet<string>) {
    for (const number of known) this.#begins[Number(number.slice(0, prefixDigits))] = 1;
    this.#lengths = [...new Set([...known].map(({ length }) => length))];
  }

  formsIn(text: string): Finding['form'][] {
    const found: Finding['form'][] = [];
    if (this.#holdsDigits(text)) found.push('digits');
    if (this.#holdsEncoded(text, /[0-9A-Fa-f]{24}/g, /[0-9A-Fa-f]{1,4096}/y, 'hex', 2)) found.push('hex');
    if (this.#holdsEncoded(text, /[A-Za-z0-9+/_-]{16}/g, /[A-Za-z0-9+/_-]{1,4096}/y, 'base64', 4)) found.push('base64');
    return found;
  }

  #holdsDigits(text: string): boolean {
    for (const run of runsIn(text, /[0-9](?:[ .-]?[0-9]){11}/g, /(?:[ .-]?[0-9]){1,4096}/y))
      if (this.#holdsNumber(run.replace(/[ .-]/g, ''))) return true;
    return false;
  }

  #holdsNumber(digits: string): boolean {
    let prefix = 0;
    for (let end = 1; end <= digits.length; end++) {
      prefix = (prefix * 10 + digits.charCodeAt(end - 1) - 48) % prefixes;
      if (end < prefixDigits || this.#begins[prefix] === 0) continue;
      const start = end - prefixDigits;
      for (const length of this.#lengths) if (this.known.has(digits.slice(start, start + length))) return true;
    }
    return false;
  }

  /** A run may begin anywhere in what was encoded, hence each of the places that its first character can have. */
  #holdsEncoded(text: string, begin: RegExp, more: RegExp, form: 'hex' | 'base64', places: number): boolean {
    for (const run of runsIn(text, begin, more))
      for (let place = 0; place < places; place++)
        if (this.#holdsDigits(Buffer.from(run.slice(place), form).toString('latin1'))) return true;
    return false;
  }
}

/**
 * Stretches that begin with one pattern (global) and go on with another (sticky), each as long as it can be. One pattern
 * for all of a stretch would need a stack as long as the stretch, which ends after some millions of characters.
 */
function* runsIn(text: string, begin: RegExp, more: RegExp): Iterable<string> {
  for (let found = begin.exec(text); found !== null; found = begin.exec(text)) {
    more.lastIndex = begin.lastIndex;
    let end = begin.lastIndex;
    while (more.test(text)) end = more.lastIndex;
    yield text.slice(found.index, end);
    begin.lastIndex = end;
  }
}
