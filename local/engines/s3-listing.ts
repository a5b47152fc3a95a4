import { AwsError } from './engine';

/** Orders keys as S3 does: by their UTF-8 bytes, which is by code point. JavaScript's own order differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = x >= 0xd800 && x <= 0xdfff;
    const yIsSurrogate = y >= 0xd800 && y <= 0xdfff;
    // A surrogate stands for a code point beyond every other 16-bit unit.
    if (xIsSurrogate !== yIsSurrogate) return xIsSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/** One page of a listing: keys and common prefixes in one order, as S3 counts them together. */
export interface Page {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly nextToken: string | undefined;
}

/** What ListObjectsV2 asks for, after its defaults. */
export interface PageRequest {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly maxKeys: number;
  readonly startAfter: string | undefined;
  readonly token: string | undefined;
}

/** Cuts one page out of all keys of a bucket, which must be sorted by `compareKeys`. */
export function pageOf(sortedKeys: readonly string[], request: PageRequest): Page {
  const { prefix, delimiter, maxKeys } = request;
  let last = request.token === undefined ? undefined : decodeToken(request.token);
  const keys: string[] = [];
  const prefixes: string[] = [];
  for (let i = firstAbove(sortedKeys, last ?? request.startAfter, prefix); i < sortedKeys.length; i++) {
    const key = sortedKeys[i]!;
    if (!key.startsWith(prefix)) break;
    const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const entry = cut === -1 ? key : key.slice(0, cut + delimiter!.length);
    // A common prefix is one entry: skipped while it repeats, also across pages.
    if (entry === last) continue;
    if (keys.length + prefixes.length === maxKeys) {
      return { keys, prefixes, nextToken: maxKeys === 0 ? undefined : encodeToken(last!) };
    }
    (cut === -1 ? keys : prefixes).push(entry);
    last = entry;
  }
  return { keys, prefixes, nextToken: undefined };
}

/** Index of the first key that is after `after` and not before `prefix`. */
function firstAbove(sortedKeys: readonly string[], after: string | undefined, prefix: string): number {
  let low = 0;
  let high = sortedKeys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = sortedKeys[middle]!;
    const below = compareKeys(key, prefix) < 0 || (after !== undefined && compareKeys(key, after) <= 0);
    if (below) low = middle + 1;
    else high = middle;
  }
  return low;
}

function encodeToken(last: string): string {
  return Buffer.from(last).toString('base64url');
}

function decodeToken(token: string): string {
  const last = Buffer.from(token, 'base64url').toString();
  if (encodeToken(last) !== token) {
    throw new AwsError('InvalidArgument', 'The continuation token provided is incorrect');
  }
  return last;
}
