/** One piece of a statement. Comments are gone; what white space there was is known by `gap`. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol' | 'parameter';
  /** As it is sent on: Redshift folds quoted names to lower case too, unless told otherwise. */
  readonly text: string;
  /** What it means: a word or name in lower case, a string's content, a parameter's name, a symbol. */
  readonly value: string;
  /** Whether white space or a comment stood before it. */
  readonly gap: boolean;
}

/** A statement that Redshift would not take, or that the local warehouse does not model: its message says which. */
export class RefusedSql extends Error {}

const patterns: readonly (readonly [Token['kind'] | 'gap', RegExp])[] = [
  ['gap', /\s+|--[^\n]*|\/\*[\s\S]*?\*\//y],
  ['quoted', /"(?:[^"]|"")*"/y],
  ['string', /'(?:[^']|'')*'/y],
  ['word', /[A-Za-z_\u0080-\uffff#][A-Za-z0-9_$\u0080-\uffff]*/y],
  ['number', /\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+/y],
  ['symbol', /::|\|\||<=|>=|<>|!=|:=/y],
  ['parameter', /:[A-Za-z_][A-Za-z0-9_]*/y],
  ['symbol', /[^'"]/y],
];

/** Cuts a statement into tokens. Names, strings and comments are never looked into. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let gap = false;
  for (let at = 0; at < sql.length; ) {
    const match = patterns
      .map(([kind, pattern]) => ({ kind, text: matchAt(pattern, sql, at) }))
      .find(({ text }) => text);
    if (match === undefined) throw new RefusedSql(`unterminated quoted string at or near "${sql.slice(at, at + 40)}"`);
    const { kind, text } = match as { kind: Token['kind'] | 'gap'; text: string };
    at += text.length;
    if (kind === 'gap') {
      gap = true;
      continue;
    }
    tokens.push({ kind, ...read(kind, text), gap });
    gap = false;
  }
  return tokens;
}

/** The statement again. */
export function print(tokens: readonly Token[]): string {
  return tokens.map(({ text, gap }, index) => (gap && index > 0 ? ` ${text}` : text)).join('');
}

/** A piece of SQL text as one token. */
export const raw = (text: string, value = text): Token => ({ kind: 'symbol', text, value, gap: true });

/** Whether the tokens from `at` on are these words and symbols. */
export function isAt(tokens: readonly Token[], at: number, ...expected: readonly string[]): boolean {
  return expected.every((value, offset) => {
    const token = tokens[at + offset];
    return token !== undefined && (token.kind === 'word' || token.kind === 'symbol') && token.value === value;
  });
}

/** The index after the bracket that closes the one at `open`. */
export function afterBracket(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if (isAt(tokens, at, '(')) depth++;
    else if (isAt(tokens, at, ')') && --depth === 0) return at + 1;
  }
  throw new RefusedSql('syntax error: a bracket is not closed');
}

/** The pieces between commas that stand outside of brackets. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const pieces: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'symbol' && token.value === '(') depth++;
    if (token.kind === 'symbol' && token.value === ')') depth--;
    if (depth === 0 && token.kind === 'symbol' && token.value === ',') pieces.push([]);
    else pieces.at(-1)!.push(token);
  }
  return pieces;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function read(kind: Token['kind'], text: string): { text: string; value: string } {
  switch (kind) {
    case 'quoted':
      return { text: text.toLowerCase(), value: text.slice(1, -1).replaceAll('""', '"').toLowerCase() };
    case 'string':
      return { text, value: text.slice(1, -1).replaceAll("''", "'") };
    case 'parameter':
      return { text, value: text.slice(1) };
    default:
      return { text, value: text.toLowerCase() };
  }
}
