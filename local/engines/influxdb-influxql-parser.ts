/** Reads the subset of InfluxQL that the platform and its readers use: SELECT and SHOW. */
import { BadQuery, type Token, tokenizeQuery, toNanoseconds } from './influxdb-influxql-lexer';

export type Expression =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'star'; readonly only: 'field' | 'tag' | undefined }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'integer' | 'duration'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string' | 'regex'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression };

export type Source =
  | {
      readonly kind: 'measurement';
      readonly name: string;
      readonly isRegex: boolean;
      readonly database?: string;
      readonly policy?: string;
    }
  | { readonly kind: 'subquery'; readonly select: Select };

export interface Select {
  readonly kind: 'select';
  readonly columns: readonly { readonly expression: Expression; readonly alias: string | undefined }[];
  readonly sources: readonly Source[];
  readonly where: Expression | undefined;
  readonly groupBy: {
    readonly tags: readonly string[];
    readonly all: boolean;
    readonly interval: bigint | undefined;
    readonly offset: bigint;
  };
  readonly fill: 'null' | 'none' | 'previous' | number;
  readonly descending: boolean;
  readonly limit: number;
  readonly offset: number;
  readonly seriesLimit: number;
  readonly seriesOffset: number;
}

/** `subject` is what is shown, in lower case: `tag values`. */
export interface Show {
  readonly kind: 'show';
  readonly subject: string;
  readonly database: string | undefined;
  readonly sources: readonly Source[];
  readonly key: Expression | undefined;
  readonly keyOperator: string;
  readonly where: Expression | undefined;
  readonly limit: number;
  readonly offset: number;
}

export type Statement = Select | Show;

const subjects = [
  'databases',
  'measurements',
  'tag keys',
  'tag values',
  'field keys',
  'series exact cardinality',
  'series cardinality',
  'series',
  'retention policies',
];

/** Reads a query: statements between semicolons. */
export function parseQuery(text: string): Statement[] {
  const parser = new Parser(tokenizeQuery(text));
  const statements: Statement[] = [];
  do {
    if (parser.isEnd()) break;
    statements.push(parser.statement());
  } while (parser.take(';'));
  parser.expectEnd();
  if (statements.length === 0) throw new BadQuery('error parsing query: there is no statement');
  return statements;
}

/** Names that must be quoted: `key` among them. */
const reserved = new Set(
  (
    'all alter analyze and any as asc begin by cardinality create continuous database databases default delete desc destinations ' +
    'diagnostics distinct drop duration end every exact explain field for from grant grants group groups in inf insert into key ' +
    'keys kill limit measurement measurements name offset on or order password policy policies privileges queries query read ' +
    'replication resample retention revoke select series set shard shards show slimit soffset stats subscription subscriptions ' +
    'tag to user users values where with write'
  ).split(' '),
);

const precedence: readonly (readonly string[])[] = [
  ['or'],
  ['and'],
  ['=', '!=', '<>', '<', '<=', '>', '>=', '=~', '!~'],
  ['+', '-', '|', '^'],
  ['*', '/', '%', '&'],
];

class Parser {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  isEnd = (): boolean => this.next().kind === 'end';

  expectEnd(): void {
    if (!this.isEnd()) this.fail('; or the end');
  }

  /** Steps over words and symbols, if all of them are next. */
  take(...expected: string[]): boolean {
    const isNext = expected.every((text, offset) => {
      const token = this.tokens[this.at + offset];
      return (token?.kind === 'word' || token?.kind === 'symbol') && token.text.toLowerCase() === text;
    });
    if (isNext) this.at += expected.length;
    return isNext;
  }

  statement(): Statement {
    if (this.take('select')) return this.select();
    if (this.take('show')) return this.show();
    throw new BadQuery(
      `error parsing query: found ${this.next().text}, expected SELECT or SHOW (no other statement is modelled locally)`,
    );
  }

