import { notModelled, validationException } from './dynalite';

/** A statement of the forms that the platform sends. Every value in it is a `?`, counted from 0. */
export type Statement =
  | { readonly kind: 'insert'; readonly table: string; readonly attributes: readonly string[] }
  | {
      readonly kind: 'update';
      readonly table: string;
      readonly set: readonly string[];
      /** Attributes compared with `=`: the key's, and any others. Their parameters follow those of `set`. */
      readonly where: readonly string[];
    };

/**
 * `INSERT INTO "table" VALUE {'a': ?, 'b': ?}` and `UPDATE "table" SET a=? SET b=? WHERE key=? AND c=?`. Parameters instead of
 * literals, since a text with data in it would be another statement every time, and would end up in logs.
 */
export function parseStatement(text: unknown): Statement {
  if (typeof text !== 'string' || text.length === 0) throw validationException('Statement must not be empty');
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const statement = new Parser(text).statement();
  if (parsed.size >= mostStatements) parsed.clear();
  parsed.set(text, statement);
  return statement;
}

const parsed = new Map<string, Statement>();
const mostStatements = 1_000;

const token = /\s*(?:"((?:[^"]|"")+)"|'((?:[^']|'')*)'|([A-Za-z_][\w$]*)|([{}:,?=])|(\S))/gy;

type Token = { readonly type: 'quoted' | 'string' | 'word' | 'sign' | 'other' | 'end'; readonly text: string };

class Parser {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(private readonly text: string) {
    for (const [, quoted, string, word, sign, other] of text.trim().matchAll(token)) {
      if (quoted !== undefined) this.#tokens.push({ type: 'quoted', text: quoted.replaceAll('""', '"') });
      else if (string !== undefined) this.#tokens.push({ type: 'string', text: string.replaceAll("''", "'") });
      else if (word !== undefined) this.#tokens.push({ type: 'word', text: word });
      else if (sign !== undefined) this.#tokens.push({ type: 'sign', text: sign });
      else this.#tokens.push({ type: 'other', text: other! });
    }
  }

  statement(): Statement {
    const statement = this.#keyword('INSERT')
      ? this.#insert()
      : this.#keyword('UPDATE')
        ? this.#update()
        : this.#refuse();
    if (this.#peek().type !== 'end') this.#refuse();
    return statement;
  }

  #insert(): Statement {
    this.#expect(this.#keyword('INTO'));
    const table = this.#name();
    this.#expect(this.#keyword('VALUE'));
    this.#expect(this.#sign('{'));
    const attributes: string[] = [];
    do {
      if (this.#peek().type !== 'string') this.#refuse();
      attributes.push(this.#take().text);
      this.#expect(this.#sign(':') && this.#sign('?'));
    } while (this.#sign(','));
    this.#expect(this.#sign('}'));
    return { kind: 'insert', table, attributes };
  }

  #update(): Statement {
    const table = this.#name();
    const set: string[] = [];
    this.#expect(this.#keyword('SET'));
    do set.push(this.#assignment());
    while (this.#sign(',') || this.#keyword('SET'));
    this.#expect(this.#keyword('WHERE'));
    const where: string[] = [];
    do where.push(this.#assignment());
    while (this.#keyword('AND'));
    return { kind: 'update', table, set, where };
  }

  #assignment(): string {
    const name = this.#name();
    this.#expect(this.#sign('=') && this.#sign('?'));
    return name;
  }

  #name(): string {
    const { type, text } = this.#peek();
    if (type !== 'quoted' && type !== 'word') this.#refuse();
    this.#at += 1;
    return text;
  }

  #keyword(word: string): boolean {
    const { type, text } = this.#peek();
    const found = type === 'word' && text.toUpperCase() === word;
    if (found) this.#at += 1;
    return found;
  }

  #sign(sign: string): boolean {
    const { type, text } = this.#peek();
    const found = type === 'sign' && text === sign;
    if (found) this.#at += 1;
    return found;
  }

  #expect(found: boolean): void {
    if (!found) this.#refuse();
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { type: 'end', text: '' };
  }

  #take(): Token {
    const next = this.#peek();
    this.#at += 1;
    return next;
  }

  #refuse(): never {
    throw notModelled(`PartiQL statement ${this.text}`);
  }
}
