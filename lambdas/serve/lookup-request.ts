/** Why a request cannot be answered: what was got, and what is allowed. */
export interface InvalidRequest {
  readonly code: 'unknown-parameter' | 'missing' | 'malformed' | 'duplicate' | 'too-many';
  readonly message: string;
}

/** What a lookup asks for: each SKU at each place. */
export interface Asked {
  readonly skus: readonly string[];
  readonly places: readonly string[];
}

export type Query = Readonly<Record<string, readonly string[] | undefined>> | null;

/** DynamoDB's limit of one BatchGetItem: a lookup is one round trip. */
const mostKeys = 100;
/** Items of beats: of the two databases behind badges, of the inventory and the sales behind stock. */
const feeds = 2;
const name = /^[A-Za-z0-9._-]{1,64}$/;

/** Most SKUs of a request: each needs its own item and one per place, beside an item per place and per feed. */
export function mostSkus(places: number): number {
  return Math.max(0, Math.floor((mostKeys - feeds - places) / (1 + places)));
}

/** Most places of a request, for one SKU. */
export const mostPlaces = (mostKeys - feeds - 1) >> 1;

/** Reads `?sku=A&sku=B&fc=FC1&fc=FC2`, where places are called `fc`. */
export function readAsked(place: string, query: Query): Asked | InvalidRequest {
  const { sku = [], [place]: places = [], ...others } = query ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return invalid('unknown-parameter', `got '${shown(unknown)}', allowed: sku, ${place}`);
  const asked = { skus: sku, places };
  return wrongIn(place, asked) ?? asked;
}

/** Finds what is wrong with a request. */
export function wrongIn(place: string, { skus, places }: Asked): InvalidRequest | undefined {
  const lists = Object.entries({ sku: skus, [place]: places });
  for (const [parameter, values] of lists)
    if (values.length === 0) return invalid('missing', `${parameter}: got none, allowed: at least one`);
  if (places.length > mostPlaces)
    return invalid('too-many', `${place}: got ${places.length}, allowed: at most ${mostPlaces}`);
  const most = mostSkus(places.length);
  if (skus.length > most)
    return invalid('too-many', `sku: got ${skus.length} with ${places.length} ${place}, allowed: at most ${most}`);
  for (const [parameter, values] of lists) {
    const malformed = values.find((value) => !name.test(value));
    if (malformed !== undefined)
      return invalid('malformed', `${parameter}: got '${shown(malformed)}', allowed: 1 to 64 of A-Z a-z 0-9 . _ -`);
    const repeated = values.find((value, index) => values.indexOf(value) < index);
    if (repeated !== undefined) return invalid('duplicate', `${parameter}: got '${repeated}' twice, allowed: once`);
  }
  return undefined;
}

function invalid(code: InvalidRequest['code'], message: string): InvalidRequest {
  return { code, message };
}

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
