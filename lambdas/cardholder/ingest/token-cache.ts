import type { CardToken } from '../card-token';

/** The tokens of the cards seen last, by their index: a token never changes, so nothing here grows old. */
export class TokenCache {
  // A Map keeps the order of insertion: what is read is moved to the end, what is first goes.
  readonly #tokens = new Map<string, CardToken>();

  constructor(private readonly size: number) {}

  get(pk: string): CardToken | undefined {
    const token = this.#tokens.get(pk);
    if (token === undefined) return undefined;
    this.#tokens.delete(pk);
    this.#tokens.set(pk, token);
    return token;
  }

  set(pk: string, token: CardToken): void {
    this.#tokens.delete(pk);
    this.#tokens.set(pk, token);
    if (this.#tokens.size > this.size) this.#tokens.delete(this.#tokens.keys().next().value!);
  }
}
