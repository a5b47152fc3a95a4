import { mayHideCardNumber } from '../../base/runtime/card-number-search';
import { removeSecurityData } from '../security-data';

const longest = 40;

/**
 * What stood in a field, fit to be sent back and logged: cut short, without security data, and with all digits starred
 * out where some could be a card number, even inside a longer number.
 */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `'${shownText(value)}'`;
  if (typeof value === 'number') return shownText(String(value));
  if (Array.isArray(value)) return `${value.length} items`;
  return typeof value === 'object' ? 'an object' : String(value);
}

/** The same, of a name or an identifier, without quotes. */
export function shownText(value: string, length = longest): string {
  // Looked at whole before it is cut: a cut could hide what the rest would give away. What is longer is not shown.
  if (value.length > 2_000) return `${value.length} characters`;
  const { text } = removeSecurityData(value);
  const safe = mayHideCardNumber(text) ? text.replace(/[\p{Nd}\p{No}]/gu, '*') : text;
  const printable = safe.replace(/[\p{C}\p{Z}]/gu, ' ');
  const characters = [...printable];
  return characters.length <= length ? printable : `${characters.slice(0, length - 3).join('')}...`;
}

/** `got` says what stood there without saying it: for card data, which is never shown. */
export function shownKind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return 'text that is not shown';
  return typeof value === 'object' ? 'an object that is not shown' : `a ${typeof value} that is not shown`;
}
