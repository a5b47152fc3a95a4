import creditCardType from 'credit-card-type';

interface Rule {
  readonly brand: string;
  readonly low: number;
  readonly high: number;
  /** Digits of the prefix: the longer, the more specific. */
  readonly prefix: number;
  readonly lengths: ReadonlySet<number>;
}

/** The library's patterns, by first digit and most specific first: it clones its tables on every question. */
const rulesByFirstDigit: readonly (readonly Rule[])[] = compile();

/** The brand whose prefix and length these digits have; the most specific prefix decides between several. */
export function brandOf(digits: string): string | undefined {
  for (const { brand, low, high, prefix, lengths } of rulesByFirstDigit[digits.charCodeAt(0) - 48] ?? []) {
    if (!lengths.has(digits.length)) continue;
    const start = Number(digits.slice(0, prefix));
    if (start >= low && start <= high) return brand;
  }
  return undefined;
}

function compile(): Rule[][] {
  const rules = Object.values(creditCardType.types).flatMap((type) => {
    const { patterns, lengths } = creditCardType.getTypeInfo(type);
    return patterns.map((pattern): Rule => {
      const [low, high] = Array.isArray(pattern) ? (pattern as [number, number]) : [pattern, pattern];
      return { brand: type, low, high, prefix: String(low).length, lengths: new Set(lengths) };
    });
  });
  rules.sort((one, other) => other.prefix - one.prefix);
  const starts = (rule: Rule, digit: number) =>
    Number(String(rule.low)[0]) <= digit && digit <= Number(String(rule.high)[0]);
  return Array.from({ length: 10 }, (_, digit) => rules.filter((rule) => starts(rule, digit)));
}
