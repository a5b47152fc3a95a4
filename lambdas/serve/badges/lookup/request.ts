import type { BadgeRequest } from '../../../base/domain/badge';

/** Why a request cannot be answered: what was got, and what is allowed. */
export interface InvalidRequest {
  readonly code: 'unknown-parameter' | 'missing' | 'malformed' | 'duplicate' | 'too-many';
  readonly message: string;
}

/** DynamoDB's limit of one BatchGetItem: a lookup is one round trip. */
const mostKeys = 100;
const databases = 2;
const name = /^[A-Za-z0-9._-]{1,64}$/;

/** Most SKUs of a request: each needs its own item and one per centre, beside an item per centre and per database. */
export function mostSkus(fcs: number): number {
  return Math.floor((mostKeys - databases - fcs) / (1 + fcs));
}

/** Most centres of a request, for one SKU. */
const mostFcs = (mostKeys - databases - 1) >> 1;

/** Reads `?sku=A&sku=B&fc=FC1&fc=FC2`. */
export function readQuery(
  query: Readonly<Record<string, readonly string[] | undefined>> | null,
): BadgeRequest | InvalidRequest {
  const { sku = [], fc = [], ...others } = query ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return invalid('unknown-parameter', `got '${shown(unknown)}', allowed: sku, fc`);
  return checkRequest({ skus: sku, fcs: fc });
}

/** Finds what is wrong with a request; returns it as it is when nothing is. */
export function checkRequest(request: BadgeRequest): BadgeRequest | InvalidRequest {
  const { skus, fcs } = request;
  const lists = [
    ['sku', skus],
    ['fc', fcs],
  ] as const;
  for (const [parameter, values] of lists)
    if (values.length === 0) return invalid('missing', `${parameter}: got none, allowed: at least one`);
  if (fcs.length > mostFcs) return invalid('too-many', `fc: got ${fcs.length}, allowed: at most ${mostFcs}`);
  const most = mostSkus(fcs.length);
  if (skus.length > most)
    return invalid('too-many', `sku: got ${skus.length} with ${fcs.length} fc, allowed: at most ${most}`);
  for (const [parameter, values] of lists) {
    const malformed = values.find((value) => !name.test(value));
    if (malformed !== undefined)
      return invalid('malformed', `${parameter}: got '${shown(malformed)}', allowed: 1 to 64 of A-Z a-z 0-9 . _ -`);
    const repeated = values.find((value, index) => values.indexOf(value) < index);
    if (repeated !== undefined) return invalid('duplicate', `${parameter}: got '${repeated}' twice, allowed: once`);
  }
  return request;
}

function invalid(code: InvalidRequest['code'], message: string): InvalidRequest {
  return { code, message };
}

const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
