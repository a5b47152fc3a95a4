import { existsSync, readFileSync } from 'node:fs';

/** What is known of the cards of one issuer's range. */
export interface Issuer {
  readonly country?: string;
  readonly funding?: string;
}

const fundings = ['credit', 'debit', 'prepaid', 'charge'];

/**
 * Country and funding by the first digits of a card number. The table is a CSV file beside the bundle, made by build.mjs
 * from `banks-db` unless there is a `config/bin-table.csv`:
 *
 *     prefix,country,funding
 *     411111,US,credit
 *     45717360,DK,
 *
 * A prefix has 4 to 8 digits and the longest that fits counts; country is two capital letters, funding credit, debit,
 * prepaid or charge; either may be empty when it is not known.
 */
export class BinTable {
  readonly #issuers = new Map<string, Issuer>();
  readonly #lengths: readonly number[];

  /** Throws at the first line that is not of that form: a table with a mistake must not get as far as a till. */
  constructor(csv: string) {
    const [header, ...rows] = csv.split(/\r?\n/);
    if (header !== 'prefix,country,funding')
      throw new Error(`the BIN table starts with '${header?.slice(0, 40)}': it must be 'prefix,country,funding'`);
    const seen: Record<string, Issuer> = {};
    const lengths = new Set<number>();
    rows.forEach((row, index) => {
      if (row === '') return;
      const [, prefix, country, funding] = /^(\d{4,8}),([A-Z]{2})?,([a-z]+)?$/.exec(row) ?? [];
      if (prefix === undefined || (funding !== undefined && !fundings.includes(funding)))
        throw new Error(`line ${index + 2} of the BIN table is not prefix,country,funding: see ingest/bin-table.ts`);
      // Few different ones, shared by thousands of prefixes.
      seen[`${country},${funding}`] ??= {
        ...(country === undefined ? {} : { country }),
        ...(funding === undefined ? {} : { funding }),
      };
      this.#issuers.set(prefix, seen[`${country},${funding}`]!);
      lengths.add(prefix.length);
    });
    this.#lengths = [...lengths].sort((one, other) => other - one);
  }

  /** The file, or an empty table where there is none: what is not known is left out. */
  static read(file: string | undefined): BinTable {
    return new BinTable(
      file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : 'prefix,country,funding\n',
    );
  }

  /** The issuer of a card whose number starts with these digits: eight are enough. */
  issuerOf(start: string): Issuer {
    for (const length of this.#lengths) {
      const issuer = this.#issuers.get(start.slice(0, length));
      if (issuer !== undefined) return issuer;
    }
    return {};
  }
}
