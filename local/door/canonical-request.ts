/** The path as it is signed: S3's as sent, every other's without dots and empty segments, and encoded once more. */
export function canonicalPath(path: string, isS3: boolean): string {
  if (isS3 || path === '/') return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(encodeRfc3986(segment));
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

/** The query as it is signed: each part encoded strictly, sorted by name and value, without the signature itself. */
export function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    const at = part.indexOf('=');
    const name = reencode(at === -1 ? part : part.slice(0, at));
    if (part !== '' && name !== 'X-Amz-Signature') pairs.push([name, at === -1 ? '' : reencode(part.slice(at + 1))]);
  }
  pairs.sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

/** Percent-encoding of everything but unreserved characters, as signatures and S3 keys want it. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Decodes percent-encoding; text that is no valid encoding stays as it is. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function reencode(text: string): string {
  return encodeRfc3986(decodePercent(text));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
