import type { CardNumber } from '../card-number';
import { indexOf, seal } from '../card-sealing';
import { type CardToken, newCardToken } from '../card-token';
import type { Keyring } from '../keyring';
import type { Keyset } from '../keyset';
import type { VaultTable } from '../vault-table';
import { TokenCache } from './token-cache';

/** Gives each card its one token: the same for the same number, whichever container sees it first. */
export class CardVault {
  readonly #cache: TokenCache;

  constructor(
    private readonly table: VaultTable,
    private readonly keyring: Keyring,
    { cachedCards }: { readonly cachedCards: number },
  ) {
    this.#cache = new TokenCache(cachedCards);
  }

  /**
   * The token of each card, in order; undefined where the vault could not answer for that card now. A card that is given
   * more than once is asked for once. Throws `KeysetUnavailable` when no card can be looked up.
   */
  async tokensOf(cards: readonly CardNumber[]): Promise<readonly (CardToken | undefined)[]> {
    if (cards.length === 0) return [];
    const keyset = await this.keyring.keyset();
    const answering = keyset.phase === 'old' ? keyset.index : keyset.nextIndex!;
    const key = await this.keyring.key(keyset, 'index', answering);
    const pks = cards.map((card) => indexOf(card, answering, key));

    const tokens = new Map<string, CardToken>();
    const unknown = new Map<string, CardNumber>();
    pks.forEach((pk, index) => {
      const token = this.#cache.get(pk);
      if (token === undefined) unknown.set(pk, cards[index]!);
      else tokens.set(pk, token);
    });
    if (unknown.size > 0)
      for (const [pk, token] of await this.#settle(keyset, unknown)) {
        tokens.set(pk, token);
        this.#cache.set(pk, token);
      }
    return pks.map((pk) => tokens.get(pk));
  }

  async #settle(keyset: Keyset, cards: ReadonlyMap<string, CardNumber>): Promise<Map<string, CardToken>> {
    if (keyset.phase !== 'dual') return this.#firstSights(keyset, cards);
    // What stands under the new index is a copy, or came with a container that is ahead of us: it answers.
    const { found, failed } = await this.table.tokens([...cards.keys()], { consistent: false });
    const missing = [...cards].filter(([pk]) => !found.has(pk) && !failed.has(pk));
    if (missing.length === 0) return found;

    const oldKey = await this.keyring.key(keyset, 'index', keyset.index);
    const oldPks = new Map(missing.map(([pk, card]) => [pk, indexOf(card, keyset.index, oldKey)]));
    const settled = await this.#firstSights(keyset, new Map(missing.map(([pk, card]) => [oldPks.get(pk)!, card])));
    const dataKey = await this.keyring.key(keyset, 'data', keyset.data);
    const copies = missing.flatMap(([pk, card]) => {
      const token = settled.get(oldPks.get(pk)!);
      return token === undefined ? [] : [{ pk, token, sealed: seal(card, token, dataKey), data: keyset.data }];
    });
    return new Map([...found, ...(await this.table.adopt(copies))]);
  }

  /** Cards under one index: those that are there, and new tokens for those that are not. */
  async #firstSights(keyset: Keyset, cards: ReadonlyMap<string, CardNumber>): Promise<Map<string, CardToken>> {
    // At half the price of a consistent read: a card that it misses is found by the insert that fails.
    const { found, failed } = await this.table.tokens([...cards.keys()], { consistent: false });
    const absent = [...cards].filter(([pk]) => !found.has(pk) && !failed.has(pk));
    if (absent.length === 0) return found;
    const dataKey = await this.keyring.key(keyset, 'data', keyset.data);
    const items = absent.map(([pk, card]) => {
      const token = newCardToken();
      return { pk, token, sealed: seal(card, token, dataKey), data: keyset.data };
    });
    return new Map([...found, ...(await this.table.adopt(items))]);
  }
}