  private select(): Select {
    const columns: Select['columns'][number][] = [];
    do {
      const expression = this.expression();
      columns.push({ expression, alias: this.take('as') ? this.name() : undefined });
    } while (this.take(','));
    if (this.take('into')) this.refuse('INTO');
    this.expect('from');
    const sources = this.sources();
    const where = this.take('where') ? this.expression() : undefined;
    const groupBy = this.take('group', 'by')
      ? this.groupBy()
      : { tags: [], all: false, interval: undefined, offset: 0n };
    const fill = this.take('fill') ? this.fill() : 'null';
    let descending = false;
    if (this.take('order', 'by')) {
      this.expect('time');
      descending = this.take('desc');
      if (!descending) this.take('asc');
    }
    return {
      kind: 'select',
      columns,
      sources,
      where,
      groupBy,
      fill,
      descending,
      limit: this.count('limit'),
      offset: this.count('offset'),
      seriesLimit: this.count('slimit'),
      seriesOffset: this.count('soffset'),
    };
  }

  private sources(): Source[] {
    const sources: Source[] = [];
    do {
      if (this.take('(')) {
        this.expect('select');
        sources.push({ kind: 'subquery', select: this.select() });
        this.expect(')');
      } else sources.push(this.measurement());
    } while (this.take(','));
    return sources;
  }

  /** `m`, `policy.m`, `db.policy.m`, `db..m`, or a regular expression in place of the name. */
  private measurement(): Source {
    const parts: (string | undefined)[] = [];
    do {
      const token = this.next();
      if (token.kind === 'regex') {
        this.at++;
        const [policy, database] = parts.reverse();
        return {
          kind: 'measurement',
          name: token.text,
          isRegex: true,
          ...(database && { database }),
          ...(policy && { policy }),
        };
      }
      parts.push(token.kind === 'symbol' && token.text === '.' ? undefined : this.name());
    } while (this.take('.'));
    const [name, policy, database] = parts.reverse();
    return {
      kind: 'measurement',
      name: name!,
      isRegex: false,
      ...(database && { database }),
      ...(policy && { policy }),
    };
  }

  private groupBy(): Select['groupBy'] {
    const tags: string[] = [];
    let all = false;
    let interval: bigint | undefined;
    let offset = 0n;
    do {
      if (this.take('*')) all = true;
      else if (this.take('time', '(')) {
        interval = this.duration();
        if (interval <= 0n) throw new BadQuery('error parsing query: time dimension must have a positive interval');
        if (this.take(',')) {
          const isNegative = this.take('-');
          offset = isNegative ? -this.duration() : this.duration();
        }
        this.expect(')');
      } else if (this.next().kind === 'regex') this.refuse('GROUP BY /regex/');
      else if (this.take('time'))
        throw new BadQuery('error parsing query: time() is a function and expects at least one argument');
      else tags.push(this.name());
    } while (this.take(','));
    return { tags, all, interval, offset };
  }

  private fill(): Select['fill'] {
    this.expect('(');
    const isNegative = this.take('-');
    const { kind, text } = this.tokens[this.at++]!;
    this.expect(')');
    if (kind === 'integer' || kind === 'float') return isNegative ? -Number(text) : Number(text);
    const word = text.toLowerCase();
    if (word !== 'null' && word !== 'none' && word !== 'previous') this.refuse(`fill(${word})`);
    return word as Select['fill'];
  }

  private show(): Show {
    const subject = subjects.find((words) => this.take(...words.split(' ')));
    if (subject === undefined)
      throw new BadQuery(
        `error parsing query: SHOW ${this.next().text} is not modelled locally: ${subjects.join(', ')} are`,
      );
    const database = this.take('on') ? this.name() : undefined;
    let sources = this.take('from') ? this.sources() : [];
    if (subject === 'measurements' && this.take('with', 'measurement')) {
      const isRegex = this.take('=~');
      if (!isRegex) this.expect('=');
      const { text } = this.tokens[this.at++]!;
      sources = [{ kind: 'measurement', name: text, isRegex }];
    }
    let key: Expression | undefined;
    let keyOperator = '=';
    if (subject === 'tag values') {
      this.expect('with');
      this.expect('key');
      if (this.take('in')) {
        keyOperator = 'in';
        this.expect('(');
        const names: Expression[] = [];
        do names.push({ kind: 'name', name: this.name() });
        while (this.take(','));
        this.expect(')');
        key = { kind: 'call', name: 'in', args: names };
      } else {
        keyOperator =
          ['=', '!=', '=~', '!~'].find((operator) => this.take(operator)) ?? this.fail('=, !=, =~, !~ or IN');
        key = this.primary();
      }
    }
    const where = this.take('where') ? this.expression() : undefined;
    return {
      kind: 'show',
      subject,
      database,
      sources,
      key,
      keyOperator,
      where,
      limit: this.count('limit'),
      offset: this.count('offset'),
    };
  }

