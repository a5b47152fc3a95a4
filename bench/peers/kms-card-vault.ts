import { EncryptCommand, GenerateMacCommand, type KMSClient } from '@aws-sdk/client-kms';
import { inParallel } from '../../lambdas/base/runtime/in-parallel';
import type { CardNumber } from '../../lambdas/cardholder/card-number';
import { type CardToken, newCardToken } from '../../lambdas/cardholder/card-token';
import { TokenCache } from '../../lambdas/cardholder/ingest/token-cache';
import type { CardItem, VaultTable } from '../../lambdas/cardholder/vault-table';

// As many as the SDK's connection pool holds.
const atOnce = 50;

/** Our vault, but for its keys: KMS computes the index of every card (GenerateMac) and seals every new one (Encrypt). */
export class KmsCardVault {
  readonly #cache = new TokenCache(50_000);

  constructor(
    private readonly table: VaultTable,
    private readonly kms: KMSClient,
    private readonly keys: { readonly mac: string; readonly data: string },
  ) {}

  async tokensOf(cards: readonly CardNumber[]): Promise<readonly (CardToken | undefined)[]> {
    const pks: string[] = [];
    await inParallel(cards.entries(), atOnce, async ([place, card]) => {
      pks[place] = await this.#indexOf(card);
    });
    const uncached = pks.flatMap((pk, place) =>
      this.#cache.get(pk) === undefined ? [[pk, cards[place]!] as const] : [],
    );
    const { found } = await this.table.tokens(
      uncached.map(([pk]) => pk),
      { consistent: false },
    );
    const items: CardItem[] = [];
    const absent = uncached.filter(([pk]) => !found.has(pk));
    await inParallel(absent, atOnce, async ([pk, card]) => {
      const token = newCardToken();
      items.push({ pk, token, sealed: await this.#seal(card, token), data: 1 });
    });
    for (const [pk, token] of [...found, ...(await this.table.adopt(items))]) this.#cache.set(pk, token);
    return pks.map((pk) => this.#cache.get(pk));
  }

  async #indexOf(card: CardNumber): Promise<string> {
    const { Mac } = await this.kms.send(
      new GenerateMacCommand({
        KeyId: this.keys.mac,
        MacAlgorithm: 'HMAC_SHA_256',
        Message: Buffer.from(card.reveal()),
      }),
    );
    return `card#1#${Buffer.from(Mac!).toString('base64url')}`;
  }

  async #seal(card: CardNumber, token: CardToken): Promise<Uint8Array> {
    const { CiphertextBlob } = await this.kms.send(
      new EncryptCommand({
        KeyId: this.keys.data,
        Plaintext: Buffer.from(card.reveal()),
        EncryptionContext: { token },
      }),
    );
    return CiphertextBlob!;
  }
}
