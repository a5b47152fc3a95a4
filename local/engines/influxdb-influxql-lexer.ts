/** One piece of InfluxQL. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'integer' | 'float' | 'duration' | 'regex' | 'symbol' | 'end';
  /** A word or symbol as written, a name's or string's content, a number's digits, a regular expression's source. */
  readonly text: string;
}

/** A query that can't be read, or that uses what is not modelled: InfluxDB answers it with 400. */
export class BadQuery extends Error {}

const patterns: readonly (readonly [Token['kind'] | 'gap', RegExp])[] = [
  ['gap', /\s+|--[^\n]*|\/\*[\s\S]*?\*\//y],
  ['quoted', /"(?:[^"\\]|\\.)*"/y],
  ['string', /'(?:[^'\\]|\\.)*'/y],
  ['duration', /\d+(?:ns|us|u|µ|ms|s|m|h|d|w)(?:\d+(?:ns|us|u|µ|ms|s|m|h|d|w))*(?![A-Za-z0-9_])/y],
  ['float', /\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/y],
  ['integer', /\d+/y],
  ['word', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['symbol', /=~|!~|!=|<>|<=|>=|::|[-+*/%&|^(),.;=<>]/y],
];

const regex = /\/((?:[^/\\\n]|\\.)*)\//y;

/** Cuts a query into tokens. A slash begins a regular expression only where no operand stands before it. */
export function tokenizeQuery(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const before = tokens.at(-1);
    const mayBeRegex =
      text[at] === '/' && text[at + 1] !== '*' && (before === undefined || /^(=~|!~|,|from|by|=)$/i.test(before.text));
    const found = (mayBeRegex ? ([['regex', regex]] as const) : patterns)
      .map(([kind, pattern]) => ({ kind, text: matchAt(pattern, text, at) }))
      .find((match) => match.text !== undefined);
    if (found?.text === undefined)
      throw new BadQuery(`error parsing query: found ${text.slice(at, at + 20)}, which is no InfluxQL`);
    at += found.text.length;
    if (found.kind !== 'gap') tokens.push({ kind: found.kind, text: content(found.kind, found.text) });
  }
  tokens.push({ kind: 'end', text: 'EOF' });
  return tokens;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function content(kind: Token['kind'], text: string): string {
  if (kind === 'regex') return text.slice(1, -1).replace(/\\\//g, '/');
  if (kind !== 'quoted' && kind !== 'string') return text;
  return text.slice(1, -1).replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  u: 1_000n,
  µ: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};

/** A duration in nanoseconds: `1h30m`. */
export function toNanoseconds(duration: string): bigint {
  let sum = 0n;
  for (const [, count, unit] of duration.matchAll(/(\d+)(ns|us|u|µ|ms|s|m|h|d|w)/g))
    sum += BigInt(count!) * units[unit!]!;
  return sum;
}
