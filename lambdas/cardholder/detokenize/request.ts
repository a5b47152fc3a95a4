import { mayHideCardNumber } from '../../base/runtime/card-number-search';
import { asCardToken, type CardToken } from '../card-token';

export interface DetokenizeRequest {
  readonly token: CardToken;
  /** Who asks, as the caller says: a person or a system. */
  readonly requestedBy: string;
  readonly purpose: string;
}

/** A request that lacks something, with what of it may be logged. */
export interface InvalidRequest {
  readonly message: string;
  readonly token?: undefined;
  readonly requestedBy?: string | undefined;
  readonly purpose?: string | undefined;
}

const longest = 200;

/** Reads a request. All of it ends up in the audit log, so nothing of it may hold a card number. */
export function readRequest(event: unknown): DetokenizeRequest | InvalidRequest {
  const given = (typeof event === 'object' && event !== null ? event : {}) as Record<string, unknown>;
  const requestedBy = line(given.requestedBy);
  const purpose = line(given.purpose);
  const token = typeof given.token === 'string' ? asCardToken(given.token) : undefined;
  if (token === undefined) return { message: 'token: allowed: tok_ and 26 characters', requestedBy, purpose };
  for (const [field, value] of Object.entries({ requestedBy, purpose }))
    if (value === undefined)
      return {
        message: `${field}: allowed: 1 to ${longest} printable characters, no card number`,
        requestedBy,
        purpose,
      };
  return { token, requestedBy: requestedBy!, purpose: purpose! };
}

function line(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length < 1 || value.length > longest) return undefined;
  return /\p{C}/u.test(value) || mayHideCardNumber(value) ? undefined : value;
}
