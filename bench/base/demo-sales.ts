import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Sale, saleKey } from '../../lambdas/base/domain/sale';
import { CardNumber } from '../../lambdas/cardholder/card-number';
import { newCardToken } from '../../lambdas/cardholder/card-token';
import { checkEvent } from '../../lambdas/cardholder/ingest/event-check';
import { Rejection } from '../../lambdas/cardholder/ingest/rejection';
import type { SaleEvent } from '../../lambdas/cardholder/sale-event';

/** The good events of the demonstration, each transaction once: real baskets, about 500 bytes each. */
export function demoEvents(): SaleEvent[] {
  const events = new Map<string, SaleEvent>();
  for (const line of gunzipSync(readFileSync('demo/sales.ndjson.gz')).toString().split('\n')) {
    const event = parsed(line);
    const rules = { maximumAgeMs: undefined, cardLikeIdentifiers: new Set<string>() };
    if (checkEvent(event, rules, Date.now()) instanceof Rejection) continue;
    const sale = event as SaleEvent;
    if (!events.has(saleKey(sale))) events.set(saleKey(sale), sale);
  }
  return [...events.values()];
}

/** The n-th of endlessly many events: the demonstration again and again, each time with transactions of its own. */
export function nthEvent(events: readonly SaleEvent[], number: number): SaleEvent {
  const event = events[number % events.length]!;
  return { ...event, transactionId: `${event.transactionId}-${Math.floor(number / events.length)}` };
}

/** The event as it would lie in the streams. */
export function asSale({ tenders, ...event }: SaleEvent, acceptedAt: string): Sale {
  return {
    ...event,
    tenders: tenders.map(({ card, ...tender }) => {
      if (card === undefined) return tender;
      const { brand, bin, last4 } = CardNumber.read(card.number)!;
      return { ...tender, card: { token: tokenOf(card.number), brand, bin, last4 } };
    }),
    acceptedAt,
  } as Sale;
}

const tokens = new Map<string, string>();
function tokenOf(number: string): string {
  const token = tokens.get(number) ?? newCardToken();
  tokens.set(number, token);
  return token;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
