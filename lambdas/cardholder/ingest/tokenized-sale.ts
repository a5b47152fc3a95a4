import type { Sale, Tender, TokenizedCard } from '../../base/domain/sale';
import type { CardNumber } from '../card-number';
import type { CardToken } from '../card-token';
import type { CheckedSale } from './admission';
import type { BinTable } from './bin-table';

/** The sale as it leaves the room: each card as its token and what may be told of it; nothing else is added. */
export function tokenizedSale(
  { sale }: CheckedSale,
  tokenOf: (card: CardNumber) => CardToken,
  binTable: BinTable,
  acceptedAt: string,
): Sale {
  const tenders = sale.tenders.map(({ card, ...tender }): Tender => {
    if (card === undefined) return tender;
    return { ...tender, card: tokenizedCard(card, tokenOf(card), binTable) };
  });
  return { ...sale, tenders, acceptedAt };
}

function tokenizedCard(card: CardNumber, token: CardToken, binTable: BinTable): TokenizedCard {
  const { brand, bin, last4 } = card;
  return { token, brand, bin, last4, ...binTable.issuerOf(card.reveal().slice(0, 8)) };
}