  private expression(level = 0): Expression {
    const operators = precedence[level];
    if (operators === undefined) return this.primary();
    let left = this.expression(level + 1);
    for (;;) {
      const operator = operators.find((text) => this.take(text));
      if (operator === undefined) return left;
      left = { kind: 'binary', operator: operator === '<>' ? '!=' : operator, left, right: this.expression(level + 1) };
    }
  }

  private primary(): Expression {
    if (this.take('(')) {
      const inner = this.expression();
      this.expect(')');
      return inner;
    }
    if (this.take('-')) {
      return { kind: 'binary', operator: '-', left: { kind: 'integer', value: 0n }, right: this.primary() };
    }
    if (this.take('*')) {
      const only = this.take('::') ? this.tokens[this.at++]!.text.toLowerCase() : undefined;
      return { kind: 'star', only: only as 'field' | 'tag' | undefined };
    }
    const token = this.next();
    switch (token.kind) {
      case 'integer':
        this.at++;
        return { kind: 'integer', value: BigInt(token.text) };
      case 'float':
        this.at++;
        return { kind: 'float', value: Number(token.text) };
      case 'duration':
        return { kind: 'duration', value: this.duration() };
      case 'string':
      case 'regex':
        this.at++;
        return { kind: token.kind, value: token.text };
      default:
        return this.reference();
    }
  }

  private reference(): Expression {
    const { kind, text } = this.next();
    const word = kind === 'word' ? text.toLowerCase() : '';
    if (word === 'distinct') this.at++;
    const name = word === 'distinct' ? word : this.name();
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true' };
    // `DISTINCT x` is `DISTINCT(x)`.
    if (word === 'distinct' && ['word', 'quoted'].includes(this.next().kind)) {
      return { kind: 'call', name: word, args: [{ kind: 'name', name: this.name() }] };
    }
    if (word !== '' && this.take('(')) {
      const args: Expression[] = [];
      if (!this.take(')')) {
        do args.push(this.expression());
        while (this.take(','));
        this.expect(')');
      }
      return { kind: 'call', name: word, args };
    }
    // `name::field` and `name::tag` say what is meant where both exist, which can't be here.
    if (this.take('::')) this.at++;
    return { kind: 'name', name };
  }

  private count(word: string): number {
    if (!this.take(word)) return 0;
    const { kind, text } = this.tokens[this.at++]!;
    if (kind !== 'integer')
      throw new BadQuery(`error parsing query: found ${text}, expected integer after ${word.toUpperCase()}`);
    return Number(text);
  }

  private duration(): bigint {
    const { kind, text } = this.tokens[this.at++]!;
    if (kind !== 'duration') throw new BadQuery(`error parsing query: found ${text}, expected duration`);
    return toNanoseconds(text);
  }

  private name(): string {
    const { kind, text } = this.next();
    if ((kind !== 'word' && kind !== 'quoted') || (kind === 'word' && reserved.has(text.toLowerCase())))
      this.fail('identifier');
    this.at++;
    return text;
  }

  private next = (): Token => this.tokens[this.at]!;

  private expect(text: string): void {
    if (!this.take(text)) this.fail(text);
  }

  private fail(expected: string): never {
    throw new BadQuery(`error parsing query: found ${this.next().text}, expected ${expected}`);
  }

  private refuse(what: string): never {
    throw new BadQuery(`error parsing query: ${what} is not modelled locally`);
  }
}
