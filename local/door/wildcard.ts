/** Whether a text matches a pattern in which `*` stands for any characters and `?` for one. */
export type Matcher = (text: string) => boolean;

/** Compiles a pattern once; the common forms (`*`, no wildcard, `prefix*`) need no regular expression. */
export function wildcard(pattern: string): Matcher {
  if (pattern === '*') return () => true;
  const first = pattern.search(/[*?]/);
  if (first === -1) return (text) => text === pattern;
  if (first === pattern.length - 1 && pattern.endsWith('*')) {
    const prefix = pattern.slice(0, -1);
    return (text) => text.startsWith(prefix);
  }
  // Stars in a row mean the same as one, and would make the expression slow.
  const source = pattern
    .replace(/\*+/g, '*')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`, 'su');
  return (text) => expression.test(text);
}

/** Compiles the pattern of a policy's `Resource`. Throws for forms whose meaning differs between ARN parts. */
export function resourceMatcher(pattern: string): Matcher {
  refuseVariables(pattern);
  if (pattern === '*') return wildcard(pattern);
  const parts = pattern.split(':');
  if (parts.length < 6 && !pattern.endsWith('*'))
    throw new Error(`resource '${pattern}' is not an ARN: use arn:partition:service:region:account:resource or *`);
  // AWS lets a star cross a colon only at a part's end; in the resource itself it matches everything.
  if (parts.slice(0, 5).some((part) => /\*./.test(part)))
    throw new Error(
      `resource '${pattern}' has a wildcard inside an ARN part, which is not modelled: put it at its end`,
    );
  return wildcard(pattern);
}

/** Compiles a pattern for ARNs as `ArnLike` reads it: part by part, no star crosses a colon of the first five. */
export function arnMatcher(pattern: string): Matcher {
  const patterns = arnParts(pattern).map(wildcard);
  if (patterns.length !== 6) throw new Error(`'${pattern}' is not an ARN: it has ${patterns.length} parts, not 6`);
  return (text) => {
    const parts = arnParts(text);
    return parts.length === 6 && patterns.every((matches, part) => matches(parts[part]!));
  };
}

/** Policy variables are refused rather than compared as text. */
export function refuseVariables(text: string): void {
  if (text.includes('${')) throw new Error(`policy variables are not modelled: got '${text}'`);
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':');
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')];
}
