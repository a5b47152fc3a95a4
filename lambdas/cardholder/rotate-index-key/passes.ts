import { CardNumber } from '../card-number';
import { indexOf, seal, unseal } from '../card-sealing';
import type { Keyring } from '../keyring';
import type { Keyset } from '../keyset';
import type { CardItem, VaultTable } from '../vault-table';
import type { OldCards } from './old-cards';
import type { Pass } from './rotation';

/** Does pages of a pass while there is time, and keeps its place after each: whoever comes next goes on from there. */
export async function goOn(
  pass: Pass,
  keyset: Keyset,
  { oldCards, table, keyring }: { oldCards: OldCards; table: VaultTable; keyring: Keyring },
  isTimeLeft: () => boolean,
): Promise<Pass> {
  let now = pass;
  while (!now.done && isTimeLeft()) {
    const { cards, cursor } = await oldCards.page(keyset.index, now.cursor);
    const { copied, mismatched } = await copyAbsent(cards);
    // After a verified `finish` a card with another token under the new index is a first sight of `dual` that died before
    // it was copied: that token was never given out.
    if (now.kind === 'purge') await oldCards.remove(cards.map(({ pk }) => pk));
    const { cursor: _, ...sums } = now;
    now = {
      ...sums,
      ...(cursor === undefined ? {} : { cursor }),
      done: cursor === undefined,
      cards: now.cards + cards.length,
      copied: now.copied + copied,
      mismatched: now.mismatched + mismatched,
    };
    await oldCards.writePass(now);
  }
  return now;

  /** Copies those cards that the new index lacks, with their tokens, and compares those that it has. */
  async function copyAbsent(cards: readonly CardItem[]) {
    const twins = new Map(await Promise.all(cards.map(async (card) => [await newIndexOf(card), card] as const)));
    const { found, failed } = await table.tokens([...twins.keys()], { consistent: true });
    if (failed.size > 0) throw new Error(`${failed.size} cards could not be read now: run it again`);
    const absent = [...twins].filter(([pk]) => !found.has(pk));
    const held = await table.adopt(
      await Promise.all(absent.map(async ([pk, card]) => ({ ...(await resealed(card)), pk }))),
    );
    if (held.size < absent.length)
      throw new Error(`${absent.length - held.size} cards could not be copied now: run it again`);
    let mismatched = 0;
    for (const [pk, { token }] of twins) if ((found.get(pk) ?? held.get(pk)) !== token) mismatched++;
    return { copied: absent.length, mismatched };
  }

  async function newIndexOf(card: CardItem): Promise<string> {
    return indexOf(await open(card), keyset.nextIndex!, await keyring.key(keyset, 'index', keyset.nextIndex!));
  }

  /** Under the data key of today: so a rotation of the index renews the seals as well. */
  async function resealed(card: CardItem): Promise<CardItem> {
    const key = await keyring.key(keyset, 'data', keyset.data);
    return { ...card, sealed: seal(await open(card), card.token, key), data: keyset.data };
  }

  async function open({ sealed, token, data }: CardItem): Promise<CardNumber> {
    const card = CardNumber.read(unseal(sealed, token, await keyring.key(keyset, 'data', data)));
    if (card === undefined) throw new Error('an item of the vault holds no card number');
    return card;
  }
}
