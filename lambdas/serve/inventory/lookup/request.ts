/** What a caller wants to know: each SKU at each location. */
export interface StockRequest {
  readonly skus: readonly string[];
  readonly locations: readonly string[];
}

/** Why a request cannot be answered: what was got, and what is allowed. */
export interface InvalidRequest {
  readonly code: 'unknown-parameter' | 'missing' | 'malformed' | 'duplicate' | 'too-many';
  readonly message: string;
}

/** DynamoDB's limit of one BatchGetItem: a lookup is one round trip. */
const mostKeys = 100;
/** The beats of the inventory database and of the sales. */
const feeds = 2;
const names = {
  sku: { form: /^[A-Za-z0-9._-]{1,64}$/, allowed: '1 to 64 of A-Z a-z 0-9 . _ -' },
  location: { form: /^[A-Za-z0-9._-]{1,64}$/, allowed: '1 to 64 of A-Z a-z 0-9 . _ -' },
} as const;

/** Most SKUs of a request: each needs its own item and one per location, beside an item per location and per feed. */
export function mostSkus(locations: number): number {
  return Math.max(0, Math.floor((mostKeys - feeds - locations) / (1 + locations)));
}

/** Most locations of a request, for one SKU. */
export const mostLocations = (mostKeys - feeds - 1) >> 1;

/** Reads `?sku=A&sku=B&location=L1&location=L2`. */
export function readQuery(
  query: Readonly<Record<string, readonly string[] | undefined>> | null,
): StockRequest | InvalidRequest {
  const { sku = [], location = [], ...others } = query ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return invalid('unknown-parameter', `got '${shown(unknown)}', allowed: sku, location`);
  return checkRequest({ skus: sku, locations: location });
}

/** Finds what is wrong with a request; returns it as it is when nothing is. */
export function checkRequest(request: StockRequest): StockRequest | InvalidRequest {
  const { skus, locations } = request;
  const lists = [
    ['sku', skus],
    ['location', locations],
  ] as const;
  for (const [parameter, values] of lists) {
    if (values.length === 0) return invalid('missing', `${parameter}: got none, allowed: at least one`);
    const { form, allowed } = names[parameter];
    const malformed = values.find((value) => !form.test(value));
    if (malformed !== undefined)
      return invalid('malformed', `${parameter}: got '${shown(malformed)}', allowed: ${allowed}`);
    const repeated = values.find((value, index) => values.indexOf(value) < index);
    if (repeated !== undefined) return invalid('duplicate', `${parameter}: got '${repeated}' twice, allowed: once`);
  }
  if (locations.length > mostLocations)
    return invalid('too-many', `location: got ${locations.length}, allowed: at most ${mostLocations}`);
  const most = mostSkus(locations.length);
  if (skus.length > most) {
    const at = `with ${locations.length} location${locations.length === 1 ? '' : 's'}`;
    return invalid('too-many', `sku: got ${skus.length} ${at}, allowed: at most ${most}`);
  }
  return request;
}

function invalid(code: InvalidRequest['code'], message: string): InvalidRequest {
  return { code, message };
}

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
